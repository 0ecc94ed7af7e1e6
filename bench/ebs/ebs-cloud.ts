import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import { CloudClient, nodeConnections, TestHost, until } from '@mallee/testkit'
import { callDoor, textOf } from '../door-client.ts'

/** How an initiator of the benchmark reaches a volume: with what the node was given for it. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly iqn: string
  readonly initiatorIqn?: string
  readonly chapUser?: string
  readonly chapSecret?: string
}

/** A real cloud in a namespace of its own, with one guest to attach volumes to. */
export class EbsCloud {
  readonly host = new TestHost()
  client!: CloudClient
  guest!: { id: string; publicIp: string }
  private letters = 0

  static async open(): Promise<EbsCloud> {
    const cloud = new EbsCloud()
    await cloud.host.open()
    try {
      await cloud.host.mallee('up', '--detach', '--port-base', String(cloud.host.portBase))
      cloud.client = await CloudClient.connect(cloud.host)
      cloud.guest = (await cloud.client.guests())[0]!
      return cloud
    } catch (error) {
      await cloud.close()
      throw error
    }
  }

  close(): Promise<void> {
    return this.host.close()
  }

  call(action: string, parameters: Record<string, string | number> = {}): Promise<string> {
    return callDoor(this.host, action, parameters)
  }

  /** Milliseconds from the call until the volume may be attached, and its id. */
  async createVolume(parameters: { Size?: number; SnapshotId?: string }) {
    const began = performance.now()
    const made = await this.call('CreateVolume', { AvailabilityZone: 'us-east-1a', ...parameters })
    const id = textOf(made, 'volumeId')!
    while (!(await this.call('DescribeVolumes', { 'VolumeId.1': id })).includes('<status>available</'))
      await pause()
    return { id, ms: performance.now() - began }
  }

  async deleteVolume(id: string): Promise<void> {
    await this.call('DeleteVolume', { VolumeId: id })
    await this.until(async () => !(await this.call('DescribeVolumes')).includes(id))
  }

  /** Given to the guest, which leaves it alone. */
  async attach(volumeId: string): Promise<Target> {
    const device = `/dev/sd${'fghijklmnop'[this.letters++ % 11]}`
    await this.call('AttachVolume', { VolumeId: volumeId, InstanceId: this.guest.id, Device: device })
    await this.until(async () =>
      (await this.call('DescribeVolumes', { 'VolumeId.1': volumeId })).includes('<status>attached</'),
    )
    return this.connectionOf(volumeId)
  }

  /** The guest's name for it, without `/dev/`. */
  deviceOf(volumeId: string): Promise<string> {
    const serial = volumeId.replace('-', '').slice(0, 20)
    return this.client.inGuest(this.guest.publicIp, `grep -l ${serial} /sys/block/*/serial | cut -d/ -f4`)
  }

  async detach(volumeId: string): Promise<void> {
    await this.call('DetachVolume', { VolumeId: volumeId })
    await this.until(async () =>
      (await this.call('DescribeVolumes', { 'VolumeId.1': volumeId })).includes('<status>available</'),
    )
  }

  /** Milliseconds until the call is answered, and until the snapshot is complete. */
  async snapshot(volumeId: string): Promise<{ id: string; answeredMs: number; completeMs: number }> {
    const began = performance.now()
    const id = textOf(await this.call('CreateSnapshot', { VolumeId: volumeId }), 'snapshotId')!
    const answeredMs = performance.now() - began
    for (;;) {
      const text = await this.call('DescribeSnapshots', { 'SnapshotId.1': id })
      if (text.includes('<status>completed</'))
        return { id, answeredMs, completeMs: performance.now() - began }
      if (text.includes('<status>error</')) throw new Error(text)
      await pause()
    }
  }

  /** From a copy of what the node remembers, since the secret is nowhere else to be had. */
  private async connectionOf(volumeId: string): Promise<Target> {
    const connections = await nodeConnections(path.join(this.host.stateDir, 'node/agent'))
    const { portal, ...access } = connections.find((connection) => connection.volumeId === volumeId)!
    return { ...access, host: portal.host ?? '127.0.0.1', port: portal.port }
  }

  /** Runs a program where the files of volumes can be seen; answers what it printed. */
  amongFiles(file: string, ...args: string[]): string {
    return execFileSync('nsenter', [...this.mountWords(), file, ...args], { encoding: 'utf8' })
  }

  /** Words that make a program see them. */
  mountWords(): string[] {
    const mark = path.join(this.host.stateDir, 'storage/run/holder.pid')
    const { pid } = JSON.parse(readFileSync(mark, 'utf8')) as { pid: number }
    return [`--mount=/proc/${pid}/ns/mnt`]
  }

  volumeFile(volumeId: string): string {
    return this.amongFiles('find', `${this.host.stateDir}/storage`, '-name', `${volumeId}*`).split('\n')[0]!
  }

  /** QEMU's initiator, logged in; through it one asks at a socket, whoever serves. */
  async logIn(target: Target): Promise<Initiator> {
    const dir = await mkdtemp(path.join(this.host.stateDir, 'bench-'))
    const [secret, socket] = [path.join(dir, 'secret'), path.join(dir, 'disk.sock')]
    const { host, port, iqn, initiatorIqn, chapUser, chapSecret } = target
    const disk = ['driver=iscsi,node-name=disk,transport=tcp,lun=1', `portal=${host}:${port},target=${iqn}`]
    const words: string[] = []
    if (chapUser !== undefined) {
      writeFileSync(secret, chapSecret!, { mode: 0o600 })
      words.push('--object', `secret,id=chap,file=${secret}`)
      disk.push(`user=${chapUser},password-secret=chap,initiator-name=${initiatorIqn}`)
    }
    const child = this.host.start('qemu-storage-daemon', [
      ...[...words, '--blockdev', disk.join(',')],
      ...['--nbd-server', `addr.type=unix,addr.path=${socket}`],
      ...['--export', 'type=nbd,id=disk,node-name=disk,name=disk,writable=on'],
    ])
    await this.until(async () => existsSync(socket))
    return new Initiator(this.host, child, `driver=raw,file.driver=nbd,file.path=${socket},file.export=disk`)
  }

  /** Until it is so, looked at often: what is measured takes a fraction of a second. */
  async until<T>(ask: () => Promise<T | false>): Promise<T> {
    const deadline = performance.now() + 60_000
    for (;;) {
      const answer = await ask()
      if (answer !== false) return answer
      if (performance.now() > deadline) throw new Error('it did not come')
      await pause()
    }
  }
}

export class Initiator {
  private readonly host: TestHost
  private readonly child: ChildProcess
  private readonly disk: string

  constructor(host: TestHost, child: ChildProcess, disk: string) {
    this.host = host
    this.child = child
    this.disk = disk
  }

  /** Operations a second. */
  async operations(load: { bytes: number; depth: number; count: number; write?: boolean }): Promise<number> {
    const { bytes, depth, count, write } = load
    const words = ['bench', '-t', 'none', '-c', count, '-d', depth, ...(write ? ['-w'] : [])]
    const of = ['-s', bytes, '-S', bytes, '--image-opts', this.disk]
    const text = await this.host.must('qemu-img', [...words, ...of].map(String))
    return count / Number(/completed in ([\d.]+) seconds/.exec(text)?.[1])
  }

  /** One command of qemu-io. */
  async once(command: string): Promise<void> {
    const text = await this.host.must('qemu-io', ['--image-opts', this.disk, '-c', command])
    if (/failed|error/i.test(text)) throw new Error(text)
  }

  logOut(): void {
    this.child.kill('SIGKILL')
  }
}

/** tgt and nothing else on the file of a volume, in the same network. */
export async function withBareTarget<T>(
  cloud: EbsCloud,
  file: string,
  work: (target: Target) => Promise<T>,
): Promise<T> {
  const port = 3999
  const net = `--net=/run/netns/${cloud.host.name}`
  const words = [...cloud.mountWords(), net]
  const tgtadm = (...args: string[]) =>
    execFileSync('nsenter', [...words, 'tgtadm', '-C', '77', '--lld', 'iscsi', ...args], { stdio: 'pipe' })
  const daemon = ['tgtd', '-f', '-C', '77', '--iscsi', `portal=127.0.0.1:${port}`]
  const child = spawn('nsenter', [...words, ...daemon], { stdio: 'ignore' })
  try {
    const iqn = 'iqn.2026-11.internal.mallee:bare'
    await until('the bare daemon answers', 10, async () => {
      tgtadm('--op', 'new', '--mode', 'target', '--tid', '1', '-T', iqn)
      return true
    })
    tgtadm(...['--op', 'new', '--mode', 'logicalunit', '--tid', '1', '--lun', '1', '-b', file])
    tgtadm(...['--op', 'bind', '--mode', 'target', '--tid', '1', '-I', 'ALL'])
    return await work({ host: '127.0.0.1', port, iqn })
  } finally {
    child.kill('SIGKILL')
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 5))
