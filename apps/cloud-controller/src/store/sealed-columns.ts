/** Every column that holds a secret wrapped by the keyring: what a new key has to wrap anew. */
import { sql } from 'kysely'
import { keyIdOf, type Keyring } from '../identity/keyring.ts'
import type { Reader, Tx } from './record.ts'

export interface SealedColumn {
  readonly table: string
  readonly id: string
  readonly column: string
  /** What the secret is bound to when it is sealed, by the row's id. */
  readonly boundTo: (id: string) => string
}

const bare = (id: string) => id

export const sealedColumns: readonly SealedColumn[] = [
  { table: 'access_key', id: 'id', column: 'sealed_secret', boundTo: bare },
  { table: 'bundling_key', id: 'name', column: 'sealed_key', boundTo: (name) => `bundling key ${name}` },
  { table: 'bundle_task', id: 'id', column: 'sealed_signature', boundTo: () => 'upload signature' },
  { table: 'disk_import', id: 'id', column: 'sealed_url', boundTo: bare },
  {
    table: 'ebs_encryption',
    id: 'account_id',
    column: 'sealed_secret',
    boundTo: (account) => `snapshots of ${account}`,
  },
  { table: 'iam_mfa_device', id: 'id', column: 'sealed_seed', boundTo: bare },
  { table: 'iam_server_certificate', id: 'id', column: 'sealed_key', boundTo: bare },
  { table: 'session_key', id: 'id', column: 'sealed_key', boundTo: (id) => `session key ${id}` },
  { table: 'snapshot', id: 'id', column: 'sealed_key', boundTo: bare },
  { table: 'volume', id: 'id', column: 'sealed_key', boundTo: bare },
  { table: 'volume_export', id: 'id', column: 'sealed_secret', boundTo: bare },
]

interface SealedRow {
  readonly id: string
  readonly sealed: string
}

const isUnder = (column: string, keyId: string) => sql<boolean>`${sql.ref(column)} like ${`${keyId}:%`}`

/** Up to `most` secrets of a column that another key than this wraps. */
export async function staleSecrets(
  db: Reader,
  { table, id, column }: SealedColumn,
  keyId: string,
  most: number,
): Promise<SealedRow[]> {
  const { rows } =
    await sql<SealedRow>`select ${sql.ref(id)} as id, ${sql.ref(column)} as sealed from ${sql.table(table)}
    where ${sql.ref(column)} is not null and not ${isUnder(column, keyId)} limit ${most}`.execute(db)
  return rows
}

/** Wraps these anew; one that was changed meanwhile is left as it is. */
export async function sealAnew(
  tx: Tx,
  { table, id, column, boundTo }: SealedColumn,
  rows: readonly SealedRow[],
  keyring: Keyring,
): Promise<void> {
  for (const row of rows) {
    const secret = keyring.open(row.sealed, boundTo(row.id))
    await sql`update ${sql.table(table)} set ${sql.ref(column)} = ${keyring.seal(secret, boundTo(row.id))}
      where ${sql.ref(id)} = ${row.id} and ${sql.ref(column)} = ${row.sealed}`.execute(tx.db)
  }
}

/** How many secrets each key wraps, desired items with their copies among them. */
export async function secretsByKey(db: Reader, keyIds: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map(keyIds.map((keyId) => [keyId, 0]))
  const add = (keyId: string, count: number) => counts.set(keyId, (counts.get(keyId) ?? 0) + count)
  for (const { table, column } of sealedColumns) {
    const { rows } = await sql<{
      sealed: string
    }>`select ${sql.ref(column)} as sealed from ${sql.table(table)}
      where ${sql.ref(column)} is not null`.execute(db)
    for (const { sealed } of rows) add(keyIdOf(sealed), 1)
  }
  for (const keyId of keyIds) {
    const row = await db
      .selectFrom('desired_item')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('body', 'like', `%"${keyId}:%`)
      .executeTakeFirstOrThrow()
    add(keyId, Number(row.count))
  }
  return counts
}
