import { governanceError } from '@mallee/governance-api'
import { quotaOf } from '../../store/quota-store.ts'
import { jsonPage, jsonToken } from '../json-pages.ts'
import type { ActionContext } from '../define-action.ts'
import {
  defaultOf,
  quotaServices,
  quotasOfService,
  quotaView,
  requireCatalogued,
  type CataloguedQuota,
} from './quota-catalogue.ts'

export interface PagedInput {
  readonly NextToken?: string
  readonly MaxResults?: number
}

const largestPage = 100

/** One page of things in the order of their keys, and the token of the next. */
export function servicePage<T>(
  ctx: ActionContext,
  things: readonly T[],
  input: PagedInput & Readonly<Record<string, unknown>>,
  keyOf: (thing: T) => string,
): { readonly items: T[]; readonly next: { readonly NextToken?: string } } {
  const { NextToken: token, MaxResults: size = largestPage, ...rest } = input
  const asked = JSON.stringify(rest)
  const after = jsonPage(ctx, token, asked, () =>
    governanceError('InvalidPaginationTokenException', 'The pagination token is not valid.'),
  )
  const left = after === null ? things : things.filter((thing) => keyOf(thing) > after)
  const items = left.slice(0, size)
  const next = items.length < left.length ? { NextToken: jsonToken(ctx, keyOf(items.at(-1)!), asked) } : {}
  return { items, next }
}

/** https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServices.html */
export async function listServices(ctx: ActionContext, input: PagedInput) {
  const services = Object.entries(quotaServices)
  const { items, next } = servicePage(ctx, services, { ...input }, ([code]) => code)
  return { Services: items.map(([ServiceCode, ServiceName]) => ({ ServiceCode, ServiceName })), ...next }
}

interface ListInput extends PagedInput {
  readonly ServiceCode: string
}

/** What the account has, of quotas of one service. */
export async function listServiceQuotas(ctx: ActionContext, input: ListInput) {
  const { items, next } = servicePage(
    ctx,
    quotasOfService(input.ServiceCode),
    { ...input },
    (quota) => quota.code,
  )
  const Quotas = await ctx.read((db) => Promise.all(items.map((quota) => applied(ctx, db, quota))))
  return { Quotas, ...next }
}

/** What a new account has. */
export async function listAwsDefaultServiceQuotas(ctx: ActionContext, input: ListInput) {
  const { items, next } = servicePage(
    ctx,
    quotasOfService(input.ServiceCode),
    { ...input },
    (quota) => quota.code,
  )
  return { Quotas: items.map((quota) => defaultView(ctx, quota)), ...next }
}

interface GetInput {
  readonly ServiceCode: string
  readonly QuotaCode: string
}

export async function getServiceQuota(ctx: ActionContext, input: GetInput) {
  const quota = requireCatalogued(input.ServiceCode, input.QuotaCode)
  return { Quota: await ctx.read((db) => applied(ctx, db, quota)) }
}

export async function getAwsDefaultServiceQuota(ctx: ActionContext, input: GetInput) {
  return { Quota: defaultView(ctx, requireCatalogued(input.ServiceCode, input.QuotaCode)) }
}

async function applied(ctx: ActionContext, db: Parameters<typeof quotaOf>[0], quota: CataloguedQuota) {
  const { accountId } = ctx.caller
  const value = await quotaOf(db, accountId, quota.name)
  return quotaView(quota, { value, region: ctx.settings.region, accountId })
}

const defaultView = (ctx: ActionContext, quota: CataloguedQuota) =>
  quotaView(quota, { value: defaultOf(quota), region: ctx.settings.region, accountId: '' })
