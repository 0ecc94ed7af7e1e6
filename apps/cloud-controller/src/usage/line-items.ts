/** From intervals and sums to what a bill counts: one line per thing, variety and day (UTC). Pure. */
import { dayMs, hourMs } from '@mallee/base'
import type { UsageAmountTable, UsageIntervalTable } from '../store/audit-tables.ts'
import { priceOf, type PriceList } from './price-list.ts'

export type LineKind = UsageIntervalTable['kind'] | UsageAmountTable['kind']

export interface LineItem {
  readonly accountId: string
  readonly userId: string
  readonly resourceId: string
  readonly kind: LineKind
  readonly variety: string
  readonly zone: string
  /** First millisecond of the day. */
  readonly day: number
  readonly startMs: number
  readonly endMs: number
  /** In the unit of its kind. */
  readonly amount: number
  /** For one unit. */
  readonly rate: number
  readonly cost: number
}

/** [unit, usage type of AWS, product code of AWS] */
export const kinds: Readonly<Record<LineKind, readonly [unit: string, type: string, product: string]>> = {
  instance: ['Hrs', 'BoxUsage:', 'AmazonEC2'],
  volume: ['GB-Mo', 'EBS:VolumeUsage.', 'AmazonEC2'],
  snapshot: ['GB-Mo', 'EBS:SnapshotUsage', 'AmazonEC2'],
  address: ['Hrs', 'ElasticIP:Address', 'AmazonEC2'],
  'network-in': ['GB', 'DataTransfer-In-Bytes', 'AmazonEC2'],
  'network-out': ['GB', 'DataTransfer-Out-Bytes', 'AmazonEC2'],
  bucket: ['GB-Mo', 'TimedStorage-ByteHrs', 'AmazonS3'],
}

/** `BoxUsage:t3.micro`, `EBS:VolumeUsage.gp3`; kinds of one variety have only their name. */
export function usageTypeOf(kind: LineKind, variety: string): string {
  const [, type] = kinds[kind]
  return type.endsWith(':') || type.endsWith('.') ? `${type}${variety}` : type
}

const mostTexts = 10_000
const texts = new Map<number, string>()

/** `2026-01-31T00:00:00Z`. Nearly all times of a report are midnights, so that the last ones are remembered. */
export function secondsOf(atMs: number): string {
  let text = texts.get(atMs)
  if (text === undefined) {
    if (texts.size >= mostTexts) texts.clear()
    text = `${new Date(atMs).toISOString().slice(0, 19)}Z`
    texts.set(atMs, text)
  }
  return text
}

export interface Range {
  readonly fromMs: number
  /** The first millisecond that is not in it. */
  readonly toMs: number
  /** Until when something that goes on was used so far. */
  readonly nowMs: number
}

/** A month has the hours that it has: a GiB that is kept all through February costs as one all through March. */
function hoursOfMonth(day: number): number {
  const date = new Date(day)
  const days = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  return days * 24
}

/** Calls back for each day on which the interval was open within the range. */
export function eachDayOf(
  row: UsageIntervalTable,
  range: Range,
  list: PriceList,
  take: (item: LineItem) => void,
): void {
  const start = Math.max(row.started_at, range.fromMs)
  const end = Math.min(row.ended_at ?? range.nowMs, range.toMs)
  const rate = priceOf(list, row.kind, row.variety)
  const isMonthly = row.kind === 'volume' || row.kind === 'snapshot'
  for (let at = start; at < end;) {
    const day = Math.floor(at / dayMs) * dayMs
    const until = Math.min(day + dayMs, end)
    const hours = ((until - at) / hourMs) * row.quantity
    const amount = isMonthly ? hours / hoursOfMonth(day) : hours
    take({
      accountId: row.account_id,
      userId: row.user_id,
      resourceId: row.resource_id,
      kind: row.kind,
      variety: row.variety,
      zone: row.zone,
      day,
      startMs: at,
      endMs: until,
      amount,
      rate,
      cost: amount * rate,
    })
    at = until
  }
}

const kibPerGib = 1024 * 1024
const bytesPerGib = 1024 * kibPerGib

export function itemOfAmount(row: UsageAmountTable, list: PriceList): LineItem {
  const amount =
    row.kind === 'bucket' ? row.amount / kibPerGib / hoursOfMonth(row.day) : row.amount / bytesPerGib
  const rate = priceOf(list, row.kind, '*')
  return {
    accountId: row.account_id,
    userId: '',
    resourceId: row.resource_id,
    kind: row.kind,
    variety: '',
    zone: '',
    day: row.day,
    startMs: row.day,
    endMs: row.day + dayMs,
    amount,
    rate,
    cost: amount * rate,
  }
}
