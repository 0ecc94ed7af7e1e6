import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { hourMs, MalleeError, type Clock, type Log } from '@mallee/base'
import type { StateStore } from '@mallee/state-store'
import type { Keyring } from '../identity/keyring.ts'
import { recordAdminEvent } from '../store/event-store.ts'
import type { Tx } from '../store/record.ts'
import { sealAnew, sealedColumns, secretsByKey, staleSecrets } from '../store/sealed-columns.ts'
import { boundToSessionKey, sessionKeyRows } from '../store/session-key-store.ts'
import type { Tables } from '../store/tables.ts'
import type { Wakes } from '../wakes.ts'

interface Dependencies {
  readonly record: StateStore<Tables>
  readonly keyring: Keyring
  readonly wakes: Wakes
  readonly clock: Clock
  readonly log: Log
}

/** Of one transaction, so that nobody waits long for the writer. */
const sliceRows = 200
/** No session is longer; a key seals for some minutes yet after a newer one is there. */
const longestSessionMs = 37 * hourMs

export interface KeyStatus {
  readonly id: string
  readonly seals: boolean
  /** Secrets that it wraps now. */
  readonly secrets: number
}

/** The keyring: shown, turned over while the cloud works, and freed of keys that wrap nothing any more. */
export function registerKeysAdmin(app: FastifyInstance, deps: Dependencies): void {
  let rotating = false
  app.get('/admin/v1/keys', () => statusOf(deps))
  app.post('/admin/v1/keys/rotate', async () => {
    if (rotating) throw new MalleeError({ code: 'Conflict', publicMessage: 'A rotation is under way.' })
    rotating = true
    try {
      const keyId = await deps.keyring.rotate()
      await deps.record.transaction('action', async (tx) => {
        await turnSessionKeys(deps, tx)
        await recordAdminEvent(tx, { nowMs: deps.clock.now(), action: 'RotateKeys', resources: [keyId] })
      })
      await sealAllAnew(deps)
      deps.wakes.keys()
      return await statusOf(deps)
    } finally {
      rotating = false
    }
  })
  app.post('/admin/v1/keys/retire', async () => {
    // What a rotation that was killed has left, first.
    await sealAllAnew(deps)
    for (const key of await statusOf(deps)) {
      if (key.seals || key.secrets > 0) continue
      await deps.keyring.retire(key.id)
      deps.log.info({ keyId: key.id }, 'a key was retired')
    }
    return statusOf(deps)
  })
}

async function statusOf({ record, keyring }: Dependencies): Promise<KeyStatus[]> {
  const ids = keyring.keyIds()
  const counts = await record.read((db) => secretsByKey(db, ids))
  return ids.map((id) => ({ id, seals: id === ids.at(-1), secrets: counts.get(id) ?? 0 }))
}

async function sealAllAnew({ record, keyring }: Dependencies): Promise<void> {
  const current = keyring.keyIds().at(-1)!
  for (const column of sealedColumns) {
    for (;;) {
      const rows = await record.read((db) => staleSecrets(db, column, current, sliceRows))
      if (rows.length === 0) break
      await record.transaction('action', (tx) => sealAnew(tx, column, rows, keyring))
    }
  }
}

/** A new key for session tokens; those go that nothing can have been sealed with for longer than a session is. */
async function turnSessionKeys({ keyring, clock }: Dependencies, tx: Tx): Promise<void> {
  const nowMs = clock.now()
  const rows = await sessionKeyRows(tx.db)
  const id = `s${Math.max(0, ...rows.map((row) => Number(row.id.slice(1)))) + 1}`
  const sealed = keyring.seal(randomBytes(32).toString('base64'), boundToSessionKey(id))
  await tx.db.insertInto('session_key').values({ id, sealed_key: sealed, created_at: nowMs }).execute()
  for (const [index, row] of rows.entries()) {
    const replacedAt = index === 0 ? nowMs : rows[index - 1]!.created_at
    if (nowMs - replacedAt > longestSessionMs)
      await tx.db.deleteFrom('session_key').where('id', '=', row.id).execute()
  }
}
