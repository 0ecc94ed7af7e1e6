/** Who a signature stands for, and which policies that principal has: read anew for every request. */
import { sql } from 'kysely'
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

/** The policies of one caller, read once for all that asks for them while its request lasts. */
export function policyTextsOnce(db: Reader, caller: Caller): Promise<PolicyTexts> {
  const known = readOnce.get(caller)
  if (known) return known
  const reading = policyTextsOf(db, caller)
  readOnce.set(caller, reading)
  // A transaction that is run again reads again.
  reading.catch(() => readOnce.delete(caller))
  return reading
}

const readOnce = new WeakMap<Caller, Promise<PolicyTexts>>()

export async function policyTextsOf(
  db: Reader,
  { accountId, holder }: Pick<Caller, 'accountId' | 'holder'>,
): Promise<PolicyTexts> {
  const inline = await inlinePolicies(db, accountId, holder?.id ?? null)
  const account = inline
    .filter((row) => row.owner_id === accountId)
    .map(({ name, document }) => ({ id: name, document }))
  if (holder === null) return { identity: null, boundary: null, account }
  const attached = await attachedPolicies(db, holder.id)
  const managed = await managedDocuments(
    db,
    accountId,
    attached.map((row) => row.policy_arn),
  )
  const own = inline.filter((row) => row.owner_id !== accountId)
  const limit = attached.find((row) => row.is_boundary === 1)?.policy_arn
  const arns = new Set(attached.filter((row) => row.is_boundary === 0).map((row) => row.policy_arn))
  return {
    identity: [
      ...own.map(({ name, document }) => ({ id: name, document })),
      ...[...arns].flatMap((arn) => lookedUp(managed, arn)),
    ],
    // A boundary that is gone allows nothing.
    boundary: limit === undefined ? null : (lookedUp(managed, limit)[0] ?? { id: limit, document: denyAll }),
    account,
  }
}

/** Of the account, and of the user with its groups, or of the role. */
function inlinePolicies(db: Reader, accountId: string, holderId: string | null) {
  return db
    .selectFrom('iam_inline_policy')
    .selectAll()
    .where((eb) =>
      holderId === null
        ? eb('owner_id', '=', accountId)
        : eb.or([
            eb('owner_id', 'in', [accountId, holderId]),
            eb(
              'owner_id',
              'in',
              eb.selectFrom('iam_group_member').select('group_id').where('user_id', '=', holderId),
            ),
          ]),
    )
    .execute()
}

/** ARNs of what is attached to the user, its groups or the role, and of the boundary. */
function attachedPolicies(db: Reader, holderId: string) {
  return db
    .selectFrom('iam_attachment')
    .select(['policy_arn', sql<number>`0`.as('is_boundary')])
    .where((eb) =>
      eb.or([
        eb('owner_id', '=', holderId),
        eb(
          'owner_id',
          'in',
          eb.selectFrom('iam_group_member').select('group_id').where('user_id', '=', holderId),
        ),
      ]),
    )
    .unionAll(
      db
        .selectFrom('iam_boundary')
        .select(['policy_arn', sql<number>`1`.as('is_boundary')])
        .where('owner_id', '=', holderId),
    )
    .execute()
}

const denyAll = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'

function lookedUp(documents: ReadonlyMap<string, string>, arn: string): PolicyText[] {
  const document = documents.get(arn)
  return document === undefined ? [] : [{ id: arn, document }]
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
