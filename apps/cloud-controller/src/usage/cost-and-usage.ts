/**
 * The bill as AWS's Cost and Usage Report has it: columns by AWS's names, a line per resource, usage type and day.
 * https://docs.aws.amazon.com/cur/latest/userguide/data-dictionary.html
 */
import { hash } from 'node:crypto'
import { kinds, secondsOf, usageTypeOf, type LineItem } from './line-items.ts'
import type { Tags } from './read-usage.ts'
import { rounded } from './usage-report.ts'

const columns = [
  'identity/LineItemId',
  'identity/TimeInterval',
  'bill/BillType',
  'bill/PayerAccountId',
  'bill/BillingPeriodStartDate',
  'bill/BillingPeriodEndDate',
  'lineItem/UsageAccountId',
  'lineItem/LineItemType',
  'lineItem/UsageStartDate',
  'lineItem/UsageEndDate',
  'lineItem/ProductCode',
  'lineItem/UsageType',
  'lineItem/Operation',
  'lineItem/AvailabilityZone',
  'lineItem/ResourceId',
  'lineItem/UsageAmount',
  'lineItem/CurrencyCode',
  'lineItem/UnblendedRate',
  'lineItem/UnblendedCost',
  'lineItem/LineItemDescription',
  'pricing/unit',
] as const

const operations: Partial<Record<LineItem['kind'], string>> = {
  instance: 'RunInstances',
  volume: 'CreateVolume',
  snapshot: 'CreateSnapshot',
  address: 'AllocateAddress',
}

/** `tagKeys`: those that get a column each, as cost allocation tags do. */
export function costAndUsageHead(tagKeys: readonly string[]): string {
  return line([...columns, ...tagKeys.map((key) => `resourceTags/user:${key}`)])
}

export function costAndUsageLine(
  item: LineItem,
  tags: Tags,
  options: { readonly currency: string; readonly payer: string; readonly tagKeys: readonly string[] },
): string {
  const [unit, , product] = kinds[item.kind]
  const type = usageTypeOf(item.kind, item.variety)
  const [start, end] = [secondsOf(item.startMs), secondsOf(item.endMs)]
  const values: Record<(typeof columns)[number], string | number> = {
    'identity/LineItemId': idOf(item, start),
    'identity/TimeInterval': `${start}/${end}`,
    'bill/BillType': 'Anniversary',
    'bill/PayerAccountId': options.payer,
    'bill/BillingPeriodStartDate': monthOf(item.day, 0),
    'bill/BillingPeriodEndDate': monthOf(item.day, 1),
    'lineItem/UsageAccountId': item.accountId,
    'lineItem/LineItemType': 'Usage',
    'lineItem/UsageStartDate': start,
    'lineItem/UsageEndDate': end,
    'lineItem/ProductCode': product,
    'lineItem/UsageType': type,
    'lineItem/Operation': operations[item.kind] ?? '',
    'lineItem/AvailabilityZone': item.zone,
    'lineItem/ResourceId': item.resourceId,
    'lineItem/UsageAmount': rounded(item.amount),
    'lineItem/CurrencyCode': options.currency,
    'lineItem/UnblendedRate': item.rate,
    'lineItem/UnblendedCost': rounded(item.cost),
    'lineItem/LineItemDescription': `${item.rate} ${options.currency} per ${unit} ${type}`,
    'pricing/unit': unit,
  }
  const own = options.tagKeys.map((key) => (Object.hasOwn(tags, key) ? tags[key]! : ''))
  return line([...columns.map((column) => values[column]), ...own])
}

/** The same usage has the same id whenever the report is made. */
function idOf(item: LineItem, start: string): string {
  return hash('sha256', `${item.resourceId} ${item.kind} ${item.variety} ${start}`).slice(0, 32)
}

function monthOf(day: number, later: 0 | 1): string {
  const date = new Date(day)
  return secondsOf(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later, 1))
}

/** RFC 4180. What a spreadsheet would take for a formula, in a tag that a tenant chose, is made a text. */
function line(values: readonly (string | number)[]): string {
  return `${values.map(field).join(',')}\r\n`
}

function field(value: string | number): string {
  if (typeof value === 'number') return decimal(value)
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Never with an exponent, which readers of CSV take for a text. */
function decimal(value: number): string {
  const text = String(value)
  return text.includes('e') ? value.toFixed(10).replace(/\.?0+$/, '') : text
}
