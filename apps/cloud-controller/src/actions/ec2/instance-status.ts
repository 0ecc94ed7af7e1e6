import { invalidInstanceIdMalformed, invalidInstanceIdNotFound } from '@mallee/ec2-api'
import { listInstances } from '../../store/instance-store.ts'
import type { Reader } from '../../store/record.ts'
import type { DomainTable, InstanceTable } from '../../store/tables.ts'
import { instanceState } from '../../views/instance-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { timeKey } from '../pages.ts'
import { requireIds } from '../required-ids.ts'

type Health = 'ok' | 'impaired' | 'initializing' | 'not-applicable'

interface Status {
  readonly instance: InstanceTable
  readonly system: Health
  /** The guest's own: impaired while its domain is no more, initializing while the next one starts. */
  readonly guest: Health
  readonly impairedSinceMs: number | null
}

const fields: FilterFields<Status> = {
  'availability-zone': (status) => [status.instance.availability_zone],
  // No event is ever scheduled for an instance here.
  'event.code': () => [],
  'event.description': () => [],
  'event.instance-event-id': () => [],
  'event.not-after': () => [],
  'event.not-before': () => [],
  'event.not-before-deadline': () => [],
  'instance-state-code': (status) => [instanceState(status.instance.state).Code],
  'instance-state-name': (status) => [status.instance.state],
  'instance-status.reachability': (status) => [reachability(status.guest)],
  'instance-status.status': (status) => [status.guest],
  'system-status.reachability': (status) => [reachability(status.system)],
  'system-status.status': (status) => [status.system],
}

/**
 * The system status is the node's: an agent that fell silent makes its instances impaired, and nothing else of them.
 * The instance status is the domain's: one that ended against its guest's will is followed by the next incarnation.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html
 */
export const describeInstanceStatus = defineEc2Action('DescribeInstanceStatus', {
  honours: ['InstanceIds', 'IncludeAllInstances', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: false }),
  ids: ['InstanceIds'],
  async run(ctx, input) {
    const ids = input.InstanceIds ?? []
    return ctx.read(async (db) => {
      const found = await listInstances(db, ctx.scope, ids.length > 0 ? ids : undefined)
      if (ids.length > 0) {
        requireIds(ids, found, {
          kind: 'instance',
          idOf: (entry) => entry.id,
          malformed: invalidInstanceIdMalformed,
          missing: invalidInstanceIdNotFound,
        })
      }
      const silent = await silentAgents(db)
      const amiss = await domainsAmiss(db, ctx.scope)
      const statuses = found
        .filter((instance) => input.IncludeAllInstances || instance.state === 'running')
        .map((instance) => statusOf(instance, silent, amiss.get(instance.id)))
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: statuses,
        idOf: (status) => status.instance.id,
        keyOf: (status) => timeKey(status.instance.launched_at, status.instance.id),
        tagged: false,
        fields,
        exclusiveIds: ids.length > 0,
        view: statusView,
      })
      return { InstanceStatuses: views, NextToken: nextToken }
    })
  },
})

async function silentAgents(db: Reader): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('agent')
    .select(['id', 'silent_since'])
    .where('silent_since', 'is not', null)
    .execute()
  return new Map(rows.map((row) => [row.id, row.silent_since!]))
}

type Amiss = Pick<DomainTable, 'instance_id' | 'observed_state' | 'observed_at'>

/** The present domains of running instances that do not run. */
async function domainsAmiss(db: Reader, scope: string | null): Promise<Map<string, Amiss>> {
  const rows = await db
    .selectFrom('instance')
    .innerJoin('domain', (join) =>
      join
        .onRef('domain.instance_id', '=', 'instance.id')
        .onRef('domain.incarnation', '=', 'instance.incarnation'),
    )
    .select(['domain.instance_id', 'domain.observed_state', 'domain.observed_at'])
    .$if(scope !== null, (query) => query.where('instance.account_id', '=', scope!))
    .where('instance.state', '=', 'running')
    .where((eb) =>
      eb.or([eb('domain.observed_state', 'is', null), eb('domain.observed_state', '!=', 'running')]),
    )
    .execute()
  return new Map(rows.map((row) => [row.instance_id, row]))
}

function statusOf(
  instance: InstanceTable,
  silent: ReadonlyMap<string, number>,
  amiss: Amiss | undefined,
): Status {
  const both = (health: Health, impairedSinceMs: number | null = null): Status => ({
    instance,
    system: health,
    guest: health,
    impairedSinceMs,
  })
  if (instance.state === 'pending') return both('initializing')
  if (instance.state !== 'running') return both('not-applicable')
  const silentSinceMs = instance.node_id === null ? undefined : silent.get(instance.node_id)
  if (silentSinceMs !== undefined) return both('impaired', silentSinceMs)
  if (!amiss) return both('ok')
  const starting = amiss.observed_state === null || amiss.observed_state === 'preparing'
  return {
    instance,
    system: 'ok',
    guest: starting ? 'initializing' : 'impaired',
    impairedSinceMs: starting ? null : amiss.observed_at,
  }
}

function reachability(status: Health): 'passed' | 'failed' | 'initializing' | 'insufficient-data' {
  if (status === 'ok') return 'passed'
  if (status === 'impaired') return 'failed'
  return status === 'initializing' ? 'initializing' : 'insufficient-data'
}

function statusView(status: Status) {
  const { instance, system, guest } = status
  return {
    InstanceId: instance.id,
    AvailabilityZone: instance.availability_zone,
    Events: [],
    InstanceState: instanceState(instance.state),
    InstanceStatus: { Status: guest, Details: detailsOf(guest, status) },
    SystemStatus: { Status: system, Details: detailsOf(system, status) },
  }
}

function detailsOf(health: Health, { impairedSinceMs }: Status) {
  if (health === 'not-applicable') return []
  const since =
    health === 'impaired' && impairedSinceMs !== null ? { ImpairedSince: new Date(impairedSinceMs) } : {}
  return [{ Name: 'reachability' as const, Status: reachability(health), ...since }]
}
