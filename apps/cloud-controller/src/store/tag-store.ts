import { tagLimitExceeded } from '@mallee/ec2-api'
import { requireQuota } from './quota-store.ts'
import type { Reader, Tx } from './record.ts'
import type { TagTable } from './tables.ts'

export type Tags = Map<string, { Key: string; Value: string }[]>

/** The tags of these resources, by resource; an account sees its own only, null sees all. */
export async function readTags(
  db: Reader,
  accountId: string | null,
  resourceIds: readonly string[],
): Promise<Tags> {
  const tags: Tags = new Map()
  for (let start = 0; start < resourceIds.length; start += 500) {
    const rows = await db
      .selectFrom('tag')
      .selectAll()
      // By resource alone: asked for the account too, SQLite goes through all the tags of the account.
      .where('resource_id', 'in', resourceIds.slice(start, start + 500))
      .orderBy('key')
      .execute()
    for (const row of rows) {
      if (accountId !== null && row.account_id !== accountId) continue
      const list = tags.get(row.resource_id) ?? []
      list.push({ Key: row.key, Value: row.value })
      tags.set(row.resource_id, list)
    }
  }
  return tags
}

/** Sets tags; one of the same key is overwritten. The quota counts what its owner has said of the resource, not `aws:` tags. */
export async function putTags(tx: Tx, tags: readonly TagTable[]): Promise<void> {
  for (const tag of tags) {
    await tx.db
      .insertInto('tag')
      .values(tag)
      .onConflict((conflict) => conflict.columns(['resource_id', 'key']).doUpdateSet({ value: tag.value }))
      .execute()
  }
  for (const [resourceId, accountId] of new Map(tags.map((tag) => [tag.resource_id, tag.account_id]))) {
    const row = await tx.db
      .selectFrom('tag')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('resource_id', '=', resourceId)
      .where('key', 'not like', 'aws:%')
      .executeTakeFirstOrThrow()
    const owner = { accountId, userId: '' }
    await requireQuota(tx.db, owner, 'tags-per-resource', 0, () => tagLimitExceeded(), Number(row.count))
  }
}

export async function deleteTagsOf(tx: Tx, resourceId: string): Promise<void> {
  await tx.db.deleteFrom('tag').where('resource_id', '=', resourceId).execute()
}
