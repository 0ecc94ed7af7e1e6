import type { AccessKeyItem, DesiredItem, PrincipalItem } from '@mallee/agent-contract'
import { SignatureError, type SignatureDialect } from '@mallee/aws-protocol'
import { maySign, openSession, type SessionKey } from '@mallee/session-token'
import type { KnownAccounts } from '../access/grants.ts'
import type { Caller } from './caller.ts'
import { readyPrincipal, rootCaller, sessionCaller, userCaller, type ReadyPrincipal } from './callers.ts'

/** What the cloud says of who there is. */
export interface KnownIdentities {
  /** Null until a first set has come. */
  readonly keys: readonly DesiredItem<'access-key'>[] | null
  readonly principals: readonly DesiredItem<'principal'>[]
  readonly sessionKeys: readonly DesiredItem<'session-key'>[]
}

export const noIdentities: KnownIdentities = { keys: null, principals: [], sessionKeys: [] }

/** Whoever can sign, and what proves it. */
export interface Signer {
  readonly secretAccessKey: string
  readonly caller: Caller
  /** Whether Signature Version 2 is taken of it. */
  readonly legacySignatures: boolean
}

/**
 * Whom walrus believes: the keys, principals and session keys of the desired set, from the ledger while the cloud
 * controller is away.
 */
export class AccessKeys implements KnownAccounts {
  private keys: ReadonlyMap<string, AccessKeyItem> | null = null
  private names: ReadonlyMap<string, string> = new Map()
  private accounts: ReadonlySet<string> = new Set()
  private principals: ReadonlyMap<string, ReadyPrincipal> = new Map()
  private roots: ReadonlyMap<string, ReadyPrincipal> = new Map()
  private arns: ReadonlySet<string> = new Set()
  private sessionKeys: readonly SessionKey[] = []

  /** Nobody can be judged before a first set has come. */
  replace({ keys, principals, sessionKeys }: KnownIdentities): void {
    this.keys = keys && new Map(keys.map((item) => [item.body.accessKeyId, item.body]))
    const known = principals.map(({ body }) => readyPrincipal(body))
    this.principals = new Map(known.map((one) => [one.item.principalId, one]))
    this.roots = new Map(
      known.filter(({ item }) => item.kind === 'root').map((one) => [one.item.accountId, one]),
    )
    this.arns = new Set(known.map(({ item }) => item.arn))
    const inAccounts: readonly Pick<PrincipalItem, 'canonicalId' | 'accountName' | 'accountId'>[] = [
      ...(keys ?? []).map(({ body }) => body),
      ...known.map(({ item }) => item),
    ]
    this.names = new Map(inAccounts.map((one) => [one.canonicalId, one.accountName]))
    this.accounts = new Set(inAccounts.map((one) => one.accountId))
    this.sessionKeys = sessionKeys.map(({ body }) => ({ id: body.id, key: Buffer.from(body.key, 'base64') }))
  }

  get known(): boolean {
    return this.keys !== null
  }

  /**
   * Whose key that is, with the session that goes with it; null where there is none such, or it is not enabled. Throws
   * SignatureError for a token that is none of the cloud's, is over, or stands for nobody any more.
   */
  signer(
    accessKeyId: string,
    token: string | undefined,
    options: { readonly nowMs: number; readonly dialect: SignatureDialect },
  ): Signer | null {
    if (token !== undefined) return this.signerOfSession(accessKeyId, token, options)
    const key = this.keys?.get(accessKeyId)
    if (!key?.enabled) return null
    const principal = key.principalId === undefined ? undefined : this.principals.get(key.principalId)
    if (key.principalId !== undefined && !principal) return null
    return {
      secretAccessKey: key.secretAccessKey,
      caller: principal ? userCaller(accessKeyId, principal) : rootCaller(key, this.roots.get(key.accountId)),
      legacySignatures: key.legacySignatures === true,
    }
  }

  private signerOfSession(
    accessKeyId: string,
    token: string,
    { nowMs, dialect }: { readonly nowMs: number; readonly dialect: SignatureDialect },
  ): Signer {
    const claims = openSession(token, this.sessionKeys)
    if (!claims || !maySign(claims, accessKeyId)) throw new SignatureError(dialect, 'invalidToken')
    if (claims.expiresAtMs <= nowMs) throw new SignatureError(dialect, 'expiredToken')
    const { holder } = claims
    const principal = this.principals.get(holder.kind === 'role' ? holder.roleId : holder.userId)
    if (!principal) throw new SignatureError(dialect, 'invalidToken')
    return {
      secretAccessKey: claims.secretAccessKey,
      caller: sessionCaller(claims, principal),
      legacySignatures: false,
    }
  }

  /** The name of the account with this canonical id, if it has a key. */
  nameOf(canonicalId: string): string | undefined {
    return this.names.get(canonicalId)
  }

  isAccount(accountId: string): boolean {
    return this.accounts.has(accountId)
  }

  /** Whether a user or a role has this ARN. */
  isPrincipal(arn: string): boolean {
    return this.arns.has(arn)
  }
}
