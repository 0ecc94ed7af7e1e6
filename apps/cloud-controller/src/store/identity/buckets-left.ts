import type { Reader } from '../record.ts'

/** Lines of walrus come a moment after what they tell of; a report counts what was there at its moment. */
const overlapMs = 60_000

/**
 * Names of the buckets that an account has, as far as walrus has said: those of its last report, and what was made and
 * deleted since, by the audit. The record itself knows of no buckets: they are walrus'.
 */
export async function bucketsLeft(db: Reader, accountId: string): Promise<string[]> {
  const seen = await db
    .selectFrom('usage_amount')
    .select((eb) => ['resource_id', eb.fn.max('observed_at').as('at')])
    .where('kind', '=', 'bucket')
    .where('account_id', '=', accountId)
    .groupBy('resource_id')
    .execute()
  const newest = await db
    .selectFrom('usage_amount')
    .select((eb) => eb.fn.max('observed_at').as('at'))
    .where('kind', '=', 'bucket')
    .executeTakeFirstOrThrow()
  const reportedAt = Number(newest.at ?? 0)
  const names = new Set(seen.filter((row) => Number(row.at) === reportedAt).map((row) => row.resource_id))
  const changes = await db
    .selectFrom('api_call')
    .select(['event_name', 'parameters'])
    .where('account_id', '=', accountId)
    .where('event_source', '=', 's3.amazonaws.com')
    .where('event_name', 'in', ['CreateBucket', 'DeleteBucket'])
    .where('error_code', 'is', null)
    .where('at', '>=', reportedAt - overlapMs)
    .orderBy('sequence')
    .execute()
  for (const { event_name: name, parameters } of changes) {
    const { bucketName } = JSON.parse(parameters ?? '{}') as { bucketName?: string }
    if (bucketName === undefined) continue
    if (name === 'CreateBucket') names.add(bucketName)
    else names.delete(bucketName)
  }
  return [...names].toSorted()
}
