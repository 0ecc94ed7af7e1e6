import {
  AwsError,
  claimedSignature,
  claimsSigV2,
  SignatureError,
  verifySignature,
  verifySigV2,
  type SignatureDialect,
  type SigningKeyCache,
} from '@mallee/aws-protocol'
import type { Caller } from '../identity/caller.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { CloudSettings } from '../settings.ts'
import type { Tables } from '../store/tables.ts'
import type { StateStore } from '@mallee/state-store'
import { findKeyOwner, type KeyOwner } from '../store/account-store.ts'
import type { RawRequest } from './raw-request.ts'

export interface AuthenticationDependencies {
  readonly record: StateStore<Tables>
  readonly keyring: Keyring
  readonly settings: CloudSettings
  readonly signingKeys: SigningKeyCache
  readonly nowMs: number
  readonly dialect: Exclude<SignatureDialect, 's3'>
  /** The text of a form body. */
  readonly form: string
}

/** With soap-door.ts the one place that makes a caller: out of a verified signature and nothing else. */
export async function authenticate(request: RawRequest, deps: AuthenticationDependencies): Promise<Caller> {
  const { dialect } = deps
  const now = new Date(deps.nowMs)
  const signed = { ...request, form: deps.form }
  let owner: KeyOwner | null = null
  if (dialect !== 'restJson' && claimsSigV2(signed, dialect)) {
    const secretOf = async (accessKeyId: string, sessionToken: string | undefined) => {
      owner = await ownerOf(deps, accessKeyId, sessionToken)
      // Where Version 2 is not allowed, a key that exists is answered as one that does not.
      if (!deps.settings.legacySignatures && owner?.account.legacy_signatures !== 1)
        throw new SignatureError(dialect, 'unsupported')
      return secretOfOwner(deps, owner)
    }
    await verifySigV2(signed, { dialect, now, secretOf })
  } else {
    refuseForeignScope(request, dialect)
    const secretOf = async (accessKeyId: string, sessionToken: string | undefined) => {
      owner = await ownerOf(deps, accessKeyId, sessionToken)
      return secretOfOwner(deps, owner)
    }
    await verifySignature(request, { dialect, now, secretOf, signingKeys: deps.signingKeys })
  }
  if (!owner) throw new SignatureError(dialect, 'unknownKey')
  return callerOf(owner, (owner as KeyOwner).key.id, deps.settings)
}

/** A signature that was made for S3 is none for these doors, whatever host or path it came by. */
function refuseForeignScope(request: RawRequest, dialect: AuthenticationDependencies['dialect']): void {
  if (claimedSignature(request, dialect).scope.service !== 's3') return
  if (dialect === 'restJson') throw new SignatureError(dialect, 'mismatch')
  throw new AwsError('SignatureDoesNotMatch', 'Credential should be scoped to correct service.', 403)
}

async function ownerOf(
  deps: AuthenticationDependencies,
  accessKeyId: string,
  sessionToken: string | undefined,
): Promise<KeyOwner | null> {
  if (sessionToken !== undefined) return null // no temporary credentials are issued yet, so none is ours
  return deps.record.read((db) => findKeyOwner(db, accessKeyId))
}

function secretOfOwner(deps: AuthenticationDependencies, owner: KeyOwner | null): string | undefined {
  return owner?.key.enabled === 1 ? deps.keyring.open(owner.key.sealed_secret, owner.key.id) : undefined
}

/** `credentialId`: of the access key or the certificate that signed. */
export function callerOf(
  { account, user }: Pick<KeyOwner, 'account' | 'user'>,
  credentialId: string,
  settings: CloudSettings,
): Caller {
  return {
    accountId: account.id,
    accountName: account.name,
    userId: user.id,
    userName: user.name,
    accessKeyId: credentialId,
    isCloudAdmin: account.name === settings.adminAccountName,
  }
}
