/**
 * Decides whether a request was signed by the holder of a secret key, by Signature Version 4 in the Authorization
 * header or in the query ("presigned"). Pure: the clock and the look-up of secrets are arguments.
 *
 * Region and service are taken as signed; the caller checks that the service is its own. Nothing that the
 * signature does not cover may be believed: `signedHeaders` tells what it covers.
 */
import { timingSafeEqual } from 'node:crypto'
import { ChunkSignatures } from './chunk-signatures.ts'
import type { ClaimedSignature } from './sigv4-credentials.ts'
import { claimedSignature } from './sigv4-credentials.ts'
import type { HeaderValues, SignatureScope, SigningKeyCache } from './sigv4-canonical.ts'
import {
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  headerText,
  hmacSha256,
  sha256Hex,
  signingKeyOf,
  stringToSign,
} from './sigv4-canonical.ts'
import type { SignatureDialect } from './signature-errors.ts'
import { SignatureError } from './signature-errors.ts'

export const allowedSkewMs = 15 * 60 * 1000

export interface SignedRequest {
  method: string
  /** the path as on the request line, not decoded, without the query */
  rawPath: string
  /** without the question mark */
  rawQuery: string
  /** names in lower case, as node:http gives them */
  headers: HeaderValues
  /** the whole body where it is in memory: its hash is then checked. Absent: the caller checks `payload` as it streams. */
  body?: Uint8Array | string | undefined
}

export interface VerifyOptions {
  dialect: SignatureDialect
  /** Whether the body may be left out of the signature (`UNSIGNED-PAYLOAD`); at S3 it always may. */
  unsignedBody?: boolean
  /**
   * The secret of an access key, or undefined when there is no such active key. It may throw an AwsError of its own
   * (an expired session token).
   */
  secretOf: (accessKeyId: string, sessionToken: string | undefined) => Promise<string | undefined>
  now: Date
  signingKeys?: SigningKeyCache
}

/** What the signature says of the body. `sha256`: the body must have this hash. */
export type SignedPayload =
  | { kind: 'sha256'; sha256: string }
  | { kind: 'unsigned' }
  | { kind: 'chunked'; signed: boolean; trailer: boolean; chunkSignatures: ChunkSignatures | undefined }

export interface VerifiedSignature {
  kind: 'header' | 'presigned'
  accessKeyId: string
  scope: SignatureScope
  signedAt: Date
  /** presigned: when it stops working */
  expiresAt: Date | undefined
  signedHeaders: ReadonlySet<string>
  sessionToken: string | undefined
  payload: SignedPayload
}

/** Resolves to what was proven. Rejects with SignatureError (or what `secretOf` throws). */
export async function verifySignature(
  request: SignedRequest,
  options: VerifyOptions,
): Promise<VerifiedSignature> {
  const { dialect } = options
  const claimed = claimedSignature(request, dialect)
  checkSignedHeaders(request.headers, claimed, dialect)
  checkTimes(claimed, options)
  const payloadHash = declaredPayloadHash(request, claimed, options)
  const secret = await options.secretOf(claimed.accessKeyId, claimed.sessionToken)
  if (secret === undefined) throw new SignatureError(dialect, 'unknownKey')

  const key =
    options.signingKeys?.keyFor(claimed.accessKeyId, secret, claimed.scope) ??
    signingKeyOf(secret, claimed.scope)
  const expected = hmacSha256(key, textToSign(request, claimed, payloadHash))
  if (!timingSafeEqual(expected, Buffer.from(claimed.signature, 'hex'))) {
    throw new SignatureError(dialect, 'mismatch')
  }
  const chunkSignatures = new ChunkSignatures({
    signingKey: key,
    scope: claimed.scope,
    amzDate: claimed.amzDate,
    seedSignature: claimed.signature,
  })
  const payload = payloadOf(payloadHash, chunkSignatures, dialect)
  checkBody(request, payload, dialect)
  return {
    kind: claimed.kind,
    accessKeyId: claimed.accessKeyId,
    scope: claimed.scope,
    signedAt: claimed.signedAt,
    expiresAt: expiryOf(claimed),
    signedHeaders: new Set(claimed.signedHeaders),
    sessionToken: claimed.sessionToken,
    payload,
  }
}

function textToSign(request: SignedRequest, claimed: ClaimedSignature, payloadHash: string): string {
  const { headers } = request
  const canonical = canonicalRequest({
    method: request.method,
    path: canonicalPath(request.rawPath, claimed.scope.service),
    query: canonicalQuery(request.rawQuery, claimed.kind === 'presigned' ? 'X-Amz-Signature' : undefined),
    // A header that was signed and is gone counts as empty: the signature then fails.
    headers: claimed.signedHeaders.map((name) => [name, headerText(headers, name) ?? '']),
    payloadHash,
  })
  return stringToSign(claimed.amzDate, claimed.scope, canonical)
}

/** Host always; what we act upon by name; where headers carry members, every x-amz- header. */
function checkSignedHeaders(
  headers: HeaderValues,
  claimed: ClaimedSignature,
  dialect: SignatureDialect,
): void {
  const { signedHeaders: signed } = claimed
  const need = (name: string) => {
    if (!signed.includes(name)) throw new SignatureError(dialect, 'unsignedHeaders', `(${name})`)
  }
  need('host')
  if (claimed.kind === 'header') {
    for (const name of [headers['x-amz-date'] === undefined ? 'date' : 'x-amz-date', 'x-amz-security-token'])
      if (headers[name] !== undefined) need(name)
  }
  if (dialect !== 's3' && dialect !== 'restJson') return
  for (const name in headers) if (name.startsWith('x-amz-') && headers[name] !== undefined) need(name)
}

function expiryOf(claimed: ClaimedSignature): Date | undefined {
  if (claimed.kind === 'header') return undefined
  const lifeMs = claimed.expiresSeconds === undefined ? allowedSkewMs : claimed.expiresSeconds * 1000
  return new Date(claimed.signedAt.getTime() + lifeMs)
}

function checkTimes(claimed: ClaimedSignature, { now, dialect }: VerifyOptions): void {
  if (claimed.scope.date !== claimed.amzDate.slice(0, 8)) {
    const fault = claimed.kind === 'header' ? 'malformedHeader' : 'malformedQuery'
    throw new SignatureError(dialect, fault, 'The date in the Credential must be that of the request.')
  }
  const aheadMs = claimed.signedAt.getTime() - now.getTime()
  if (aheadMs > allowedSkewMs) throw new SignatureError(dialect, 'skewed', 'Signature not yet current.')
  const expiresAt = expiryOf(claimed)
  if (expiresAt && now > expiresAt) throw new SignatureError(dialect, 'expired')
  if (!expiresAt && -aheadMs > allowedSkewMs) throw new SignatureError(dialect, 'skewed')
}

const sha256Form = /^[0-9a-f]{64}$/i

/** The last line of the canonical request. */
function declaredPayloadHash(
  request: SignedRequest,
  claimed: ClaimedSignature,
  { dialect, unsignedBody }: VerifyOptions,
): string {
  const header = headerText(request.headers, 'x-amz-content-sha256')
  if (dialect === 's3') {
    if (claimed.kind === 'presigned') return claimed.queryPayloadHash ?? header ?? 'UNSIGNED-PAYLOAD'
    if (header === undefined) throw new SignatureError(dialect, 'payloadHashMissing')
    return header
  }
  if (unsignedBody === true && header === 'UNSIGNED-PAYLOAD') return header
  if (header !== undefined && !sha256Form.test(header)) {
    throw new SignatureError(dialect, 'payloadHashUnknown')
  }
  if (request.body !== undefined) return sha256Hex(request.body)
  if (header === undefined) throw new SignatureError(dialect, 'payloadHashMissing')
  return header
}

function payloadOf(
  declared: string,
  chunkSignatures: ChunkSignatures,
  dialect: SignatureDialect,
): SignedPayload {
  if (sha256Form.test(declared)) return { kind: 'sha256', sha256: declared.toLowerCase() }
  const chunked = (signed: boolean, trailer: boolean): SignedPayload => ({
    kind: 'chunked',
    signed,
    trailer,
    chunkSignatures: signed ? chunkSignatures : undefined,
  })
  if (declared === 'UNSIGNED-PAYLOAD') return { kind: 'unsigned' }
  if (declared === 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD') return chunked(true, false)
  if (declared === 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER') return chunked(true, true)
  if (declared === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') return chunked(false, true)
  throw new SignatureError(dialect, 'payloadHashUnknown')
}

function checkBody(request: SignedRequest, payload: SignedPayload, dialect: SignatureDialect): void {
  if (request.body === undefined || payload.kind !== 'sha256') return
  if (sha256Hex(request.body) !== payload.sha256) throw new SignatureError(dialect, 'payloadMismatch')
  const header = headerText(request.headers, 'x-amz-content-sha256')
  if (header !== undefined && header.toLowerCase() !== payload.sha256) {
    throw new SignatureError(dialect, 'payloadMismatch')
  }
}
