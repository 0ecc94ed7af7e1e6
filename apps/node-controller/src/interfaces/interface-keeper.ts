import { errorMessage, type Clock, type Log } from '@mallee/base'
import type { DomainItem, GuestInterface, PluggedInterface } from '@mallee/agent-contract'
import type { HypervisorDriver, LiveInterface } from '../drivers/hypervisor/driver.ts'
import type { NetworkKeeper } from '../network-keeper.ts'
import { isPassing } from '../node-error.ts'
import type { GuestPreparer } from '../steps/guest-preparer.ts'

/** A guest that did not give an interface back is asked again this often. */
const askAgainMs = 5_000
/** What libvirt refuses so often in a row it will go on refusing. */
const mostRefusals = 3

/** How we name taps: what an admin's stylesheet adds to a domain is named otherwise, and is left alone. */
const ownTap = /^vn[0-9a-f]{12}$/

/**
 * Brings the network interfaces of a running domain to what its item says, all but the first, which a domain keeps for
 * its life. What is there is read from the hypervisor each time.
 */
export class InterfaceKeeper {
  private readonly deps: {
    hypervisor: HypervisorDriver
    network: Pick<NetworkKeeper, 'plannedPorts' | 'standing'>
    preparer: Pick<GuestPreparer, 'interfaceXml'>
    clock: Clock
    log: Log
  }
  private readonly asked = new Map<string, number>()
  private readonly refusals = new Map<string, { count: number; message: string }>()
  /** Incarnations that had what their items said, with no more than one interface, as of the last look. */
  private readonly plain = new Set<string>()

  constructor(deps: InterfaceKeeper['deps']) {
    this.deps = deps
  }

  /** What is so after one round; undefined where the domain has exactly the interfaces of its item. */
  async look(item: DomainItem): Promise<PluggedInterface[] | undefined> {
    const key = `${item.instanceId}/${item.incarnation}`
    if (item.interfaces.length <= 1 && this.plain.has(key)) return undefined
    const { hypervisor } = this.deps
    const before = compare(item, await hypervisor.interfaces(item.instanceId))
    for (const entry of before.spare) await this.detach(item, entry)
    for (const entry of before.lacking) await this.attach(item, entry)
    const changed = before.spare.length + before.lacking.length > 0
    const after = changed ? compare(item, await hypervisor.interfaces(item.instanceId)) : before
    for (const { mac } of before.spare)
      if (!after.spare.some((entry) => entry.mac === mac)) this.asked.delete(`${item.instanceId} ${mac}`)
    if (after.spare.length + after.lacking.length === 0) {
      if (item.interfaces.length <= 1) this.plain.add(key)
      else this.plain.delete(key) // it may have one to give back
      return undefined
    }
    this.plain.delete(key)
    return [
      ...after.present.map(({ attachmentId }) => ({
        attachmentId,
        state: 'attached' as const,
        message: null,
      })),
      ...after.lacking.map((entry) => this.missing(entry)),
      ...after.spare.map(({ mac }) => ({ attachmentId: mac, state: 'detaching' as const, message: null })),
    ]
  }

  /** Whether another look is due soon, without anything having been said by anybody. */
  isUnsettled(facts: readonly PluggedInterface[] | undefined): boolean {
    return (facts ?? []).some((entry) => entry.state === 'attaching' || entry.state === 'detaching')
  }

  private async attach(item: DomainItem, entry: GuestInterface): Promise<void> {
    const { hypervisor, log, network, preparer } = this.deps
    const refused = this.refusals.get(entry.attachmentId)
    if (refused && refused.count >= mostRefusals) return
    const about = {
      instanceId: item.instanceId,
      interfaceId: entry.interfaceId,
      request_id: item.requestId ?? null,
    }
    try {
      // Its DHCP and its rules stand before its link does.
      await network.standing([entry.interfaceId])
      const [port] = network.plannedPorts([entry.interfaceId])
      await hypervisor.attachInterface(item.instanceId, await preparer.interfaceXml(item, entry, port!))
      this.refusals.delete(entry.attachmentId)
      log.info(about, 'interface plugged in')
    } catch (error) {
      log.warn({ ...about, err: error }, 'interface not plugged in')
      const count = isPassing(error) ? (refused?.count ?? 0) : (refused?.count ?? 0) + 1
      this.refusals.set(entry.attachmentId, { count, message: errorMessage(error) })
    }
  }

  /** Asks the guest; it is gone when the guest has let go of it. */
  private async detach(item: DomainItem, entry: LiveInterface): Promise<void> {
    const { clock, hypervisor, log } = this.deps
    const key = `${item.instanceId} ${entry.mac}`
    const askedMs = this.asked.get(key)
    if (askedMs !== undefined && Math.abs(clock.now() - askedMs) < askAgainMs) return
    this.asked.set(key, clock.now())
    const about = { instanceId: item.instanceId, mac: entry.mac }
    try {
      await hypervisor.detachInterface(item.instanceId, entry.mac)
      log.info(about, 'the guest is asked to give an interface back')
    } catch (error) {
      log.warn({ ...about, err: error }, 'an interface is not given back')
    }
  }

  private missing(entry: GuestInterface): PluggedInterface {
    const refused = this.refusals.get(entry.attachmentId)
    return {
      attachmentId: entry.attachmentId,
      state: refused && refused.count >= mostRefusals ? 'failed' : 'attaching',
      message: refused?.message ?? null,
    }
  }
}

interface Comparison {
  readonly present: readonly GuestInterface[]
  readonly lacking: readonly GuestInterface[]
  readonly spare: readonly LiveInterface[]
}

function compare(item: DomainItem, live: readonly LiveInterface[]): Comparison {
  const has = ({ mac }: GuestInterface) => live.some((entry) => entry.mac === mac)
  const [first, ...others] = item.interfaces.toSorted((a, b) => a.deviceIndex - b.deviceIndex)
  const wanted = new Set(item.interfaces.map(({ mac }) => mac))
  const ours = live.filter(({ tap }) => tap !== null && ownTap.test(tap))
  return {
    present: [...(first ? [first] : []), ...others.filter(has)],
    lacking: others.filter((entry) => !has(entry)),
    // The first of ours is the one that it began with, whatever its address is called by now.
    spare: ours.slice(1).filter(({ mac }) => !wanted.has(mac)),
  }
}
