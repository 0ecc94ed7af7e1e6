import { MalleeError } from '@mallee/base'
import type { SnapshotIndex, WrittenBlocks } from '@mallee/agent-contract'
import {
  blockBytes,
  decodeBlock,
  decodeIndex,
  linearChecksums,
  parseStagedKey,
  stagedKey,
  zeroDigest,
  type SnapshotBlocks,
  type StagedBlock,
} from '@mallee/volume-snapshots'
import { adoptBlocks } from './adopt-blocks.ts'
import type { BlockReferences } from './block-references.ts'
import type { ObjectStore } from './object-store.ts'
import type { Uploaded } from './upload-snapshot.ts'

/** Blocks on their way at once. */
const together = 4

export interface Gathering {
  readonly store: ObjectStore
  readonly references: BlockReferences
  readonly snapshotId: string
  readonly volumeBytes: number
  readonly prefix: string
  readonly written: WrittenBlocks
  readonly onProgress: (percent: number, storedBytes: number) => void
  readonly signal: AbortSignal
}

/**
 * Makes a snapshot of the blocks that its client wrote and of its parent's others. What was written is checked by its
 * listing before a byte is moved; each block is stored once under its digest, and not where it is already. Throws
 * MalleeError `NotAsWritten`: it never will be; nothing that it stored stays then.
 */
export async function gatherSnapshot(options: Gathering): Promise<Uploaded> {
  const staged = await readStaging(options)
  const stored = new Set<string>()
  try {
    return await gather(options, staged, stored)
  } catch (error) {
    if (isFinal(error))
      for (const key of stored) if (!options.references.has(key)) await options.store.remove(key)
    throw error
  }
}

/** Whether trying again would end the same. */
export const isFinal = (error: unknown): error is MalleeError =>
  error instanceof MalleeError && ['NotAsWritten', 'SnapshotDamaged'].includes(error.code)

/** What was written, in the order of its numbers, and as its client says. */
async function readStaging({ store, written, volumeBytes }: Gathering): Promise<StagedBlock[]> {
  const blocks: StagedBlock[] = []
  for (const key of (await store.list(written.prefix)).toSorted()) {
    const block = parseStagedKey(key)
    if (!block || block.number * blockBytes >= volumeBytes || blocks.at(-1)?.number === block.number)
      throw notAsWritten('What was written is damaged.')
    blocks.push(block)
  }
  if (blocks.length !== written.changedBlocksCount)
    throw notAsWritten(
      `ChangedBlocksCount is ${written.changedBlocksCount}, and ${blocks.length} blocks were written.`,
    )
  const { checksum } = written
  if (checksum !== null && !linearChecksums(blocks.map(({ digest }) => digest)).includes(checksum))
    throw notAsWritten('The checksum is not that of the blocks that were written.')
  return blocks
}

async function gather(
  options: Gathering,
  staged: readonly StagedBlock[],
  stored: Set<string>,
): Promise<Uploaded> {
  const { prefix, volumeBytes } = options
  const blocks = await parentBlocks(options, new Set(staged.map(({ number }) => number)))
  let storedBytes = await adoptBlocks({ ...options, ...blocks, stored })
  const all = new Map(blocks.blocks)
  for (let at = 0; at < staged.length; at += together) {
    options.signal.throwIfAborted()
    const batch = staged.slice(at, at + together)
    // All of them end before one's error counts: what is removed then must not arrive afterwards.
    const moved = await Promise.allSettled(batch.map((block) => moveBlock(options, block, stored)))
    for (const one of moved) {
      if (one.status === 'rejected') throw one.reason
      storedBytes += one.value
    }
    options.onProgress(Math.floor((100 * at) / staged.length), storedBytes)
  }
  for (const { number, digest } of staged) if (digest !== zeroDigest) all.set(number, digest)
  return { snapshot: { volumeBytes, prefix, blocks: all }, storedBytes }
}

/** Those that were not written anew. */
async function parentBlocks(
  { store, written, prefix }: Gathering,
  anew: ReadonlySet<number>,
): Promise<{ from: string; blocks: SnapshotBlocks['blocks'] }> {
  if (!written.parent) return { from: prefix, blocks: new Map() }
  const parent = await readList(store, written.parent)
  const blocks = new Map([...parent.blocks].filter(([number]) => !anew.has(number)))
  return { from: parent.prefix, blocks }
}

async function readList(store: ObjectStore, { key, bucket, sha256 }: SnapshotIndex): Promise<SnapshotBlocks> {
  const bytes = await store.get(key, bucket)
  if (!bytes) throw notAsWritten('The parent snapshot is not in walrus.')
  return decodeIndex(bytes, sha256)
}

/** Answers what it took, compressed; 0 where the block was there or is zeros. */
async function moveBlock(
  { store, references, snapshotId, prefix }: Gathering,
  block: StagedBlock,
  stored: Set<string>,
): Promise<number> {
  const key = `${prefix}/${block.digest}`
  if (block.digest === zeroDigest || references.has(key) || stored.has(key)) return 0
  stored.add(key)
  const bytes = await store.get(stagedKey(snapshotId, block))
  if (!bytes) throw notAsWritten('A block that was written is not in walrus.')
  await decodeBlock(bytes, block.digest)
  await store.put(key, bytes)
  return bytes.length
}

const notAsWritten = (publicMessage: string) => new MalleeError({ code: 'NotAsWritten', publicMessage })
