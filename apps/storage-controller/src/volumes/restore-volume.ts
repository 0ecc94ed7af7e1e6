import { MalleeError } from '@mallee/base'
import type { SnapshotIndex } from '@mallee/agent-contract'
import { codecOf, blockBytes, decodeIndex, type SnapshotKey } from '@mallee/volume-snapshots'
import type { BlockDriver } from '../drivers/block-driver.ts'
import { noRoom, reserveBytes } from './room.ts'
import type { ObjectStore } from '../snapshots/object-store.ts'

const together = 4
const roomEvery = together * 16

/**
 * A volume out of walrus, block by block, each checked before it is written. It is there under its name when it is whole,
 * and not before; a restore that was broken off begins anew.
 */
export async function restoreVolume(options: {
  readonly driver: BlockDriver
  readonly store: ObjectStore
  readonly volumeId: string
  readonly sizeBytes: number
  readonly index: SnapshotIndex
  /** Where its blocks are encrypted. */
  readonly snapshotKey: SnapshotKey | null
  readonly signal: AbortSignal
  readonly onProgress: (percent: number) => void
}): Promise<void> {
  const { driver, store, index, signal } = options
  const bytes = await store.get(index.key, index.bucket)
  if (!bytes) throw missing('The index of the snapshot is not in walrus.')
  const list = await decodeIndex(bytes, index.sha256)
  const { blocks, prefix } = list
  const codec = codecOf(list, options.snapshotKey)
  // Refused before the first byte: filling the disk would take it from the volumes that are in use.
  await requireRoom(driver, blocks.size * blockBytes)
  const target = await driver.openForRestore(options.volumeId, options.sizeBytes)
  try {
    const entries = [...blocks]
    for (let at = 0; at < entries.length; at += together) {
      signal.throwIfAborted()
      if (at % roomEvery === 0) await requireRoom(driver, 0) // others write meanwhile
      await Promise.all(
        entries.slice(at, at + together).map(async ([number, digest]) => {
          const stored = await store.get(`${prefix}/${digest}`, index.bucket)
          if (!stored) throw missing('A block of the snapshot is not in walrus.')
          await target.write(await codec.decode(stored, digest), number * blockBytes)
        }),
      )
      options.onProgress(Math.floor((100 * at) / entries.length))
    }
    await target.finish()
  } catch (error) {
    await target.abandon().catch(() => {}) // the reason counts
    throw error
  }
}

async function requireRoom(driver: BlockDriver, bytes: number): Promise<void> {
  const { freeBytes } = await driver.space()
  if (freeBytes < bytes + reserveBytes) throw noRoom()
}

function missing(sentence: string): MalleeError {
  return new MalleeError({ code: 'SnapshotIncomplete', publicMessage: sentence })
}
