import { createHash, X509Certificate } from 'node:crypto'
import { AwsError } from '@mallee/aws-protocol'
import type { DescribeServiceCertificatesInput } from '@mallee/eucalyptus-api'
import { readBundlingKey, readIdentityKey } from '../../store/bundling-key-store.ts'
import type { EucalyptusContext } from '../eucalyptus-actions.ts'
import { passesFilters } from './service-filters.ts'

/**
 * The certificates of the cloud: its authority's, the one that bundles of images are encrypted for, which
 * euca-bundle-image fetches by itself, and the one by which instance identity documents are believed.
 */
export async function describeServiceCertificates(
  ctx: EucalyptusContext,
  input: DescribeServiceCertificatesInput,
) {
  const format = input.Format ?? 'pem'
  const digest = input.FingerprintDigest ?? 'SHA-256'
  if (format !== 'pem' && format !== 'der') throw wrong('Format', 'pem or der')
  if (digest !== 'SHA-1' && digest !== 'SHA-256') throw wrong('FingerprintDigest', 'SHA-1 or SHA-256')
  const bundling = await ctx.read(readBundlingKey)
  const identity = await ctx.read(readIdentityKey)
  const certificates = [
    shown({ format, digest }, 'eucalyptus', 'certificate-authority', ctx.authorityCertificate),
    ...(bundling ? [shown({ format, digest }, 'compute', 'image-bundling', bundling.certificate)] : []),
    ...(identity ? [shown({ format, digest }, 'compute', 'instance-identity', identity.certificate)] : []),
  ]
  return {
    ServiceCertificates: certificates.filter((certificate) =>
      passesFilters(input.Filters, {
        'certificate-usage': [certificate.CertificateUsage],
        'service-type': [certificate.ServiceType],
      }),
    ),
  }
}

function shown(
  { format, digest }: { format: 'pem' | 'der'; digest: 'SHA-1' | 'SHA-256' },
  serviceType: string,
  usage: string,
  pem: string,
) {
  const { raw } = new X509Certificate(pem)
  const fingerprint = createHash(digest === 'SHA-1' ? 'sha1' : 'sha256')
    .update(raw)
    .digest('hex')
  return {
    ServiceType: serviceType,
    CertificateUsage: usage,
    CertificateFormat: format,
    Certificate: format === 'pem' ? pem : raw.toString('base64'),
    CertificateFingerprint: (fingerprint.toUpperCase().match(/../g) ?? []).join(':'),
    CertificateFingerprintDigest: digest,
  }
}

function wrong(name: string, expected: string): AwsError {
  return new AwsError('InvalidParameterValue', `The value of ${name} must be ${expected}.`)
}
