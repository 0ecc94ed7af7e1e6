import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Log } from '@mallee/base'
import type { Commands } from './commands.ts'
import { commonOptions, dnsmasqPid, startDnsmasq, stopDnsmasq, writeChanged } from './dnsmasq.ts'
import { metadataHost, resolverPort } from './names.ts'

/**
 * The node's resolver: one dnsmasq beside the routers, whom the name servers of its subnets ask for names that are not
 * their VPC's. It asks the name servers that it is told, or those of the machine's own /etc/resolv.conf, which it reads
 * again when that changes. Subnets cannot ask themselves: a router reaches nothing of the machine but this.
 */
export class ResolverKeeper {
  private readonly dir: string
  private readonly commands: Commands
  private readonly log: Log
  private readonly config: string
  private wanted = false

  constructor(options: {
    readonly runDir: string
    readonly commands: Commands
    readonly log: Log
    readonly nameServers: readonly string[] | null
  }) {
    this.dir = path.join(options.runDir, 'resolver')
    this.commands = options.commands
    this.log = options.log
    this.config = resolverConfig(options.nameServers)
  }

  /** Brings the process to what is wanted: it runs where there are routers to ask it. */
  async apply(wanted: boolean): Promise<void> {
    this.wanted = wanted
    if (!wanted) {
      await stopDnsmasq(this.dir)
      await rm(this.dir, { recursive: true, force: true })
      return
    }
    await mkdir(this.dir, { recursive: true, mode: 0o755 })
    const fresh = await writeChanged(path.join(this.dir, 'dnsmasq.conf'), this.config)
    if (!fresh && (await dnsmasqPid(this.dir)) !== null) return
    await stopDnsmasq(this.dir)
    await startDnsmasq(this.commands, this.dir)
    this.log.info({}, 'the resolver started')
  }

  /** Starts it again if it died. */
  async revive(): Promise<void> {
    if (!this.wanted || (await dnsmasqPid(this.dir)) !== null) return
    this.log.warn({}, 'the resolver had ended and is started again')
    await this.apply(true)
  }
}

/** Name servers as `address` or `address#port`; null for the machine's own. */
export function resolverConfig(nameServers: readonly string[] | null): string {
  return [
    ...commonOptions,
    `listen-address=${metadataHost}`,
    `port=${resolverPort}`,
    ...(nameServers === null
      ? ['resolv-file=/etc/resolv.conf']
      : ['no-resolv', ...nameServers.map((server) => `server=${server}`)]),
    'domain-needed',
    'cache-size=5000',
    'dns-forward-max=1000',
    '',
  ].join('\n')
}
