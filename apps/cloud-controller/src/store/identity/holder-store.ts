/** Whoever can hold policies: users, groups and roles, found by their names. */
import { noSuchEntity } from '@mallee/iam-api'
import type { GroupTable, RoleTable } from '../identity-tables.ts'
import type { Reader } from '../record.ts'
import { userNamed } from '../user-store.ts'

export type HolderKind = 'user' | 'group' | 'role'

export interface Holder {
  readonly id: string
  readonly account_id: string
  readonly name: string
  readonly path: string
}

export async function groupNamed(db: Reader, accountId: string, name: string): Promise<GroupTable> {
  const group = await db
    .selectFrom('iam_group')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .executeTakeFirst()
  if (!group) throw noSuchEntity(`The group with name ${name} cannot be found.`)
  return group
}

export async function roleNamed(db: Reader, accountId: string, name: string): Promise<RoleTable> {
  const role = await db
    .selectFrom('iam_role')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .executeTakeFirst()
  if (!role) throw noSuchEntity(`The role with name ${name} cannot be found.`)
  return role
}

export function holderNamed(db: Reader, kind: HolderKind, accountId: string, name: string): Promise<Holder> {
  const find = { user: userNamed, group: groupNamed, role: roleNamed }[kind]
  return find(db, accountId, name)
}

/** The names of a holder's inline policies, and those that are attached to it, are what keeps it from being deleted. */
export async function hasInlinePolicies(db: Reader, ownerId: string): Promise<boolean> {
  const row = await db
    .selectFrom('iam_inline_policy')
    .select('name')
    .where('owner_id', '=', ownerId)
    .executeTakeFirst()
  return row !== undefined
}

export async function hasAttachments(db: Reader, ownerId: string): Promise<boolean> {
  const row = await db
    .selectFrom('iam_attachment')
    .select('policy_arn')
    .where('owner_id', '=', ownerId)
    .executeTakeFirst()
  return row !== undefined
}
