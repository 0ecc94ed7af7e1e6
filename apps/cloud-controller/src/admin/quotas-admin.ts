import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'
import { MalleeError, type Clock } from '@mallee/base'
import type { StateStore } from '@mallee/state-store'
import { quotaCatalogue } from '../actions/service-quotas/quota-catalogue.ts'
import type { QuotaRequestTable } from '../store/audit-tables.ts'
import { recordAdminEvent } from '../store/event-store.ts'
import { defaultQuotas, quotaOf, type QuotaName } from '../store/quota-store.ts'
import type { Reader, Tx } from '../store/record.ts'
import type { Tables } from '../store/tables.ts'

const ajv = new Ajv({ strict: true })
const newValue = ajv.compile<{ accountId: string; name: QuotaName; value: number }>({
  type: 'object',
  additionalProperties: false,
  required: ['accountId', 'name', 'value'],
  properties: {
    accountId: { type: 'string' },
    name: { enum: Object.keys(defaultQuotas) },
    value: { type: 'integer', minimum: 0, maximum: 10_000_000_000 },
  },
})
const decision = ajv.compile<{ decision: 'approve' | 'deny' }>({
  type: 'object',
  additionalProperties: false,
  required: ['decision'],
  properties: { decision: { enum: ['approve', 'deny'] } },
})

interface QuotaAdmin {
  readonly record: StateStore<Tables>
  readonly clock: Clock
}

/** What accounts may have, and what they ask to have: the administrator says. */
export function registerQuotasAdmin(app: FastifyInstance, deps: QuotaAdmin): void {
  const { record } = deps
  app.get<{ Querystring: { account?: string } }>('/admin/v1/quotas', (request) =>
    record.read((db) => quotasOf(db, request.query.account ?? '')),
  )
  app.post('/admin/v1/quotas', (request) => {
    const { body } = request
    if (!newValue(body)) throw badRequest(ajv.errorsText(newValue.errors))
    return record.transaction('action', (tx) => setQuota(tx, deps.clock.now(), body))
  })
  app.get('/admin/v1/quota-requests', () =>
    record.read((db) =>
      db.selectFrom('quota_request').selectAll().orderBy('created_at').orderBy('id').execute(),
    ),
  )
  app.post<{ Params: { id: string } }>('/admin/v1/quota-requests/:id', (request) => {
    const { body, params } = request
    if (!decision(body)) throw badRequest(ajv.errorsText(decision.errors))
    return record.transaction('action', (tx) => decide(tx, deps.clock.now(), params.id, body.decision))
  })
}

async function quotasOf(db: Reader, accountId: string) {
  await requireAccount(db, accountId)
  return Promise.all(
    quotaCatalogue.map(async ({ name, code, serviceCode, title }) => ({
      ...{ name, code, serviceCode, title },
      value: await quotaOf(db, accountId, name),
      default: defaultQuotas[name],
    })),
  )
}

async function setQuota(
  tx: Tx,
  nowMs: number,
  { accountId, name, value }: { accountId: string; name: QuotaName; value: number },
) {
  await requireAccount(tx.db, accountId)
  await tx.db
    .insertInto('quota')
    .values({ account_id: accountId, name, value })
    .onConflict((conflict) => conflict.columns(['account_id', 'name']).doUpdateSet({ value }))
    .execute()
  await recordAdminEvent(tx, { nowMs, action: `SetQuota ${name} ${value}`, resources: [accountId] })
  return { accountId, name, value }
}

async function decide(
  tx: Tx,
  nowMs: number,
  id: string,
  made: 'approve' | 'deny',
): Promise<QuotaRequestTable> {
  const row = await tx.db.selectFrom('quota_request').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw notFound(`There is no request ${id.slice(0, 40)}.`)
  if (row.status !== 'PENDING') throw badRequest(`The request is ${row.status} already.`)
  const status = made === 'approve' ? 'APPROVED' : 'DENIED'
  const changes = { status, updated_at: nowMs } as const
  await tx.db.updateTable('quota_request').set(changes).where('id', '=', id).execute()
  await recordAdminEvent(tx, { nowMs, action: `QuotaRequest ${status}`, resources: [id, row.account_id] })
  if (made === 'approve')
    await setQuota(tx, nowMs, { accountId: row.account_id, name: row.name as QuotaName, value: row.desired })
  return { ...row, ...changes }
}

async function requireAccount(db: Reader, id: string): Promise<void> {
  const row = await db.selectFrom('account').select('id').where('id', '=', id).executeTakeFirst()
  if (!row) throw notFound(`There is no account ${id.slice(0, 40)}.`)
}

const notFound = (publicMessage: string) => new MalleeError({ code: 'NotFound', publicMessage })
const badRequest = (publicMessage: string) => new MalleeError({ code: 'BadRequest', publicMessage })
