import { must } from '@mallee/base'
import { identityDocument, type DomainItem } from '@mallee/agent-contract'
import { signDocument, type KeyAndCertificate, type SignedDocument } from '@mallee/pki'
import type { StateStore } from '@mallee/state-store'
import { openIdentityKey, readIdentityKey } from '../store/bundling-key-store.ts'
import type { Tables } from '../store/tables.ts'
import type { Keyring } from './keyring.ts'

/** A launch sends its item a few times, and its document is the same in each. */
const mostKept = 10_000

/**
 * Signs what instances show to prove who they are. The key stays here: a node gets the signatures of its own instances
 * with their items, and goes on answering by them while the cloud is away.
 */
export class InstanceIdentity {
  private readonly deps: { readonly record: StateStore<Tables>; readonly keyring: Keyring }
  private readonly kept = new Map<string, SignedDocument>()
  private own: Promise<KeyAndCertificate> | null = null

  constructor(deps: InstanceIdentity['deps']) {
    this.deps = deps
  }

  async of(item: DomainItem): Promise<SignedDocument> {
    const document = identityDocument(item)
    const known = this.kept.get(document)
    if (known) return known
    this.own ??= this.open().catch((error: unknown) => {
      this.own = null // asked again with the next item
      throw error
    })
    const signed = signDocument(document, await this.own)
    const [oldest] = this.kept.keys()
    if (this.kept.size >= mostKept && oldest !== undefined) this.kept.delete(oldest)
    this.kept.set(document, signed)
    return signed
  }

  private async open(): Promise<KeyAndCertificate> {
    const row = await this.deps.record.read(readIdentityKey)
    return openIdentityKey(this.deps.keyring, must(row, 'the key of instance identities'))
  }
}
