/** People who prove who they are by a password, and are shut out for a while after too many wrong ones. */
import { AwsError } from '@mallee/aws-protocol'
import { minuteMs } from '@mallee/base'
import { accessDenied } from '@mallee/iam-api'
import type { UserTable } from '../store/identity-tables.ts'
import type { Reader, Tx } from '../store/record.ts'
import { findUser, eucalyptusRootName, rootOf } from '../store/user-store.ts'
import { hashPassword, verifyPassword } from './passwords.ts'

/** How a login names its user and account; of several spellings the first that there is counts. */
export interface Login {
  readonly userNames: readonly string[]
  readonly accountNames: readonly string[]
  readonly password: string
}

export interface LoginContext {
  readonly nowMs: number
  read<T>(work: (db: Reader) => Promise<T>): Promise<T>
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}

/** Wrong passwords in a row before an account is shut, and for how long; each further one shuts it for twice as long. */
const failuresAllowed = 5
const lockMs = minuteMs
const longestLockMs = 60 * minuteMs

/** One error for all that can be wrong: who has an account here, or has no password, is nobody's to find out. */
const refused = () =>
  accessDenied('The user, the account or the password is wrong, or the user is locked out for now.')

/** The user that this is. Throws AccessDenied; PasswordChangeRequired where it must get another password first. */
export async function logIn(ctx: LoginContext, login: Login): Promise<UserTable> {
  const found = await ctx.read((db) => whoIs(db, login))
  const profile =
    found &&
    (await ctx.read((db) =>
      db.selectFrom('iam_login_profile').selectAll().where('user_id', '=', found.id).executeTakeFirst(),
    ))
  // Takes as long where there is nobody.
  const isRight = await verifyPassword(login.password, profile?.password_hash ?? (await nobodysHash()))
  if (!found || !profile) throw refused()
  const taken = await ctx.write((tx) => judge(tx, found.id, profile.password_hash, isRight, ctx.nowMs))
  if (!taken) throw refused()
  if (profile.must_change === 1)
    throw new AwsError(
      'PasswordChangeRequired',
      'The password must be changed before it opens anything.',
      403,
    )
  return found
}

/** Counts what is wrong and forgets it when all is right; false where the user is, or stays, out. */
async function judge(
  tx: Tx,
  userId: string,
  hash: string,
  isRight: boolean,
  nowMs: number,
): Promise<boolean> {
  const now = await tx.db
    .selectFrom('iam_login_profile')
    .selectAll()
    .where('user_id', '=', userId)
    .executeTakeFirst()
  if (!now || now.password_hash !== hash) return false
  if (now.locked_until !== null && now.locked_until > nowMs) return false
  const failures = isRight ? 0 : now.failures + 1
  const over = failures - failuresAllowed
  const locked_until = over < 0 ? null : nowMs + Math.min(lockMs * 2 ** over, longestLockMs)
  await tx.db
    .updateTable('iam_login_profile')
    .set({ failures, locked_until: isRight ? null : locked_until })
    .where('user_id', '=', userId)
    .execute()
  if (isRight)
    await tx.db.updateTable('user').set({ password_used_at: nowMs }).where('id', '=', userId).execute()
  return isRight
}

async function whoIs(db: Reader, { userNames, accountNames }: Login): Promise<UserTable | null> {
  for (const name of accountNames) {
    const account = await db
      .selectFrom('account')
      .select('id')
      .where((eb) => eb.or([eb('name', '=', name), eb('id', '=', name)]))
      .executeTakeFirst()
    if (!account) continue
    for (const userName of userNames) {
      const user = await findUser(db, account.id, userName)
      if (user) return user
      if (userName === eucalyptusRootName) return rootOf(db, account.id)
    }
  }
  return null
}

let made: Promise<string> | undefined
const nobodysHash = () => (made ??= hashPassword('of nobody'))
