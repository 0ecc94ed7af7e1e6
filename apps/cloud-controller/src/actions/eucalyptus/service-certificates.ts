import { createHash, X509Certificate } from 'node:crypto'
import { AwsError } from '@mallee/aws-protocol'
import type { DescribeServiceCertificatesInput } from '@mallee/eucalyptus-api'
import type { EucalyptusContext } from '../eucalyptus-actions.ts'
import { passesFilters } from './service-filters.ts'

/**
 * The certificates with which the cloud shows itself: its authority's. There is none for bundling images, because bundles
 * encrypted for the cloud are not taken; a client that asks for one gets none and says so.
 */
export async function describeServiceCertificates(
  ctx: EucalyptusContext,
  input: DescribeServiceCertificatesInput,
) {
  const format = input.Format ?? 'pem'
  const digest = input.FingerprintDigest ?? 'SHA-256'
  if (format !== 'pem' && format !== 'der') throw wrong('Format', 'pem or der')
  if (digest !== 'SHA-1' && digest !== 'SHA-256') throw wrong('FingerprintDigest', 'SHA-1 or SHA-256')
  const { raw } = new X509Certificate(ctx.authorityCertificate)
  const fingerprint = createHash(digest === 'SHA-1' ? 'sha1' : 'sha256')
    .update(raw)
    .digest('hex')
  const certificate = {
    ServiceType: 'eucalyptus',
    CertificateUsage: 'certificate-authority',
    CertificateFormat: format,
    Certificate: format === 'pem' ? ctx.authorityCertificate : raw.toString('base64'),
    CertificateFingerprint: (fingerprint.toUpperCase().match(/../g) ?? []).join(':'),
    CertificateFingerprintDigest: digest,
  }
  const passes = passesFilters(input.Filters, {
    'certificate-usage': [certificate.CertificateUsage],
    'service-type': [certificate.ServiceType],
  })
  return { ServiceCertificates: passes ? [certificate] : [] }
}

function wrong(name: string, expected: string): AwsError {
  return new AwsError('InvalidParameterValue', `The value of ${name} must be ${expected}.`)
}
