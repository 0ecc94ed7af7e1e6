import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { dayMs, MalleeError, type Clock } from '@mallee/base'
import type { StateStore } from '@mallee/state-store'
import type { CloudSettings } from '../settings.ts'
import { recordAdminEvent } from '../store/event-store.ts'
import type { Tables } from '../store/tables.ts'
import { costAndUsageHead, costAndUsageLine } from '../usage/cost-and-usage.ts'
import type { Range } from '../usage/line-items.ts'
import { noPrices, requirePriceList, type PriceList } from '../usage/price-list.ts'
import { readUsage } from '../usage/read-usage.ts'
import { UsageReport, type ReportBy } from '../usage/usage-report.ts'

interface UsageAdmin {
  readonly record: StateStore<Tables>
  readonly clock: Clock
  readonly settings: CloudSettings
}

interface UsageQuery {
  readonly from?: string
  readonly to?: string
  readonly by?: string
  readonly account?: string
  /** Keys of tags that get a column, with commas between. */
  readonly tags?: string
}

const setting = 'price-list'

/** What was used and what it costs, and the administrator's prices. */
export function registerUsageAdmin(app: FastifyInstance, deps: UsageAdmin): void {
  const { record } = deps
  app.get('/admin/v1/prices', () => priceList(record))
  app.put('/admin/v1/prices', async (request) => {
    const list = requirePriceList(request.body)
    await record.transaction('action', async (tx) => {
      await tx.db
        .insertInto('setting')
        .values({ name: setting, value: JSON.stringify(list) })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: JSON.stringify(list) }))
        .execute()
      await recordAdminEvent(tx, { nowMs: deps.clock.now(), action: 'SetPrices', resources: [] })
    })
    return list
  })
  app.get<{ Querystring: UsageQuery }>('/admin/v1/usage', async (request) => {
    const { by = 'account', account } = request.query
    const list = await priceList(record)
    const range = rangeOf(request.query, deps.clock.now())
    const report = new UsageReport(requireBy(by))
    const wish = { range, list, accountId: account ?? null, withTags: by.startsWith('tag:') }
    for await (const slice of readUsage(record, wish))
      for (const [item, tags] of slice) report.add(item, tags)
    const { fromMs, toMs } = range
    return { ...{ by, fromMs, toMs, currency: list.currency }, lines: report.lines() }
  })
  app.get<{ Querystring: UsageQuery }>('/admin/v1/cost-and-usage', async (request, reply) => {
    const range = rangeOf(request.query, deps.clock.now())
    return reply.type('text/csv').send(Readable.from(costAndUsage(deps, request.query, range)))
  })
}

async function priceList(record: StateStore<Tables>): Promise<PriceList> {
  const row = await record.read((db) =>
    db.selectFrom('setting').select('value').where('name', '=', setting).executeTakeFirst(),
  )
  return row ? requirePriceList(JSON.parse(row.value)) : noPrices
}

/** Text in pieces of one slice: the reader's pace is the pace of the next. */
async function* costAndUsage(
  { record, settings }: UsageAdmin,
  query: UsageQuery,
  range: Range,
): AsyncGenerator<string> {
  const list = await priceList(record)
  const tagKeys = (query.tags ?? '').split(',').filter(Boolean)
  const payer = await record.read((db) =>
    db.selectFrom('account').select('id').where('name', '=', settings.adminAccountName).executeTakeFirst(),
  )
  const options = { currency: list.currency, payer: payer?.id ?? '', tagKeys }
  yield costAndUsageHead(tagKeys)
  const wish = { range, list, accountId: query.account ?? null, withTags: tagKeys.length > 0 }
  for await (const slice of readUsage(record, wish))
    yield slice.map(([item, tags]) => costAndUsageLine(item, tags, options)).join('')
}

/** Whole days, UTC: `from` and `to` inclusive; this month so far where neither is said. */
function rangeOf({ from, to }: UsageQuery, nowMs: number): Range {
  const now = new Date(nowMs)
  const first = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)
  const fromMs = from === undefined ? first : dayNamed(from)
  const toMs = to === undefined ? Math.max(nowMs, fromMs + 1) : dayNamed(to) + dayMs
  if (fromMs >= toMs) throw badRequest('The report ends before it begins.')
  return { fromMs, toMs, nowMs }
}

function dayNamed(text: string): number {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(at)) throw badRequest(`${text.slice(0, 40)} is no day: YYYY-MM-DD.`)
  return at
}

function requireBy(by: string): ReportBy {
  if (['account', 'user', 'day', 'resource'].includes(by) || /^tag:./.test(by)) return by as ReportBy
  throw badRequest('A report is by account, user, day, resource or tag:KEY.')
}

const badRequest = (publicMessage: string) => new MalleeError({ code: 'BadRequest', publicMessage })
