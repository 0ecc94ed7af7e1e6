import type { AwsError } from '@mallee/aws-protocol'
import type { Reader } from '../../store/record.ts'

/** One line of who may use an image or a snapshot: an account, or the group `all`. */
export interface Permission {
  readonly UserId?: string | undefined
  readonly Group?: string | undefined
}

/** What is neither an account's number nor the group of all, in the words of the action that was asked. */
export type Malformed = (value: string, parameter: 'group' | 'userId') => AwsError

export const hasAll = (permissions: readonly Permission[]): boolean =>
  permissions.some(({ Group: group }) => group === 'all')

export function accountIdsOf(permissions: readonly Permission[], malformed: Malformed): string[] {
  const ids = new Set<string>()
  for (const { UserId: id, Group: group } of permissions) {
    if (group !== undefined && group !== 'all') throw malformed(group, 'group')
    if (id === undefined) continue
    if (!/^\d{12}$/.test(id)) throw malformed(id, 'userId')
    ids.add(id)
  }
  return [...ids]
}

/** The same, of accounts that there are. */
export async function knownAccountsOf(
  db: Reader,
  permissions: readonly Permission[],
  malformed: Malformed,
): Promise<string[]> {
  const ids = accountIdsOf(permissions, malformed)
  if (ids.length === 0) return []
  const rows = await db.selectFrom('account').select('id').where('id', 'in', ids).execute()
  const unknown = ids.find((id) => !rows.some((row) => row.id === id))
  if (unknown !== undefined) throw malformed(unknown, 'userId')
  return ids
}
