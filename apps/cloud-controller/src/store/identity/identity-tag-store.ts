/** Tags of what IAM keeps, by the id of the thing. */
import { sql } from 'kysely'
import { limitExceeded, invalidInput, type Iam } from '@mallee/iam-api'
import { readInSlices } from '../read-in-slices.ts'
import type { Reader, Tx } from '../record.ts'

const most = 50

export async function tagsOf(db: Reader, ownerId: string): Promise<Iam.Tag[]> {
  return (await tagsOfAll(db, [ownerId])).get(ownerId) ?? []
}

/** In the order of their keys. */
export async function tagsOfAll(
  db: Reader,
  ownerIds: readonly string[],
): Promise<ReadonlyMap<string, Iam.Tag[]>> {
  const rows = await readInSlices(ownerIds, (ids) =>
    db
      .selectFrom('iam_tag')
      .selectAll()
      .where('owner_id', 'in', ids)
      .orderBy('owner_id')
      .orderBy('tag_key')
      .execute(),
  )
  const byOwner = new Map<string, Iam.Tag[]>()
  for (const { owner_id: id, tag_key: Key, value: Value } of rows) {
    const tags = byOwner.get(id) ?? []
    tags.push({ Key, Value })
    byOwner.set(id, tags)
  }
  return byOwner
}

/** A key that differs from a present one by case alone takes its place, as in AWS. `what` names the quota: `User`. */
export async function putTags(
  tx: Tx,
  ownerId: string,
  tags: readonly Iam.Tag[] | undefined,
  what: string,
): Promise<void> {
  if (!tags || tags.length === 0) return
  const keys = tags.map(({ Key }) => Key.toLowerCase())
  if (new Set(keys).size < keys.length)
    throw invalidInput('Duplicate tag keys found. Please note that Tag keys are case insensitive.')
  if (keys.some((key) => key.startsWith('aws:')))
    throw invalidInput('The tag keys with the prefix aws: are reserved.')
  await removeTags(tx, ownerId, keys)
  await tx.db
    .insertInto('iam_tag')
    .values(tags.map(({ Key, Value }) => ({ owner_id: ownerId, tag_key: Key, value: Value })))
    .execute()
  if ((await tagsOf(tx.db, ownerId)).length > most)
    throw limitExceeded(`Cannot exceed quota for TagsPer${what}: ${most}`)
}

/** Without regard to case; null takes all. */
export async function removeTags(tx: Tx, ownerId: string, keys: readonly string[] | null): Promise<void> {
  const all = tx.db.deleteFrom('iam_tag').where('owner_id', '=', ownerId)
  if (keys === null) await all.execute()
  else if (keys.length > 0)
    await all
      .where(
        sql<string>`lower(tag_key)`,
        'in',
        keys.map((key) => key.toLowerCase()),
      )
      .execute()
}
