import { randomBytes } from 'node:crypto'
import { must, newUuid, type Random } from '@mallee/base'
import type { SnapshotKeyItem } from '@mallee/agent-contract'
import type { Keyring } from '../identity/keyring.ts'
import type { Reader, Tx } from './record.ts'
import type { EbsEncryptionTable } from './tables.ts'

/** The alias by which everybody names the key that an account has without having made one. */
export const defaultKeyAlias = 'alias/aws/ebs'

/** Undefined of an account that never had anything encrypted. */
export function getEbsEncryption(db: Reader, accountId: string): Promise<EbsEncryptionTable | undefined> {
  return db.selectFrom('ebs_encryption').selectAll().where('account_id', '=', accountId).executeTakeFirst()
}

/** Made when it is first needed, and never anew: snapshots under it would be lost. */
export async function ensureEbsEncryption(
  tx: Tx,
  accountId: string,
  { keyring, random }: { keyring: Keyring; random: Random },
): Promise<EbsEncryptionTable> {
  const present = await getEbsEncryption(tx.db, accountId)
  if (present) return present
  await tx.db
    .insertInto('ebs_encryption')
    .values({
      account_id: accountId,
      key_id: newUuid(random),
      sealed_secret: keyring.seal(newKey(), boundTo(accountId)),
    })
    .execute()
  return must(await getEbsEncryption(tx.db, accountId), 'a row that was just written')
}

export const keyArn = (region: string, { account_id, key_id }: EbsEncryptionTable) =>
  `arn:aws:kms:${region}:${account_id}:key/${key_id}`

/** Base64 of 256 random bits, always the system's: a key is never reproduced. */
export const newKey = () => randomBytes(32).toString('base64')

/** For an item of a storage controller; the secret is still sealed. */
export async function sealedSnapshotKey(db: Reader, accountId: string): Promise<SnapshotKeyItem> {
  const row = must(await getEbsEncryption(db, accountId), `the snapshot key of ${accountId}`)
  return { id: row.key_id, secret: row.sealed_secret }
}

/** As it leaves for the storage controller that needs it. */
export function openSnapshotKey(keyring: Keyring, accountId: string, key: SnapshotKeyItem): SnapshotKeyItem {
  return { ...key, secret: keyring.open(key.secret, boundTo(accountId)) }
}

const boundTo = (accountId: string) => `snapshots of ${accountId}`

/** A wrapped key, whose it is, and what it was bound to. */
export interface SealedKey {
  readonly id: string
  readonly sealed: string
  readonly boundTo: string
}

/** Every key that something encrypted needs. */
export async function sealedKeys(db: Reader): Promise<SealedKey[]> {
  const accounts = await db.selectFrom('ebs_encryption').selectAll().execute()
  const keys = accounts.map(({ account_id: id, sealed_secret: sealed }) => ({
    ...{ id, sealed, boundTo: boundTo(id) },
  }))
  for (const table of ['volume', 'snapshot'] as const) {
    const rows = await db
      .selectFrom(table)
      .select(['id', 'sealed_key'])
      .where('sealed_key', 'is not', null)
      .execute()
    keys.push(...rows.map(({ id, sealed_key: sealed }) => ({ id, sealed: sealed!, boundTo: id })))
  }
  return keys
}
