import type { Random } from '@mallee/base'
import type {
  DesiredItem,
  DesiredResponse,
  DomainFacts,
  DomainItem,
  Observation,
  Report,
} from '@mallee/agent-contract'
import { planDomain, type DomainNote, type DomainStep } from '@mallee/node-controller'
import type { Guards } from './guards.ts'
import { nodeFingerprint } from './simulated-cloud.ts'
import type { MachineClock } from './simulated-clock.ts'

interface HeldItem {
  readonly id: string
  readonly generation: number
  readonly digest: string
  readonly kind: string
  readonly body: unknown
}

interface Domain {
  /** `i-…/1`: under which item it was started. */
  readonly itemId: string
}

type Ending = 'shutdown' | 'crashed' | 'lost' | 'destroyed'

/** One host with its node controller: the real plan, carried out on a host that exists only here. */
export class SimulatedNode {
  readonly id: string
  readonly clock: MachineClock
  readonly domains = new Map<string, Domain>()
  readonly disks = new Set<string>()
  /** How often each item's domain was started: never more than once. */
  readonly starts = new Map<string, number>()
  /** Reboots that each running guest was given. */
  readonly reboots = new Map<string, number>()
  /** Messages and answers of it take this much longer. */
  slowMs = 0
  /** Without power until this moment of true time. */
  downUntilMs = 0
  readonly cut = { sets: false, reports: false }
  private readonly random: Random
  private readonly guards: Guards
  private readonly onForcedEnd: (instanceId: string) => void
  private readonly onHopeless: (instanceId: string) => void
  private readonly endings = new Map<string, Ending>()
  /** The ledger: survives the agent's own death. */
  private revision = 0
  private items = new Map<string, HeldItem>()
  private notes = new Map<string, DomainNote>()
  private sequence = 0
  /** What was said of each item; lost with the agent's memory. */
  private observed = new Map<string, Observation>()

  constructor(options: {
    id: string
    clock: MachineClock
    random: Random
    guards: Guards
    /** A live guest is being ended by its node. */
    onForcedEnd: (instanceId: string) => void
    /** A launch that this node cannot carry out, or a disk that it does not have any more. */
    onHopeless: (instanceId: string) => void
  }) {
    this.id = options.id
    this.clock = options.clock
    this.random = options.random
    this.guards = options.guards
    this.onForcedEnd = options.onForcedEnd
    this.onHopeless = options.onHopeless
  }

  get heldRevision(): number {
    return this.revision
  }

  accept(set: DesiredResponse): void {
    if (this.guards.ignoreOlderRevisions && set.revision <= this.revision) return
    const arrived = new Map(set.bodies.map((item) => [`${item.kind} ${item.id}`, item as HeldItem]))
    const next = new Map<string, HeldItem>()
    for (const entry of set.index) {
      const key = `${entry.kind} ${entry.id}`
      const body = arrived.get(key) ?? this.items.get(key)
      if (!body || body.digest !== entry.digest) return // not for a ledger like ours: the next poll asks anew
      next.set(key, { ...body, generation: entry.generation })
    }
    this.items = next
    this.revision = set.revision
    for (const id of this.notes.keys()) if (!next.has(`domain ${id}`)) this.notes.delete(id)
    for (const id of this.observed.keys()) if (!next.has(`domain ${id}`)) this.observed.delete(id)
  }

  domainItems(): HeldItem[] {
    return this.itemsOf('domain')
  }

  vpcItems(): DesiredItem<'vpc'>[] {
    return this.itemsOf('vpc') as DesiredItem<'vpc'>[]
  }

  private itemsOf(kind: string): HeldItem[] {
    return [...this.items.values()]
      .filter((item) => item.kind === kind)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** A step or two for one item; a crash may strike between the note and the deed, and then memory is lost. */
  act(crash: boolean): void {
    const items = this.domainItems()
    if (items.length === 0) return
    const item = items[Math.floor(this.random.fraction() * items.length)]!
    this.step(item, this.clock.now(), crash)
    if (crash) this.observed.clear()
    else if (this.random.fraction() < 0.7) this.step(item, this.clock.now(), false)
  }

  /** Steps for every item until nothing is left to do. */
  settle(): void {
    for (let round = 0; round < 12; round += 1)
      for (const item of this.domainItems()) this.step(item, this.clock.now() + round * 1000, false)
  }

  private step(item: HeldItem, nowMs: number, crash: boolean): void {
    const body = item.body as DomainItem
    const note = this.notes.get(item.id) ?? {}
    const live = this.domains.has(body.instanceId)
      ? { name: body.instanceId, state: 'running' as const }
      : undefined
    this.take(item, body, planDomain({ item: body, note, live, nowMs }), nowMs, crash)
  }

  private take(item: HeldItem, body: DomainItem, step: DomainStep, nowMs: number, crash: boolean): void {
    const keep = (changes: Partial<DomainNote>) =>
      this.notes.set(item.id, { ...this.notes.get(item.id), ...changes })
    switch (step.step) {
      case 'observe':
        return this.observe(item, step.facts)
      case 'wait':
        return
      case 'prepare-and-start':
        return this.start(item, body, nowMs, crash)
      case 'note-end':
        return void keep({ endReason: this.endings.get(body.instanceId) ?? 'lost' })
      case 'reboot':
        keep({ rebootCount: body.rebootCount })
        this.reboots.set(body.instanceId, body.rebootCount)
        return
      case 'shutdown':
        this.onForcedEnd(body.instanceId)
        keep({ shutdownAskedAtMs: nowMs })
        if (this.random.fraction() < 0.5) this.end(body.instanceId, 'shutdown')
        return
      case 'destroy':
        this.onForcedEnd(body.instanceId)
        return this.end(body.instanceId, 'destroyed')
      case 'release':
        return void keep({ released: true })
      case 'remove':
        this.disks.delete(body.instanceId)
        return void keep({ removed: true })
    }
  }

  private start(item: HeldItem, body: DomainItem, nowMs: number, crash: boolean): void {
    const keep = (changes: Partial<DomainNote>) =>
      this.notes.set(item.id, { ...this.notes.get(item.id), ...changes })
    if (body.incarnation > 1 && !this.disks.has(body.instanceId)) {
      this.onHopeless(body.instanceId)
      keep({ failure: 'The disk of the instance is lost.' })
      return this.observe(item, { state: 'ended', endReason: 'lost', diskLost: true })
    }
    if (body.incarnation === 1 && this.random.fraction() < 0.02) {
      this.onHopeless(body.instanceId)
      return void keep({ failure: 'The image is no image.' })
    }
    this.disks.add(body.instanceId)
    const noted = { startIntentAtMs: nowMs, rebootCount: body.rebootCount }
    if (this.guards.noteBeforeStart) keep(noted)
    if (crash) return
    this.domains.set(body.instanceId, { itemId: item.id })
    this.reboots.set(body.instanceId, body.rebootCount)
    this.starts.set(item.id, (this.starts.get(item.id) ?? 0) + 1)
    if (!this.guards.noteBeforeStart && this.random.fraction() < 0.3) return // it dies before it can write
    keep({ ...noted, startedAtMs: nowMs })
  }

  private observe(item: HeldItem, facts: Partial<DomainFacts> & { state: DomainFacts['state'] }): void {
    const rebootCount = this.notes.get(item.id)?.rebootCount ?? 0
    this.observed.set(item.id, {
      kind: 'domain',
      id: item.id,
      generation: item.generation,
      facts: { ...nothing, rebootCount, ...facts },
    })
  }

  report(): Report {
    this.sequence += 1
    return {
      sequence: this.sequence,
      revision: this.revision,
      fingerprint: nodeFingerprint,
      observations: [...this.observed.values()],
      undeclared: [],
    }
  }

  /** The guest, or the host under it, ends the domain by itself. */
  end(instanceId: string, reason: Ending): void {
    if (this.domains.delete(instanceId)) this.endings.set(instanceId, reason)
  }

  /** The machine lost its power: disks remain, nothing else. */
  losePower(downUntilMs: number): void {
    for (const id of this.domains.keys()) this.end(id, 'lost')
    this.observed.clear()
    this.downUntilMs = downUntilMs
  }
}

export const nothing: DomainFacts = {
  state: 'preparing',
  endReason: null,
  message: null,
  startedAtMs: null,
  diskLost: false,
  rebootCount: 0,
  accelerator: null,
}
