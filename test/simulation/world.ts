import { assert, seededRandom, type Random } from '@mallee/base'
import type { DesiredResponse, Report } from '@mallee/agent-contract'
import { SimulatedClock } from './simulated-clock.ts'
import { SimulatedCloud } from './simulated-cloud.ts'
import { SimulatedNode, type Guards } from './simulated-node.ts'

export interface WorldOptions {
  readonly seed: number
  readonly template: string
  readonly nodeIds: readonly string[]
  readonly steps: number
  readonly guards?: Partial<Guards>
}

/**
 * One virtual cloud under a seed: the real doors, transactions, reconcilers and planner; time, hosts and the network
 * between them simulated, with messages lost, repeated and reordered, agents and hosts dying, guests ending by
 * themselves. Invariants are checked at every step; at the end the faults stop and everything must settle.
 */
export class World {
  private readonly random: Random
  private readonly clock = new SimulatedClock()
  private readonly nodes: SimulatedNode[]
  private readonly options: WorldOptions
  private readonly sets: { node: SimulatedNode; set: DesiredResponse }[] = []
  private readonly reports: { node: SimulatedNode; report: Report }[] = []
  /** Instances whose end somebody asked for, or brought about from inside. */
  private readonly mayEnd = new Set<string>()
  private cloud!: SimulatedCloud

  constructor(options: WorldOptions) {
    this.options = options
    this.random = seededRandom(options.seed)
    const guards = { ignoreOlderRevisions: true, noteBeforeStart: true, ...options.guards }
    this.nodes = options.nodeIds.map((id) => new SimulatedNode({ id, random: this.random, guards }))
  }

  async live(): Promise<void> {
    this.cloud = await SimulatedCloud.start(this.options.template, this.clock, this.random)
    try {
      for (const node of this.nodes) await this.cloud.report(node.id, node.report())
      for (let step = 0; step < this.options.steps; step += 1) {
        this.clock.advance(Math.floor(this.random.fraction() * 400))
        await this.oneThing()
        this.checkHosts()
      }
      await this.settle()
      await this.checkSettled()
    } finally {
      await this.cloud.stop()
    }
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random.fraction() * list.length)]!
  }

  private async oneThing(): Promise<void> {
    const dice = this.random.fraction()
    const node = this.pick(this.nodes)
    if (dice < 0.06) return this.client()
    if (dice < 0.4) return this.cloud.pass(this.random)
    if (dice < 0.5) return this.fetch(node)
    if (dice < 0.6) return this.deliverSet()
    if (dice < 0.8) return node.act(this.clock.now(), this.random.fraction() < 0.05)
    if (dice < 0.87) return this.sendReport(node)
    if (dice < 0.97) return this.deliverReport()
    return this.fault(node)
  }

  private async client(): Promise<void> {
    const dice = this.random.fraction()
    if (dice < 0.5) return void (await this.cloud.run(1 + Math.floor(this.random.fraction() * 3)))
    const alive = (await this.cloud.instances()).filter((instance) => instance.state !== 'terminated')
    if (alive.length === 0) return
    const { id } = this.pick(alive)
    if (dice < 0.85) this.mayEnd.add(id)
    await this.cloud.call(dice < 0.85 ? 'TerminateInstances' : 'RebootInstances', { 'InstanceId.1': id })
  }

  private async fetch(node: SimulatedNode): Promise<void> {
    const set = await this.cloud.desired(node.id, node.heldRevision)
    if (!set) return
    this.sets.push({ node, set })
    if (this.random.fraction() < 0.2) this.sets.push({ node, set }) // an intermediary repeats itself
  }

  private deliverSet(): void {
    if (this.sets.length === 0) return
    const index = Math.floor(this.random.fraction() * this.sets.length)
    const [message] = this.sets.splice(index, 1)
    if (this.random.fraction() < 0.15) return // lost
    message!.node.accept(message!.set)
  }

  private sendReport(node: SimulatedNode): void {
    const report = node.report()
    this.reports.push({ node, report })
    if (this.random.fraction() < 0.15) this.reports.push({ node, report })
  }

  private async deliverReport(): Promise<void> {
    if (this.reports.length === 0) return
    const index = Math.floor(this.random.fraction() * this.reports.length)
    const [message] = this.reports.splice(index, 1)
    if (this.random.fraction() < 0.15) return
    await this.cloud.report(message!.node.id, message!.report)
  }

  private fault(node: SimulatedNode): void {
    const dice = this.random.fraction()
    if (dice < 0.15) return node.restartHost()
    const [guest] = node.domains.keys()
    if (guest === undefined) return
    if (dice < 0.6) return node.end(guest, 'crashed')
    this.mayEnd.add(guest)
    node.end(guest, 'shutdown')
  }

  /** What must hold at every moment. */
  private checkHosts(): void {
    const running = this.nodes.flatMap((node) => [...node.domains.keys()])
    assert(new Set(running).size === running.length, 'one instance runs twice')
    for (const node of this.nodes) {
      for (const [item, count] of node.starts) assert(count === 1, `${item} was started ${count} times`)
    }
  }

  private async settle(): Promise<void> {
    this.sets.length = 0
    this.reports.length = 0
    for (let round = 0; round < 14; round += 1) {
      this.clock.advance(61_000) // past every back-off
      await this.cloud.scan()
      for (const node of this.nodes) {
        const set = await this.cloud.desired(node.id, node.heldRevision)
        if (set) node.accept(set)
        node.settle(this.clock.now())
        await this.cloud.report(node.id, node.report())
      }
      this.checkHosts()
    }
  }

  private async checkSettled(): Promise<void> {
    const hosts = new Map(
      this.nodes.flatMap((node) => [...node.domains.keys()].map((id) => [id, node] as const)),
    )
    const alive = new Set<string>()
    for (const instance of await this.cloud.instances()) {
      const at = `${instance.id} is ${instance.state}`
      assert(instance.state === 'running' || instance.state === 'terminated', `${at} for ever`)
      if (instance.state === 'running') {
        alive.add(instance.id)
        assert(hosts.get(instance.id)?.id === instance.node_id, `${at} and runs on no host of its own`)
      } else assert(this.mayEnd.has(instance.id), `${at} and nobody asked for it`)
    }
    assert(
      [...hosts.keys()].every((id) => alive.has(id)),
      'a domain runs that the record does not know',
    )
    for (const node of this.nodes)
      assert(
        [...node.disks].every((id) => alive.has(id)),
        'a disk of a terminated instance remains',
      )
    await this.cloud.cloud.record.read(async (db) => {
      const interfaces = await db.selectFrom('network_interface').select('instance_id').execute()
      assert(
        interfaces.every((row) => alive.has(row.instance_id ?? '')),
        'an interface of a terminated instance remains',
      )
      const addresses = await db.selectFrom('address').select('public_ip').execute()
      assert(addresses.length === interfaces.length, 'an address is held by nobody')
      const items = await db.selectFrom('desired_item').select('id').where('kind', '=', 'domain').execute()
      assert(
        items.length === alive.size && items.every((row) => alive.has(row.id.split('/')[0]!)),
        'an item of a terminated instance remains',
      )
    })
  }
}
