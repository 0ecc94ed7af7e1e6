import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Outcome, TestHost } from './test-host.ts'

const execute = promisify(execFile)

/**
 * Another machine, as far as namespaces make one: a network joined to the test host's by one cable, folders of its own
 * where libvirt keeps its things, its own processes. What a stranger does on a second computer is done in here.
 */
export class TestMachine {
  readonly name: string
  readonly address: string
  /** The test host's end of the cable. */
  readonly hostAddress: string
  readonly root = path.resolve(import.meta.dirname, '../../..')
  dir = ''
  private readonly host: TestHost
  private anchor = 0

  constructor(host: TestHost, number = 1) {
    this.host = host
    this.name = `${host.name}m${number}`
    this.address = `10.77.${number}.2`
    this.hostAddress = `10.77.${number}.1`
  }

  get stateDir(): string {
    return path.join(this.dir, 'mallee')
  }

  async open(): Promise<void> {
    this.dir = await mkdtemp('/tmp/mlm-')
    const link = `c${randomBytes(3).toString('hex')}`
    await execute('ip', ['netns', 'add', this.name])
    const cable = ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.name]
    await execute('ip', ['-n', this.host.name, ...cable])
    await this.ip(this.host.name, 'addr', 'add', `${this.hostAddress}/24`, 'dev', link)
    await this.ip(this.host.name, 'link', 'set', link, 'up')
    // As the administrator of a cloud of several machines has it (docs/admin/machines.md).
    const forward = 'echo 1 > /proc/sys/net/ipv4/ip_forward'
    await execute('nsenter', [`--net=/run/netns/${this.host.name}`, 'sh', '-c', forward])
    await this.ip(this.name, 'addr', 'add', `${this.address}/24`, 'dev', 'eth0')
    for (const own of ['lo', 'eth0']) await this.ip(this.name, 'link', 'set', own, 'up')
    await this.ip(this.name, 'route', 'add', 'default', 'via', this.hostAddress)
    await this.makeFolders()
    await this.startAnchor()
  }

  private async ip(namespace: string, ...words: string[]): Promise<void> {
    await execute('ip', ['-n', namespace, ...words])
  }

  private async makeFolders(): Promise<void> {
    for (const name of ['run', 'etc', 'lib', 'log', 'cache'])
      await mkdir(path.join(this.dir, 'root', name), { recursive: true })
    const etc = path.join(this.dir, 'root', 'etc')
    await cp('/etc/libvirt', etc, { recursive: true })
    await writeFile(
      path.join(etc, 'libvirtd.conf'),
      'auth_unix_ro = "none"\nauth_unix_rw = "none"\nlog_level = 3\nlog_outputs = "3:file:/var/log/libvirt/libvirtd.log"\n',
    )
    // What a machine without systemd, cgroups or AppArmor needs; users and ownership are Debian's.
    await writeFile(
      path.join(etc, 'qemu.conf'),
      'cgroup_controllers = []\nnamespaces = []\nsecurity_driver = "none"\nstdio_handler = "file"\nuser = "root"\ngroup = "root"\n',
    )
    await rm(path.join(etc, 'qemu', 'networks'), { recursive: true, force: true })
  }

  private async startAnchor(): Promise<void> {
    const ready = path.join(this.dir, 'anchored')
    const at = {
      etc: '/etc/libvirt',
      lib: '/var/lib/libvirt',
      log: '/var/log/libvirt',
      cache: '/var/cache/libvirt',
    }
    const script = [
      'set -e',
      'mount --make-rprivate /',
      'mount --bind "$1/run" /run',
      'mkdir -p /run/libvirt /run/lock /run/netns',
      ...Object.entries(at).map(
        ([name, folder]) => `mkdir -p ${folder}; mount --bind "$1/${name}" ${folder}`,
      ),
      'mount -t sysfs sysfs /sys',
      `hostname ${this.name}.example`,
      'touch "$2"',
      "trap '' CHLD",
      'exec sleep infinity',
    ].join('\n')
    const child = spawn(
      'nsenter',
      [
        `--net=/run/netns/${this.name}`,
        ...['unshare', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'],
        ...['bash', '-c', script, 'anchor', path.join(this.dir, 'root'), ready],
      ],
      { detached: true, stdio: 'ignore' },
    )
    child.unref()
    for (let tries = 0; !existsSync(ready); tries += 1) {
      if (tries > 200 || child.exitCode !== null) throw new Error('the machine could not be made')
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    const children = readFileSync(`/proc/${child.pid!}/task/${child.pid!}/children`, 'utf8')
    this.anchor = Number(children.trim().split(' ')[0])
  }

  /** Runs a program on the machine; never throws for its exit code. */
  run(file: string, args: readonly string[], options: { timeoutMs?: number } = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      execFile(
        'nsenter',
        ['-t', String(this.anchor), '-m', '-n', '-u', '-p', file, ...args],
        { encoding: 'utf8', timeout: options.timeoutMs ?? 300_000, maxBuffer: 16 * 1024 * 1024 },
        (error, stdout, stderr) =>
          resolve({
            code: error ? (typeof error.code === 'number' ? error.code : 255) : 0,
            stdout,
            stderr,
          }),
      )
    })
  }

  async must(file: string, args: readonly string[]): Promise<string> {
    const outcome = await this.run(file, args)
    if (outcome.code !== 0)
      throw new Error(`${file} ${args.join(' ')} ended with ${outcome.code}: ${outcome.stderr}`)
    return outcome.stdout
  }

  mallee(...args: string[]): Promise<string> {
    return this.must(path.join(this.root, 'mallee'), [...args, '--state', this.stateDir])
  }

  /** Starts again after `powerOff`, with the disk as it was and everything that lives in memory gone. */
  async powerOn(): Promise<void> {
    await rm(path.join(this.dir, 'anchored'), { force: true })
    for (const name of ['run']) await rm(path.join(this.dir, 'root', name), { recursive: true, force: true })
    await mkdir(path.join(this.dir, 'root', 'run'))
    await this.startAnchor()
  }

  /** The power goes: every process of the machine ends at once. */
  async powerOff(): Promise<void> {
    if (this.anchor === 0) return
    try {
      process.kill(this.anchor, 'SIGKILL')
    } catch {
      // it was off already
    }
    while (existsSync(`/proc/${this.anchor}`)) await new Promise((resolve) => setTimeout(resolve, 25))
    this.anchor = 0
  }

  async close(): Promise<void> {
    await this.powerOff()
    await execute('ip', ['netns', 'del', this.name]).catch(() => {})
    await rm(this.dir, { recursive: true, force: true })
  }
}
