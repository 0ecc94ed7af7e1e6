import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Random } from '@mallee/base'
import type { Recording } from './recording.ts'
import type { Call } from './recorder.ts'

/**
 * What a disk may hold when the power goes at one moment. Kept for sure is only what an fsync that had come back speaks
 * for: bytes that were written before an fsync of their file began, names that were made or taken before one of their
 * folder began, and the log of the index as far as its last commit. Of everything else that had begun any part may be there:
 * writes lost, torn at pages or whole, in any order; a rename whole, not at all, or with both names; the log cut anywhere.
 */
export type Luck = 'nothing' | 'everything' | 'chance'

const pageBytes = 4096

export function writeState(
  dir: string,
  recording: Recording,
  moment: number,
  luck: Luck,
  random: Random,
): void {
  const keeps = () => luck === 'everything' || (luck === 'chance' && random.fraction() < 0.5)
  const begun = recording.calls.filter((call) => call.begin < moment)
  const bytes = new Map<string, Buffer>()
  for (const file of new Set(begun.flatMap((call) => (call.kind === 'create' ? [call.file] : []))))
    bytes.set(file, bytesOf(file, begun, moment, luck, random))
  mkdirSync(path.join(dir, 'incoming'), { recursive: true })
  for (let shard = 0; shard < 256; shard += 1)
    mkdirSync(path.join(dir, 'blobs', shard.toString(16).padStart(2, '0')), { recursive: true })
  for (const [name, inode] of namesOf(begun, moment, keeps)) {
    const file = path.join(dir, name)
    writeFileSync(file, bytes.get(inode)!)
  }
  writeFileSync(path.join(dir, 'store.json'), recording.store)
  writeFileSync(path.join(dir, 'index.db'), recording.index)
  writeFileSync(path.join(dir, 'index.db-wal'), logOf(recording, begun, moment, luck, random))
}

const isDone = (call: Call, moment: number): boolean => call.end < moment

/** Whether something that came back at `end` is spoken for by an fsync that came back before the moment. */
const isSynced = (end: number, syncs: readonly Call[], moment: number): boolean =>
  syncs.some((sync) => end < sync.begin && sync.end < moment)

function bytesOf(file: string, begun: readonly Call[], moment: number, luck: Luck, random: Random): Buffer {
  const syncs = begun.filter((call) => call.kind === 'sync' && call.file === file)
  const writes = begun.filter((call) => call.kind === 'write' && call.file === file)
  let content = Buffer.alloc(0)
  for (const write of writes) {
    if (write.kind !== 'write') continue
    const how = isSynced(write.end, syncs, moment) ? 'everything' : luck
    if (how === 'nothing') continue
    const kept = how === 'everything' ? write.bytes : torn(write.bytes, random)
    if (!kept) continue
    if (content.length < write.at + kept.length)
      content = Buffer.concat([content, Buffer.alloc(write.at + kept.length - content.length)])
    kept.copy(content, write.at)
  }
  return content
}

/** Some pages of it, zeros for others, or less of it; null for none. */
function torn(bytes: Buffer, random: Random): Buffer | null {
  const fate = random.fraction()
  if (fate < 0.3) return null
  if (fate < 0.5) return bytes
  const copy = Buffer.from(bytes)
  for (let at = 0; at < copy.length; at += pageBytes)
    if (random.fraction() < 0.5) copy.fill(0, at, Math.min(at + pageBytes, copy.length))
  return fate < 0.8 ? copy : copy.subarray(0, Math.floor(random.fraction() * copy.length))
}

/** Names in folders, and whose bytes they name. */
function namesOf(begun: readonly Call[], moment: number, keeps: () => boolean): Map<string, string> {
  const names = new Map<string, string>()
  const inodes = new Map<string, string>()
  const folderSyncs = begun.filter((call) => call.kind === 'sync-folder')
  const isKept = (call: Call, name: string): boolean => {
    const syncs = folderSyncs.filter(
      (sync) => sync.kind === 'sync-folder' && sync.folder === path.dirname(name),
    )
    return (isDone(call, moment) && isSynced(call.end, syncs, moment)) || keeps()
  }
  for (const call of begun) {
    if (call.kind === 'create') {
      inodes.set(call.file, call.file)
      if (isKept(call, call.file)) names.set(call.file, call.file)
    } else if (call.kind === 'rename') {
      const inode = inodes.get(call.file)!
      inodes.set(call.to, inode)
      const arrived = isKept(call, call.to)
      if (arrived) names.set(call.to, inode)
      // Most file systems rename in one step; one that does not may keep the old name too, and never neither.
      if (arrived && isKept(call, call.file)) names.delete(call.file)
    } else if (call.kind === 'unlink' && isKept(call, call.file)) names.delete(call.file)
  }
  return names
}

function logOf(
  recording: Recording,
  begun: readonly Call[],
  moment: number,
  luck: Luck,
  random: Random,
): Buffer {
  const pieces: Buffer[] = [recording.log]
  for (const call of begun) {
    if (call.kind !== 'commit') continue
    if (isDone(call, moment) || luck === 'everything') pieces.push(call.bytes)
    else if (luck === 'chance') pieces.push(torn(call.bytes, random) ?? Buffer.alloc(0))
  }
  return Buffer.concat(pieces)
}
