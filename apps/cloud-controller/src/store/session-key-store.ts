import { randomBytes } from 'node:crypto'
import type { SessionKey } from '@mallee/session-token'
import type { StateStore } from '@mallee/state-store'
import { minuteMs, must } from '@mallee/base'
import type { Keyring } from '../identity/keyring.ts'
import type { SessionKeyTable } from './identity-tables.ts'
import type { Reader } from './record.ts'
import type { Tables } from './tables.ts'

/** Newest first. */
export function sessionKeyRows(db: Reader): Promise<SessionKeyTable[]> {
  return db
    .selectFrom('session_key')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute()
}

export const boundToSessionKey = (id: string) => `session key ${id}`

/** How long a new key is only opened with, and not sealed. */
const spreadMs = 5 * minuteMs

/** The keys that session tokens are sealed with, opened once each. */
export class SessionKeys {
  private readonly record: StateStore<Tables>
  private readonly keyring: Keyring
  private readonly opened = new Map<string, SessionKey>()

  constructor(deps: { readonly record: StateStore<Tables>; readonly keyring: Keyring }) {
    this.record = deps.record
    this.keyring = deps.keyring
  }

  /** Makes the first, where there is none. */
  async ensure(nowMs: number): Promise<void> {
    const sealed = this.keyring.seal(randomBytes(32).toString('base64'), boundToSessionKey('s1'))
    await this.record.transaction('action', async (tx) => {
      await tx.db
        .insertInto('session_key')
        .values({ id: 's1', sealed_key: sealed, created_at: nowMs })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute()
    })
  }

  async all(): Promise<SessionKey[]> {
    const rows = await this.record.read(sessionKeyRows)
    return rows.map((row) => this.open(row))
  }

  /** The one that new tokens are sealed with: the newest that walrus has had the time to hear of. */
  async sealing(nowMs: number): Promise<SessionKey> {
    const rows = await this.record.read(sessionKeyRows)
    const known = rows.find((row) => nowMs - row.created_at >= spreadMs) ?? rows.at(-1)
    return this.open(must(known, 'a session key'))
  }

  private open({ id, sealed_key: sealed }: SessionKeyTable): SessionKey {
    const known = this.opened.get(id)
    if (known) return known
    const key = { id, key: Buffer.from(this.keyring.open(sealed, boundToSessionKey(id)), 'base64') }
    this.opened.set(id, key)
    return key
  }
}
