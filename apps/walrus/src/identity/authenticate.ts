import {
  claimsS3SigV2,
  SignatureError,
  signatureKind,
  verifyS3SigV2,
  verifySignature,
  type SignedPayload,
  type SigningKeyCache,
} from '@mallee/aws-protocol'
import { bucketOfHost, eucalyptusPathPrefixes, s3Error } from '@mallee/s3-api'
import type { RawRequest } from '../http/raw-request.ts'
import type { AccessKeys, Signer } from './access-keys.ts'
import { anonymous, type Caller } from './caller.ts'

export interface Authenticated {
  readonly caller: Caller
  /** Tells how the body must be checked while it is read. */
  readonly payload: SignedPayload
  /** How it was signed, in the words of policies; null where it was not. */
  readonly signed: {
    readonly version: 'AWS' | 'AWS4-HMAC-SHA256'
    readonly type: 'REST-HEADER' | 'REST-QUERY-STRING' | 'POST'
    /** Null where the signature does not tell. */
    readonly atMs: number | null
  } | null
}

interface Dependencies {
  readonly keys: AccessKeys
  readonly signingKeys: SigningKeyCache
  readonly nowMs: number
}

/**
 * Verifies the signature before a byte of the body is read. A request without any is nobody's: it may do what is open to
 * everybody. One that claims to be signed and is not is refused.
 */
export async function authenticate(request: RawRequest, deps: Dependencies): Promise<Authenticated> {
  if (!deps.keys.known)
    throw s3Error('ServiceUnavailable', {
      message: 'This service has not yet heard which access keys exist.',
    })
  if (claimsS3SigV2(request)) return byOlderSignature(request, deps)
  const unsigned =
    signatureKind(request) === undefined &&
    request.headers.authorization === undefined &&
    request.headers['x-amz-security-token'] === undefined
  if (unsigned) return { caller: anonymous, payload: unsignedPayload(request), signed: null }
  let signer: Signer | null = null
  const verified = await verifySignature(
    {
      method: request.method,
      rawPath: request.rawPath,
      rawQuery: request.rawQuery,
      headers: request.headers,
    },
    {
      dialect: 's3',
      now: new Date(deps.nowMs),
      signingKeys: deps.signingKeys,
      secretOf: async (accessKeyId, sessionToken) => {
        signer = deps.keys.signer(accessKeyId, sessionToken, { nowMs: deps.nowMs, dialect: 's3' })
        return signer?.secretAccessKey
      },
    },
  )
  if (verified.scope.service !== 's3')
    throw new SignatureError('s3', 'malformedHeader', 'The service in the Credential must be s3.')
  return {
    caller: callerOf(signer),
    payload: verified.payload,
    signed: {
      version: 'AWS4-HMAC-SHA256',
      type: verified.kind === 'header' ? 'REST-HEADER' : 'REST-QUERY-STRING',
      atMs: verified.signedAt.getTime(),
    },
  }
}

/** Taken of those whom an administrator allowed it; of others refused without a hint whether their key exists. */
async function byOlderSignature(request: RawRequest, deps: Dependencies): Promise<Authenticated> {
  let signer: Signer | null = null
  const { presigned } = await verifyS3SigV2(
    {
      method: request.method,
      rawPath: request.rawPath,
      rawQuery: request.rawQuery,
      headers: request.headers,
      bucketOfHost: bucketOfHost(request.headers.host),
      pathPrefixes: eucalyptusPathPrefixes,
    },
    {
      now: new Date(deps.nowMs),
      secretOf: async (id) => {
        signer = deps.keys.signer(id, undefined, { nowMs: deps.nowMs, dialect: 's3' })
        if (!signer?.legacySignatures) throw new SignatureError('s3', 'unsupported')
        return signer.secretAccessKey
      },
    },
  )
  return {
    caller: callerOf(signer),
    payload: unsignedPayload(request),
    signed: { version: 'AWS', type: presigned ? 'REST-QUERY-STRING' : 'REST-HEADER', atMs: null },
  }
}

/** A body that no signature covers may still be framed in chunks, and its hash may still be said. */
function unsignedPayload({ headers }: RawRequest): SignedPayload {
  const said = headers['x-amz-content-sha256']
  if (typeof said === 'string' && /^[0-9a-f]{64}$/i.test(said))
    return { kind: 'sha256', sha256: said.toLowerCase() }
  if (said === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')
    return { kind: 'chunked', signed: false, trailer: true, chunkSignatures: undefined }
  if (said === undefined || said === 'UNSIGNED-PAYLOAD') return { kind: 'unsigned' }
  throw new SignatureError('s3', 'payloadHashUnknown')
}

export function callerOf(signer: Signer | null): Caller {
  if (!signer) throw new SignatureError('s3', 'unknownKey')
  return signer.caller
}
