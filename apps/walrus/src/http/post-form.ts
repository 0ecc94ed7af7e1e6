/**
 * A file that a browser's form sends, or a bundle tool with an upload policy.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { SignatureError, type SigningKeyCache } from '@mallee/aws-protocol'
import { s3Error } from '@mallee/s3-api'
import type { AccessKeys, Signer } from '../identity/access-keys.ts'
import { callerOf, type Authenticated } from '../identity/authenticate.ts'
import { anonymous } from '../identity/caller.ts'
import { checkPolicy } from './post-policy.ts'

/** Fields are found by their names without regard to case. */
export type FormFields = ReadonlyMap<string, string>

interface Dependencies {
  readonly keys: AccessKeys
  readonly signingKeys: SigningKeyCache
  readonly nowMs: number
}

/** Who sends the form. What its policy says of the fields is checked here; of the length, by whoever reads the file. */
export function authenticateForm(
  fields: FormFields,
  bucket: string,
  deps: Dependencies,
): Authenticated & { readonly length: { least: number; most: number } | null } {
  const policy = fields.get('policy')
  const payload = { kind: 'unsigned' } as const
  const newer = fields.has('x-amz-signature') || fields.has('x-amz-credential')
  const older = fields.has('signature') || fields.has('awsaccesskeyid')
  if (policy === undefined) {
    if (newer || older)
      throw s3Error('AccessDenied', { message: 'Bucket POST must contain a field named policy.' })
    return { caller: anonymous, payload, signed: null, length: null }
  }
  if (newer === older) throw new SignatureError('s3', newer ? 'ambiguous' : 'missing')
  const signer = newer ? byVersion4(fields, policy, deps) : byVersion2(fields, policy, deps)
  const { length } = checkPolicy(policy, fields, bucket, deps.nowMs)
  return {
    caller: callerOf(signer),
    payload,
    signed: { version: newer ? 'AWS4-HMAC-SHA256' : 'AWS', type: 'POST', atMs: null },
    length,
  }
}

function byVersion4(fields: FormFields, policy: string, deps: Dependencies): Signer {
  if (fields.get('x-amz-algorithm') !== 'AWS4-HMAC-SHA256')
    throw new SignatureError('s3', 'malformedQuery', 'X-Amz-Algorithm must be AWS4-HMAC-SHA256.')
  const [, accessKeyId = '', date = '', region = '', service = ''] =
    /^([\w+=.@-]{1,128})\/(\d{8})\/([\w.:-]{1,64})\/([\w.-]{1,64})\/aws4_request$/.exec(
      fields.get('x-amz-credential') ?? '',
    ) ?? []
  if (service !== 's3') throw new SignatureError('s3', 'malformedQuery', 'The Credential is not one of s3.')
  if (!(fields.get('x-amz-date') ?? '').startsWith(date))
    throw new SignatureError('s3', 'malformedQuery', 'The date in the Credential must be that of the form.')
  const token = fields.get('x-amz-security-token')
  const key = deps.keys.signer(accessKeyId, token, { nowMs: deps.nowMs, dialect: 's3' })
  if (!key) throw new SignatureError('s3', 'unknownKey')
  const signingKey = deps.signingKeys.keyFor(accessKeyId, key.secretAccessKey, { date, region, service })
  const expected = createHmac('sha256', signingKey).update(policy).digest()
  requireSame(expected, Buffer.from(fields.get('x-amz-signature') ?? '', 'hex'))
  return key
}

function byVersion2(fields: FormFields, policy: string, deps: Dependencies): Signer {
  const accessKeyId = fields.get('awsaccesskeyid') ?? ''
  const key = deps.keys.signer(accessKeyId, undefined, { nowMs: deps.nowMs, dialect: 's3' })
  // Upload policies of bundle tasks are signed so, whatever else the account may do.
  if (!key) throw new SignatureError('s3', 'unknownKey')
  const expected = createHmac('sha1', key.secretAccessKey).update(policy).digest()
  requireSame(expected, Buffer.from(fields.get('signature') ?? '', 'base64'))
  return key
}

function requireSame(expected: Buffer, given: Buffer): void {
  if (expected.length !== given.length || !timingSafeEqual(expected, given))
    throw new SignatureError('s3', 'mismatch')
}
