import { newId } from '@mallee/base'
import {
  flowLogAlreadyExists,
  flowLogsLimitExceeded,
  invalidParameterValue,
  missingParameter,
  unsupportedParameter,
  type Ec2,
  type Ec2Input,
} from '@mallee/ec2-api'
import { AwsError } from '@mallee/aws-protocol'
import { removeFlowLogs } from '../../store/flow-log-store.ts'
import type { FlowLogTable } from '../../store/routing-tables.ts'
import { wakeVpc } from '../../store/network-reach.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import { putTags } from '../../store/tag-store.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { flowLogDestination, flowLogFormat } from '../flow-log-words.ts'
import { ownedOf, requireOwned } from '../owned-networks.ts'
import { tagRows } from '../tag-specifications.ts'

type Input = Ec2Input<'CreateFlowLogs'>

/** What AWS takes in one call. */
const mostResources = 1000

/** What the logs of one call have in common. */
type Wanted = Pick<
  FlowLogTable,
  'traffic' | 'bucket' | 'key_prefix' | 'destination' | 'format' | 'interval_s' | 'options'
>

/**
 * Resources that cannot have the flow log are named as unsuccessful; where none can, the first one's error is the
 * request's. Whether records can be delivered is seen later, as DescribeFlowLogs says.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html
 */
export const createFlowLogs = defineEc2Action('CreateFlowLogs', {
  honours: [
    ...(['ResourceIds', 'ResourceType', 'TrafficType', 'LogDestinationType', 'LogDestination'] as const),
    ...(['LogFormat', 'MaxAggregationInterval', 'TagSpecifications', 'ClientToken'] as const),
  ],
  only: {
    'DestinationOptions.FileFormat': ['plain-text'],
    'DestinationOptions.HiveCompatiblePartitions': [false],
    'DestinationOptions.PerHourPartition': [false],
  },
  creates: ['vpc-flow-log'],
  run(ctx, input) {
    const wanted = wantedOf(input)
    const table = tables[input.ResourceType as keyof typeof tables] as ResourceKind | undefined
    if (!table) throw unsupportedParameter('ResourceType')
    const ids = [...new Set(input.ResourceIds)]
    if (ids.length === 0) throw missingParameter('ResourceId')
    if (ids.length > mostResources)
      throw invalidParameterValue(`At most ${mostResources} resources can be given at once.`)
    return ctx.transaction(async (tx) => {
      const made: FlowLogTable[] = []
      const failed: { id: string; error: AwsError }[] = []
      for (const id of ids) {
        try {
          made.push(await make(ctx, tx, table, id, wanted))
        } catch (error) {
          if (!(error instanceof AwsError)) throw error
          failed.push({ id, error })
        }
      }
      if (made.length === 0) throw failed[0]!.error
      const logIds = made.map((row) => row.id)
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'vpc-flow-log', logIds))
      tx.touch(...logIds)
      await wakeAll(ctx, tx, made)
      return {
        FlowLogIds: logIds,
        Unsuccessful: failed.map(({ id, error }) => ({
          ResourceId: id,
          Error: { Code: error.code, Message: error.message },
        })),
        ...(input.ClientToken === undefined ? {} : { ClientToken: input.ClientToken }),
      }
    })
  },
})

type ResourceKind = 'vpc' | 'subnet' | 'networkInterface'
const tables = { VPC: 'vpc', Subnet: 'subnet', NetworkInterface: 'networkInterface' } as const

function wantedOf(input: Input): Wanted {
  if (input.TrafficType === undefined) throw missingParameter('TrafficType')
  // Without it AWS delivers to CloudWatch Logs, which this cloud has not.
  if (input.LogDestinationType !== 's3') throw unsupportedParameter('LogDestinationType')
  const { bucket, prefix } = flowLogDestination(input.LogDestination)
  const interval = input.MaxAggregationInterval ?? 600
  if (interval !== 60 && interval !== 600)
    throw invalidParameterValue('Invalid MaxAggregationInterval. Valid values are 60 and 600.')
  return {
    traffic: input.TrafficType,
    bucket,
    key_prefix: prefix,
    destination: input.LogDestination!,
    format: flowLogFormat(input.LogFormat),
    interval_s: interval,
    options: '{}',
  }
}

async function make(
  ctx: ActionContext,
  tx: ActionTransaction,
  kind: ResourceKind,
  id: string,
  wanted: Wanted,
): Promise<FlowLogTable> {
  const resource = await requireOwned(ctx, tx.db, kind, id)
  const { accountId } = ctx.caller
  const present = await tx.db.selectFrom('flow_log').selectAll().where('resource_id', '=', id).execute()
  // Two logs of one resource to one place differ in what they take, or they are one.
  const isSame = (row: FlowLogTable) =>
    row.bucket === wanted.bucket && row.key_prefix === wanted.key_prefix && row.traffic === wanted.traffic
  if (present.some(isSame)) throw flowLogAlreadyExists()
  await requireQuota(tx.db, ctx.caller, 'flow-logs-per-resource', present.length, () =>
    flowLogsLimitExceeded(id),
  )
  const row: FlowLogTable = {
    id: newId('flowLog', ctx.random),
    account_id: accountId,
    resource_id: id,
    vpc_id: 'vpc_id' in resource ? resource.vpc_id : resource.id,
    ...wanted,
    error: null,
    created_at: ctx.nowMs,
  }
  await tx.db.insertInto('flow_log').values(row).execute()
  return row
}

async function wakeAll(
  ctx: ActionContext,
  tx: ActionTransaction,
  rows: readonly FlowLogTable[],
): Promise<void> {
  for (const vpcId of new Set(rows.map((row) => row.vpc_id))) await wakeVpc(tx, ctx.wakes, vpcId)
  tx.afterCommit(() => ctx.wakes.flowLogs())
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteFlowLogs.html */
export const deleteFlowLogs = defineEc2Action('DeleteFlowLogs', {
  honours: ['FlowLogIds'],
  run(ctx, input) {
    if (input.FlowLogIds.length === 0) throw missingParameter('FlowLogId')
    return ctx.transaction(async (tx) => {
      const rows = await ownFlowLogs(ctx, tx.db, input.FlowLogIds)
      const ids = rows.map((row) => row.id)
      await removeFlowLogs(tx, ids)
      tx.touch(...ids)
      await wakeAll(ctx, tx, rows)
      return { Unsuccessful: [] }
    })
  },
})

/** The caller's own, whoever else's a describe may show. */
async function ownFlowLogs(ctx: ActionContext, db: Reader, ids: readonly string[]): Promise<FlowLogTable[]> {
  return ownedOf({ ...ctx, scope: ctx.caller.accountId }, db, 'flowLog', ids)
}

const status = (row: FlowLogTable) => (row.error === null ? 'SUCCESS' : 'FAILED')

const fields: FilterFields<FlowLogTable> = {
  'deliver-log-status': (row) => [status(row)],
  'flow-log-id': (row) => [row.id],
  'log-destination-type': () => ['s3'],
  'log-group-name': () => [],
  'resource-id': (row) => [row.resource_id],
  'traffic-type': (row) => [row.traffic],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeFlowLogs.html */
export const describeFlowLogs = defineEc2Action('DescribeFlowLogs', {
  honours: ['FlowLogIds', 'Filter', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['FlowLogIds'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const ids = input.FlowLogIds ?? []
      const { views, nextToken } = await describeThings(
        ctx,
        db,
        { ...input, Filters: input.Filter },
        {
          things: await ownedOf(ctx, db, 'flowLog', ids),
          idOf: (row) => row.id,
          fields,
          exclusiveIds: ids.length > 0,
          view: flowLogView,
        },
      )
      return { FlowLogs: views, NextToken: nextToken }
    })
  },
})

function flowLogView(row: FlowLogTable, tags: Tag[]): Ec2.FlowLog {
  return {
    FlowLogId: row.id,
    ResourceId: row.resource_id,
    TrafficType: row.traffic,
    FlowLogStatus: 'ACTIVE',
    CreationTime: new Date(row.created_at),
    DeliverLogsStatus: status(row),
    ...(row.error === null ? {} : { DeliverLogsErrorMessage: row.error }),
    LogDestinationType: 's3',
    LogDestination: row.destination,
    LogFormat: row.format,
    MaxAggregationInterval: row.interval_s,
    DestinationOptions: {
      FileFormat: 'plain-text',
      HiveCompatiblePartitions: false,
      PerHourPartition: false,
    },
    Tags: tags,
  }
}
