import type { PasswordPolicy } from '../../identity/password-policy.ts'
import type { LoginProfileTable } from '../identity-tables.ts'
import type { Reader } from '../record.ts'

/** What the account demands of passwords; null where it said nothing. */
export async function passwordPolicyOf(db: Reader, accountId: string): Promise<PasswordPolicy | null> {
  const row = await db
    .selectFrom('iam_password_policy')
    .select('body')
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  return row ? (JSON.parse(row.body) as PasswordPolicy) : null
}

export function loginProfileOf(db: Reader, userId: string): Promise<LoginProfileTable | undefined> {
  return db.selectFrom('iam_login_profile').selectAll().where('user_id', '=', userId).executeTakeFirst()
}
