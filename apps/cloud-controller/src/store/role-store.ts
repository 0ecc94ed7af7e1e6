import { parseIamArn } from '../identity/arns.ts'
import type { RoleTable } from './identity-tables.ts'
import type { Reader, Tx } from './record.ts'

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

export const isUseNews = (role: RoleTable, nowMs: number): boolean =>
  role.used_at === null || nowMs - role.used_at >= keptToMs

export async function noteRoleUse(
  tx: Tx,
  role: Pick<RoleTable, 'id'>,
  use: { readonly nowMs: number; readonly region: string },
): Promise<void> {
  await tx.db
    .updateTable('iam_role')
    .set({ used_at: use.nowMs, used_region: use.region })
    .where('id', '=', role.id)
    .execute()
}
