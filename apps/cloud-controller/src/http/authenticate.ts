import { AwsError, verifySignature, type SigningKeyCache } from '@mallee/aws-protocol'
import type { Caller } from '../identity/caller.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { CloudSettings } from '../settings.ts'
import type { Tables } from '../store/tables.ts'
import type { StateStore } from '@mallee/state-store'
import { findKeyOwner, type KeyOwner } from '../store/account-store.ts'
import type { RawRequest } from './raw-request.ts'

/** The one place that makes a caller: out of a verified signature and nothing else. */
export async function authenticate(
  request: RawRequest,
  deps: {
    record: StateStore<Tables>
    keyring: Keyring
    settings: CloudSettings
    signingKeys: SigningKeyCache
    nowMs: number
    dialect: 'ec2' | 'query'
  },
): Promise<Caller> {
  let owner: KeyOwner | null = null
  await verifySignature(
    {
      method: request.method,
      rawPath: request.rawPath,
      rawQuery: request.rawQuery,
      headers: request.headers,
      body: request.body,
    },
    {
      dialect: deps.dialect,
      now: new Date(deps.nowMs),
      signingKeys: deps.signingKeys,
      secretOf: async (accessKeyId, sessionToken) => {
        if (sessionToken !== undefined) return undefined // no temporary credentials are issued yet, so none is ours
        owner = await deps.record.read((db) => findKeyOwner(db, accessKeyId))
        if (!owner || owner.key.enabled !== 1) return undefined
        return deps.keyring.open(owner.key.sealed_secret, accessKeyId)
      },
    },
  )
  if (!owner)
    throw new AwsError('AuthFailure', 'AWS was not able to validate the provided access credentials', 401)
  const { account, user, key } = owner as KeyOwner
  return {
    accountId: account.id,
    accountName: account.name,
    userId: user.id,
    userName: user.name,
    accessKeyId: key.id,
    isCloudAdmin: account.name === deps.settings.adminAccountName,
  }
}
