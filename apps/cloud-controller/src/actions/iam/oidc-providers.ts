/** Issuers whose tokens AssumeRoleWithWebIdentity takes. https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html */
import { newToken } from '@mallee/base'
import {
  entityAlreadyExists,
  invalidInput,
  limitExceeded,
  noSuchEntity,
  type IamInput,
  type IamOutput,
} from '@mallee/iam-api'
import { requireRoom } from '../../store/identity/account-quotas.ts'
import { putTags, removeTags, tagsOf } from '../../store/identity/identity-tag-store.ts'
import type { OidcProviderTable } from '../../store/identity-tables.ts'
import type { Reader } from '../../store/record.ts'
import type { ActionContext } from '../define-action.ts'
import { changed, type IamActions } from './iam-action.ts'

const mostClientIds = 100
const mostThumbprints = 5

export const oidcProviderArn = (row: Pick<OidcProviderTable, 'account_id' | 'url'>): string =>
  `arn:aws:iam::${row.account_id}:oidc-provider/${row.url}`

export async function oidcProviderNamed(
  db: Reader,
  accountId: string,
  arn: string,
): Promise<OidcProviderTable> {
  const rows = await db
    .selectFrom('iam_oidc_provider')
    .selectAll()
    .where('account_id', '=', accountId)
    .execute()
  const found = rows.find((row) => oidcProviderArn(row) === arn)
  if (!found) throw noSuchEntity(`OpenIDConnect Provider not found for arn ${arn}`)
  return found
}

/**
 * The issuer as the ARN has it. A port may be in it, which AWS does not take: issuers inside a house often have one.
 */
function issuerOf(url: string): string {
  const parsed = URL.parse(url)
  if (parsed?.protocol !== 'https:' || parsed.search || parsed.hash || parsed.username || parsed.password)
    throw invalidInput('Invalid Open ID Connect Provider URL')
  return `${parsed.host}${parsed.pathname}`.replace(/\/+$/, '')
}

function checkThumbprints(thumbprints: readonly string[]): void {
  if (thumbprints.length > mostThumbprints)
    throw limitExceeded(`Cannot exceed quota for ThumbprintsPerOpenIdConnectProvider: ${mostThumbprints}`)
  if (!thumbprints.every((text) => /^[0-9a-f]{40}$/i.test(text)))
    throw invalidInput('A thumbprint is the SHA-1 of a certificate, in 40 hexadecimal digits.')
}

function checkClientIds(ids: readonly string[]): void {
  if (ids.length > mostClientIds)
    throw limitExceeded(`Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: ${mostClientIds}`)
}

function create(
  ctx: ActionContext,
  input: IamInput<'CreateOpenIDConnectProvider'>,
): Promise<IamOutput<'CreateOpenIDConnectProvider'>> {
  const url = issuerOf(input.Url)
  const clientIds = [...new Set(input.ClientIDList ?? [])]
  const thumbprints = [...new Set(input.ThumbprintList ?? [])]
  checkClientIds(clientIds)
  checkThumbprints(thumbprints)
  return ctx.transaction(async (tx) => {
    const { accountId } = ctx.caller
    const taken = await tx.db
      .selectFrom('iam_oidc_provider')
      .select('id')
      .where('account_id', '=', accountId)
      .where('url', '=', url)
      .executeTakeFirst()
    if (taken) throw entityAlreadyExists(`Provider with url https://${url} already exists.`)
    await requireRoom(tx.db, accountId, 'iam_oidc_provider')
    const row: OidcProviderTable = {
      id: newToken('AOIP', 17, ctx.random),
      account_id: accountId,
      url,
      client_ids: JSON.stringify(clientIds),
      thumbprints: JSON.stringify(thumbprints),
      created_at: ctx.nowMs,
    }
    await tx.db.insertInto('iam_oidc_provider').values(row).execute()
    await putTags(tx, row.id, input.Tags, 'OpenIDConnectProvider')
    changed(ctx, tx, row.id)
    return { OpenIDConnectProviderArn: oidcProviderArn(row), Tags: input.Tags ?? [] }
  })
}

function get(
  ctx: ActionContext,
  input: IamInput<'GetOpenIDConnectProvider'>,
): Promise<IamOutput<'GetOpenIDConnectProvider'>> {
  return ctx.read(async (db) => {
    const row = await oidcProviderNamed(db, ctx.caller.accountId, input.OpenIDConnectProviderArn)
    return {
      Url: row.url,
      ClientIDList: JSON.parse(row.client_ids) as string[],
      ThumbprintList: JSON.parse(row.thumbprints) as string[],
      CreateDate: new Date(row.created_at),
      Tags: await tagsOf(db, row.id),
    }
  })
}

function list(ctx: ActionContext): Promise<IamOutput<'ListOpenIDConnectProviders'>> {
  return ctx.read(async (db) => {
    const rows = await db
      .selectFrom('iam_oidc_provider')
      .selectAll()
      .where('account_id', '=', ctx.caller.accountId)
      .orderBy('url')
      .execute()
    return { OpenIDConnectProviderList: rows.map((row) => ({ Arn: oidcProviderArn(row) })) }
  })
}

/** Changes the lists of a provider: what `change` answers is written. */
async function update(
  ctx: ActionContext,
  arn: string,
  change: (row: OidcProviderTable) => Partial<Pick<OidcProviderTable, 'client_ids' | 'thumbprints'>>,
): Promise<void> {
  await ctx.transaction(async (tx) => {
    const row = await oidcProviderNamed(tx.db, ctx.caller.accountId, arn)
    await tx.db.updateTable('iam_oidc_provider').set(change(row)).where('id', '=', row.id).execute()
    changed(ctx, tx, row.id)
  })
}

async function remove(ctx: ActionContext, input: IamInput<'DeleteOpenIDConnectProvider'>): Promise<void> {
  await ctx.transaction(async (tx) => {
    const row = await oidcProviderNamed(tx.db, ctx.caller.accountId, input.OpenIDConnectProviderArn)
    await removeTags(tx, row.id, null)
    await tx.db.deleteFrom('iam_oidc_provider').where('id', '=', row.id).execute()
    changed(ctx, tx, row.id)
  })
}

export const oidcProviderActions = {
  CreateOpenIDConnectProvider: create,
  GetOpenIDConnectProvider: get,
  ListOpenIDConnectProviders: list,
  DeleteOpenIDConnectProvider: remove,
  AddClientIDToOpenIDConnectProvider: (ctx, input) =>
    update(ctx, input.OpenIDConnectProviderArn, (row) => {
      const ids = [...new Set([...(JSON.parse(row.client_ids) as string[]), input.ClientID])]
      checkClientIds(ids)
      return { client_ids: JSON.stringify(ids) }
    }),
  RemoveClientIDFromOpenIDConnectProvider: (ctx, input) =>
    update(ctx, input.OpenIDConnectProviderArn, (row) => {
      const ids = (JSON.parse(row.client_ids) as string[]).filter((id) => id !== input.ClientID)
      return { client_ids: JSON.stringify(ids) }
    }),
  UpdateOpenIDConnectProviderThumbprint: (ctx, input) => {
    checkThumbprints(input.ThumbprintList)
    return update(ctx, input.OpenIDConnectProviderArn, () => ({
      thumbprints: JSON.stringify([...new Set(input.ThumbprintList)]),
    }))
  },
} satisfies IamActions
