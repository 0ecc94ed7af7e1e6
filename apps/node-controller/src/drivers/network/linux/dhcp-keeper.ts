import { mkdir, readdir, readFile, readlink, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { writeAtomically, type Log } from '@mallee/base'
import type { Commands } from './commands.ts'
import { dhcpFiles, seenAt, withoutForeignLeases, type DhcpFiles } from './dhcp-files.ts'
import type { NetworkPlan, RouterPlan, SubnetPlan } from './plan.ts'

/**
 * One dnsmasq for each subnet, inside the router. They are nobody's children: they outlive this process and are taken
 * up again by their pid files, and what died is started again.
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
      if ((await this.pidOf(id, router.namespace)) !== null || !this.wanted.has(id)) continue
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
      await this.stop(id)
      await rm(path.join(this.dir, id), { recursive: true, force: true })
    }
  }

  private async keep(id: string): Promise<void> {
    const { subnet, router, files } = this.wanted.get(id)!
    const dir = path.join(this.dir, id)
    await mkdir(dir, { recursive: true, mode: 0o755 })
    const fresh = await changed(path.join(dir, 'dnsmasq.conf'), files.config)
    const reread = [
      await changed(path.join(dir, 'hosts'), files.hosts),
      await changed(path.join(dir, 'names'), files.names),
    ].includes(true)
    const leases = await readFile(path.join(dir, 'leases'), 'utf8').catch(() => '')
    const foreign = withoutForeignLeases(leases, files.leases) !== null
    const pid = await this.pidOf(id, router.namespace)
    if (pid !== null && !fresh && !foreign) {
      if (reread) process.kill(pid, 'SIGHUP')
      return
    }
    await this.stop(id)
    // Read again: it may have given a lease until it ended.
    const left = withoutForeignLeases(
      await readFile(path.join(dir, 'leases'), 'utf8').catch(() => ''),
      files.leases,
    )
    if (left !== null) await writeAtomically(path.join(dir, 'leases'), left, 0o644)
    await this.start(dir, subnet, router)
  }

  /** Returns when it listens: dnsmasq detaches after that. */
  private async start(dir: string, subnet: SubnetPlan, router: RouterPlan): Promise<void> {
    const script = `mount --bind "$1" ${seenAt} && cd / && exec dnsmasq --conf-file=${seenAt}/dnsmasq.conf`
    await this.commands.run('unshare', ['--mount', 'sh', '-c', script, 'dnsmasq', dir], router.namespace)
    this.log.info({ subnetId: subnet.subnetId }, 'DHCP and DNS started')
  }

  private async stop(id: string): Promise<void> {
    let last: number | null = null
    for (let tries = 0; ; tries += 1) {
      const pid = await this.pidOf(id, null)
      if (pid === null) return last === null ? undefined : await ended(last)
      last = pid
      process.kill(pid, tries < 100 ? 'SIGTERM' : 'SIGKILL')
      await pause(10)
    }
  }

  /**
   * The living dnsmasq of a subnet, in that router if one is named. A pid proves nothing, since pids come round again;
   * that it sees this very folder does.
   */
  private async pidOf(id: string, namespace: string | null): Promise<number | null> {
    const dir = path.join(this.dir, id)
    const pid = Number((await readFile(path.join(dir, 'pid'), 'utf8').catch(() => '')).trim())
    if (!Number.isInteger(pid) || pid <= 1) return null
    try {
      const [state, seen, own] = await Promise.all([
        readFile(`/proc/${pid}/stat`, 'utf8'),
        stat(`/proc/${pid}/root${seenAt}`),
        stat(dir),
      ])
      if (seen.ino !== own.ino || seen.dev !== own.dev) return null
      if (isDead(state)) return null
      if (namespace === null) return pid
      const router = await stat(`/run/netns/${namespace}`)
      return (await readlink(`/proc/${pid}/ns/net`)) === `net:[${router.ino}]` ? pid : null
    } catch {
      return null // it ended
    }
  }
}

/** A process that exits lets go of its folders before its sockets, whose addresses the next one wants. */
async function ended(pid: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
    if (state === null || isDead(state)) return
    await pause(10)
  }
}

/** By its line in /proc; the name before may have any character. */
const isDead = (state: string) => /^\) [ZX] /.test(state.slice(state.lastIndexOf(')')))

/** Writes a file, whole, if its content is another; tells whether it was. */
async function changed(file: string, content: string): Promise<boolean> {
  if ((await readFile(file, 'utf8').catch(() => null)) === content) return false
  await writeAtomically(file, content, 0o644)
  return true
}
