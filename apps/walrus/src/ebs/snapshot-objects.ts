import { MalleeError } from '@mallee/base'
import type { SnapshotIndex } from '@mallee/agent-contract'
import {
  blockBytes,
  codecOf,
  decodeIndex,
  digestOfBlock,
  snapshotBucket,
  type SnapshotBlocks,
  type SnapshotKey,
} from '@mallee/volume-snapshots'
import { openObject, type ObjectSource } from '../objects/open-object.ts'

/** A snapshot's list, with the numbers of its blocks in their order. */
export interface ReadList extends SnapshotBlocks {
  readonly numbers: readonly number[]
}

/** Blocks in all lists that are kept: about 200 bytes each. */
const mostBlocks = 500_000

/** The lists and blocks of snapshots as storage controllers keep them here, read. */
export class SnapshotObjects {
  private readonly source: ObjectSource
  /** By digest, the one that was asked for last at the end; a list never changes. */
  private readonly lists = new Map<string, Promise<ReadList>>()
  private readonly sizes = new Map<string, number>()

  constructor(source: ObjectSource) {
    this.source = source
  }

  /** Throws MalleeError `SnapshotDamaged`. */
  async list(index: SnapshotIndex): Promise<ReadList> {
    const { sha256 } = index
    const known = this.lists.get(sha256)
    const list = known ?? this.read(index)
    this.lists.delete(sha256)
    this.lists.set(sha256, list)
    try {
      const { numbers } = await list
      this.sizes.set(sha256, numbers.length)
      this.makeRoom(sha256)
      return await list
    } catch (error) {
      this.forget(sha256)
      throw error
    }
  }

  /** The plain bytes of a block; zeros where there is none. Throws MalleeError `SnapshotDamaged`. */
  async block(
    list: SnapshotBlocks,
    number: number,
    snapshotKey: SnapshotKey | null,
  ): Promise<{ bytes: Buffer; digest: string | null }> {
    const name = list.blocks.get(number)
    if (name === undefined) return { bytes: Buffer.alloc(blockBytes), digest: null }
    const stored = await this.bytesOf(snapshotBucket, `${list.prefix}/${name}`)
    const bytes = await codecOf(list, snapshotKey).decode(stored, name)
    return { bytes, digest: list.keyId === undefined ? name : digestOfBlock(bytes) }
  }

  private async read({ bucket, key, sha256 }: SnapshotIndex): Promise<ReadList> {
    const list = await decodeIndex(await this.bytesOf(bucket, key), sha256)
    return { ...list, numbers: [...list.blocks.keys()] }
  }

  private makeRoom(newest: string): void {
    let total = [...this.sizes.values()].reduce((sum, size) => sum + size, 0)
    for (const sha256 of this.lists.keys()) {
      if (total <= mostBlocks || sha256 === newest) return
      total -= this.sizes.get(sha256) ?? 0
      this.forget(sha256)
    }
  }

  private forget(sha256: string): void {
    this.lists.delete(sha256)
    this.sizes.delete(sha256)
  }

  private async bytesOf(bucket: string, key: string): Promise<Buffer> {
    const object = await openObject(this.source, bucket, key)
    if (!object)
      throw new MalleeError({
        code: 'SnapshotDamaged',
        publicMessage: `An object of the snapshot is missing: ${key}`,
      })
    try {
      const pieces: Buffer[] = []
      for await (const piece of object.bytes(0, object.row.size)) pieces.push(Buffer.from(piece))
      return Buffer.concat(pieces)
    } finally {
      object.release()
    }
  }
}
