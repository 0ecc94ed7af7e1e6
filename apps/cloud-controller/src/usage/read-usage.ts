import type { StateStore } from '@mallee/state-store'
import { dayOf } from '../store/usage-store.ts'
import type { UsageAmountTable, UsageIntervalTable } from '../store/audit-tables.ts'
import type { Tables } from '../store/tables.ts'
import { eachDayOf, itemOfAmount, type LineItem, type Range } from './line-items.ts'
import type { PriceList } from './price-list.ts'

/** Rows of one read: between two, others get on. Each may be a month of days. */
const slice = 250

export interface UsageWish {
  readonly range: Range
  readonly list: PriceList
  /** Of this account only. */
  readonly accountId: string | null
}

export type Tags = Readonly<Record<string, string>>

export type Counted = readonly [item: LineItem, tags: Tags]

/**
 * Every line item of the range in slices, with the tags of its resource where `withTags` asks for them: a month of ten thousand
 * instances is never in memory at once, and others get on between two slices.
 */
export async function* readUsage(
  record: StateStore<Tables>,
  wish: UsageWish & { readonly withTags: boolean },
): AsyncGenerator<readonly Counted[]> {
  const { range, list } = wish
  for (let after = ''; ;) {
    const rows = await intervals(record, wish, after)
    const tags = wish.withTags ? await tagsOf(record, rows) : null
    const counted: Counted[] = []
    for (const row of rows) {
      const own = tags?.(row) ?? none
      eachDayOf(row, range, list, (item) => counted.push([item, own]))
    }
    yield counted
    if (rows.length < slice) break
    after = rows.at(-1)!.id
    await new Promise((resolve) => setImmediate(resolve))
  }
  yield* readAmounts(record, wish)
}

const none: Tags = {}

function intervals(
  record: StateStore<Tables>,
  wish: UsageWish,
  after: string,
): Promise<UsageIntervalTable[]> {
  const { range, accountId } = wish
  return record.read((db) =>
    db
      .selectFrom('usage_interval')
      .selectAll()
      .where('id', '>', after)
      .where('started_at', '<', range.toMs)
      .where((eb) => eb.or([eb('ended_at', 'is', null), eb('ended_at', '>', range.fromMs)]))
      .$if(accountId !== null, (query) => query.where('account_id', '=', accountId!))
      .orderBy('id')
      .limit(slice)
      .execute(),
  )
}

async function* readAmounts(
  record: StateStore<Tables>,
  { range, accountId, list }: UsageWish,
): AsyncGenerator<readonly Counted[]> {
  type Key = Pick<UsageAmountTable, 'day' | 'resource_id' | 'kind'>
  for (let after: Key | null = null; ;) {
    const last: Key | null = after
    const rows: UsageAmountTable[] = await record.read((db) =>
      db
        .selectFrom('usage_amount')
        .selectAll()
        .where('day', '>=', dayOf(range.fromMs))
        .where('day', '<', range.toMs)
        .$if(accountId !== null, (query) => query.where('account_id', '=', accountId!))
        .$if(last !== null, (query) =>
          query.where(({ eb, refTuple, tuple }) =>
            eb(refTuple('day', 'resource_id', 'kind'), '>', tuple(last!.day, last!.resource_id, last!.kind)),
          ),
        )
        .orderBy('day')
        .orderBy('resource_id')
        .orderBy('kind')
        .limit(slice)
        .execute(),
    )
    yield rows.map((row): Counted => [itemOfAmount(row, list), none])
    if (rows.length < slice) return
    after = rows.at(-1)!
  }
}

/** Of what goes on, as they are; of what ended, as they were. */
async function tagsOf(
  record: StateStore<Tables>,
  rows: readonly UsageIntervalTable[],
): Promise<(row: UsageIntervalTable) => Tags> {
  const ids = [...new Set(rows.filter((row) => row.tags === null).map((row) => row.resource_id))]
  const found = new Map<string, Record<string, string>>()
  for (let at = 0; at < ids.length; at += 500) {
    const part = ids.slice(at, at + 500)
    const tags = await record.read((db) =>
      db.selectFrom('tag').select(['resource_id', 'key', 'value']).where('resource_id', 'in', part).execute(),
    )
    for (const { resource_id: id, key, value } of tags)
      found.set(id, Object.assign(found.get(id) ?? {}, { [key]: value }))
  }
  return (row) => (row.tags === null ? (found.get(row.resource_id) ?? none) : (JSON.parse(row.tags) as Tags))
}
