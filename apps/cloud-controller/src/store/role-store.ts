import { parseIamArn } from '../identity/arns.ts'
import type { ActionContext } from '../actions/define-action.ts'
import type { RoleTable } from './identity-tables.ts'
import type { Reader } from './record.ts'

/** The role of an ARN, its path included; null where there is none. */
export async function findRoleByArn(db: Reader, arn: string): Promise<RoleTable | null> {
  const parsed = parseIamArn(arn)
  if (parsed?.type !== 'role') return null
  const row = await db
    .selectFrom('iam_role')
    .selectAll()
    .where('account_id', '=', parsed.accountId)
    .where('name', '=', parsed.name)
    .executeTakeFirst()
  return row?.path === parsed.path ? row : null
}

/** GetRole's RoleLastUsed; AWS keeps it to some minutes, so a role in constant use is not written at every use. */
const keptToMs = 5 * 60_000

export async function noteRoleUse(
  ctx: Pick<ActionContext, 'nowMs' | 'settings' | 'transaction'>,
  role: RoleTable,
): Promise<void> {
  if (role.used_at !== null && ctx.nowMs - role.used_at < keptToMs) return
  await ctx.transaction(async (tx) => {
    await tx.db
      .updateTable('iam_role')
      .set({ used_at: ctx.nowMs, used_region: ctx.settings.region })
      .where('id', '=', role.id)
      .execute()
    tx.touch(role.id)
  })
}
