import { invalidInstanceIdMalformed, invalidInstanceIdNotFound } from '@mallee/ec2-api'
import { listInstances } from '../../store/instance-store.ts'
import type { InstanceTable } from '../../store/tables.ts'
import { instanceState } from '../../views/instance-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters } from '../filters.ts'
import { page } from '../pages.ts'
import { requireIds } from '../required-ids.ts'

interface Status {
  readonly instance: InstanceTable
  readonly system: 'ok' | 'impaired' | 'initializing' | 'not-applicable'
}

/**
 * The system status is the node's: an agent that fell silent makes its instances impaired, and nothing else of them.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html
 */
export const describeInstanceStatus = defineEc2Action('DescribeInstanceStatus', {
  honours: ['InstanceIds', 'IncludeAllInstances', 'Filters', 'MaxResults', 'NextToken', 'DryRun'],
  async run(ctx, input) {
    const ids = input.InstanceIds ?? []
    return ctx.read(async (db) => {
      const found = await listInstances(db, ctx.caller.accountId, ids.length > 0 ? ids : undefined)
      if (ids.length > 0) {
        requireIds(ids, found, {
          kind: 'instance',
          idOf: (entry) => entry.id,
          malformed: invalidInstanceIdMalformed,
          missing: invalidInstanceIdNotFound,
        })
      }
      const silent = new Set(
        (await db.selectFrom('agent').select('id').where('silent_since', 'is not', null).execute()).map(
          (agent) => agent.id,
        ),
      )
      const statuses = found
        .filter((instance) => input.IncludeAllInstances || instance.state === 'running')
        .map((instance): Status => ({ instance, system: systemStatus(instance, silent) }))
      const filtered = applyFilters(statuses, input.Filters, {
        'availability-zone': (status) => [status.instance.availability_zone],
        'instance-state-code': (status) => [instanceState(status.instance.state).Code],
        'instance-state-name': (status) => [status.instance.state],
        'instance-status.status': (status) => [status.system],
        'instance-status.reachability': (status) => [reachability(status.system)],
        'system-status.status': (status) => [status.system],
        'system-status.reachability': (status) => [reachability(status.system)],
      })
      const cut = page(filtered, input, {
        idOf: (status) => status.instance.id,
        secret: `DescribeInstanceStatus ${ctx.caller.accountId}`,
        exclusiveIds: ids.length > 0,
      })
      return { InstanceStatuses: cut.items.map(statusView), NextToken: cut.nextToken }
    })
  },
})

function systemStatus(instance: InstanceTable, silent: ReadonlySet<string>): Status['system'] {
  if (instance.state === 'pending') return 'initializing'
  if (instance.state !== 'running') return 'not-applicable'
  return instance.node_id !== null && silent.has(instance.node_id) ? 'impaired' : 'ok'
}

function reachability(status: Status['system']): 'passed' | 'failed' | 'initializing' | 'insufficient-data' {
  if (status === 'ok') return 'passed'
  if (status === 'impaired') return 'failed'
  return status === 'initializing' ? 'initializing' : 'insufficient-data'
}

function statusView(status: Status) {
  const { instance, system } = status
  const details =
    system === 'not-applicable' ? [] : [{ Name: 'reachability' as const, Status: reachability(system) }]
  return {
    InstanceId: instance.id,
    AvailabilityZone: instance.availability_zone,
    Events: [],
    InstanceState: instanceState(instance.state),
    InstanceStatus: { Status: system, Details: details },
    SystemStatus: { Status: system, Details: details },
  }
}
