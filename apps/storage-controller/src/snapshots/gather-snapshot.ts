import { MalleeError } from '@mallee/base'
import type { SnapshotIndex, WrittenBlocks } from '@mallee/agent-contract'
import {
  blockBytes,
  decodeBlock,
  decodeIndex,
  linearChecksums,
  parseStagedKey,
  stagedKey,
  blockCodec,
  zeroDigest,
  type BlockCodec,
  type SnapshotBlocks,
  type SnapshotKey,
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
  /** Where its blocks are encrypted: those that were written lie plain until they are gathered. */
  readonly snapshotKey: SnapshotKey | null
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
  const codec = blockCodec(options.snapshotKey)
  const blocks = await parentBlocks(options, codec, new Set(staged.map(({ number }) => number)))
  let storedBytes = await adoptBlocks({ ...options, ...blocks, stored })
  const all = new Map(blocks.blocks)
  for (let at = 0; at < staged.length; at += together) {
    options.signal.throwIfAborted()
    const batch = staged.slice(at, at + together).filter(({ digest }) => digest !== zeroDigest)
    // All of them end before one's error counts: what is removed then must not arrive afterwards.
    const moved = await Promise.allSettled(batch.map((block) => moveBlock(options, codec, block, stored)))
    for (const [index, one] of moved.entries()) {
      if (one.status === 'rejected') throw one.reason
      storedBytes += one.value.storedBytes
      all.set(batch[index]!.number, one.value.name)
    }
    options.onProgress(Math.floor((100 * at) / staged.length), storedBytes)
  }
  const keyId = codec.keyId === null ? {} : { keyId: codec.keyId }
  return { snapshot: { volumeBytes, prefix, blocks: all, ...keyId }, storedBytes }
}

/** Those that were not written anew. */
async function parentBlocks(
  { store, written, prefix }: Gathering,
  codec: BlockCodec,
  anew: ReadonlySet<number>,
): Promise<{ from: string; blocks: SnapshotBlocks['blocks'] }> {
  if (!written.parent) return { from: prefix, blocks: new Map() }
  const parent = await readList(store, written.parent)
  if ((parent.keyId ?? null) !== codec.keyId) throw notAsWritten('The parent snapshot is of another key.')
  const blocks = new Map([...parent.blocks].filter(([number]) => !anew.has(number)))
  return { from: parent.prefix, blocks }
}

async function readList(store: ObjectStore, { key, bucket, sha256 }: SnapshotIndex): Promise<SnapshotBlocks> {
  const bytes = await store.get(key, bucket)
  if (!bytes) throw notAsWritten('The parent snapshot is not in walrus.')
  return decodeIndex(bytes, sha256)
}

/** Answers under what name it lies, and what it took, compressed; 0 where it was there. */
async function moveBlock(
  { store, references, snapshotId, prefix }: Gathering,
  codec: BlockCodec,
  block: StagedBlock,
  stored: Set<string>,
): Promise<{ name: string; storedBytes: number }> {
  const isThere = (name: string) => references.has(`${prefix}/${name}`) || stored.has(`${prefix}/${name}`)
  // Plain ones are named as they were written, and need not even be read.
  if (codec.keyId === null && isThere(block.digest)) return { name: block.digest, storedBytes: 0 }
  const bytes = await store.get(stagedKey(snapshotId, block))
  if (!bytes) throw notAsWritten('A block that was written is not in walrus.')
  const plain = await decodeBlock(bytes, block.digest)
  const name = codec.nameOf(plain)
  if (isThere(name)) return { name, storedBytes: 0 }
  const encoded = codec.keyId === null ? bytes : await codec.encode(plain, name)
  stored.add(`${prefix}/${name}`)
  await store.put(`${prefix}/${name}`, encoded)
  return { name, storedBytes: encoded.length }
}

const notAsWritten = (publicMessage: string) => new MalleeError({ code: 'NotAsWritten', publicMessage })
