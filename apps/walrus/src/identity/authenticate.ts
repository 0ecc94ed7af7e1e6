import {
  SignatureError,
  verifySignature,
  type SignedPayload,
  type SigningKeyCache,
} from '@mallee/aws-protocol'
import { s3Error } from '@mallee/s3-api'
import type { RawRequest } from '../http/raw-request.ts'
import type { AccessKeys } from './access-keys.ts'
import type { Caller } from './caller.ts'

/** Verifies the signature before a byte of the body is read; the payload tells how the body must then be checked. */
export async function authenticate(
  request: RawRequest,
  deps: { keys: AccessKeys; signingKeys: SigningKeyCache; nowMs: number },
): Promise<{ caller: Caller; payload: SignedPayload }> {
  if (!deps.keys.known) {
    throw s3Error('ServiceUnavailable', {
      message: 'This service has not yet heard which access keys exist.',
    })
  }
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
      // No temporary credentials are issued yet, so no session token is ours.
      secretOf: async (accessKeyId, sessionToken) =>
        sessionToken === undefined ? deps.keys.find(accessKeyId)?.secretAccessKey : undefined,
    },
  )
  if (verified.scope.service !== 's3')
    throw new SignatureError('s3', 'malformedHeader', 'The service in the Credential must be s3.')
  const key = deps.keys.find(verified.accessKeyId)
  if (!key) throw new SignatureError('s3', 'unknownKey')
  const { accessKeyId, accountId, canonicalId, accountName, userId, userName } = key
  return {
    caller: { accessKeyId, accountId, canonicalId, accountName, userId, userName },
    payload: verified.payload,
  }
}
