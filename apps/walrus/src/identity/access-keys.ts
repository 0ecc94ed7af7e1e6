import type { AccessKeyItem, DesiredItem } from '@mallee/agent-contract'
import type { KnownAccounts } from '../access/grants.ts'

/** Whom walrus believes: the keys of the desired set, from the ledger while the cloud controller is away. */
export class AccessKeys implements KnownAccounts {
  private keys: ReadonlyMap<string, AccessKeyItem> | null = null
  private names: ReadonlyMap<string, string> = new Map()
  private accounts: ReadonlySet<string> = new Set()

  /** Null until a first set has come: nobody can be judged before. */
  replace(items: readonly DesiredItem<'access-key'>[] | null): void {
    this.keys = items && new Map(items.map((item) => [item.body.accessKeyId, item.body]))
    this.names = new Map((items ?? []).map(({ body }) => [body.canonicalId, body.accountName]))
    this.accounts = new Set((items ?? []).map(({ body }) => body.accountId))
  }

  get known(): boolean {
    return this.keys !== null
  }

  /** The key, if it exists and is enabled. */
  find(accessKeyId: string): AccessKeyItem | null {
    const key = this.keys?.get(accessKeyId)
    return key?.enabled ? key : null
  }

  /** The name of the account with this canonical id, if it has a key. */
  nameOf(canonicalId: string): string | undefined {
    return this.names.get(canonicalId)
  }

  isAccount(accountId: string): boolean {
    return this.accounts.has(accountId)
  }
}
