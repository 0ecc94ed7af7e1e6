import { createHash } from 'node:crypto'
import type { FlowLog } from '@mallee/agent-contract'

/**
 * The key of the object with the records of windows from `startMs` on. The same windows of the same node have the same
 * key: what is sent again writes over what came before.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
 */
export function objectKey(log: FlowLog, startMs: number, agentId: string): string {
  const at = new Date(startMs).toISOString()
  const [day = '', time = ''] = at.split('T')
  const stamp = `${day.replaceAll('-', '')}T${time.slice(0, 5).replace(':', '')}Z`
  const hash = createHash('sha256').update(`${agentId} ${startMs}`).digest('hex').slice(0, 8)
  const name = `${log.accountId}_vpcflowlogs_${log.region}_${log.flowLogId}_${stamp}_${hash}.log.gz`
  return `${log.keyPrefix}${day.replaceAll('-', '/')}/${name}`
}
