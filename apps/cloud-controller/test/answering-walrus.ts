import { setTimeout as pause } from 'node:timers/promises'
import type {
  DiskImportFacts,
  DiskImportItem,
  ImageObjectFacts,
  ManifestFacts,
  ManifestItem,
  ReadableSnapshotFacts,
  ReadableSnapshotItem,
} from '@mallee/agent-contract'
import type { CloudUnderTest } from './cloud-under-test.ts'

export const walrusFingerprint = { driver: 'posix', totalBytes: 1, freeBytes: 1, healthy: true, problems: [] }

const unreadable: ManifestFacts = {
  ...{ state: 'unreadable', message: 'It does not exist.', kind: null, architecture: null },
  ...{ kernelId: null, ramdiskId: null, rootDevice: null, sizeBytes: null },
}

/** The walrus agent of a cloud under test, which says of manifests what it was told to, and keeps no blocks. */
export class AnsweringWalrus {
  readonly agentId: string
  private readonly cloud: CloudUnderTest
  private readonly manifests: Readonly<Record<string, Partial<ManifestFacts>>>
  private readonly answered = new Set<string>()
  /** Whether it says how far it is with blocks that are written. */
  hears = true
  private stopped = false
  private readonly running: Promise<void>

  private constructor(
    cloud: CloudUnderTest,
    agentId: string,
    manifests: Readonly<Record<string, Partial<ManifestFacts>>>,
  ) {
    this.cloud = cloud
    this.agentId = agentId
    this.manifests = manifests
    this.running = this.run()
  }

  /** `manifests` by `BUCKET/KEY`; one with a kind is read. */
  static async join(
    cloud: CloudUnderTest,
    manifests: Readonly<Record<string, Partial<ManifestFacts>>> = {},
  ): Promise<AnsweringWalrus> {
    return new AnsweringWalrus(cloud, await cloud.registerAgent('walrus', 'walrus'), manifests)
  }

  /** Says something of an image, as of the item that is in the set now. */
  async say(imageId: string, facts: Partial<ImageObjectFacts>): Promise<void> {
    const item = (await this.cloud.desired('walrus', this.agentId)).index.find(({ id }) => id === imageId)
    const whole: ImageObjectFacts = {
      ...{
        state: 'failed',
        message: null,
        format: null,
        sizeBytes: null,
        virtualSizeBytes: null,
        sha256: null,
      },
      ...facts,
    }
    const observation = {
      ...{ kind: 'image-object' as const, id: imageId, generation: item?.generation ?? 1, facts: whole },
    }
    await this.cloud.report('walrus', this.agentId, [observation], walrusFingerprint)
    await this.cloud.settled()
  }

  /** Says how far it is with a disk that it cuts into blocks, as of the item that is in the set now. */
  async sayOfImport(taskId: string, facts: Partial<DiskImportFacts>): Promise<void> {
    const item = (await this.cloud.desired('walrus', this.agentId)).index.find(({ id }) => id === taskId)
    const whole: DiskImportFacts = {
      ...{ state: 'converting', progress: 0, message: null, diskBytes: null, blocks: 0 },
      ...facts,
    }
    const observation = {
      kind: 'disk-import' as const,
      id: taskId,
      generation: item?.generation ?? 1,
      facts: whole,
    }
    await this.cloud.report('walrus', this.agentId, [observation], walrusFingerprint)
    await this.cloud.settled()
  }

  /** What it is told of disks that become snapshots. */
  async imports(): Promise<DiskImportItem[]> {
    const { bodies } = await this.cloud.desired('walrus', this.agentId)
    return bodies.filter(({ kind }) => kind === 'disk-import').map(({ body }) => body as DiskImportItem)
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.running
  }

  /** What is in the set of snapshots that may be read or written. */
  async readable(): Promise<Map<string, ReadableSnapshotItem>> {
    const { bodies } = await this.cloud.desired('walrus', this.agentId)
    const items = bodies.filter(({ kind }) => kind === 'readable-snapshot')
    return new Map(items.map(({ id, body }) => [id, body as ReadableSnapshotItem]))
  }

  /** Says of a snapshot that is written what walrus would. */
  async sayWritten(id: string, facts: Partial<ReadableSnapshotFacts>): Promise<void> {
    const whole = { staging: 'open' as const, progress: 0, lastWrittenAtMs: null, ...facts }
    const observation = { kind: 'readable-snapshot' as const, id, generation: 1, facts: whole }
    await this.cloud.report('walrus', this.agentId, [observation], walrusFingerprint)
    await this.cloud.settled()
  }

  private async sayStaging(id: string, generation: number, body: ReadableSnapshotItem): Promise<void> {
    const { staging } = body
    const said = `${id} ${generation}`
    if (staging === null || this.answered.has(said)) return
    this.answered.add(said)
    await this.sayWritten(id, { staging: staging === 'remove' ? 'gone' : staging })
  }

  /** Says what there is to be said now. */
  async look(): Promise<void> {
    const { bodies } = await this.cloud.desired('walrus', this.agentId)
    for (const { kind, id, generation, body } of bodies) {
      if (kind === 'readable-snapshot' && this.hears)
        await this.sayStaging(id, generation, body as ReadableSnapshotItem)
      if (kind !== 'manifest' || this.answered.has(id)) continue
      this.answered.add(id)
      const { bucket, key } = body as ManifestItem
      const known = this.manifests[`${bucket}/${key}`]
      const facts = known ? { ...unreadable, message: null, state: 'read' as const, ...known } : unreadable
      const observation = { kind: 'manifest' as const, id, generation, facts }
      await this.cloud.report('walrus', this.agentId, [observation], walrusFingerprint)
    }
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await this.look()
      await pause(5)
    }
  }
}
