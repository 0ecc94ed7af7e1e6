import { errorMessage, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, ExportFacts, ExportItem, Portal } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import type { BlockDriver } from '../drivers/block-driver.ts'
import type { TgtTarget } from '../tgt/read-targets.ts'
import type { TargetDaemon, Targets } from '../tgt/target-daemon.ts'
import { planExports, volumeOfPath, type ExportStep, type WantedExport } from './plan-exports.ts'

type Item = DesiredItem<'export'>

/** What stands between a volume's files and the target daemon, of volumes of its kind. */
export interface VolumeFront {
  /** What the target daemon is to open; null where the volume needs no front. */
  pathOf(volumeId: string): string | null
  /** Nobody may have it open just now; who is logged in waits for its target to come back. */
  isPaused(volumeId: string): boolean
  /** The target daemon is another. */
  recheck(): void
}

const lookEveryMs = 3_000
const soonMs = 200
const lunOfVolume = 1
/** Numbers of targets are noted as taken this many at a time. */
const tidsAtOnce = 256

/**
 * Keeps the target daemon's targets as the set says: look, plan, one step for each export, look again. The daemon itself
 * is looked after first: one that died or hangs is replaced, and everything in it is made again from the set.
 */
export class ExportKeeper {
  private readonly deps: {
    readonly ledger: Ledger
    readonly driver: BlockDriver
    readonly daemon: TargetDaemon
    readonly portal: Portal
    readonly fronts: readonly VolumeFront[]
    readonly clock: Clock
    readonly log: Log
    readonly observe: (item: Item, facts: ExportFacts) => void
    /** Targets came or went. */
    readonly onChange: () => void
  }
  /** Sizes with which targets were made in the daemon's present life, by name. */
  private readonly madeBytes = new Map<string, number>()
  private running: Promise<void> | null = null
  private again = false
  private cancel: () => void = () => {}
  private stopped = false
  /** Null until one was taken in this life: what is noted may have been taken in an earlier one. */
  private nextTid: number | null = null
  private listedTids: readonly number[] = []
  private listed: readonly TgtTarget[] | null = null
  /** Why the targets cannot be looked after, for the fingerprint. */
  problem: string | null = null

  constructor(deps: ExportKeeper['deps']) {
    this.deps = deps
  }

  /** Looks at once, or again after the look that is under way. */
  refresh(): void {
    if (this.stopped) return
    if (this.running) {
      this.again = true
      return
    }
    this.cancel()
    this.running = this.look()
      .catch((error: unknown) => {
        this.problem = errorMessage(error)
        this.deps.log.warn({ reason: this.problem }, 'targets could not be looked after')
        return soonMs
      })
      .then((nextMs) => {
        this.running = null
        if (this.stopped) return
        if (this.again) {
          this.again = false
          return this.refresh()
        }
        this.cancel = this.deps.clock.after(nextMs, () => this.refresh())
      })
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.cancel()
    await this.running
  }

  /** Whether a target serves the volume, or might; true while nothing is known. */
  serves(volumeId: string): boolean {
    return this.listed === null || this.listed.some((target) => isOf(target, volumeId))
  }

  /** The same as of a look that begins now. */
  async lookIfServed(volumeId: string): Promise<boolean> {
    await this.running
    this.refresh()
    await this.running
    return this.problem !== null || this.serves(volumeId)
  }

  /** The size that initiators see; null where none can: a target shows the size that its volume had when it was made. */
  servedBytes(volumeId: string): number | null {
    const sizes = this.targets
      .filter((target) => isOf(target, volumeId))
      .map(({ iqn }) => this.madeBytes.get(iqn) ?? 0)
    return sizes.length === 0 ? null : Math.min(...sizes)
  }

  get targets(): readonly TgtTarget[] {
    return this.listed ?? []
  }

  /** A target that no item names; success when there is none. */
  async removeStray(iqn: string): Promise<void> {
    const { client } = this.deps.daemon
    if (this.deps.ledger.list('export').some((item) => item.body.iqn === iqn))
      throw new Error(`${iqn} is an export of the set`)
    const target = (await client.targets()).find((found) => found.iqn === iqn)
    if (target) await removeTarget(client, target, null)
    this.refresh()
  }

  private async look(): Promise<number> {
    const { daemon, ledger } = this.deps
    const items = ledger.list('export')
    const { started } = await daemon.ensure()
    if (started) {
      this.madeBytes.clear()
      for (const front of this.deps.fronts) front.recheck()
    }
    let targets = await daemon.client.targets()
    this.adopt(targets, items)
    const wanted = await this.wanted(items)
    const steps = planExports(wanted, targets, this.madeBytes)
    let acted = false
    for (const step of steps) acted = (await this.take(step, items, wanted, targets)) || acted
    if (acted) targets = await daemon.client.targets()
    const changed = this.listed === null || acted || this.listed.length !== targets.length
    this.listed = targets
    this.problem = null
    if (acted) this.say(items, planExports(wanted, targets, this.madeBytes))
    else this.say(items, steps)
    if (changed) this.deps.onChange()
    return steps.some(({ step }) => step !== 'ready' && step !== 'gone') ? soonMs : lookEveryMs
  }

  /** Targets of a daemon that lived through our restart are as large as their volumes were then: now, unless they grew. */
  private adopt(targets: readonly TgtTarget[], items: readonly Item[]): void {
    this.listedTids = targets.map(({ tid }) => tid)
    for (const { iqn } of targets) {
      const known = items.find((item) => item.body.iqn === iqn)
      const noted = known && this.deps.ledger.note<number>(noteName(known.id))
      if (!this.madeBytes.has(iqn) && noted !== undefined) this.madeBytes.set(iqn, noted)
    }
  }

  private async wanted(items: readonly Item[]): Promise<WantedExport[]> {
    const { driver, fronts } = this.deps
    const wanted: WantedExport[] = []
    for (const { id, body } of items) {
      const volumeBytes = await driver.volumeSize(body.volumeId)
      const served = fronts.map((front) => front.pathOf(body.volumeId)).find((path) => path !== null)
      wanted.push({
        ...{ id, item: body, volumeBytes },
        isPaused: fronts.some((front) => front.isPaused(body.volumeId)),
        path: served ?? driver.exportedPath(body.volumeId),
      })
    }
    return wanted
  }

  private async take(
    step: ExportStep,
    items: readonly Item[],
    wanted: readonly WantedExport[],
    targets: readonly TgtTarget[],
  ): Promise<boolean> {
    const { client } = this.deps.daemon
    const entry = wanted.find(({ id }) => id === step.id)!
    const about = { attachmentId: step.id, volumeId: entry.item.volumeId }
    try {
      if (step.step === 'remove' || step.step === 'remake' || step.step === 'pause')
        await removeTarget(
          client,
          targets.find(({ tid }) => tid === step.tid)!,
          entry.item.chapUser,
        )
      if (step.step === 'remove') this.deps.log.info(about, 'target removed')
      if (step.step === 'make' || step.step === 'remake') {
        await this.make(entry)
        this.deps.log.info(about, 'target made')
      }
      return step.step === 'remove' || step.step === 'make' || step.step === 'remake' || step.step === 'pause'
    } catch (error) {
      const message = errorMessage(error)
      this.deps.log.warn({ ...about, reason: message }, 'a step of an export failed')
      const item = items.find(({ id }) => id === step.id)!
      this.deps.observe(item, { state: 'preparing', message, portal: null })
      return true
    }
  }

  private async make({ id, item, path, volumeBytes }: WantedExport): Promise<void> {
    const { client } = this.deps.daemon
    // Before the target is there: one of unknown size would count as grown, and be made anew, for ever.
    await this.deps.ledger.setNote(noteName(id), volumeBytes)
    const isThin = path === this.deps.driver.exportedPath(item.volumeId)
    await makeTarget(client, await this.takeTid(), { item, path, isThin })
    this.madeBytes.set(item.iqn, volumeBytes!)
  }

  /** A number that no target of this daemon ever had, whichever life of ours made it: who knew the old one finds nothing. */
  private async takeTid(): Promise<number> {
    const { ledger } = this.deps
    const noted = ledger.note<number>(tidsNote) ?? 1
    const tid = Math.max(this.nextTid ?? noted, ...this.listedTids.map((present) => present + 1))
    if (this.nextTid === null || tid >= noted) await ledger.setNote(tidsNote, tid + tidsAtOnce)
    this.nextTid = tid + 1
    return tid
  }

  private say(items: readonly Item[], steps: readonly ExportStep[]): void {
    for (const step of steps) {
      const item = items.find(({ id }) => id === step.id)!
      if (step.step === 'ready')
        this.deps.observe(item, { state: 'ready', message: null, portal: this.deps.portal })
      else if (step.step === 'gone') {
        this.madeBytes.delete(item.body.iqn)
        void this.deps.ledger.setNote(noteName(item.id), undefined).catch(() => {})
        this.deps.observe(item, { state: 'gone', message: null, portal: null })
      } else if (step.step === 'wait')
        this.deps.observe(item, { state: 'preparing', message: step.why, portal: null })
    }
  }
}

const isOf = ({ units }: TgtTarget, volumeId: string) =>
  units.some(({ path }) => path !== null && volumeOfPath(path) === volumeId)
const noteName = (id: string) => `export ${id}`
const tidsNote = 'target numbers'

/** Nobody is let in before the password is asked for: the initiator's name, which opens it, comes last. */
async function makeTarget(
  client: Targets,
  tid: number,
  { item, path, isThin }: { item: ExportItem; path: string; isThin: boolean },
): Promise<void> {
  const unit = { mode: 'logicalUnit', tid, lun: lunOfVolume } as const
  await client.call({ mode: 'target', operation: 'new', tid, parameters: { targetname: item.iqn } })
  await client.call({ ...unit, operation: 'new', parameters: { path, bstype: 'rdwr' } })
  await client.call({
    ...unit,
    operation: 'update',
    isUnitUpdate: true,
    // What stands before a volume frees whole clusters only, and tgt promises zeros wherever a guest discards.
    parameters: {
      thin_provisioning: isThin ? '1' : '0',
      scsi_sn: item.volumeId,
      vendor_id: 'MALLEE',
      product_id: 'EBS',
    },
  })
  const users = await client.accounts()
  if (users.includes(item.chapUser))
    await client.call({ mode: 'account', operation: 'delete', parameters: { user: item.chapUser } })
  await client.call({
    mode: 'account',
    operation: 'new',
    parameters: { user: item.chapUser, password: item.chapSecret },
  })
  await client.call({ mode: 'account', operation: 'bind', tid, parameters: { user: item.chapUser } })
  await client.call({
    mode: 'target',
    operation: 'bind',
    tid,
    parameters: { 'initiator-name': item.initiatorIqn },
  })
}

/**
 * Nobody new, then everybody out: whoever is logged in is cut. The target goes last: as long as it is there somebody comes
 * back for it, and no secret stays behind.
 */
async function removeTarget(client: Targets, target: TgtTarget, user: string | null): Promise<void> {
  const { tid } = target
  for (const initiator of target.initiators)
    await client.call({
      mode: 'target',
      operation: 'unbind',
      tid,
      parameters: { [initiator.startsWith('iqn.') ? 'initiator-name' : 'initiator-address']: initiator },
    })
  const users = await client.accounts()
  // One that was made and not bound yet is not among the target's.
  for (const name of new Set([...target.accounts, ...(user === null ? [] : [user])]))
    if (users.includes(name))
      await client.call({ mode: 'account', operation: 'delete', parameters: { user: name } })
  await client.call({ mode: 'target', operation: 'delete', tid, force: true })
}
