import { invalidGroupNotFound, securityGroupsPerInterfaceLimitExceeded } from '@mallee/ec2-api'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { ActionContext } from '../define-action.ts'

/** The caller's groups of a VPC, by id and by name; its default one where none is named. */
export async function resolveGroups(
  ctx: ActionContext,
  db: Reader,
  wanted: { vpcId: string; ids: readonly string[]; names: readonly string[] },
): Promise<string[]> {
  const groups = await db
    .selectFrom('security_group')
    .selectAll()
    .where('account_id', '=', ctx.caller.accountId)
    .where('vpc_id', '=', wanted.vpcId)
    .execute()
  const byId = wanted.ids.map(
    (id) => groups.find((group) => group.id === id) ?? refuse(invalidGroupNotFound(id)),
  )
  const byName = wanted.names.map(
    (name) => groups.find((group) => group.name === name) ?? refuse(invalidGroupNotFound(name, wanted.vpcId)),
  )
  const found = [...new Set([...byId, ...byName].map((group) => group.id))]
  const tooMany = () => securityGroupsPerInterfaceLimitExceeded()
  await requireQuota(db, ctx.caller, 'groups-per-interface', 0, tooMany, found.length)
  return found.length > 0
    ? found
    : groups.filter((group) => group.name === 'default').map((group) => group.id)
}

function refuse(error: Error): never {
  throw error
}
