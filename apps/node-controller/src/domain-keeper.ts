import { errorMessage, minuteMs, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, DomainFacts } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import type { Span, Tracer } from '@mallee/service-kit'
import type { HypervisorDriver, LiveDomain } from './drivers/hypervisor/driver.ts'
import type { InterfaceKeeper } from './interfaces/interface-keeper.ts'
import type { NodeFigures } from './metrics/node-figures.ts'
import type { NetworkKeeper } from './network-keeper.ts'
import { hasNeverRun, isPassing, namingFullDisk } from './node-error.ts'
import { planDomain, type DomainNote, type DomainStep } from './planner/plan-domain.ts'
import type { GuestPreparer } from './steps/guest-preparer.ts'
import type { VolumeKeeper } from './volumes/volume-keeper.ts'

type Item = DesiredItem<'domain'>

/** How long a trouble that may pass is borne before the launch fails: walrus or libvirtd may be restarting. */
const patienceMs = 10 * minuteMs
const troubleAgainMs = 1_000
/** How often a preparation that takes long says how far it is. */
const progressEveryMs = 2_000
/** A guest that was asked to reboot and did not is reset. */
const rebootGraceMs = 60_000

/** How soon it is looked again at a disk or an interface that comes, grows or goes. */
const devicesAgainMs = 500

type RunningFacts = Partial<DomainFacts> & { state: DomainFacts['state'] }

const nothing: DomainFacts = {
  state: 'preparing',
  endReason: null,
  message: null,
  startedAtMs: null,
  diskLost: false,
  rebootCount: 0,
  accelerator: null,
}

/**
 * Brings each domain item to where it should be: look, plan, take one step, look again. One worker per instance, so
 * that two incarnations of it are never handled at once; what a step needs to be remembered is in the ledger first.
 */
export class DomainKeeper {
  private readonly deps: {
    ledger: Ledger
    hypervisor: HypervisorDriver
    network: NetworkKeeper
    preparer: GuestPreparer
    volumes: Pick<VolumeKeeper, 'look' | 'isUnsettled'>
    interfaces: Pick<InterfaceKeeper, 'look' | 'isUnsettled'>
    clock: Clock
    log: Log
    accelerator: () => DomainFacts['accelerator']
    observe: (item: Item, facts: DomainFacts) => void
    tracer?: Tracer
    /** Told how long each step of a launch took, for figures. */
    onLaunchStep?: NodeFigures['launchStep']
  }
  private readonly workers = new Map<string, { again: boolean; done: Promise<void> }>()
  private readonly timers = new Map<string, () => void>()
  private readonly stopping = new AbortController()

  constructor(deps: DomainKeeper['deps']) {
    this.deps = deps
  }

  /** Looks at every item; returns at once. */
  refreshAll(): void {
    void this.dropNotes() // first: a worker keeps the notes of its instance, and now few work
    for (const item of this.deps.ledger.list('domain')) this.refresh(item.body.instanceId)
  }

  refresh(instanceId: string): void {
    if (this.stopping.signal.aborted) return
    const worker = this.workers.get(instanceId)
    if (worker) {
      worker.again = true
      return
    }
    const started = { again: false, done: Promise.resolve() }
    this.workers.set(instanceId, started)
    started.done = this.work(instanceId, started).finally(() => this.workers.delete(instanceId))
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    for (const cancel of this.timers.values()) cancel()
    await Promise.all([...this.workers.values()].map((worker) => worker.done))
  }

  private async work(instanceId: string, worker: { again: boolean }): Promise<void> {
    do {
      worker.again = false
      const items = this.deps.ledger.list('domain').filter((item) => item.body.instanceId === instanceId)
      // Older incarnations end before newer ones begin.
      items.sort((a, b) => a.body.incarnation - b.body.incarnation)
      for (const item of items) {
        if (this.stopping.signal.aborted) return
        await this.settle(item)
      }
    } while (worker.again && !this.stopping.signal.aborted)
  }

  /** Takes steps for one item until there is none to take now. */
  private async settle(item: Item): Promise<void> {
    for (let steps = 0; steps < 20 && !this.stopping.signal.aborted; steps += 1) {
      try {
        const live = (await this.deps.hypervisor.list()).find(
          (domain) => domain.name === item.body.instanceId,
        )
        const note = this.note(item)
        const step = planDomain({ item: item.body, note, live, nowMs: this.deps.clock.now() })
        if (!(await this.take(item, note, step, live))) return
      } catch (error) {
        await this.trouble(item, error)
        return
      }
    }
    this.later(item, troubleAgainMs)
  }

  /** Carries out one step; answers whether to look again at once. */
  private async take(
    item: Item,
    note: DomainNote,
    step: DomainStep,
    live: LiveDomain | undefined,
  ): Promise<boolean> {
    const { hypervisor, preparer } = this.deps
    const name = item.body.instanceId
    switch (step.step) {
      case 'observe':
        if (step.facts.state === 'running') await this.observeRunning(item, note, step.facts)
        else this.observe(item, note, step.facts)
        return false
      case 'wait':
        this.later(item, step.againMs)
        return false
      case 'prepare-and-start':
        await this.traced('prepare and start', item, (span) => this.prepareAndStart(item, note, span))
        return true
      case 'note-end':
        await this.setNote(item, { endReason: (await hypervisor.ended(name)) ?? 'lost' })
        return true
      case 'reboot':
        await this.setNote(item, { rebootCount: item.body.rebootCount })
        await this.reboot(item)
        return true
      case 'shutdown':
        await this.setNote(item, { shutdownAskedAtMs: this.deps.clock.now() })
        await hypervisor.shutdown(name)
        return true
      case 'destroy':
        this.deps.log.info(
          { ...about(item), state: live?.state, intent: item.body.intent },
          'ending the domain',
        )
        await hypervisor.destroy(name)
        return true
      case 'release':
        await this.setNote(item, { released: true })
        return true
      case 'remove':
        await preparer.remove(item.body)
        await this.setNote(item, { removed: true })
        return true
    }
  }

  /**
   * A guest is said to run when it is known what volumes and interfaces it has: to say nothing of them is to say that it has none, and
   * they would be taken from under it.
   */
  private async observeRunning(item: Item, note: DomainNote, facts: RunningFacts): Promise<void> {
    const { interfaces, log, volumes } = this.deps
    try {
      const found = await volumes.look(item.body)
      const plugged = await interfaces.look(item.body)
      this.observe(item, note, {
        ...facts,
        ...(found === undefined ? {} : { volumes: found }),
        ...(plugged === undefined ? {} : { interfaces: plugged }),
      })
      if (volumes.isUnsettled(found, item.body) || interfaces.isUnsettled(plugged))
        this.later(item, devicesAgainMs)
    } catch (error) {
      log.warn({ ...about(item), err: error }, 'the volumes of a guest could not be looked at')
      this.later(item, troubleAgainMs)
    }
  }

  private async prepareAndStart(item: Item, note: DomainNote, span: Span | null): Promise<void> {
    const { clock, hypervisor, network, preparer, log } = this.deps
    if (item.body.machine && item.body.incarnation > 1 && !(await preparer.hasDisk(item.body))) {
      this.deps.observe(item, {
        ...nothing,
        state: 'ended',
        endReason: 'lost',
        diskLost: true,
        message: 'The disk of the instance is lost.',
      })
      await this.setNote(item, { failure: 'The disk of the instance is lost.' })
      return
    }
    this.observe(item, note, { state: 'preparing' })
    const quiet = this.tellProgress(item, note)
    const interfaceIds = item.body.interfaces.map((entry) => entry.interfaceId)
    const ports = network.plannedPorts(interfaceIds)
    // The disk is made while the network is: neither needs the other, and the start needs both.
    const beganMs = clock.now()
    const since = () => clock.now() - beganMs
    const [[xml, preparedMs], networkMs] = await Promise.all([
      this.traced(
        'prepare',
        item,
        () =>
          preparer.prepare(item.body, ports, this.stopping.signal).then((text) => [text, since()] as const),
        span,
      ),
      this.traced('network', item, () => network.standing(interfaceIds).then(since), span),
    ]).finally(quiet)
    if (this.deps.ledger.get('domain', item.id)?.body.intent !== 'run') return
    // The intent before the deed: after this line the domain counts as started, whatever happens to us.
    await this.setNote(item, { startIntentAtMs: clock.now(), rebootCount: item.body.rebootCount })
    try {
      const startingMs = clock.now()
      await this.traced('start', item, () => hypervisor.start(xml), span)
      this.deps.onLaunchStep?.('start', (clock.now() - startingMs) / 1000)
    } catch (error) {
      if (hasNeverRun(error)) await this.dropIntent(item)
      else if (!isPassing(error)) await this.setNote(item, { failure: errorMessage(error) })
      throw error
    }
    await this.setNote(item, { startedAtMs: clock.now() })
    const startedMs = since()
    log.info(
      { ...about(item), incarnation: item.body.incarnation, preparedMs, networkMs, startedMs },
      'started',
    )
    this.deps.onLaunchStep?.('prepare', preparedMs / 1000)
    this.deps.onLaunchStep?.('network', networkMs / 1000)
    this.deps.onLaunchStep?.('whole', startedMs / 1000)
  }

  /** A part of the trace that the request began; without one, or without a collector, just the work. */
  private traced<T>(
    name: string,
    item: Item,
    work: (span: Span | null) => Promise<T>,
    parent: Span | null = null,
  ): Promise<T> {
    const { tracer } = this.deps
    if (!tracer) return work(null)
    const context = parent ? parent.traceparent : (item.body.traceparent ?? null)
    const fields = { instance_id: item.body.instanceId, request_id: item.body.requestId ?? '' }
    return tracer.trace(`agent: ${name}`, context, fields, work)
  }

  private async reboot(item: Item): Promise<void> {
    const { clock, hypervisor, log } = this.deps
    const instanceId = item.body.instanceId
    let rebooted = false
    const stopListening = hypervisor.onHint((name) => {
      if (name === `reboot ${instanceId}`) rebooted = true
    })
    await hypervisor.reboot(instanceId)
    const cancel = clock.after(rebootGraceMs, () => {
      stopListening()
      this.timers.delete(`reboot ${instanceId}`)
      if (rebooted) return
      log.warn(about(item), 'the guest did not reboot when asked; it is reset')
      void hypervisor
        .reset(instanceId)
        .catch((error: unknown) => log.warn({ err: error, ...about(item) }, 'no reset'))
    })
    this.timers.set(`reboot ${instanceId}`, () => {
      cancel()
      stopListening()
    })
  }

  /** What may pass is tried again for a while; what cannot succeed is said, and the launch fails. */
  private async trouble(item: Item, thrown: unknown): Promise<void> {
    const { clock, log } = this.deps
    const error = namingFullDisk(thrown)
    const fields = { err: error, ...about(item), intent: item.body.intent }
    const note = this.note(item)
    const sinceMs = note.troubleSinceMs ?? clock.now()
    const starting = item.body.intent === 'run' && note.startIntentAtMs === undefined
    if (starting && (!isPassing(error) || clock.now() - sinceMs > patienceMs)) {
      log.error(fields, 'the launch failed')
      await this.setNote(item, { failure: errorMessage(error) }).catch(() => {})
      this.observe(item, note, { state: 'failed', message: errorMessage(error) })
      return
    }
    log.warn(fields, 'trouble; will be tried again')
    if (starting && note.troubleSinceMs === undefined)
      await this.setNote(item, { troubleSinceMs: sinceMs }).catch(() => {})
    if (starting) this.observe(item, note, { state: 'preparing', message: errorMessage(error) })
    this.later(item, troubleAgainMs)
  }

  /** Says now and then how far a long preparation is; the answered function ends it. */
  private tellProgress(item: Item, note: DomainNote): () => void {
    const { clock, preparer } = this.deps
    let last: string | null = null
    let cancel = () => {}
    const tell = () => {
      const message = preparer.progress?.(item.body) ?? null
      if (message !== null && message !== last) this.observe(item, note, { state: 'preparing', message })
      last = message
      cancel = clock.after(progressEveryMs, tell)
    }
    if (preparer.progress) cancel = clock.after(progressEveryMs, tell)
    return () => cancel()
  }

  private observe(
    item: Item,
    note: DomainNote,
    facts: Partial<DomainFacts> & { state: DomainFacts['state'] },
  ): void {
    this.deps.observe(item, {
      ...nothing,
      rebootCount: note.rebootCount ?? 0,
      accelerator: facts.state === 'running' ? this.deps.accelerator() : null,
      ...facts,
    })
  }

  private later(item: Item, delayMs: number): void {
    const key = item.id
    this.timers.get(key)?.()
    this.timers.set(
      key,
      this.deps.clock.after(delayMs, () => {
        this.timers.delete(key)
        this.refresh(item.body.instanceId)
      }),
    )
  }

  private note(item: Item): DomainNote {
    return this.deps.ledger.note<DomainNote>(noteName(item.id)) ?? {}
  }

  private dropIntent(item: Item): Promise<void> {
    const { startIntentAtMs: _intent, ...rest } = this.note(item)
    return this.deps.ledger.setNote(noteName(item.id), rest)
  }

  private setNote(item: Item, changes: Partial<DomainNote>): Promise<void> {
    return this.deps.ledger.setNote(noteName(item.id), { ...this.note(item), ...changes })
  }

  /** Notes of items that the set no longer has are of no use: their incarnations will not come back. */
  private async dropNotes(): Promise<void> {
    for (const name of this.deps.ledger.noteNames('domain ')) {
      const id = name.slice('domain '.length)
      if (!this.deps.ledger.get('domain', id) && !this.workers.has(id.split('/')[0]!)) {
        await this.deps.ledger.setNote(name, undefined).catch(() => {})
      }
    }
  }
}

/** The thread through the logs: the instance, and the request that it is all about. */
const about = (item: Item) => ({
  instanceId: item.body.instanceId,
  request_id: item.body.requestId ?? null,
})

function noteName(itemId: string): string {
  return `domain ${itemId}`
}
