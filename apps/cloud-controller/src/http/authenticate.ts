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
import { maySign, openSession } from '@mallee/session-token'
import type { Caller } from '../identity/caller.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { CloudSettings } from '../settings.ts'
import type { Tables } from '../store/tables.ts'
import type { StateStore } from '@mallee/state-store'
import { findKeyOwner } from '../store/account-store.ts'
import { callerOfKey, callerOfSession } from '../store/principal-store.ts'
import type { SessionKeys } from '../store/session-key-store.ts'
import type { RawRequest } from './raw-request.ts'

export interface AuthenticationDependencies {
  readonly record: StateStore<Tables>
  readonly keyring: Keyring
  readonly sessionKeys: SessionKeys
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
  let signer: Signer | null = null
  if (dialect !== 'restJson' && claimsSigV2(signed, dialect)) {
    const secretOf = async (accessKeyId: string, sessionToken: string | undefined) => {
      signer = await signerOf(deps, accessKeyId, sessionToken)
      // Where Version 2 is not allowed, a key that exists is answered as one that does not.
      if (!deps.settings.legacySignatures && !signer?.legacySignatures)
        throw new SignatureError(dialect, 'unsupported')
      return signer?.secret
    }
    await verifySigV2(signed, { dialect, now, secretOf })
  } else {
    refuseForeignScope(request, dialect)
    const secretOf = async (accessKeyId: string, sessionToken: string | undefined) => {
      signer = await signerOf(deps, accessKeyId, sessionToken)
      return signer?.secret
    }
    await verifySignature(request, { dialect, now, secretOf, signingKeys: deps.signingKeys })
  }
  if (!signer) throw new SignatureError(dialect, 'unknownKey')
  return (signer as Signer).caller
}

/** A signature that was made for S3 is none for these doors, whatever host or path it came by. */
function refuseForeignScope(request: RawRequest, dialect: AuthenticationDependencies['dialect']): void {
  if (claimedSignature(request, dialect).scope.service !== 's3') return
  if (dialect === 'restJson') throw new SignatureError(dialect, 'mismatch')
  throw new AwsError('SignatureDoesNotMatch', 'Credential should be scoped to correct service.', 403)
}

/** Who has the key that a request claims to be signed with, and what proves it. */
interface Signer {
  readonly secret: string
  readonly caller: Caller
  readonly legacySignatures: boolean
}

async function signerOf(
  deps: AuthenticationDependencies,
  accessKeyId: string,
  sessionToken: string | undefined,
): Promise<Signer | null> {
  if (sessionToken !== undefined) return signerOfSession(deps, accessKeyId, sessionToken)
  const { record, keyring, settings } = deps
  return record.read(async (db) => {
    const owner = await findKeyOwner(db, accessKeyId)
    if (owner?.key.enabled !== 1) return null
    return {
      secret: keyring.open(owner.key.sealed_secret, owner.key.id),
      caller: await callerOfKey(db, owner, owner.key.id, settings),
      legacySignatures: owner.account.legacy_signatures === 1,
    }
  })
}

/** Throws SignatureError for a token that is none of ours, is over, or stands for nobody any more. */
async function signerOfSession(
  deps: AuthenticationDependencies,
  accessKeyId: string,
  token: string,
): Promise<Signer> {
  const { dialect, record, settings } = deps
  const session = openSession(token, await deps.sessionKeys.all())
  if (!session || !maySign(session, accessKeyId)) throw new SignatureError(dialect, 'invalidToken')
  if (session.expiresAtMs <= deps.nowMs) throw new SignatureError(dialect, 'expiredToken')
  const caller = await record.read((db) => callerOfSession(db, session, settings))
  if (!caller) throw new SignatureError(dialect, 'invalidToken')
  return { secret: session.secretAccessKey, caller, legacySignatures: false }
}
