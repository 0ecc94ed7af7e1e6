import { readFileSync } from 'node:fs'
import path from 'node:path'
import { MalleeError, seededRandom, type Random } from '@mallee/base'
import { nodeConnections, OpenDisk, type Access } from '@mallee/testkit'
import type { AwsClient, XmlAnswer } from '../src/cloud-client.ts'
import type { DaemonsUnderTest } from './daemons-under-test.ts'

/** What one of several callers at once may be told; anything else is a fault of ours. */
const fairRefusals: ReadonlySet<string> = new Set([
  'IncorrectState',
  'IncorrectInstanceState',
  'InvalidAttachment.NotFound',
  'InvalidVolume.NotFound',
  'InvalidParameterValue', // the device is taken
  'VolumeInUse',
])

/** Initiators that are left waiting for a target that is gone; each is a process. */
const writersKept = 24

interface Stamp {
  readonly beganAt: number
  readonly endedAt: number
}

/** One that logged in with the secret of one export, and writes for as long as it is let. */
interface Writer {
  readonly exportId: string
  readonly volumeId: string
  readonly disk: OpenDisk
  readonly stamps: Stamp[]
}

export interface RaceResult {
  readonly calls: Readonly<Record<string, number>>
  readonly writers: number
  readonly stamps: number
  /** Writes of an initiator that began after its successor's first one was done: there must be none. */
  readonly secondWriters: string[]
  readonly unfair: string[]
}

/**
 * Volumes that several callers attach to two instances, detach, force away and delete at the same time, over and over,
 * while daemons are killed. Beside them initiators log in with every secret that the node ever gets, and write; from
 * what was acknowledged to whom it is told whether a volume ever had two writers.
 */
export class VolumeRaces {
  private readonly daemons: DaemonsUnderTest
  private readonly client: AwsClient
  private readonly instances: readonly [string, string]
  private readonly random: Random
  private readonly writers = new Map<string, Writer>()
  private readonly calls: Record<string, number> = {}
  private readonly unfair: string[] = []
  private volumeId = ''
  private watching = true

  constructor(of: {
    daemons: DaemonsUnderTest
    client: AwsClient
    instances: readonly [string, string]
    seed: number
  }) {
    this.daemons = of.daemons
    this.client = of.client
    this.instances = of.instances
    this.random = seededRandom(of.seed)
  }

  async run(rounds: number, onRound: (round: number) => void = () => {}): Promise<RaceResult> {
    const watch = this.watchNode()
    for (let round = 1; round <= rounds; round += 1) {
      await this.requireVolume()
      const trouble = round % 10 === 0 ? this.trouble(round) : Promise.resolve()
      await Promise.all([...this.callers(), trouble])
      onRound(round)
    }
    await this.settle()
    this.watching = false
    await watch
    await Promise.all([...this.writers.values()].map(({ disk }) => disk.close()))
    const writers = [...this.writers.values()]
    return {
      calls: this.calls,
      writers: writers.length,
      stamps: writers.reduce((sum, { stamps }) => sum + stamps.length, 0),
      secondWriters: secondWriters(writers),
      unfair: this.unfair,
    }
  }

  /** All at nearly the same time, each of them in any order. */
  private callers(): Promise<void>[] {
    const VolumeId = this.volumeId
    const attach = (index: 0 | 1) => () =>
      this.call('AttachVolume', { VolumeId, InstanceId: this.instances[index], Device: '/dev/sdf' })
    const all = [
      attach(0),
      attach(1),
      () => this.call('DetachVolume', { VolumeId }),
      () => this.call('DetachVolume', { VolumeId, Force: true }),
      attach(0),
      attach(1),
      () => this.call('DeleteVolume', { VolumeId }),
    ]
    return all.map(async (one) => {
      await later(this.random.fraction() * 400)
      await one()
    })
  }

  private async call(action: string, parameters: Record<string, string | boolean>): Promise<void> {
    const code = await this.client.ec2(action, parameters).then(
      () => 'ok',
      (error: unknown) => (error instanceof MalleeError ? error.code : String(error)),
    )
    const key = `${action} ${code}`
    this.calls[key] = (this.calls[key] ?? 0) + 1
    if (code !== 'ok' && !fairRefusals.has(code)) this.unfair.push(key)
  }

  /** A volume that can be attached, unless one that is under way is there. */
  private async requireVolume(): Promise<void> {
    const found = await this.describe()
    if (found.some((volume) => volume.volumeId === this.volumeId && volume.status !== 'deleting')) return
    // A storage controller whose target daemon just died takes nothing new.
    const made = await this.daemons.eventually<XmlAnswer>(() =>
      this.client.ec2('CreateVolume', { Size: 1, AvailabilityZone: 'us-east-1a' }),
    )
    this.volumeId = made.volumeId as string
    const isThere = (volume: XmlAnswer) => volume.volumeId === this.volumeId && volume.status === 'available'
    await this.daemons.eventually(async () => (await this.describe()).some(isThere))
  }

  private async describe(): Promise<XmlAnswer[]> {
    return ((await this.client.ec2('DescribeVolumes')).volumeSet?.item ?? []) as XmlAnswer[]
  }

  /** A daemon dies, hangs, or is away for a while and comes back. */
  private async trouble(round: number): Promise<void> {
    const kind = (round / 10) % 4
    if (kind === 0) return this.daemons.restart('storage-controller')
    if (kind === 1) return this.daemons.restart('node-controller')
    if (kind === 2) return this.daemons.restart('storage-controller', 600)
    const mark = path.join(this.daemons.dir, 'storage-agent', 'run', 'tgtd.pid')
    try {
      const { pid } = JSON.parse(readFileSync(mark, 'utf8')) as { pid: number }
      process.kill(pid, round % 80 === 30 ? 'SIGSTOP' : 'SIGKILL')
    } catch {
      // There is none at this moment: it was killed, and is not back yet.
    }
  }

  /** Everything is given back and goes. */
  private async settle(): Promise<void> {
    await this.daemons.eventually(async () => {
      const left = await this.describe()
      for (const volume of left) {
        if (volume.status === 'in-use' && volume.attachmentSet?.item?.[0]?.status === 'attached')
          await this.call('DetachVolume', { VolumeId: volume.volumeId as string })
        if (volume.status === 'available')
          await this.call('DeleteVolume', { VolumeId: volume.volumeId as string })
      }
      return left.length === 0
    })
  }

  /** Reads what the node has been told, from a copy of its ledger, and lets an initiator in for each export. */
  private async watchNode(): Promise<void> {
    while (this.watching) {
      for (const access of await this.readConnections()) {
        if (this.writers.has(access.exportId)) continue
        const disk = await OpenDisk.open(access)
        const writer: Writer = { ...access, disk, stamps: [] }
        this.writers.set(access.exportId, writer)
        void write(writer)
        const old = [...this.writers.values()].at(-writersKept)
        if (old) await old.disk.close() // it has waited for its turn to do harm for long enough
      }
      await later(30)
    }
  }

  private async readConnections(): Promise<(Access & { exportId: string; volumeId: string })[]> {
    const { dir, targetsPort: port } = this.daemons
    // It may be written at this moment; then it is read the next time.
    const connections = await nodeConnections(path.join(dir, 'node-agent')).catch(() => [])
    return connections.map(
      ({ attachmentId: exportId, volumeId, iqn, initiatorIqn, chapUser, chapSecret }) => ({
        ...{ exportId, volumeId, iqn, initiatorIqn, chapUser, chapSecret },
        ...{ port, dir },
      }),
    )
  }
}

/** Stamps after stamp until the target is gone; then the initiator waits for ever, and is ended with the test. */
async function write(writer: Writer): Promise<void> {
  for (;;) {
    const beganAt = performance.now()
    const said = await writer.disk.tell('write 0 4k')
    if (!said.includes('wrote')) return
    writer.stamps.push({ beganAt, endedAt: performance.now() })
  }
}

function secondWriters(writers: readonly Writer[]): string[] {
  const found: string[] = []
  for (const of of Map.groupBy(
    writers.filter(({ stamps }) => stamps.length > 0),
    ({ volumeId }) => volumeId,
  ).values()) {
    const inOrder = of.toSorted((a, b) => a.stamps[0]!.endedAt - b.stamps[0]!.endedAt)
    for (const [index, before] of inOrder.entries()) {
      const next = inOrder[index + 1]
      if (next && before.stamps.at(-1)!.beganAt > next.stamps[0]!.endedAt)
        found.push(`${before.exportId} wrote after ${next.exportId}`)
    }
  }
  return found
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
