import { sql } from 'kysely'
import { noSuchEntity, validationError } from '@mallee/iam-api'
import type { UserTable } from './identity-tables.ts'
import type { Reader } from './record.ts'

/** Eucalyptus' name of the account's own user, which every account has and none can lose. */
export const eucalyptusRootName = 'admin'

export interface Asker {
  readonly accountId: string
  /** As of Caller: only that of a user or a root is the id of a row. */
  readonly userId: string
}

/** The IAM user of that name; never the root, which has none. */
export function findUser(db: Reader, accountId: string, name: string): Promise<UserTable | undefined> {
  return db
    .selectFrom('user')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .where('is_root', '=', 0)
    .executeTakeFirst()
}

export async function userNamed(db: Reader, accountId: string, name: string): Promise<UserTable> {
  const user = await findUser(db, accountId, name)
  if (!user) throw noSuchEntity(`The user with name ${name} cannot be found.`)
  return user
}

/** The account itself. */
export function rootOf(db: Reader, accountId: string): Promise<UserTable> {
  return db
    .selectFrom('user')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('is_root', '=', 1)
    .executeTakeFirstOrThrow()
}

/**
 * The user that a request is about where the root may be meant too: whoever asks where no name is given, and the root
 * where Eucalyptus' clients call it `admin` and no IAM user is called so.
 */
export async function userOrRoot(db: Reader, asker: Asker, name: string | undefined): Promise<UserTable> {
  if (name === undefined) {
    const self = await db
      .selectFrom('user')
      .selectAll()
      .where('account_id', '=', asker.accountId)
      .where('id', '=', asker.userId)
      .executeTakeFirst()
    if (!self) throw validationError('Must specify userName when calling with non-User credentials')
    return self
  }
  const found = await findUser(db, asker.accountId, name)
  if (found) return found
  if (name === eucalyptusRootName) return rootOf(db, asker.accountId)
  throw noSuchEntity(`The user with name ${name} cannot be found.`)
}

/** What a row of keys or certificates calls its user: a root has a name in Eucalyptus alone. */
export function shownName(user: Pick<UserTable, 'name' | 'is_root'>): string {
  return user.is_root === 1 ? eucalyptusRootName : user.name
}

/** Whether a name is taken in an account: names differ by more than case. */
export async function isNameTaken(
  db: Reader,
  table: NamedTable,
  accountId: string,
  name: string,
): Promise<boolean> {
  const row = await db
    .selectFrom(table as 'iam_group')
    .select('id')
    .where('account_id', '=', accountId)
    .where(sql`lower(name)`, '=', name.toLowerCase())
    .executeTakeFirst()
  return row !== undefined
}

export type NamedTable =
  | 'user'
  | 'iam_group'
  | 'iam_role'
  | 'iam_policy'
  | 'iam_instance_profile'
  | 'iam_server_certificate'
  | 'iam_mfa_device'

/** How many of them an account has. */
export async function countOf(
  db: Reader,
  table: NamedTable | 'iam_oidc_provider',
  accountId: string,
): Promise<number> {
  const row = await db
    .selectFrom(table as 'iam_group')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('account_id', '=', accountId)
    .executeTakeFirstOrThrow()
  return Number(row.count)
}
