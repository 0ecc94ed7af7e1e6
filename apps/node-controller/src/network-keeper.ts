import { errorMessage, type Log } from '@mallee/base'
import type { DesiredItem, VpcItem } from '@mallee/agent-contract'
import type { NetworkDriver, NetworkPort } from './drivers/network/driver.ts'
import { passing } from './node-error.ts'

/**
 * Keeps the host's network as the VPC items say, one whole application at a time; those asked meanwhile are served by
 * the next. A domain's start waits for an application that has its interfaces.
 */
export class NetworkKeeper {
  private readonly driver: NetworkDriver
  private readonly items: () => DesiredItem<'vpc'>[]
  private readonly observe: (item: DesiredItem<'vpc'>, applied: boolean, message: string | null) => void
  private readonly log: Log
  private applied: readonly VpcItem[] = []
  private running: Promise<void> | null = null
  private wanted = false

  constructor(options: {
    driver: NetworkDriver
    items: () => DesiredItem<'vpc'>[]
    observe: (item: DesiredItem<'vpc'>, applied: boolean, message: string | null) => void
    log: Log
  }) {
    this.driver = options.driver
    this.items = options.items
    this.observe = options.observe
    this.log = options.log
  }

  /** Applies the present items; resolves when they, or newer ones, stand. */
  async refresh(): Promise<void> {
    this.wanted = true
    while (this.wanted || this.running) {
      this.running ??= this.applyOnce().finally(() => {
        this.running = null
      })
      await this.running
    }
  }

  /** The ports that these interfaces will have: names only, known before anything stands. */
  plannedPorts(interfaceIds: readonly string[]): NetworkPort[] {
    const vpcs = this.items().map((item) => item.body)
    return interfaceIds.map((id) => {
      const vpc = vpcWith(vpcs, id)
      if (!vpc) throw passing('NetworkNotReady', `The network of ${id} is not in the set yet.`)
      return this.driver.port(vpc, id)
    })
  }

  /** Resolves when DHCP, rules and addresses of these interfaces are in force. */
  async standing(interfaceIds: readonly string[]): Promise<void> {
    if (interfaceIds.every((id) => vpcWith(this.applied, id))) return
    await this.refresh()
    const missing = interfaceIds.find((id) => !vpcWith(this.applied, id))
    if (missing !== undefined)
      throw passing('NetworkNotReady', `The network of ${missing} does not stand yet.`)
  }

  private async applyOnce(): Promise<void> {
    this.wanted = false
    const items = this.items()
    try {
      await this.driver.apply(items.map((item) => item.body))
      this.applied = items.map((item) => item.body)
      for (const item of items) this.observe(item, true, null)
    } catch (error) {
      this.log.error({ err: error }, 'the network could not be applied')
      for (const item of items) this.observe(item, false, errorMessage(error))
      throw passing('NetworkFailed', `The network could not be applied: ${errorMessage(error)}`, error)
    }
  }
}

function vpcWith(vpcs: readonly VpcItem[], interfaceId: string): VpcItem | undefined {
  return vpcs.find((vpc) => vpc.interfaces.some((entry) => entry.interfaceId === interfaceId))
}
