import { MalleeError } from '@mallee/base'
import { snapshotBucket, type SnapshotBlocks } from '@mallee/volume-snapshots'
import type { BlockReferences } from './block-references.ts'
import type { ObjectStore } from './object-store.ts'

/**
 * Sees to it that blocks of another snapshot lie under this prefix: nothing is to be done where they do, and where they
 * are another controller's or account's they are copied. Answers what was stored, compressed; adds the keys to `stored`.
 * Throws MalleeError `NotAsWritten` where one is missing.
 */
export async function adoptBlocks(options: {
  readonly store: ObjectStore
  readonly references: BlockReferences
  readonly prefix: string
  /** The prefix under which they lie. */
  readonly from: string
  readonly blocks: SnapshotBlocks['blocks']
  readonly bucket?: string
  readonly stored: Set<string>
  readonly signal: AbortSignal
}): Promise<number> {
  const { store, references, prefix, from, stored, bucket = snapshotBucket } = options
  if (from === prefix) return 0
  let storedBytes = 0
  for (const digest of new Set(options.blocks.values())) {
    options.signal.throwIfAborted()
    const key = `${prefix}/${digest}`
    if (references.has(key) || stored.has(key)) continue
    const block = await store.get(`${from}/${digest}`, bucket)
    if (!block)
      throw new MalleeError({
        code: 'NotAsWritten',
        publicMessage: 'A block of the snapshot that it is made of is not in walrus.',
      })
    stored.add(key)
    await store.put(key, block)
    storedBytes += block.length
  }
  return storedBytes
}
