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

  /** The ports of these interfaces, once the network that has them stands. */
  async portsFor(interfaceIds: readonly string[]): Promise<NetworkPort[]> {
    if (!interfaceIds.every((id) => this.vpcOf(id))) await this.refresh()
    return interfaceIds.map((id) => {
      const vpc = this.vpcOf(id)
      if (!vpc) throw passing('NetworkNotReady', `The network of ${id} does not stand yet.`)
      return this.driver.port(vpc, id)
    })
  }

  private vpcOf(interfaceId: string): VpcItem | undefined {
    return this.applied.find((vpc) => vpc.interfaces.some((entry) => entry.interfaceId === interfaceId))
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
