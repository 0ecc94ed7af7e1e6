import { errorMessage, type Clock, type Log } from '@mallee/base'
import type { AttachedFacts, AttachedVolume, DomainItem } from '@mallee/agent-contract'
import type { HypervisorDriver, LiveDisk } from '../drivers/hypervisor/driver.ts'
import { isPassing } from '../node-error.ts'
import { planVolumes } from './plan-volumes.ts'
import type { VolumeDisks } from './volume-disks.ts'

/** A guest that did not give a disk back is asked again this often: it may not have listened yet. */
const askAgainMs = 5_000
/** What libvirt refuses so often in a row it will go on refusing. */
const mostRefusals = 3

/**
 * Brings the volumes of a running domain to what its item says, one look at a time: plugs in, grows, asks the guest to
 * give back. What is there is read from the hypervisor each time; nothing is remembered but how often a thing failed.
 */
export class VolumeKeeper {
  private readonly deps: {
    hypervisor: HypervisorDriver
    disks: VolumeDisks
    clock: Clock
    log: Log
  }
  private readonly asked = new Map<string, number>()
  private readonly refusals = new Map<string, { count: number; message: string }>()
  /** Domains that have no volume, as of the last look: they are not looked at again until they are to have one. */
  private readonly without = new Set<string>()

  constructor(deps: VolumeKeeper['deps']) {
    this.deps = deps
  }

  /** What is so of the domain's volumes after one round; undefined where it has none and is to have none. */
  async look(item: DomainItem): Promise<AttachedFacts[] | undefined> {
    const wanted = item.volumes ?? []
    if (wanted.length === 0 && this.without.has(incarnationOf(item))) return undefined
    const { hypervisor, disks } = this.deps
    const iqnOf = (attachmentId: string) => disks.connection(attachmentId)?.iqn
    const plan = planVolumes(wanted, await hypervisor.disks(item.instanceId), iqnOf)
    for (const disk of plan.detach) await this.detach(item, disk)
    for (const volume of plan.attach) await this.attach(item, volume)
    for (const { volume, disk } of plan.grow) await this.grow(item, volume, disk)
    const changed = plan.detach.length + plan.attach.length + plan.grow.length > 0
    const after = changed ? planVolumes(wanted, await hypervisor.disks(item.instanceId), iqnOf) : plan
    await this.forget(item, plan.detach, after.detach)
    const facts = [
      ...after.present.map(({ volume, disk }) => attachedFacts(volume, disk)),
      ...after.attach.map((volume) => this.missingFacts(volume)),
      ...after.detach.map((disk) => this.leavingFacts(disk)),
    ]
    if (facts.length === 0) this.without.add(incarnationOf(item))
    else this.without.delete(incarnationOf(item))
    return wanted.length === 0 && facts.length === 0 ? undefined : facts
  }

  /** Whether another look is due soon, without anything having been said by anybody. */
  isUnsettled(facts: readonly AttachedFacts[] | undefined, item: DomainItem): boolean {
    const sizes = new Map((item.volumes ?? []).map((volume) => [volume.attachmentId, volume.sizeBytes]))
    return (facts ?? []).some(
      (entry) =>
        entry.state === 'attaching' ||
        entry.state === 'detaching' ||
        (entry.state === 'attached' && (entry.sizeBytes ?? 0) < (sizes.get(entry.attachmentId) ?? 0)),
    )
  }

  private async attach(item: DomainItem, volume: AttachedVolume): Promise<void> {
    const { hypervisor, disks, log } = this.deps
    const refused = this.refusals.get(volume.attachmentId)
    if (refused && refused.count >= mostRefusals) return
    const about = {
      instanceId: item.instanceId,
      volumeId: volume.volumeId,
      request_id: item.requestId ?? null,
    }
    try {
      await hypervisor.attachDisk(item.instanceId, await disks.make(item, volume))
      this.refusals.delete(volume.attachmentId)
      log.info(about, 'volume plugged in')
    } catch (error) {
      log.warn({ ...about, err: error }, 'volume not plugged in')
      const count = isPassing(error) ? (refused?.count ?? 0) : (refused?.count ?? 0) + 1
      this.refusals.set(volume.attachmentId, { count, message: errorMessage(error) })
    }
  }

  /** Asks the guest; it is gone when the guest has let go of it. */
  private async detach(item: DomainItem, disk: LiveDisk): Promise<void> {
    const { clock, hypervisor, log } = this.deps
    const key = `${item.instanceId} ${disk.source}`
    const askedMs = this.asked.get(key)
    if (askedMs !== undefined && Math.abs(clock.now() - askedMs) < askAgainMs) return
    this.asked.set(key, clock.now())
    try {
      await hypervisor.detachDisk(item.instanceId, disk.target)
      log.info({ instanceId: item.instanceId, disk: disk.serial }, 'the guest is asked to give a volume back')
    } catch (error) {
      log.warn({ instanceId: item.instanceId, disk: disk.serial, err: error }, 'a volume is not given back')
    }
  }

  private async grow(item: DomainItem, volume: AttachedVolume, disk: LiveDisk): Promise<void> {
    const about = { instanceId: item.instanceId, volumeId: volume.volumeId }
    try {
      await this.deps.hypervisor.resizeDisk(item.instanceId, disk.target, volume.sizeBytes)
      this.deps.log.info({ ...about, sizeBytes: volume.sizeBytes }, 'the guest was told that a volume grew')
    } catch (error) {
      this.deps.log.warn({ ...about, err: error }, 'a guest could not be told that a volume grew')
    }
  }

  private async forget(
    item: DomainItem,
    before: readonly LiveDisk[],
    still: readonly LiveDisk[],
  ): Promise<void> {
    for (const disk of before) {
      if (still.some((other) => other.source === disk.source)) continue
      this.asked.delete(`${item.instanceId} ${disk.source}`)
      await this.deps.disks.unmake(item, `vol-${disk.serial!.slice(3)}`)
    }
  }

  /** One that the set has forgotten is named by its target. */
  private leavingFacts(disk: LiveDisk): AttachedFacts {
    const attachmentId = this.deps.disks.attachmentOf(disk.source) ?? disk.source ?? ''
    return { attachmentId, state: 'detaching', message: null, sizeBytes: disk.sizeBytes }
  }

  private missingFacts(volume: AttachedVolume): AttachedFacts {
    const refused = this.refusals.get(volume.attachmentId)
    return {
      attachmentId: volume.attachmentId,
      state: refused && refused.count >= mostRefusals ? 'failed' : 'attaching',
      message: refused?.message ?? null,
      sizeBytes: null,
    }
  }
}

function attachedFacts(volume: AttachedVolume, disk: LiveDisk): AttachedFacts {
  return {
    attachmentId: volume.attachmentId,
    state: 'attached',
    message: null,
    sizeBytes: disk.sizeBytes,
  }
}

/** The next one starts with what its item says. */
const incarnationOf = (item: DomainItem) => `${item.instanceId}/${item.incarnation}`
