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

/**
 * Before a byte of the body is read where a header says what the signature holds of it: that is `payload`'s. Where none
 * does, as boto3 sends a block over HTTP, the body itself is needed, and `bodyOf` is asked for it.
 */
export async function authenticateEbs(
  request: RawRequest,
  deps: {
    readonly keys: AccessKeys
    readonly signingKeys: SigningKeyCache
    readonly nowMs: number
    readonly bodyOf: () => Promise<Buffer>
  },
): Promise<{ readonly caller: Caller; readonly payload: SignedPayload; readonly atMs: number }> {
  const { keys, signingKeys, nowMs, bodyOf } = deps
  if (!keys.known)
    throw ebsError('InternalServerException', 'This service has not yet heard which access keys exist.')
  const claimed = claimedSignature(request, 'restJson')
  if (claimed.scope.service !== 'ebs')
    throw new SignatureError('restJson', 'mismatch', 'Credential should be scoped to correct service: ebs.')
  const signer = keys.signer(claimed.accessKeyId, claimed.sessionToken, { nowMs, dialect: 'restJson' })
  if (!signer) throw new SignatureError('restJson', 'unknownKey')
  // Others than PutSnapshotBlock have none, and clients do not say its hash.
  const hasBody = request.method === 'PUT'
  const saysHash = request.headers['x-amz-content-sha256'] !== undefined
  const body = !hasBody ? '' : saysHash ? undefined : await bodyOf()
  const verified = await verifySignature(
    {
      ...{ method: request.method, rawPath: request.rawPath, rawQuery: request.rawQuery },
      headers: request.headers,
      body,
    },
    {
      ...{ dialect: 'restJson', now: new Date(nowMs), signingKeys, unsignedBody: hasBody },
      secretOf: async () => signer.secretAccessKey,
    },
  )
  return { caller: signer.caller, payload: verified.payload, atMs: verified.signedAt.getTime() }
}
