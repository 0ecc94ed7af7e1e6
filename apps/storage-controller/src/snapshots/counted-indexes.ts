import { createHash } from 'node:crypto'
import { errorMessage, type Log } from '@mallee/base'
import type { SnapshotIndex } from '@mallee/agent-contract'
import { decodeIndex, type SnapshotBlocks, snapshotBucket } from '@mallee/volume-snapshots'
import { blockKeys, BlockReferences } from './block-references.ts'
import type { LocalIndexes } from './local-indexes.ts'
import { type ObjectStore } from './object-store.ts'

/**
 * The lists of this controller's snapshots with what they make of each stored block: used, or nobody's. Lists that are
 * not here although they should be (a damaged disk, a restored backup) come out of walrus; until every one is counted,
 * every block counts as used.
 */
export class CountedIndexes {
  readonly references = new BlockReferences()
  private readonly files: LocalIndexes
  private readonly log: Log
  private readonly lacking = new Set<string>()

  constructor(files: LocalIndexes, log: Log) {
    this.files = files
    this.log = log
  }

  async open(): Promise<void> {
    for (const id of await this.files.list()) {
      try {
        const snapshot = await this.files.read(id)
        if (snapshot) this.count(id, snapshot)
      } catch (error) {
        this.log.error(
          { snapshotId: id, reason: errorMessage(error) },
          'the list of a snapshot is damaged here',
        )
        await this.files.remove(id)
        this.lacking.add(id)
      }
    }
  }

  /** Says that there is such a list, or may be: it is to be looked for in walrus. */
  miss(snapshotId: string): void {
    this.lacking.add(snapshotId)
  }

  isLacking(snapshotId: string): boolean {
    return this.lacking.has(snapshotId)
  }

  /** Whether a block may be removed on what is known. */
  get isWhole(): boolean {
    return this.lacking.size === 0
  }

  /** Whether any snapshot uses the block, or may. */
  isUsed(key: string): boolean {
    return !this.isWhole || this.references.has(key)
  }

  read(snapshotId: string): Promise<SnapshotBlocks | null> {
    return this.files.read(snapshotId)
  }

  has(snapshotId: string): Promise<boolean> {
    return this.files.list().then((ids) => ids.includes(snapshotId))
  }

  async keep(snapshotId: string, snapshot: SnapshotBlocks): Promise<{ bytes: Buffer; sha256: string }> {
    const encoded = await this.files.write(snapshotId, snapshot)
    this.count(snapshotId, snapshot)
    return encoded
  }

  /** Forgets the list; answers the blocks that nobody uses then. */
  async drop(snapshotId: string, snapshot: SnapshotBlocks): Promise<string[]> {
    await this.files.remove(snapshotId)
    return this.references.drop(snapshotId, blockKeys(snapshot.prefix, snapshot.blocks.values()))
  }

  /** Takes a lacking list out of walrus. Null where there is none: then there never was one. */
  async recover(snapshotId: string, key: string, store: ObjectStore): Promise<SnapshotIndex | null> {
    const bytes = await store.get(key)
    if (bytes) {
      this.count(snapshotId, await decodeIndex(bytes, null))
      await this.files.writeBytes(snapshotId, bytes)
      this.log.info({ snapshotId }, 'the list of a snapshot came out of walrus')
    }
    this.lacking.delete(snapshotId)
    const sha256 = bytes && createHash('sha256').update(bytes).digest('hex')
    return bytes && { bucket: snapshotBucket, key, sha256: sha256!, sizeBytes: bytes.length }
  }

  private count(snapshotId: string, snapshot: SnapshotBlocks): void {
    this.references.add(snapshotId, blockKeys(snapshot.prefix, snapshot.blocks.values()))
  }
}
