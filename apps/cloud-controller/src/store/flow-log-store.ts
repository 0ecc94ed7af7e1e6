import type { FlowLog } from '@mallee/agent-contract'
import type { Reader, Tx } from './record.ts'
import type { FlowLogTable } from './routing-tables.ts'
import { deleteTagsOf } from './tag-store.ts'

/** Those of a VPC: its own, and those of its subnets and interfaces. */
export function flowLogsOfVpc(db: Reader, vpcId: string): Promise<FlowLogTable[]> {
  return db.selectFrom('flow_log').selectAll().where('vpc_id', '=', vpcId).orderBy('id').execute()
}

export async function removeFlowLogs(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await tx.db.deleteFrom('flow_log').where('id', 'in', ids).execute()
  for (const id of ids) await deleteTagsOf(tx, id)
}

/** What is gone has no traffic: the flow logs of a VPC, a subnet or interfaces go with it. */
export async function removeFlowLogsOf(tx: Tx, resourceIds: readonly string[]): Promise<void> {
  if (resourceIds.length === 0) return
  const rows = await tx.db
    .selectFrom('flow_log')
    .select('id')
    .where('resource_id', 'in', resourceIds)
    .execute()
  await removeFlowLogs(
    tx,
    rows.map((row) => row.id),
  )
}

/** Where its records go: the prefix of every key, which ends with the region. */
export function flowLogKeyPrefix(
  row: Pick<FlowLogTable, 'key_prefix' | 'account_id'>,
  region: string,
): string {
  return `${row.key_prefix}AWSLogs/${row.account_id}/vpcflowlogs/${region}/`
}

/** The names in a format, in its order. */
export const fieldsOf = (format: string): string[] =>
  [...format.matchAll(/\$\{([a-z0-9-]+)\}/g)].map((match) => match[1]!)

/** As nodes are told of it; `interfaces` are the node's own, of the flow log's VPC. */
export function flowLogOf(
  row: FlowLogTable,
  region: string,
  interfaces: readonly { readonly id: string; readonly subnet_id: string }[],
): FlowLog {
  const covered = ({ id, subnet_id }: (typeof interfaces)[number]) =>
    [row.vpc_id, subnet_id, id].includes(row.resource_id)
  return {
    flowLogId: row.id,
    accountId: row.account_id,
    traffic: row.traffic,
    fields: fieldsOf(row.format),
    bucket: row.bucket,
    keyPrefix: flowLogKeyPrefix(row, region),
    region,
    intervalSeconds: row.interval_s,
    interfaceIds: interfaces.filter(covered).map((entry) => entry.id),
  }
}
