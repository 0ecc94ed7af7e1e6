import type { AccessKeyItem, DesiredItem } from '@mallee/agent-contract'

/** Whom walrus believes: the keys of the desired set, from the ledger while the cloud controller is away. */
export class AccessKeys {
  private keys: ReadonlyMap<string, AccessKeyItem> | null = null

  /** Null until a first set has come: nobody can be judged before. */
  replace(items: readonly DesiredItem<'access-key'>[] | null): void {
    this.keys = items && new Map(items.map((item) => [item.body.accessKeyId, item.body]))
  }

  get known(): boolean {
    return this.keys !== null
  }

  /** The key, if it exists and is enabled. */
  find(accessKeyId: string): AccessKeyItem | null {
    const key = this.keys?.get(accessKeyId)
    return key?.enabled ? key : null
  }
}
