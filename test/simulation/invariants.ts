import { assert } from '@mallee/base'
import { instanceLifecycle, type InstanceState } from '@mallee/lifecycles'
import type { SimulatedClient } from './simulated-client.ts'
import type { SimulatedCloud } from './simulated-cloud.ts'
import type { SimulatedNode } from './simulated-node.ts'

interface Seen {
  readonly id: string
  readonly state: InstanceState
  readonly incarnation: number
  readonly node_id: string | null
  readonly client_token: string | null
  readonly generation: number
}

/** Which states can follow which, over any number of events of the lifecycle. */
const reachable = new Map<InstanceState, Set<InstanceState>>(
  instanceLifecycle.stateNames().map((state) => [state, closure(state)]),
)

function closure(from: InstanceState): Set<InstanceState> {
  const found = new Set([from])
  for (const state of found)
    for (const event of Object.values(instanceLifecycle.events))
      if ((event.from as readonly string[]).includes(state)) found.add(event.to as InstanceState)
  return found
}

/** What must hold at every moment, and what must hold when the faults have stopped. */
export class Invariants {
  /** Every instance that the record ever held, as it was seen last. */
  readonly seen = new Map<string, Seen>()
  private readonly client: SimulatedClient
  private readonly nodes: readonly SimulatedNode[]

  constructor(options: { client: SimulatedClient; nodes: readonly SimulatedNode[] }) {
    this.client = options.client
    this.nodes = options.nodes
  }

  hosts(): void {
    const running = new Set<string>()
    for (const node of this.nodes) {
      for (const id of node.domains.keys()) {
        assert(!running.has(id), `${id} runs twice`)
        running.add(id)
      }
      for (const [item, count] of node.starts) assert(count === 1, `${item} was started ${count} times`)
    }
  }

  async record(cloud: SimulatedCloud): Promise<void> {
    const rows: Seen[] = await cloud.cloud.record.read((db) =>
      db
        .selectFrom('instance')
        .select(['id', 'state', 'incarnation', 'node_id', 'client_token', 'generation'])
        .execute(),
    )
    const present = new Set<string>()
    for (const row of rows) {
      present.add(row.id)
      this.along(row, this.seen.get(row.id))
      this.seen.set(row.id, row)
    }
    for (const row of this.seen.values())
      assert(
        present.has(row.id) || row.state === 'terminated',
        `${row.id} was ${row.state} and is not in the record`,
      )
    this.launches()
  }

  private along(row: Seen, before: Seen | undefined): void {
    if (row.state === 'shutting-down' || row.state === 'terminated')
      assert(this.client.mayEnd.has(row.id), `${row.id} is ${row.state} and nobody asked for it`)
    if (!before) return
    assert(
      reachable.get(before.state)!.has(row.state),
      `${row.id} went from ${before.state} to ${row.state}, which no event does`,
    )
    assert(row.incarnation >= before.incarnation, `${row.id} went back to an earlier incarnation`)
    assert(row.generation >= before.generation, `${row.id} went back to an earlier generation`)
    assert(row.node_id === before.node_id, `${row.id} was moved to another node`)
  }

  /** Launches are whole or not at all, and what was acknowledged is there. */
  private launches(): void {
    const byToken = Map.groupBy(this.seen.values(), (row) => row.client_token)
    for (const launch of this.client.launches) {
      const made = byToken.get(launch.token)?.length ?? 0
      assert(
        made === 0 || made === launch.count,
        `${made} of ${launch.count} instances of one call are there`,
      )
      for (const id of launch.ids ?? []) assert(this.seen.has(id), `${id} was acknowledged and is lost`)
    }
  }

  async settled(cloud: SimulatedCloud): Promise<void> {
    const alive = new Set<string>()
    const rows = await cloud.cloud.record.read((db) => db.selectFrom('instance').selectAll().execute())
    const hosts = new Map(
      this.nodes.flatMap((node) => [...node.domains.keys()].map((id) => [id, node] as const)),
    )
    for (const { id, state, node_id, reboot_count } of rows) {
      const at = `${id} is ${state}`
      assert(state === 'running' || state === 'terminated', `${at} for ever`)
      if (state === 'terminated') continue
      alive.add(id)
      assert(!this.client.terminationsAcknowledged.has(id), `${at} and was terminated by request`)
      const node = hosts.get(id)
      assert(node?.id === node_id, `${at} and runs on no host of its own`)
      const asked = this.client.rebootsAcknowledged.get(id) ?? 0
      assert(reboot_count >= asked, `${at}, was asked ${asked} times to reboot and knows of ${reboot_count}`)
      assert(node?.reboots.get(id) === reboot_count, `${at} and did not reboot as asked`)
    }
    for (const id of hosts.keys()) assert(alive.has(id), `${id} runs and the record does not know`)
    for (const node of this.nodes)
      for (const id of node.disks) assert(alive.has(id), `the disk of ${id} remains on a node`)
    await this.owned(cloud, alive)
    await this.tags(cloud, alive)
  }

  /** Each address, interface and item belongs to one living instance. */
  private owned(cloud: SimulatedCloud, alive: ReadonlySet<string>): Promise<void> {
    return cloud.cloud.record.read(async (db) => {
      const interfaces = await db.selectFrom('network_interface').selectAll().execute()
      assert(interfaces.length === alive.size, `${interfaces.length} interfaces of ${alive.size} instances`)
      for (const row of interfaces)
        assert(alive.has(row.instance_id ?? ''), `interface ${row.id} belongs to no living instance`)
      assert(new Set(interfaces.map((row) => row.mac)).size === interfaces.length, 'two have one MAC')
      assert(
        new Set(interfaces.map((row) => `${row.subnet_id} ${row.private_ip}`)).size === interfaces.length,
        'two have one private address',
      )
      const addresses = await db.selectFrom('address').selectAll().execute()
      const owners = new Set(addresses.map((row) => row.interface_id))
      assert(
        owners.size === addresses.length && interfaces.every((row) => owners.has(row.id)),
        'a public address has no owner, or two',
      )
      const items = await db.selectFrom('desired_item').selectAll().where('kind', '=', 'domain').execute()
      for (const row of items)
        assert(alive.has(row.id.split('/')[0]!), `the item ${row.id} of a dead instance remains`)
      assert(items.length === alive.size, `${items.length} items of ${alive.size} instances`)
    })
  }

  private tags(cloud: SimulatedCloud, alive: ReadonlySet<string>): Promise<void> {
    return cloud.cloud.record.read(async (db) => {
      const rows = await db.selectFrom('tag').selectAll().execute()
      for (const [id, possible] of this.client.tags) {
        if (!alive.has(id)) continue
        const value = rows.find((row) => row.resource_id === id && row.key === 'is')?.value ?? null
        const right = possible.some((one) => one.value === value)
        assert(right, `the tag of ${id} is ${value}; acknowledged was ${possible[0]?.value}`)
      }
    })
  }
}
