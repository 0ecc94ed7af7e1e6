import { noSuchBucket } from '@mallee/s3-api'
import { withSettings, type Bucket } from './bucket-settings.ts'
import { rowOf } from './statements.ts'
import type { BucketTable, Reader, Tx } from './tables.ts'

export async function findBucket(db: Reader, name: string): Promise<Bucket | null> {
  const row = await rowOf<BucketTable>(db, 'select * from bucket where name = ?', [name])
  return row ? withSettings(row) : null
}

/** Throws NoSuchBucket. */
export async function requireBucket(db: Reader, name: string): Promise<Bucket> {
  const bucket = await findBucket(db, name)
  if (!bucket) throw noSuchBucket(name)
  return bucket
}

/** The bucket as it is now, if it is still the one that the caller was allowed to use. Throws NoSuchBucket. */
export async function sameBucket(db: Reader, before: Bucket): Promise<Bucket> {
  const now = await requireBucket(db, before.name)
  if (now.account_id !== before.account_id || now.created_at !== before.created_at)
    throw noSuchBucket(before.name)
  return now
}

export async function insertBucket(
  tx: Tx,
  row: Omit<BucketTable, 'settings'> & { settings?: string },
): Promise<void> {
  await tx.db
    .insertInto('bucket')
    .values({ settings: '{}', ...row })
    .execute()
}

/** Without objects, older versions and delete markers. */
export async function bucketIsEmpty(db: Reader, name: string): Promise<boolean> {
  for (const table of ['object', 'past'] as const) {
    const row = await db
      .selectFrom(table)
      .select('key')
      .where('bucket', '=', name)
      .limit(1)
      .executeTakeFirst()
    if (row) return false
  }
  return true
}

export async function deleteBucketRow(tx: Tx, name: string): Promise<void> {
  await tx.db.deleteFrom('bucket').where('name', '=', name).execute()
}

export async function countBuckets(db: Reader, accountId: string): Promise<number> {
  const row = await db
    .selectFrom('bucket')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('account_id', '=', accountId)
    .executeTakeFirstOrThrow()
  return row.count
}

/** In order of name, after `after`, with the prefix. */
export async function listBuckets(
  db: Reader,
  accountId: string,
  options: { after: string; prefix: string; limit: number },
): Promise<Bucket[]> {
  const rows = await db
    .selectFrom('bucket')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '>', options.after)
    .where('name', '>=', options.prefix)
    .where('name', '<', `${options.prefix}\u{10ffff}`)
    .orderBy('name')
    .limit(options.limit)
    .execute()
  return rows.map(withSettings)
}

/** Every bucket; for what goes on behind all of them. */
export async function allBuckets(db: Reader): Promise<Bucket[]> {
  return (await db.selectFrom('bucket').selectAll().orderBy('name').execute()).map(withSettings)
}
