import { assert, seededRandom, type Random } from '@mallee/base'
import type { DesiredResponse, Report } from '@mallee/agent-contract'
import { allGuards, type Guards } from './guards.ts'
import { Invariants } from './invariants.ts'
import { lieIn, type Known } from './liar.ts'
import { MachineClock, SimulatedClock } from './simulated-clock.ts'
import { SimulatedClient } from './simulated-client.ts'
import { SimulatedCloud } from './simulated-cloud.ts'
import { SimulatedNode } from './simulated-node.ts'
import { storeFaults } from './store-faults.ts'

export interface WorldOptions {
  readonly seed: number
  readonly template: string
  readonly nodeIds: readonly string[]
  readonly guards?: Partial<Guards>
}

/** What happened in a world, by name: so that a simulation whose faults never strike is noticed. */
export type Happenings = Record<string, number>

interface Message {
  readonly node: SimulatedNode
  /** Not before this moment of true time. */
  readonly atMs: number
  readonly set?: DesiredResponse
  readonly report?: Report
  readonly claim?: string
}

/** Most worlds are short, since most faults show within few steps of their cause; one in 30 is long. */
export function stepsOf(seed: number): number {
  return seed % 30 === 0 ? 300 : 50
}

const jumpMs = 600_000

/**
 * One virtual cloud under a seed: the real doors, transactions, reconcilers and planner; time, hosts and the network
 * between them simulated. Messages are lost, repeated, reordered and late; agents die, lie and are cut off; hosts lose
 * their power and return; clocks jump; the store fails at every point of a transaction; the cloud is restarted or away
 * for an hour; guests end by themselves. At the end the faults stop and everything must settle.
 */
export class World {
  readonly happenings: Happenings = {}
  readonly truth = new SimulatedClock()
  private readonly random: Random
  private readonly guards: Guards
  private readonly nodes: SimulatedNode[]
  private readonly options: WorldOptions
  private readonly messages: Message[] = []
  private readonly client: SimulatedClient
  private readonly invariants: Invariants
  /** Guests of whom their own node lied: it may be told to end and restart them. */
  private readonly slandered = new Set<string>()
  private readonly liar: SimulatedNode | null
  /** What each node said last while it settled. */
  private readonly said = new Map<SimulatedNode, string>()
  private cloud!: SimulatedCloud

  constructor(options: WorldOptions) {
    this.options = options
    this.random = seededRandom(options.seed)
    this.guards = { ...allGuards, ...options.guards }
    this.client = new SimulatedClient(this.random)
    this.nodes = options.nodeIds.map(
      (id) =>
        new SimulatedNode({
          id,
          clock: new MachineClock(this.truth),
          random: this.random,
          guards: this.guards,
          onForcedEnd: (instanceId) => this.forcedEnd(instanceId),
          onHopeless: (instanceId) => this.client.mayEnd.add(instanceId),
        }),
    )
    this.invariants = new Invariants({ client: this.client, nodes: this.nodes })
    this.liar = this.random.fraction() < 0.3 ? this.pick(this.nodes) : null
    if (this.random.fraction() < 0.25) this.pick(this.nodes).slowMs = 10_000
  }

  async live(): Promise<void> {
    const { truth, random, guards } = this
    this.cloud = await SimulatedCloud.start(this.options.template, { truth, random, guards })
    try {
      for (const node of this.nodes) await this.cloud.report(node.id, node.report())
      await this.client.launch(this.cloud, this.client.newLaunch())
      if (this.chance(0.5)) await this.round() // half of the worlds begin with guests that run
      const steps = stepsOf(this.options.seed)
      for (let step = 0; step < steps; step += 1) {
        this.truth.advance(Math.floor(this.random.fraction() * 500))
        await this.oneThing()
        this.cloud.faults.disarm()
        this.invariants.hosts()
      }
      await this.settle()
      await this.invariants.settled(this.cloud)
    } finally {
      await this.cloud.stop()
    }
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random.fraction() * list.length)]!
  }

  private happened(what: string): void {
    this.happenings[what] = (this.happenings[what] ?? 0) + 1
  }

  private chance(probability: number): boolean {
    return this.random.fraction() < probability
  }

  private async oneThing(): Promise<void> {
    const dice = this.random.fraction()
    const node = this.pick(this.nodes)
    if (dice < 0.08) await this.ask()
    else if (dice < 0.34) await this.pass()
    else if (dice < 0.45) return this.fetch(node)
    else if (dice < 0.68) return void (node.downUntilMs <= this.truth.now() && node.act(this.chance(0.05)))
    else if (dice < 0.76) return this.sendReport(node)
    else if (dice < 0.92) await this.deliver()
    else await this.fault(node)
    await this.invariants.record(this.cloud)
  }

  /** Before whatever writes next: the store may fail. */
  private perhapsStoreFault(): void {
    if (!this.chance(0.06)) return
    const fault = this.pick(storeFaults)
    this.happened(`store fails: ${fault}`)
    this.cloud.faults.arm(fault, 1 + Math.floor(this.random.fraction() * 20))
  }

  private async ask(): Promise<void> {
    this.perhapsStoreFault()
    this.client.nextTurn()
    const alive = () => [...this.invariants.seen.values()].filter((row) => row.state !== 'terminated')
    const ids = alive().map((row) => row.id)
    if (!this.chance(0.2)) return this.client.act(this.cloud, ids)
    this.happened('calls at once') // they share one commit
    await Promise.all([1, 2, 3].map(() => this.client.act(this.cloud, ids)))
  }

  private async pass(): Promise<void> {
    this.perhapsStoreFault()
    await this.cloud.pass(this.random)
  }

  /** A message on its way: perhaps lost, perhaps twice, perhaps late. */
  private post(message: Omit<Message, 'atMs'>): void {
    if (this.chance(0.13)) return this.happened('message lost')
    const late = () => this.truth.now() + message.node.slowMs * (1 + this.random.fraction())
    this.messages.push({ ...message, atMs: late() })
    if (!this.chance(0.15)) return
    this.happened('message repeated')
    this.messages.push({ ...message, atMs: late() })
  }

  private async fetch(node: SimulatedNode): Promise<void> {
    if (node.downUntilMs > this.truth.now() || node.cut.reports) return
    this.perhapsStoreFault()
    const set = await this.cloud.desired(node.id, node.heldRevision)
    if (set && !node.cut.sets) this.post({ node, set })
  }

  private async sendReport(node: SimulatedNode): Promise<void> {
    if (node.downUntilMs > this.truth.now() || node.cut.reports) return
    const honest = node.report()
    if (node !== this.liar || !this.chance(0.5)) return this.post({ node, report: honest })
    this.happened('lie')
    const { own, others } = await this.domains(node)
    const report = lieIn(honest, { random: this.random, own, others })
    for (const { id } of own) this.slandered.add(id.split('/')[0]!)
    const victim = this.pick(this.nodes.filter((other) => other !== node))
    this.post({ node, report, claim: victim.id })
  }

  /** The domains of the record as a liar with a spy in the cloud would know them. */
  private async domains(node: SimulatedNode): Promise<{ own: Known[]; others: Known[] }> {
    const rows = await this.cloud.cloud.record.read((db) =>
      db.selectFrom('domain').select(['id', 'node_id', 'observed_state']).orderBy('id').execute(),
    )
    const known = (mine: boolean) =>
      rows
        .filter((row) => (row.node_id === node.id) === mine)
        .map((row) => ({ id: row.id, seenRunning: row.observed_state === 'running' }))
    return { own: known(true), others: known(false) }
  }

  private async deliver(): Promise<void> {
    const due = this.messages.filter((message) => message.atMs <= this.truth.now())
    if (due.length === 0) return
    const message = this.pick(due)
    this.messages.splice(this.messages.indexOf(message), 1)
    if (due[0] !== message) this.happened('message overtook another')
    if (message.set) {
      if (message.node.downUntilMs <= this.truth.now()) message.node.accept(message.set)
      return
    }
    this.perhapsStoreFault()
    await this.cloud.report(message.node.id, message.report!, message.claim)
  }

  private async fault(node: SimulatedNode): Promise<void> {
    const dice = this.random.fraction()
    if (dice < 0.45) return this.guestEnds(node)
    if (dice < 0.52) return this.hostFails(node)
    if (dice < 0.6) return this.partition(node)
    if (dice < 0.8) return this.clockJumps(this.chance(0.5) ? node.clock : this.cloud.clock)
    if (dice < 0.9) return this.cloudRestarts(0)
    if (dice < 0.93) return this.cloudRestarts(3_600_000)
    this.happened('quiet minute')
    this.truth.advance(60_000)
  }

  private guestEnds(node: SimulatedNode): void {
    const guests = [...node.domains.keys()]
    if (guests.length === 0) return
    const guest = this.pick(guests)
    const itself = this.chance(0.35)
    this.happened(itself ? 'guest shuts down' : 'guest crashes')
    if (itself) this.client.mayEnd.add(guest)
    node.end(guest, itself ? 'shutdown' : 'crashed')
  }

  private hostFails(node: SimulatedNode): void {
    const lost = this.chance(0.2)
    this.happened(lost ? 'host and disks lost' : 'host loses power')
    node.losePower(this.truth.now() + Math.floor(this.random.fraction() * 60_000))
    if (!lost) return
    for (const id of node.disks) this.client.mayEnd.add(id)
    node.disks.clear()
  }

  private partition(node: SimulatedNode): void {
    this.happened('link cut or mended')
    node.cut.sets = this.chance(0.5)
    node.cut.reports = this.chance(0.5)
  }

  private clockJumps(clock: MachineClock): void {
    this.happened(clock === this.cloud.clock ? "the cloud's clock jumps" : "a node's clock jumps")
    clock.errorMs = this.chance(0.3) ? 0 : Math.floor((this.random.fraction() * 2 - 1) * jumpMs)
  }

  /** Nodes go on with what they hold while the cloud is away. */
  private async cloudRestarts(awayMs: number): Promise<void> {
    this.happened(awayMs === 0 ? 'cloud restarts' : 'cloud is away for an hour')
    await this.cloud.close()
    for (let moment = 0; moment < (awayMs === 0 ? 3 : 20); moment += 1) {
      this.truth.advance(awayMs / 20)
      const node = this.pick(this.nodes)
      if (node.downUntilMs <= this.truth.now()) node.act(this.chance(0.05))
    }
    await this.cloud.open()
  }

  private forcedEnd(instanceId: string): void {
    const known = this.client.mayEnd.has(instanceId) || this.slandered.has(instanceId)
    assert(known, `the guest of ${instanceId} was ended by its node, and nobody asked for it`)
  }

  private async settle(): Promise<void> {
    this.messages.length = 0
    this.said.clear()
    for (const node of this.nodes) {
      node.downUntilMs = 0
      node.cut.sets = node.cut.reports = false
    }
    for (let round = 0; round < 25; round += 1) {
      this.truth.advance(61_000) // past every back-off
      const before = await this.picture()
      await this.round()
      this.invariants.hosts()
      await this.invariants.record(this.cloud)
      if (before === (await this.picture())) return
    }
  }

  /** Everything once, without a fault; agents that have nothing new to hear or to say are left in peace. */
  private async round(): Promise<void> {
    await this.cloud.scan()
    const revisions = await this.cloud.revisions()
    for (const node of this.nodes) {
      if (revisions.get(node.id) !== node.heldRevision) {
        const set = await this.cloud.desired(node.id, node.heldRevision)
        if (set) node.accept(set)
      }
      node.settle()
      const report = node.report()
      const words = JSON.stringify(report.observations)
      if (this.said.get(node) === words) continue
      this.said.set(node, words)
      await this.cloud.report(node.id, report)
    }
  }

  /** What the record and the hosts look like, in one text. */
  async picture(): Promise<string> {
    const rows = await this.cloud.cloud.record.read(async (db) => [
      await db.selectFrom('instance').select(['id', 'state', 'generation']).orderBy('id').execute(),
      await db.selectFrom('domain').select(['id', 'intent', 'observed_state']).orderBy('id').execute(),
      await db.selectFrom('agent').select(['id', 'revision']).orderBy('id').execute(),
    ])
    const hosts = this.nodes.map((node) => [...node.domains.keys(), node.heldRevision])
    return JSON.stringify([rows, hosts])
  }
}
