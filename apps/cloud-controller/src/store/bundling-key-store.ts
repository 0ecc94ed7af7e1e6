import type { KeyAndCertificate } from '@mallee/pki'
import type { StateStore } from '@mallee/state-store'
import type { Keyring } from '../identity/keyring.ts'
import type { Reader } from './record.ts'
import type { BundlingKeyTable, Tables } from './tables.ts'

/** The one key that bundles are encrypted for; bound to its name when it is sealed. */
export const bundlingKeyName = 'cloud'
/** The one that instance identity documents are signed with, in the same table. */
export const identityKeyName = 'instance-identity'

export function readBundlingKey(db: Reader): Promise<BundlingKeyTable | null> {
  return readKey(db, bundlingKeyName)
}

export function readIdentityKey(db: Reader): Promise<BundlingKeyTable | null> {
  return readKey(db, identityKeyName)
}

async function readKey(db: Reader, name: string): Promise<BundlingKeyTable | null> {
  const found = db.selectFrom('bundling_key').selectAll().where('name', '=', name)
  return (await found.executeTakeFirst()) ?? null
}

export type MakeSigningKey = (commonName: string, nowMs: number) => Promise<KeyAndCertificate>

/**
 * Makes the keys of a cloud that has none. They are never made anew: bundles encrypted for the one would be lost, and
 * who knows the certificate of the other would believe no instance any more.
 */
export async function ensureCloudKeys(options: {
  record: StateStore<Tables>
  keyring: Keyring
  makeSigningKey: MakeSigningKey
  nowMs: number
}): Promise<void> {
  await ensureKey(bundlingKeyName, 'Mallee image bundling', options)
  await ensureKey(identityKeyName, 'Mallee instance identity', options)
}

async function ensureKey(
  name: string,
  commonName: string,
  { record, keyring, makeSigningKey, nowMs }: Parameters<typeof ensureCloudKeys>[0],
): Promise<void> {
  if (await record.read((db) => readKey(db, name))) return
  const { key, certificate } = await makeSigningKey(commonName, nowMs)
  const sealed_key = keyring.seal(key, boundTo(name))
  await record.transaction('action', async (tx) => {
    await tx.db
      .insertInto('bundling_key')
      .values({ name, certificate, sealed_key, created_at: nowMs })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute()
  })
}

/** PEM. Leaves the keyring only for walrus' set and for what the administrator's door decrypts. */
export const openBundlingKey = (keyring: Keyring, sealedKey: string): string =>
  keyring.open(sealedKey, boundTo(bundlingKeyName))

/** Does not leave the cloud controller. */
export const openIdentityKey = (
  keyring: Keyring,
  { sealed_key: sealedKey, certificate }: BundlingKeyTable,
): KeyAndCertificate => ({ key: keyring.open(sealedKey, boundTo(identityKeyName)), certificate })

const boundTo = (name: string) => `bundling key ${name}`
