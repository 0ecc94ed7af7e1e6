import { createSigningCertificate } from '@mallee/pki'
import type { StateStore } from '@mallee/state-store'
import type { Keyring } from '../identity/keyring.ts'
import type { Reader } from './record.ts'
import type { BundlingKeyTable, Tables } from './tables.ts'

/** The one key that bundles are encrypted for; bound to its name when it is sealed. */
export const bundlingKeyName = 'cloud'

export async function readBundlingKey(db: Reader): Promise<BundlingKeyTable | null> {
  const found = db.selectFrom('bundling_key').selectAll().where('name', '=', bundlingKeyName)
  return (await found.executeTakeFirst()) ?? null
}

/** Makes the key of a cloud that has none. It is never made anew: bundles encrypted for it would be lost. */
export async function ensureBundlingKey(options: {
  record: StateStore<Tables>
  keyring: Keyring
  nowMs: number
}): Promise<void> {
  const { record, keyring, nowMs } = options
  if (await record.read(readBundlingKey)) return
  const { key, certificate } = await createSigningCertificate('Mallee image bundling', nowMs)
  const sealed_key = keyring.seal(key, `bundling key ${bundlingKeyName}`)
  await record.transaction('action', async (tx) => {
    await tx.db
      .insertInto('bundling_key')
      .values({ name: bundlingKeyName, certificate, sealed_key, created_at: nowMs })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute()
  })
}

/** PEM. Leaves the keyring only for walrus' set and for what the administrator's door decrypts. */
export const openBundlingKey = (keyring: Keyring, sealedKey: string): string =>
  keyring.open(sealedKey, `bundling key ${bundlingKeyName}`)
