import { createHash, randomBytes } from 'node:crypto'
import { EBSClient } from '@aws-sdk/client-ebs'
import type { AccessKeyItem, ReadableSnapshotItem } from '@mallee/agent-contract'
import { GiB } from '@mallee/base'
import {
  blockBytes,
  blockCodec,
  encodeIndex,
  stagingPrefix,
  type SnapshotBlocks,
} from '@mallee/volume-snapshots'
import { alice, eventually, type WalrusUnderTest } from './walrus-under-test.ts'

export type Blocks = Readonly<Record<number, Buffer>>
export const block = (): Buffer => randomBytes(blockBytes)
export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64')

/** What a storage controller and the cloud do of a snapshot, at a walrus under test. */
export class EbsWorld {
  private made = 0
  private readonly stored = new Set<string>()
  private readonly walrus: WalrusUnderTest
  private readonly prefix = 'agent-7/100000000001/blocks'

  constructor(walrus: WalrusUnderTest) {
    this.walrus = walrus
  }

  /** AWS's own client. */
  sdk(key: AccessKeyItem = alice): EBSClient {
    return new EBSClient({
      endpoint: this.walrus.url,
      region: 'us-east-1',
      maxAttempts: 1,
      credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey },
    })
  }

  newId(): string {
    this.made += 1
    return `snap-${String(this.made).padStart(17, '0')}`
  }

  /** A complete snapshot of 1 GiB that holds these. */
  async plant(blocks: Blocks, more: Partial<ReadableSnapshotItem> = {}): Promise<string> {
    const id = this.newId()
    const codec = blockCodec(more.snapshotKey ?? null)
    const prefix = codec.keyId === null ? this.prefix : `${this.prefix}-${codec.keyId}`
    const names: [number, string][] = []
    for (const [number, bytes] of Object.entries(blocks)) {
      const name = codec.nameOf(bytes)
      names.push([Number(number), name])
      if (this.stored.has(name)) continue
      this.stored.add(name)
      await this.put(`${prefix}/${name}`, await codec.encode(bytes, name))
    }
    const keyId = codec.keyId === null ? {} : { keyId: codec.keyId }
    const list: SnapshotBlocks = { volumeBytes: GiB, prefix, blocks: new Map(names), ...keyId }
    const { bytes, sha256: digest } = await encodeIndex(list)
    const key = `agent-7/100000000001/indexes/${id}`
    await this.put(key, bytes)
    this.say(id, { index: { bucket: 'mallee-ebs', key, sha256: digest, sizeBytes: bytes.length }, ...more })
    return id
  }

  /** A snapshot that takes blocks. */
  async open(more: Partial<ReadableSnapshotItem> = {}): Promise<string> {
    const id = this.newId()
    this.say(id, { staging: 'open', ...more })
    await eventually(() => this.stagingOf(id) === 'open')
    return id
  }

  /** What the cloud says of it. */
  say(id: string, more: Partial<ReadableSnapshotItem>): void {
    this.walrus.cloud.putItem('readable-snapshot', id, {
      ...{ snapshotId: id, accountId: alice.accountId, sharedWith: [], isPublic: false, lineage: 'vol-1' },
      ...{ sizeBytes: GiB, index: null, staging: null, requestId: null, traceparent: null },
      ...more,
    })
  }

  factsOf(id: string) {
    return this.walrus.cloud.observed('readable-snapshot', id)?.facts as
      | { staging: string; progress: number; lastWrittenAtMs: number | null }
      | undefined
  }

  stagingOf(id: string): string | undefined {
    return this.factsOf(id)?.staging
  }

  /** Keys under which blocks of it lie that were written, as a storage controller lists them. */
  async staged(id: string): Promise<string[]> {
    const prefix = encodeURIComponent(stagingPrefix(id))
    const { body } = await this.walrus.asAgent(`/mallee-ebs?list-type=2&prefix=${prefix}`)
    return [...body.toString().matchAll(/<Key>([^<]*)</g)].map((match) => match[1]!)
  }

  private async put(key: string, body: Buffer): Promise<void> {
    const headers = { 'x-amz-content-sha256': createHash('sha256').update(body).digest('hex') }
    const { status } = await this.walrus.asAgent(`/mallee-ebs/${key}`, { method: 'PUT', body, headers })
    if (status !== 200) throw new Error(`${key}: ${status}`)
  }
}
