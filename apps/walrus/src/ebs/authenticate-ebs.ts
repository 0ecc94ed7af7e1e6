import {
  claimedSignature,
  SignatureError,
  verifySignature,
  type SignedPayload,
  type SigningKeyCache,
} from '@mallee/aws-protocol'
import { ebsError } from '@mallee/ebs-api'
import type { RawRequest } from '../http/raw-request.ts'
import type { AccessKeys } from '../identity/access-keys.ts'
import { callerOf } from '../identity/authenticate.ts'
import type { Caller } from '../identity/caller.ts'

/** Whether a request was signed for the EBS direct APIs: paths may be those of a bucket's objects, the scope decides. */
export function isForEbs({ headers, rawQuery }: RawRequest): boolean {
  const { authorization } = headers
  if (authorization !== undefined) {
    const credential = /[\s,]Credential=([^,\s]*)/.exec(authorization)?.[1]
    return /^AWS4-[A-Z0-9-]+\s/.test(authorization) && credential?.endsWith('/ebs/aws4_request') === true
  }
  return /(?:^|&)X-Amz-Credential=[^&]*(?:\/|%2F)ebs(?:\/|%2F)aws4_request(?:&|$)/i.test(rawQuery)
}

/** Before a byte of the body is read; what the signature says of the body is `payload`'s. */
export async function authenticateEbs(
  request: RawRequest,
  deps: { readonly keys: AccessKeys; readonly signingKeys: SigningKeyCache; readonly nowMs: number },
): Promise<{ readonly caller: Caller; readonly payload: SignedPayload; readonly atMs: number }> {
  const { keys, signingKeys, nowMs } = deps
  if (!keys.known)
    throw ebsError('InternalServerException', 'This service has not yet heard which access keys exist.')
  if (claimedSignature(request, 'restJson').scope.service !== 'ebs')
    throw new SignatureError('restJson', 'mismatch', 'Credential should be scoped to correct service: ebs.')
  const hasBody = request.method === 'PUT'
  const verified = await verifySignature(
    {
      ...{ method: request.method, rawPath: request.rawPath, rawQuery: request.rawQuery },
      headers: request.headers,
      // Others than PutSnapshotBlock have none, and clients do not say its hash.
      ...(hasBody ? { payloadHash: checksumOf(request) } : { body: '' }),
    },
    {
      ...{ dialect: 'restJson', now: new Date(nowMs), signingKeys, unsignedBody: hasBody },
      // No temporary credentials are issued yet, so no session token is ours.
      secretOf: async (accessKeyId, sessionToken) =>
        sessionToken === undefined ? keys.find(accessKeyId)?.secretAccessKey : undefined,
    },
  )
  const key = keys.find(verified.accessKeyId)
  if (!key) throw new SignatureError('restJson', 'unknownKey')
  return { caller: callerOf(key), payload: verified.payload, atMs: verified.signedAt.getTime() }
}

/** Who signs the body need not say its hash twice: the checksum of a block is that, and is held against its bytes. */
function checksumOf({ headers }: RawRequest): string {
  const digest = Buffer.from(String(headers['x-amz-checksum'] ?? ''), 'base64')
  return digest.length === 32 ? digest.toString('hex') : ''
}
