import { newToken } from '@mallee/base'
import { governanceError } from '@mallee/governance-api'
import { callerArn } from '../../identity/caller.ts'
import type { QuotaRequestTable } from '../../store/audit-tables.ts'
import { quotaOf } from '../../store/quota-store.ts'
import type { ActionContext } from '../define-action.ts'
import { noSuch, quotaArn, quotaCatalogue, quotaServices, requireCatalogued } from './quota-catalogue.ts'
import { servicePage, type PagedInput } from './quotas.ts'

/** Requests of one account that wait for the administrator, at most. */
const mostPending = 20

/**
 * Asks the administrator, who answers by `./mallee quota approve|deny`. One request for a quota waits at a time, as at AWS.
 * https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_RequestServiceQuotaIncrease.html
 */
export async function requestServiceQuotaIncrease(
  ctx: ActionContext,
  input: { readonly ServiceCode: string; readonly QuotaCode: string; readonly DesiredValue: number },
) {
  const quota = requireCatalogued(input.ServiceCode, input.QuotaCode)
  const { DesiredValue: desired } = input
  const { accountId } = ctx.caller
  return ctx.transaction(async (tx) => {
    const now = await quotaOf(tx.db, accountId, quota.name)
    if (!Number.isInteger(desired) || desired <= now)
      throw governanceError(
        'IllegalArgumentException',
        'You must provide a whole quota value greater than the current quota value.',
      )
    const pending = await tx.db
      .selectFrom('quota_request')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('status', '=', 'PENDING')
      .execute()
    if (pending.some((row) => row.quota_code === quota.code))
      throw governanceError(
        'ResourceAlreadyExistsException',
        'Only one open service quota increase request is allowed per quota.',
      )
    if (pending.length >= mostPending)
      throw governanceError(
        'QuotaExceededException',
        `You have reached your limit of ${mostPending} open requests.`,
      )
    const row: QuotaRequestTable = {
      id: newToken('', 32, ctx.random).toLowerCase(),
      account_id: accountId,
      quota_code: quota.code,
      name: quota.name,
      desired,
      status: 'PENDING',
      requester: JSON.stringify({ accountId, callerArn: callerArn(ctx.caller) }),
      created_at: ctx.nowMs,
      updated_at: ctx.nowMs,
    }
    await tx.db.insertInto('quota_request').values(row).execute()
    tx.touch(row.id)
    return { RequestedQuota: requestView(ctx, row) }
  })
}

export async function getRequestedServiceQuotaChange(
  ctx: ActionContext,
  input: { readonly RequestId: string },
) {
  const row = await ctx.read((db) =>
    db
      .selectFrom('quota_request')
      .selectAll()
      .where('account_id', '=', ctx.caller.accountId)
      .where('id', '=', input.RequestId)
      .executeTakeFirst(),
  )
  if (!row) throw noSuch()
  return { RequestedQuota: requestView(ctx, row) }
}

interface HistoryInput extends PagedInput {
  readonly ServiceCode?: string
  readonly QuotaCode?: string
  readonly Status?: string
}

/** The account's requests, of one service or quota or of all. */
export async function listRequestedServiceQuotaChangeHistory(ctx: ActionContext, input: HistoryInput) {
  const { ServiceCode: service, QuotaCode: code, Status: status } = input
  if (service !== undefined && !Object.hasOwn(quotaServices, service)) throw noSuch()
  if (service !== undefined && code !== undefined) requireCatalogued(service, code)
  const rows = await ctx.read((db) =>
    db
      .selectFrom('quota_request')
      .selectAll()
      .where('account_id', '=', ctx.caller.accountId)
      .orderBy('created_at')
      .orderBy('id')
      .execute(),
  )
  const wanted = rows.filter(
    (row) =>
      (service === undefined || catalogued(row).serviceCode === service) &&
      (code === undefined || row.quota_code === code) &&
      (status === undefined || row.status === status),
  )
  const keyOf = (row: QuotaRequestTable) => `${String(row.created_at).padStart(15, '0')} ${row.id}`
  const { items, next } = servicePage(ctx, wanted, { ...input }, keyOf)
  return { RequestedQuotas: items.map((row) => requestView(ctx, row)), ...next }
}

const catalogued = (row: QuotaRequestTable) => quotaCatalogue.find((quota) => quota.code === row.quota_code)!

function requestView(ctx: ActionContext, row: QuotaRequestTable) {
  const quota = catalogued(row)
  return {
    Id: row.id,
    ServiceCode: quota.serviceCode,
    ServiceName: quotaServices[quota.serviceCode],
    QuotaCode: quota.code,
    QuotaName: quota.title,
    DesiredValue: row.desired,
    Status: row.status,
    Created: new Date(row.created_at),
    LastUpdated: new Date(row.updated_at),
    Requester: row.requester,
    QuotaArn: quotaArn(quota, { region: ctx.settings.region, accountId: row.account_id }),
    GlobalQuota: false,
    Unit: 'None',
  }
}
