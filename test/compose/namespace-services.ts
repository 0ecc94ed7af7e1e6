import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { ComposeService } from './compose-file.ts'

const execute = promisify(execFile)

/**
 * Runs composed services without a container engine: each in a network of its own on one bridge, with a file tree of its
 * own (an overlay of this machine's, the checkout at /opt/mallee, its volumes where the file says) and its own processes,
 * found by the others by name. What an engine would do, as far as this file uses it.
 */
export class NamespaceServices {
  readonly prefix = `mlc${randomBytes(3).toString('hex')}`
  private readonly dir: string
  private readonly root: string
  private readonly services: readonly ComposeService[]
  private readonly running = new Map<string, { child: ChildProcess; anchor: number }>()

  constructor(options: { dir: string; root: string; services: readonly ComposeService[] }) {
    this.dir = options.dir
    this.root = options.root
    this.services = options.services
  }

  addressOf(name: string): string {
    return `10.78.0.${this.services.findIndex((service) => service.name === name) + 10}`
  }

  netnsOf(name: string): string {
    return `${this.prefix}-${this.services.findIndex((service) => service.name === name)}`
  }

  logOf(name: string): string {
    return path.join(this.dir, `${name}.log`)
  }

  /** The network in which clients live, with the bridge that all services are plugged into. */
  async open(): Promise<void> {
    await execute('ip', ['netns', 'add', this.prefix])
    const ip = (...words: string[]) => execute('ip', ['-n', this.prefix, ...words])
    await ip('link', 'set', 'lo', 'up')
    await ip('link', 'add', 'br0', 'type', 'bridge')
    await ip('addr', 'add', '10.78.0.1/24', 'dev', 'br0')
    await ip('link', 'set', 'br0', 'up')
    for (const service of this.services) {
      const netns = this.netnsOf(service.name)
      const port = `p${this.services.indexOf(service)}`
      await execute('ip', ['netns', 'add', netns])
      await ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns)
      await ip('link', 'set', port, 'master', 'br0', 'up')
      const inside = (...words: string[]) => execute('ip', ['-n', netns, ...words])
      await inside('addr', 'add', `${this.addressOf(service.name)}/24`, 'dev', 'eth0')
      for (const link of ['lo', 'eth0']) await inside('link', 'set', link, 'up')
      await inside('route', 'add', 'default', 'via', '10.78.0.1')
    }
    const hosts = this.services.map((service) => `${this.addressOf(service.name)} ${service.name}`)
    writeFileSync(path.join(this.dir, 'hosts'), `127.0.0.1 localhost\n${hosts.join('\n')}\n`)
  }

  async start(service: ComposeService): Promise<void> {
    const own = path.join(this.dir, service.name)
    for (const part of ['up', 'work', 'root', 'run']) mkdirSync(path.join(own, part), { recursive: true })
    for (const mount of service.mounts) mkdirSync(mount.source, { recursive: true })
    const script = path.join(own, 'start.sh')
    writeFileSync(script, this.startScript(service, own), { mode: 0o700 })
    const output = openSync(this.logOf(service.name), 'a')
    const words = ['unshare', '--mount', '--uts', '--pid', '--fork', '--kill-child', 'bash', script]
    const child = spawn('nsenter', [`--net=/run/netns/${this.netnsOf(service.name)}`, ...words], {
      stdio: ['ignore', output, output],
      env: {},
    })
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    this.running.set(service.name, { child, anchor: await firstChild(child.pid!) })
  }

  private startScript(service: ComposeService, own: string): string {
    const at = (target: string) => `${own}/root${target}`
    const binds = service.mounts.flatMap(({ source, target, readOnly }) => [
      `mkdir -p ${at(target)}`,
      `mount --bind ${source} ${at(target)}`,
      ...(readOnly ? [`mount -o remount,bind,ro ${at(target)}`] : []),
    ])
    const environment = Object.entries({
      PATH: `/opt/mallee/.mallee/boot/node_modules/node-linux-${process.arch}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: '/root',
      ...service.environment,
    }).map(([name, value]) => `export ${name}='${value}'`)
    return [
      'set -e',
      'mount --make-rprivate /',
      `mount -t overlay overlay -o lowerdir=/,upperdir=${own}/up,workdir=${own}/work ${at('')}`,
      `mount --rbind /dev ${at('/dev')}`,
      `mount -t proc proc ${at('/proc')}`,
      `mount -t sysfs sysfs ${at('/sys')}`,
      // A container begins with an empty /run and /tmp, and with the image's configuration of libvirt.
      `mount -t tmpfs tmpfs ${at('/run')}; mkdir -p ${at('/run/libvirt')} ${at('/run/lock')}`,
      `mount -t tmpfs tmpfs ${at('/tmp')}`,
      `mkdir -p ${at('/opt/mallee')}; mount --rbind ${this.root} ${at('/opt/mallee')}`,
      `cp ${this.root}/ops/compose/libvirtd.conf ${this.root}/ops/compose/qemu.conf ${at('/etc/libvirt/')}`,
      `rm -rf ${at('/etc/libvirt/qemu/networks')}; mkdir -p ${at('/var/log/libvirt')}`,
      `cp ${this.dir}/hosts ${at('/etc/hosts')}`,
      ...binds,
      `hostname ${service.name}.example`,
      ...environment,
      "trap '' CHLD",
      `cd ${at('/opt/mallee')}`,
      `exec chroot ${at('')} sh -c 'cd /opt/mallee; ${service.command.map((word) => `"${word}"`).join(' ')}; exit $?'`,
    ].join('\n')
  }

  /** Runs a program in a service's tree, as `docker compose exec` does; answers what it printed. */
  async exec(name: string, ...command: string[]): Promise<string> {
    const { anchor } = this.running.get(name)!
    const chroot = path.join(this.dir, name, 'root')
    const words = ['-t', String(anchor), '-m', '-n', '-u', '-p', 'chroot', chroot, ...command]
    return (await execute('nsenter', words, { encoding: 'utf8' })).stdout
  }

  /** Waits for a service that ends by itself; answers its exit code. */
  ended(name: string): Promise<number> {
    const { child } = this.running.get(name)!
    return new Promise((resolve) => {
      if (child.exitCode !== null) resolve(child.exitCode)
      else child.once('exit', (code) => resolve(code ?? 255))
    })
  }

  async kill(name: string): Promise<void> {
    const entry = this.running.get(name)
    if (!entry || entry.child.exitCode !== null) return
    const over = this.ended(name)
    if (existsSync(`/proc/${entry.anchor}`)) process.kill(entry.anchor, 'SIGKILL')
    await over
  }

  async close(): Promise<void> {
    for (const name of this.running.keys()) await this.kill(name)
    const { stdout } = await execute('ip', ['-o', 'netns', 'list'], { encoding: 'utf8' })
    const names = stdout.split('\n').map((line) => line.split(' ')[0]!)
    for (const name of names.filter((entry) => entry.startsWith(this.prefix)))
      await execute('ip', ['netns', 'del', name])
  }
}

async function firstChild(pid: number): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    const { stdout } = await execute('cat', [`/proc/${pid}/task/${pid}/children`], { encoding: 'utf8' })
    const child = Number(stdout.trim().split(' ')[0])
    if (child > 0) return child
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('the service did not start')
}
