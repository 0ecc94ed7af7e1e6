import { mkdir, rm } from 'node:fs/promises'
import type { Log } from '@mallee/base'
import type { NetworkDriver } from '../driver.ts'
import { createCommands } from './commands.ts'
import { LinuxNetwork } from './linux-network.ts'
import { findOwnNetns } from './own-netns.ts'

export interface LinuxNetworkOptions {
  /** The link towards the machine and the outside; exists before us. */
  readonly uplink: string
  /** Ours alone: numbers, and a folder for each subnet's DHCP. */
  readonly runDir: string
  /** Addresses of this pool that no interface has are refused here. */
  readonly publicPool: string
  /** Who is asked for names that are no VPC's, as `address` or `address#port`; by itself the machine's own. */
  readonly nameServers?: readonly string[]
  readonly log: Log
  /** Name under /run/netns of the node's namespace; this process's own where none is given. */
  readonly netns?: string
  /** Routers are named `<prefix>-r<VPC tag>`; by itself after the node's namespace, so that destroy finds them. */
  readonly namespacePrefix?: string
}

/**
 * The node's network by bridges, router namespaces, nftables and dnsmasq. What stands is taken up as it is: opening
 * changes nothing that runs. Missing programs or kernel parts are problems of the fingerprint, not errors here.
 */
export async function openLinuxNetwork(options: LinuxNetworkOptions): Promise<NetworkDriver> {
  const { uplink, runDir, publicPool, log } = options
  await mkdir(runDir, { recursive: true, mode: 0o755 })
  const netns = options.netns ?? null
  const prefix = options.namespacePrefix ?? netns ?? (await findOwnNetns()) ?? 'mallee'
  const network = new LinuxNetwork({
    commands: createCommands({ netns }),
    routerPrefix: `${prefix}-r`,
    uplink,
    runDir,
    publicPool,
    nameServers: options.nameServers ?? null,
    log,
    removeRunDir: () => rm(runDir, { recursive: true, force: true }),
  })
  await network.open()
  return network
}
