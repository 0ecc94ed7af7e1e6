import { noSuchBucket, s3Error } from '@mallee/s3-api'
import type { BucketTable, Reader, Tx } from './tables.ts'

export async function findBucket(db: Reader, name: string): Promise<BucketTable | null> {
  return (await db.selectFrom('bucket').selectAll().where('name', '=', name).executeTakeFirst()) ?? null
}

/** The bucket, if it is the account's. Throws NoSuchBucket; AccessDenied where it is another's (DECISIONS: private). */
export async function requireBucket(db: Reader, name: string, accountId: string): Promise<BucketTable> {
  const bucket = await findBucket(db, name)
  if (!bucket) throw noSuchBucket(name)
  if (bucket.account_id !== accountId) throw s3Error('AccessDenied')
  return bucket
}

export async function insertBucket(tx: Tx, row: BucketTable): Promise<void> {
  await tx.db.insertInto('bucket').values(row).execute()
}

export async function bucketIsEmpty(db: Reader, name: string): Promise<boolean> {
  const row = await db
    .selectFrom('object')
    .select('key')
    .where('bucket', '=', name)
    .limit(1)
    .executeTakeFirst()
  return row === undefined
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
export function listBuckets(
  db: Reader,
  accountId: string,
  options: { after: string; prefix: string; limit: number },
): Promise<BucketTable[]> {
  return db
    .selectFrom('bucket')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '>', options.after)
    .where('name', '>=', options.prefix)
    .where('name', '<', `${options.prefix}\u{10ffff}`)
    .orderBy('name')
    .limit(options.limit)
    .execute()
}
