import { missingParameter, unsupportedParameter } from '@mallee/ec2-api'
import type { VolumeTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { timeKey } from '../pages.ts'
import { requireVolume, requireVolumes } from './require-volumes.ts'

interface StatusRow {
  readonly volume: VolumeTable
  readonly instanceId: string | null
  /** Whether its storage controller has not been heard of lately. */
  readonly away: boolean
}

/** `impaired` where its storage controller does not answer: what it holds cannot be reached now, and is not lost. */
const stateOf = ({ volume, away }: StatusRow) =>
  volume.state === 'creating'
    ? 'insufficient-data'
    : away || volume.state === 'error' || volume.observed_state === 'failed'
      ? 'impaired'
      : 'ok'

const none = () => []

const fields: FilterFields<StatusRow> = {
  'action.code': none,
  'action.description': none,
  'action.event-id': none,
  'availability-zone': ({ volume }) => [volume.availability_zone],
  'event.description': none,
  'event.event-id': none,
  'event.event-type': none,
  'event.not-after': none,
  'event.not-before': none,
  'volume-status.details-name': () => ['io-enabled', 'io-performance'],
  'volume-status.details-status': (row) => [ioOf(row), 'not-applicable'],
  'volume-status.status': (row) => [stateOf(row)],
}

const ioOf = (row: StatusRow) => (stateOf(row) === 'ok' ? 'passed' : 'failed')

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumeStatus.html */
export const describeVolumeStatus = defineEc2Action('DescribeVolumeStatus', {
  honours: ['VolumeIds', 'Filters', 'MaxResults', 'NextToken'],
  only: { IncludeManagedResources: [true, false] },
  filters: filterNames(fields, { tagged: false }),
  ids: ['VolumeIds'],
  run: (ctx, input) =>
    ctx.read(async (db) => {
      const ids = input.VolumeIds ?? []
      if (ids.length > 0) await requireVolumes(ctx, db, ids)
      const rows = await db
        .selectFrom('volume')
        .leftJoin('volume_attachment', 'volume_attachment.volume_id', 'volume.id')
        .leftJoin('agent', 'agent.id', 'volume.storage_id')
        .selectAll('volume')
        .select(['volume_attachment.instance_id', 'agent.silent_since', 'agent.state as agent_state'])
        .$if(ctx.scope !== null, (query) => query.where('volume.account_id', '=', ctx.scope!))
        .$if(ids.length > 0, (query) => query.where('volume.id', 'in', ids))
        .where('volume.state', 'not in', ['deleted', 'deleting'])
        .execute()
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: rows.map(({ instance_id: instanceId, silent_since, agent_state, ...volume }) => ({
          volume,
          instanceId,
          away: silent_since !== null || agent_state !== 'enabled',
        })),
        idOf: ({ volume }) => volume.id,
        keyOf: ({ volume }) => timeKey(volume.created_at, volume.id),
        tagged: false,
        fields,
        exclusiveIds: ids.length > 0,
        view: statusView,
      })
      return { VolumeStatuses: views, NextToken: nextToken }
    }),
})

function statusView(row: StatusRow) {
  const { volume, instanceId } = row
  return {
    VolumeId: volume.id,
    AvailabilityZone: volume.availability_zone,
    VolumeStatus: {
      Status: stateOf(row) as 'ok' | 'impaired' | 'insufficient-data',
      Details: [
        { Name: 'io-enabled' as const, Status: ioOf(row) },
        { Name: 'io-performance' as const, Status: 'not-applicable' },
      ],
    },
    Actions: [],
    Events: [],
    AttachmentStatuses:
      instanceId === null ? [] : [{ IoPerformance: 'not-applicable', InstanceId: instanceId }],
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumeAttribute.html */
export const describeVolumeAttribute = defineEc2Action('DescribeVolumeAttribute', {
  honours: ['VolumeId', 'Attribute'],
  run: (ctx, input) =>
    ctx.read(async (db) => {
      const volume = await requireVolume(ctx, db, input.VolumeId)
      switch (input.Attribute) {
        case 'autoEnableIO':
          return { VolumeId: volume.id, AutoEnableIO: { Value: volume.auto_enable_io === 1 } }
        case 'productCodes':
          return { VolumeId: volume.id, ProductCodes: [] }
        default:
          throw unsupportedParameter(`Attribute ${String(input.Attribute).slice(0, 60)}`)
      }
    }),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolumeAttribute.html */
export const modifyVolumeAttribute = defineEc2Action('ModifyVolumeAttribute', {
  honours: ['VolumeId', 'AutoEnableIO.Value'],
  run(ctx, input) {
    const value = input.AutoEnableIO?.Value
    if (value === undefined) throw missingParameter('autoEnableIO')
    return ctx.transaction(async (tx) => {
      const volume = await requireVolume(ctx, tx.db, input.VolumeId)
      await tx.db
        .updateTable('volume')
        .set({ auto_enable_io: value ? 1 : 0 })
        .where('id', '=', volume.id)
        .execute()
      tx.touch(volume.id)
      return {}
    })
  },
})

/** Input and output of a volume are never switched off here, so it is always enabled already. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableVolumeIO.html */
export const enableVolumeIO = defineEc2Action('EnableVolumeIO', {
  honours: ['VolumeId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const volume = await requireVolume(ctx, tx.db, input.VolumeId)
      tx.touch(volume.id)
      return {}
    })
  },
})
