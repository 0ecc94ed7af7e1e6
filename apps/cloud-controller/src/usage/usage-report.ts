import type { LineItem, LineKind } from './line-items.ts'
import { kinds, secondsOf, usageTypeOf } from './line-items.ts'
import type { Tags } from './read-usage.ts'

/** What a report is by: `account`, `user`, `day`, `resource`, or `tag:KEY`. */
export type ReportBy = 'account' | 'user' | 'day' | 'resource' | `tag:${string}`

export interface ReportLine {
  /** The account, the user, the day, the resource or the tag's value; empty for what has none. */
  readonly of: string
  readonly kind: LineKind
  readonly usageType: string
  readonly unit: string
  readonly amount: number
  readonly cost: number
}

/** Sums line items by what the report is by and by usage type. */
export class UsageReport {
  readonly #lines = new Map<string, { of: string; item: LineItem; amount: number; cost: number }>()
  readonly #ofItem: (item: LineItem, tags: Tags) => string

  constructor(by: ReportBy) {
    this.#ofItem = ofItem(by)
  }

  add(item: LineItem, tags: Tags): void {
    const of = this.#ofItem(item, tags)
    const key = `${of}\0${item.kind}\0${item.variety}`
    const line = this.#lines.get(key)
    if (!line) this.#lines.set(key, { of, item, amount: item.amount, cost: item.cost })
    else {
      line.amount += item.amount
      line.cost += item.cost
    }
  }

  lines(): ReportLine[] {
    return [...this.#lines.entries()]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { of, item, amount, cost }]) => ({
        of,
        kind: item.kind,
        usageType: usageTypeOf(item.kind, item.variety),
        unit: kinds[item.kind][0],
        amount: rounded(amount),
        cost: rounded(cost),
      }))
  }
}

function ofItem(by: ReportBy): (item: LineItem, tags: Tags) => string {
  if (by === 'account') return (item) => item.accountId
  if (by === 'user') return (item) => `${item.accountId}/${item.userId}`
  if (by === 'resource') return (item) => item.resourceId
  if (by === 'day') return (item) => secondsOf(item.day).slice(0, 10)
  const key = by.slice('tag:'.length)
  return (_item, tags) => (Object.hasOwn(tags, key) ? tags[key]! : '')
}

/** Ten places, as AWS's reports have them. */
export const rounded = (value: number): number => Math.round(value * 1e10) / 1e10
