import { GiB, MiB } from '@mallee/base'
import type { Metrics } from '@mallee/service-kit'
import type { StateStore } from '@mallee/state-store'
import type { ReconcilerStatus } from '@mallee/workflow'
import type { Presence } from '../presence.ts'
import type { NodeSnapshot } from '../scheduler/judge-node.ts'
import { adminStateOf, listAgents, nodeSnapshots } from '../store/agent-store.ts'
import type { Tables } from '../store/tables.ts'

export interface GaugeSources {
  readonly record: StateStore<Tables>
  readonly presence: Presence
  readonly reconcilers: () => ReconcilerStatus[]
}

/** Figures that are read from the record when a monitor asks for them. */
export function registerRecordGauges(metrics: Metrics, sources: GaugeSources): void {
  const { record, presence, reconcilers } = sources
  metrics.gauge('held_polls', 'Polls of agents that are held at this moment.', [], (gauge) =>
    gauge.set(presence.heldPolls),
  )
  metrics.gauge(
    'reconciler_queue_depth',
    'Names that wait for a pass, those that are backing off included.',
    ['reconciler'],
    (gauge) => reconcilers().forEach((loop) => gauge.set({ reconciler: loop.name }, loop.queued)),
  )
  metrics.gauge(
    'agents',
    'Agents by kind, zone and state; silent ones count as silent.',
    ['kind', 'zone', 'state'],
    async (gauge) => {
      gauge.reset()
      for (const agent of await record.read((db) => listAgents(db))) {
        if (agent.state === 'forgotten') continue
        const state = agent.silent_since === null ? adminStateOf(agent) : 'silent'
        gauge.inc({ kind: agent.kind, zone: agent.availability_zone, state })
      }
    },
  )
  registerCounts(metrics, record)
  registerCapacity(metrics, record)
}

function registerCounts(metrics: Metrics, record: StateStore<Tables>): void {
  metrics.gauge('instances', 'Instances by state and type.', ['state', 'type'], async (gauge) => {
    gauge.reset()
    const rows = await record.read((db) =>
      db
        .selectFrom('instance')
        .select((eb) => ['state', 'instance_type', eb.fn.countAll<number>().as('count')])
        .groupBy(['state', 'instance_type'])
        .execute(),
    )
    for (const row of rows) gauge.labels({ state: row.state, type: row.instance_type }).set(Number(row.count))
  })
  metrics.gauge('images', 'Images by state.', ['state'], async (gauge) => {
    gauge.reset()
    const rows = await record.read((db) =>
      db
        .selectFrom('image')
        .select((eb) => ['state', eb.fn.countAll<number>().as('count')])
        .groupBy('state')
        .execute(),
    )
    for (const row of rows) gauge.labels({ state: row.state }).set(Number(row.count))
  })
  metrics.gauge('event_rows', 'Rows of the audit trail.', [], async (gauge) => {
    const row = await record.read((db) =>
      db
        .selectFrom('event')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow(),
    )
    gauge.set(Number(row.count))
  })
}

/** What each node has and what was promised of it; one look at the nodes serves all of one reading. */
function registerCapacity(metrics: Metrics, record: StateStore<Tables>): void {
  let look: Promise<NodeSnapshot[]> | null = null
  const nodes = () => {
    look ??= record.read(nodeSnapshots).finally(() => setImmediate(() => (look = null)))
    return look
  }
  const figures: [string, string, (node: NodeSnapshot) => number][] = [
    ['node_vcpus', 'Virtual processors that the node offers.', (node) => node.capacity.vcpus],
    ['node_vcpus_used', 'Virtual processors promised to instances.', (node) => node.used.vcpus],
    ['node_memory_bytes', 'Memory that the node offers.', (node) => node.capacity.memoryMiB * MiB],
    ['node_memory_used_bytes', 'Memory promised to instances.', (node) => node.used.memoryMiB * MiB],
    ['node_disk_bytes', 'Disk that the node offers.', (node) => node.capacity.diskGiB * GiB],
    ['node_disk_used_bytes', 'Disk promised to instances.', (node) => node.used.diskGiB * GiB],
  ]
  for (const [name, help, pick] of figures) {
    metrics.gauge(name, help, ['node', 'zone'], async (gauge) => {
      const found = await nodes()
      gauge.reset()
      for (const node of found) gauge.set({ node: node.name, zone: node.availabilityZone }, pick(node))
    })
  }
}
