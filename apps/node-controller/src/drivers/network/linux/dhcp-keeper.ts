import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { writeAtomically, type Log } from '@mallee/base'
import type { Commands } from './commands.ts'
import { dhcpFiles, withoutForeignLeases, type DhcpFiles } from './dhcp-files.ts'
import { dnsmasqPid, startDnsmasq, stopDnsmasq, writeChanged } from './dnsmasq.ts'
import type { NetworkPlan, RouterPlan, SubnetPlan } from './plan.ts'

/**
 * One dnsmasq for each subnet, inside the router; what died is started again.
 */
export class DhcpKeeper {
  private readonly dir: string
  private readonly commands: Commands
  private readonly log: Log
  private wanted = new Map<string, { subnet: SubnetPlan; router: RouterPlan; files: DhcpFiles }>()

  constructor(options: { runDir: string; commands: Commands; log: Log }) {
    this.dir = path.join(options.runDir, 'subnets')
    this.commands = options.commands
    this.log = options.log
  }

  /** Brings files and processes to the plan; routers must stand. */
  async apply(plan: NetworkPlan): Promise<void> {
    const wanted = new Map<string, { subnet: SubnetPlan; router: RouterPlan; files: DhcpFiles }>()
    for (const router of plan.routers)
      for (const subnet of router.subnets)
        wanted.set(subnet.subnetId, { subnet, router, files: dhcpFiles(subnet, router, plan.mtu) })
    await this.stopAllBut(wanted)
    this.wanted = wanted
    await Promise.all([...wanted.keys()].map((id) => this.keep(id)))
  }

  /** Starts again what died. Cheap where nothing did. */
  async revive(): Promise<void> {
    for (const [id, { router }] of this.wanted) {
      if ((await dnsmasqPid(this.folder(id), router.namespace)) !== null || !this.wanted.has(id)) continue
      this.log.warn({ subnetId: id }, 'DHCP had ended and is started again')
      await this.keep(id)
    }
  }

  /** Subnets that have a folder here. */
  list(): Promise<string[]> {
    return readdir(this.dir).catch(() => [])
  }

  async stopAllBut(wanted: ReadonlyMap<string, unknown>): Promise<void> {
    for (const id of await readdir(this.dir).catch(() => [])) {
      if (wanted.has(id)) continue
      await stopDnsmasq(this.folder(id))
      await rm(this.folder(id), { recursive: true, force: true })
    }
  }

  private async keep(id: string): Promise<void> {
    const { subnet, router, files } = this.wanted.get(id)!
    const dir = this.folder(id)
    await mkdir(dir, { recursive: true, mode: 0o755 })
    const fresh = await writeChanged(path.join(dir, 'dnsmasq.conf'), files.config)
    const reread = [
      await writeChanged(path.join(dir, 'hosts'), files.hosts),
      await writeChanged(path.join(dir, 'names'), files.names),
    ].includes(true)
    const leases = await readFile(path.join(dir, 'leases'), 'utf8').catch(() => '')
    const foreign = withoutForeignLeases(leases, files.leases) !== null
    const pid = await dnsmasqPid(this.folder(id), router.namespace)
    if (pid !== null && !fresh && !foreign) {
      if (reread) process.kill(pid, 'SIGHUP')
      return
    }
    await stopDnsmasq(this.folder(id))
    // Read again: it may have given a lease until it ended.
    const left = withoutForeignLeases(
      await readFile(path.join(dir, 'leases'), 'utf8').catch(() => ''),
      files.leases,
    )
    if (left !== null) await writeAtomically(path.join(dir, 'leases'), left, 0o644)
    await startDnsmasq(this.commands, dir, router.namespace)
    this.log.info({ subnetId: subnet.subnetId }, 'DHCP and DNS started')
  }

  private folder(id: string): string {
    return path.join(this.dir, id)
  }
}
