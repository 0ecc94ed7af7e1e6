import { expect, test } from 'vitest'
import { dayMs, hourMs } from '@mallee/base'
import type { UsageIntervalTable } from '../store/audit-tables.ts'
import { costAndUsageHead, costAndUsageLine } from './cost-and-usage.ts'
import { eachDayOf, itemOfAmount, type LineItem } from './line-items.ts'
import { requirePriceList, type PriceList } from './price-list.ts'
import { UsageReport } from './usage-report.ts'

const february = Date.UTC(2026, 1, 1)
const march = Date.UTC(2026, 2, 1)
const list: PriceList = {
  currency: 'EUR',
  prices: { instance: { 't3.micro': 0.01, '*': 1 }, volume: { '*': 0.28 }, 'network-out': { '*': 0.09 } },
}
const row = (changes: Partial<UsageIntervalTable> = {}): UsageIntervalTable => ({
  id: 'u-1',
  resource_id: 'i-1',
  kind: 'instance',
  account_id: '111122223333',
  user_id: 'AIDA',
  variety: 't3.micro',
  quantity: 1,
  zone: 'us-east-1a',
  tags: null,
  started_at: february,
  ended_at: null,
  ...changes,
})
const items = (of: UsageIntervalTable, fromMs: number, toMs: number, nowMs = Number.MAX_SAFE_INTEGER) => {
  const found: LineItem[] = []
  eachDayOf(of, { fromMs, toMs, nowMs }, list, (item) => found.push(item))
  return found
}
const sum = (found: LineItem[], of: 'amount' | 'cost') => found.reduce((all, item) => all + item[of], 0)

test('an interval is cut at midnights and at the ends of the range', () => {
  const found = items(
    row({ started_at: february + 23 * hourMs, ended_at: february + 2 * dayMs + hourMs }),
    february,
    march,
  )
  expect(found.map((item) => [item.day, item.amount])).toEqual([
    [february, 1],
    [february + dayMs, 24],
    [february + 2 * dayMs, 1],
  ])
  expect(sum(items(row(), february + dayMs, february + 3 * dayMs), 'amount')).toBe(48)
  expect(items(row({ ended_at: february }), february, march)).toEqual([])
})

test('what goes on was used until now, and not in the future', () => {
  expect(sum(items(row(), february, march, february + 90 * 60_000), 'amount')).toBe(1.5)
})

test('a GiB that is kept for a month costs its price, however long the month is', () => {
  const volume = row({ kind: 'volume', variety: 'gp3', quantity: 10, ended_at: null })
  expect(sum(items(volume, february, march), 'amount')).toBeCloseTo(10, 9)
  expect(sum(items(volume, march, Date.UTC(2026, 3, 1)), 'amount')).toBeCloseTo(10, 9)
  expect(sum(items(volume, february, march), 'cost')).toBeCloseTo(2.8, 9)
})

test('a variety has its own price, else that of all others, else none', () => {
  expect(sum(items(row(), february, february + dayMs), 'cost')).toBeCloseTo(0.24)
  expect(sum(items(row({ variety: 'm1.small' }), february, february + dayMs), 'cost')).toBeCloseTo(24)
  expect(sum(items(row({ kind: 'snapshot', variety: 'standard' }), february, march), 'cost')).toBe(0)
  expect(sum(items(row({ variety: 'constructor' }), february, february + dayMs), 'cost')).toBeCloseTo(24)
})

test('bytes are billed by the GiB', () => {
  const item = itemOfAmount(
    {
      ...{ resource_id: 'i-1', kind: 'network-out', day: february, account_id: '1' },
      ...{ amount: 3 * 2 ** 30, observed_at: 1 },
    },
    list,
  )
  expect([item.amount, item.cost]).toEqual([3, 0.27])
})

test('a report sums by account, user, day, resource and tag', () => {
  const by = (...of: Parameters<typeof reportOf>) => reportOf(...of).map((line) => [line.of, line.amount])
  expect(by('account')).toEqual([['111122223333', 72]])
  expect(by('user')).toEqual([['111122223333/AIDA', 72]])
  expect(by('day')).toEqual([
    ['2026-02-01', 48],
    ['2026-02-02', 24],
  ])
  expect(by('resource')).toEqual([
    ['i-1', 48],
    ['i-2', 24],
  ])
  expect(by('tag:team')).toEqual([
    ['', 24],
    ['red', 48],
  ])
})

function reportOf(by: ConstructorParameters<typeof UsageReport>[0]) {
  const report = new UsageReport(by)
  for (const item of items(row(), february, february + 2 * dayMs)) report.add(item, { team: 'red' })
  for (const item of items(row({ resource_id: 'i-2' }), february, february + dayMs)) report.add(item, {})
  return report.lines()
}

test("the bill has AWS's columns, and no tag of a tenant is a formula", () => {
  const [item] = items(row(), february, march)
  const options = { currency: 'EUR', payer: '999988887777', tagKeys: ['team', 'note'] }
  const names = costAndUsageHead(options.tagKeys).trim().split(',')
  const text = costAndUsageLine(item!, { team: '=1+1', note: 'a,"b"' }, options)
  const values = text.trim().split(',')
  const of = (name: string) => values[names.indexOf(name)]
  expect(of('lineItem/UsageAccountId')).toBe('111122223333')
  expect(of('lineItem/UsageType')).toBe('BoxUsage:t3.micro')
  expect(of('lineItem/UsageAmount')).toBe('24')
  expect(of('lineItem/UnblendedCost')).toBe('0.24')
  expect(of('lineItem/UsageStartDate')).toBe('2026-02-01T00:00:00Z')
  expect(of('lineItem/UsageEndDate')).toBe('2026-02-02T00:00:00Z')
  expect(of('bill/BillingPeriodEndDate')).toBe('2026-03-01T00:00:00Z')
  expect(of('resourceTags/user:team')).toBe("'=1+1")
  expect(text.endsWith('"a,""b"""\r\n')).toBe(true)
  expect(costAndUsageLine({ ...item!, amount: 1e-8, cost: 1e-9 }, {}, options)).not.toMatch(/\de-/)
})

test.each([
  ['nothing', {}],
  ['a currency that is none', { currency: 'euros', prices: {} }],
  ['a price below nothing', { currency: 'EUR', prices: { instance: { '*': -1 } } }],
  ['a kind that nobody uses', { currency: 'EUR', prices: { wishes: { '*': 1 } } }],
])('no price list: %s', (_what, value) => {
  expect(() => requirePriceList(value)).toThrow('no price list')
})
