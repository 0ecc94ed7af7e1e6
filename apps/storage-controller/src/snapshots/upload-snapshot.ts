import { blockBytes, type BlockCodec, type SnapshotBlocks } from '@mallee/volume-snapshots'
import type { BlockDriver } from '../drivers/block-driver.ts'
import { blockPlaces } from '../drivers/read-extents.ts'
import type { BlockReferences } from './block-references.ts'
import type { ObjectStore } from './object-store.ts'

/** Blocks on their way at once: enough to keep one connection's waits from adding up. */
const together = 4

export interface Uploaded {
  readonly snapshot: SnapshotBlocks
  /** What was new, compressed. */
  readonly storedBytes: number
}

/**
 * Brings a snapshot's blocks to walrus: only what was written, only what is not zeros, only what differs from the
 * snapshot before it, and of that only what is not there already. What did not move on the disk since is not even read.
 */
export async function uploadSnapshot(options: {
  readonly driver: BlockDriver
  readonly store: ObjectStore
  readonly references: BlockReferences
  readonly snapshotId: string
  readonly volumeBytes: number
  readonly prefix: string
  readonly codec: BlockCodec
  /** An earlier snapshot whose files are here still, and its list. */
  readonly before: { readonly snapshotId: string; readonly list: SnapshotBlocks } | null
  readonly onProgress: (percent: number, storedBytes: number) => void
  readonly signal: AbortSignal
}): Promise<Uploaded> {
  const { driver, snapshotId, before } = options
  const written = blockPlaces(await driver.extents({ snapshotId }), blockBytes)
  const isUnchanged = before ? await comparison(driver, snapshotId, before.snapshotId) : () => false
  const blocks = new Map<number, string>()
  const changed: number[] = []
  for (const [number, place] of written) {
    if (!isUnchanged(number, place)) changed.push(number)
    else {
      const digest = before!.list.blocks.get(number)
      if (digest !== undefined) blocks.set(number, digest) // where there is none it was zeros, and is
    }
  }
  const upload = new Upload(options, blocks)
  for (let at = 0; at < changed.length; at += together) {
    options.signal.throwIfAborted()
    await Promise.all(changed.slice(at, at + together).map((number) => upload.block(number)))
    options.onProgress(Math.floor((100 * at) / changed.length), upload.storedBytes)
  }
  const { volumeBytes, prefix, codec } = options
  const snapshot = { volumeBytes, prefix, blocks, ...(codec.keyId === null ? {} : { keyId: codec.keyId }) }
  return { snapshot, storedBytes: upload.storedBytes }
}

/** Whether a block that lies at this place is what it was in the snapshot before. */
async function comparison(
  driver: BlockDriver,
  snapshotId: string,
  before: string,
): Promise<(number: number, place: string | null) => boolean> {
  const changes = (await driver.changedSince?.(snapshotId, before)) ?? null
  if (changes) {
    const changed = blockPlaces(changes, blockBytes)
    return (number) => !changed.has(number)
  }
  const earlier = blockPlaces(await driver.extents({ snapshotId: before }), blockBytes)
  return (number, place) => place !== null && earlier.get(number) === place
}

class Upload {
  storedBytes = 0
  private readonly options: Parameters<typeof uploadSnapshot>[0]
  private readonly blocks: Map<number, string>
  private readonly sent = new Set<string>()

  constructor(options: Parameters<typeof uploadSnapshot>[0], blocks: Map<number, string>) {
    this.options = options
    this.blocks = blocks
  }

  async block(number: number): Promise<void> {
    const { driver, store, references, snapshotId, prefix, codec } = this.options
    const bytes = await driver.read({ snapshotId }, number * blockBytes, blockBytes)
    if (isZeros(bytes)) return
    const digest = codec.nameOf(bytes)
    const key = `${prefix}/${digest}`
    if (!references.has(key) && !this.sent.has(key)) {
      const encoded = await codec.encode(bytes, digest)
      await store.put(key, encoded)
      this.sent.add(key)
      this.storedBytes += encoded.length
    }
    this.blocks.set(number, digest)
  }
}

const zeros = Buffer.alloc(blockBytes)

function isZeros(bytes: Buffer): boolean {
  return bytes.equals(bytes.length === zeros.length ? zeros : zeros.subarray(0, bytes.length))
}
