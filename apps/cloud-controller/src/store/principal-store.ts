/** Who a signature stands for, and which policies that principal has: read anew for every request. */
import type { SessionClaims } from '@mallee/session-token'
import { federatedCaller, roleCaller, userCaller } from '../identity/callers.ts'
import type { Caller } from '../identity/caller.ts'
import { iamArn } from '../identity/arns.ts'
import { awsManagedPolicies } from '../identity/aws-managed-policies.ts'
import type { CloudSettings } from '../settings.ts'
import type { KeyOwner } from './account-store.ts'
import type { Reader } from './record.ts'

/** Tags of a user or a role. */
export async function tagsOfPrincipal(db: Reader, ownerId: string): Promise<Record<string, string>> {
  const rows = await db
    .selectFrom('iam_tag')
    .select(['tag_key', 'value'])
    .where('owner_id', '=', ownerId)
    .execute()
  return Object.fromEntries(rows.map((row) => [row.tag_key, row.value]))
}

export async function callerOfKey(
  db: Reader,
  { account, user }: Pick<KeyOwner, 'account' | 'user'>,
  credentialId: string,
  settings: CloudSettings,
): Promise<Caller> {
  const tags = user.is_root === 1 ? {} : await tagsOfPrincipal(db, user.id)
  return userCaller(user, tags, { account, credentialId, settings, session: null })
}

/** Null where whom the session stands for is gone. */
export async function callerOfSession(
  db: Reader,
  session: SessionClaims,
  settings: CloudSettings,
): Promise<Caller | null> {
  const account = await db
    .selectFrom('account')
    .selectAll()
    .where('id', '=', session.accountId)
    .executeTakeFirst()
  if (!account) return null
  const known = { account, credentialId: session.accessKeyId, settings, session }
  const { holder } = session
  if (holder.kind === 'role') {
    const role = await db
      .selectFrom('iam_role')
      .selectAll()
      .where('id', '=', holder.roleId)
      .executeTakeFirst()
    return role ? roleCaller(role, await tagsOfPrincipal(db, role.id), holder.name, known) : null
  }
  const user = await db.selectFrom('user').selectAll().where('id', '=', holder.userId).executeTakeFirst()
  if (!user) return null
  if (holder.kind === 'federated') return federatedCaller(user, holder.name, known)
  return userCaller(user, user.is_root === 1 ? {} : await tagsOfPrincipal(db, user.id), known)
}

/** A policy as it is kept. */
export interface PolicyText {
  /** What an explanation calls it: an ARN, or of an inline policy its name. */
  readonly id: string
  readonly document: string
}

export interface PolicyTexts {
  /** Of the user and its groups, or of the role; null where everything is allowed, as to a root. */
  readonly identity: readonly PolicyText[] | null
  readonly boundary: PolicyText | null
  /** Of the account (Eucalyptus' account policies): only what they deny counts. */
  readonly account: readonly PolicyText[]
}

export async function policyTextsOf(
  db: Reader,
  caller: Pick<Caller, 'accountId' | 'holder'>,
): Promise<PolicyTexts> {
  const { accountId, holder } = caller
  const groups = holder?.kind === 'user' ? await groupsOf(db, holder.id) : []
  const owners = holder === null ? [accountId] : [accountId, holder.id, ...groups]
  const inline = await db
    .selectFrom('iam_inline_policy')
    .selectAll()
    .where('owner_id', 'in', owners)
    .execute()
  const own = inline.filter((row) => row.owner_id !== accountId)
  const account = inline
    .filter((row) => row.owner_id === accountId)
    .map(({ name, document }) => ({ id: name, document }))
  if (holder === null) return { identity: null, boundary: null, account }
  const isRoot = holder.kind === 'user' && (await isRootUser(db, holder.id))
  if (isRoot) return { identity: null, boundary: null, account }
  const attached = await db
    .selectFrom('iam_attachment')
    .select('policy_arn')
    .distinct()
    .where('owner_id', 'in', owners)
    .execute()
  const limit = await db
    .selectFrom('iam_boundary')
    .select('policy_arn')
    .where('owner_id', '=', holder.id)
    .executeTakeFirst()
  const arns = attached.map((row) => row.policy_arn)
  const managed = await managedDocuments(db, accountId, limit ? [...arns, limit.policy_arn] : arns)
  return {
    identity: [
      ...own.map(({ name, document }) => ({ id: name, document })),
      ...arns.flatMap((arn) => lookedUp(managed, arn)),
    ],
    // A boundary that is gone allows nothing.
    boundary: limit
      ? (lookedUp(managed, limit.policy_arn)[0] ?? { id: limit.policy_arn, document: denyAll })
      : null,
    account,
  }
}

const denyAll = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'

function lookedUp(documents: ReadonlyMap<string, string>, arn: string): PolicyText[] {
  const document = documents.get(arn)
  return document === undefined ? [] : [{ id: arn, document }]
}

async function groupsOf(db: Reader, userId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('iam_group_member')
    .select('group_id')
    .where('user_id', '=', userId)
    .execute()
  return rows.map((row) => row.group_id)
}

async function isRootUser(db: Reader, id: string): Promise<boolean> {
  const row = await db.selectFrom('user').select('is_root').where('id', '=', id).executeTakeFirst()
  return row?.is_root === 1
}

/** The default versions of managed policies, by ARN; what is gone is left out. */
export async function managedDocuments(
  db: Reader,
  accountId: string,
  arns: readonly string[],
): Promise<Map<string, string>> {
  const aws = arns.flatMap((arn): [string, string][] => {
    const policy = awsManagedPolicies.get(arn)
    return policy ? [[arn, policy.document]] : []
  })
  const own = arns.filter((arn) => arn.startsWith(`arn:aws:iam::${accountId}:policy/`))
  if (own.length === 0) return new Map(aws)
  const rows = await db
    .selectFrom('iam_policy')
    .innerJoin('iam_policy_version', (join) =>
      join
        .onRef('iam_policy_version.policy_id', '=', 'iam_policy.id')
        .onRef('iam_policy_version.version', '=', 'iam_policy.default_version'),
    )
    .select(['iam_policy.name', 'iam_policy.path', 'iam_policy_version.document'])
    .where('iam_policy.account_id', '=', accountId)
    .where('iam_policy.name', 'in', [...new Set(own.map((arn) => arn.slice(arn.lastIndexOf('/') + 1)))])
    .execute()
  const named = rows.map((row): [string, string] => [
    iamArn('policy', { account_id: accountId, ...row }),
    row.document,
  ])
  return new Map([...aws, ...named])
}
