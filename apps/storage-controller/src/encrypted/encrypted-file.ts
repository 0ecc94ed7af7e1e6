import type { FileHandle } from 'node:fs/promises'
import { MalleeError } from '@mallee/base'
import type { Extent } from '../drivers/block-driver.ts'
import { luksHeaderBytes, makeLuksHeader, openLuksHeader } from './luks-header.ts'
import { decryptSectors, encryptSectors, sectorBytes } from './sectors.ts'

/**
 * An encrypted volume as a file: qcow2 whose clusters are encrypted by LUKS, so that what was never written is known and
 * reads zeros. https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.txt
 *
 * While it is used it belongs to QEMU's storage daemon. Here is what is done to files that nobody has open: they are made,
 * grown, filled from a snapshot, and read. The tables have room for the largest volume from the start, so that growing is
 * one number in the header.
 */
const clusterBits = 16
export const clusterBytes = 2 ** clusterBits
const tableEntries = clusterBytes / 8
const refcountEntries = clusterBytes / 2
const luksClusters = Math.ceil(luksHeaderBytes / clusterBytes)
/** Numbers of clusters: header, table of reference counts, the first of their blocks, first table, LUKS header. */
const place = { refcountTable: 1, refcountBlock: 9, l1: 10, luks: 26, data: 26 + luksClusters }
const l1Entries = (place.luks - place.l1) * tableEntries
export const largestVolumeBytes = l1Entries * tableEntries * clusterBytes

/** The reference count is one: may be written in place. */
const own = 1n << 63n
const offsetMask = 0x00fffffffffffe00n
const compressed = 1n << 62n
const zeroFlag = 1n
const sizeAt = 24
const cryptExtension = 0x0537be77

/** A new volume into an empty file: every block reads zeros. */
export async function writeEmptyImage(
  handle: FileHandle,
  sizeBytes: number,
  passphrase: string,
): Promise<Buffer> {
  const { header, masterKey } = makeLuksHeader(passphrase)
  await handle.truncate(place.data * clusterBytes)
  await writeAll(handle, imageHeader(sizeBytes), 0)
  await writeAll(handle, header, place.luks * clusterBytes)
  await writeRefcounts(handle, place.data)
  return masterKey
}

function imageHeader(sizeBytes: number): Buffer {
  if (sizeBytes > largestVolumeBytes) throw new RangeError('a volume is too large')
  const header = Buffer.alloc(136)
  header.write('QFI\xfb', 0, 'latin1')
  header.writeUInt32BE(3, 4)
  header.writeUInt32BE(clusterBits, 20)
  header.writeBigUInt64BE(BigInt(sizeBytes), sizeAt)
  header.writeUInt32BE(2, 32) // LUKS
  header.writeUInt32BE(l1Entries, 36)
  header.writeBigUInt64BE(BigInt(place.l1 * clusterBytes), 40)
  header.writeBigUInt64BE(BigInt(place.refcountTable * clusterBytes), 48)
  header.writeUInt32BE(place.refcountBlock - place.refcountTable, 56)
  header.writeUInt32BE(4, 96) // 16 bits for each count
  header.writeUInt32BE(104, 100)
  header.writeUInt32BE(cryptExtension, 104)
  header.writeUInt32BE(16, 108)
  header.writeBigUInt64BE(BigInt(place.luks * clusterBytes), 112)
  header.writeBigUInt64BE(BigInt(luksHeaderBytes), 120)
  return header
}

/** Every cluster before `end` is used once; the blocks of counts that it takes beyond the first lie from `end` on. */
async function writeRefcounts(handle: FileHandle, end: number): Promise<void> {
  let blocks = 1
  while ((end + blocks - 1) / refcountEntries > blocks) blocks += 1
  const clusters = end + blocks - 1
  const table = Buffer.alloc(blocks * 8)
  for (let block = 0; block < blocks; block += 1) {
    const cluster = block === 0 ? place.refcountBlock : end + block - 1
    table.writeBigUInt64BE(BigInt(cluster * clusterBytes), block * 8)
    const used = Math.min(refcountEntries, clusters - block * refcountEntries)
    const counts = Buffer.alloc(clusterBytes)
    for (let entry = 0; entry < used; entry += 1) counts.writeUInt16BE(1, entry * 2)
    await writeAll(handle, counts, cluster * clusterBytes)
  }
  await writeAll(handle, table, place.refcountTable * clusterBytes)
}

/** Bytes that a guest sees; throws MalleeError for what is no such file. */
export async function imageSize(handle: FileHandle): Promise<number> {
  const header = await readAt(handle, 0, 104)
  if (header.toString('latin1', 0, 4) !== 'QFI\xfb') throw damaged('it is none')
  return Number(header.readBigUInt64BE(sizeAt))
}

/** Of a file that nobody has open. What is new reads zeros. */
export async function growImage(handle: FileHandle, sizeBytes: number): Promise<void> {
  if (sizeBytes > largestVolumeBytes) throw new RangeError('a volume is too large')
  if ((await imageSize(handle)) >= sizeBytes) return
  const size = Buffer.alloc(8)
  size.writeBigUInt64BE(BigInt(sizeBytes))
  await writeAll(handle, size, sizeAt)
}

/** Fills a new image, each stretch once, in any order; whole when `finish` resolves. */
export class ImageFiller {
  private readonly handle: FileHandle
  private readonly masterKey: Buffer
  private readonly tables = new Map<number, Buffer>()
  private next = place.data

  private constructor(handle: FileHandle, masterKey: Buffer) {
    this.handle = handle
    this.masterKey = masterKey
  }

  static async begin(handle: FileHandle, sizeBytes: number, passphrase: string): Promise<ImageFiller> {
    return new ImageFiller(handle, await writeEmptyImage(handle, sizeBytes, passphrase))
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    if (offset % clusterBytes !== 0) throw new RangeError('a stretch begins within a cluster')
    const count = Math.ceil(bytes.length / clusterBytes)
    const whole = Buffer.alloc(count * clusterBytes)
    whole.set(bytes)
    const first = this.next
    this.next += count
    const from = first * clusterBytes
    await writeAll(this.handle, encryptSectors(this.masterKey, whole, from / sectorBytes), from)
    for (let index = 0; index < count; index += 1) this.map(offset / clusterBytes + index, first + index)
  }

  async finish(): Promise<void> {
    const l1 = Buffer.alloc(l1Entries * 8)
    for (const [index, table] of this.tables) {
      l1.writeBigUInt64BE(BigInt(this.next * clusterBytes) | own, index * 8)
      await writeAll(this.handle, table, this.next * clusterBytes)
      this.next += 1
    }
    await writeRefcounts(this.handle, this.next)
    await writeAll(this.handle, l1, place.l1 * clusterBytes)
  }

  private map(guestCluster: number, cluster: number): void {
    const index = Math.floor(guestCluster / tableEntries)
    const table = this.tables.get(index) ?? Buffer.alloc(clusterBytes)
    this.tables.set(index, table)
    table.writeBigUInt64BE(BigInt(cluster * clusterBytes) | own, (guestCluster % tableEntries) * 8)
  }
}

/** A run of guest bytes, and where in the file they lie. */
export interface MappedRun {
  readonly offset: number
  readonly length: number
  readonly fileOffset: number
}

/** What was written, in order; needs no key. */
export async function readMap(handle: FileHandle): Promise<MappedRun[]> {
  const header = await readAt(handle, 0, 104)
  const sizeBytes = await imageSize(handle)
  const entries = Math.ceil(sizeBytes / (tableEntries * clusterBytes))
  const l1 = await readAt(handle, Number(header.readBigUInt64BE(40)), entries * 8)
  const runs: { offset: number; length: number; fileOffset: number }[] = []
  for (let index = 0; index < entries; index += 1) {
    const tableAt = Number(l1.readBigUInt64BE(index * 8) & offsetMask)
    if (tableAt === 0) continue
    const table = await readAt(handle, tableAt, clusterBytes)
    for (let entry = 0; entry < tableEntries; entry += 1) {
      const fileOffset = hostOffset(table.readBigUInt64BE(entry * 8))
      if (fileOffset === null) continue
      const offset = (index * tableEntries + entry) * clusterBytes
      const last = runs.at(-1)
      const goesOn =
        last && last.offset + last.length === offset && last.fileOffset + last.length === fileOffset
      if (goesOn) last.length += clusterBytes
      else runs.push({ offset, length: clusterBytes, fileOffset })
    }
  }
  return runs
}

/** Null where the cluster reads zeros. */
function hostOffset(entry: bigint): number | null {
  if ((entry & compressed) !== 0n) throw damaged('a cluster is compressed')
  const offset = Number(entry & offsetMask)
  return offset === 0 || (entry & zeroFlag) !== 0n ? null : offset
}

/** Whether every cluster of these blocks was written, or made zeros. */
export async function holdsAll(
  handle: FileHandle,
  blocks: readonly number[],
  blockBytes: number,
): Promise<boolean> {
  const header = await readAt(handle, 0, 104)
  const l1At = Number(header.readBigUInt64BE(40))
  const tables = new Map<number, Buffer | null>()
  for (const block of blocks.toSorted((a, b) => a - b)) {
    const first = (block * blockBytes) / clusterBytes
    for (let cluster = first; cluster < first + blockBytes / clusterBytes; cluster += 1) {
      const index = Math.floor(cluster / tableEntries)
      if (!tables.has(index)) {
        tables.clear() // they come in order
        const l1 = await readAt(handle, l1At + index * 8, 8)
        const tableAt = Number(l1.readBigUInt64BE() & offsetMask)
        tables.set(index, tableAt === 0 ? null : await readAt(handle, tableAt, clusterBytes))
      }
      const entry = tables.get(index)?.readBigUInt64BE((cluster % tableEntries) * 8) ?? 0n
      if ((entry & (offsetMask | zeroFlag)) === 0n) return false
    }
  }
  return true
}

/** Where on the disk the runs lie, by the file's own extents (in order): what a comparison of two files needs. */
export function placeRuns(runs: readonly MappedRun[], extents: readonly Extent[]): Extent[] {
  const placed: Extent[] = []
  for (const run of runs) {
    for (let at = 0; at < run.length;) {
      const from = run.fileOffset + at
      const extent = extentAt(extents, from)
      // Not told: it has to be read.
      const length = extent ? Math.min(run.length - at, extent.offset + extent.length - from) : clusterBytes
      const known = extent && extent.place !== null ? extent.place + from - extent.offset : null
      placed.push({ offset: run.offset + at, length, place: known })
      at += length
    }
  }
  return placed
}

function extentAt(extents: readonly Extent[], offset: number): Extent | undefined {
  let [low, high] = [0, extents.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const extent = extents[middle]!
    if (offset < extent.offset) high = middle - 1
    else if (offset >= extent.offset + extent.length) low = middle + 1
    else return extent
  }
  return undefined
}

/** Plaintext; zeros where nothing was written and beyond the end. Throws MalleeError for another passphrase. */
export async function readImage(
  handle: FileHandle,
  passphrase: string,
  offset: number,
  length: number,
): Promise<Buffer> {
  const sizeBytes = await imageSize(handle)
  const bytes = Buffer.alloc(length)
  const header = await readAt(handle, 0, 104)
  const masterKey = await unlock(handle, passphrase)
  const l1At = Number(header.readBigUInt64BE(40))
  const end = Math.min(offset + length, sizeBytes)
  for (let cluster = Math.floor(offset / clusterBytes); cluster * clusterBytes < end; cluster += 1) {
    const l1 = await readAt(handle, l1At + Math.floor(cluster / tableEntries) * 8, 8)
    const tableAt = Number(l1.readBigUInt64BE() & offsetMask)
    if (tableAt === 0) continue
    const entry = await readAt(handle, tableAt + (cluster % tableEntries) * 8, 8)
    const host = hostOffset(entry.readBigUInt64BE())
    if (host === null) continue
    const start = Math.max(offset, cluster * clusterBytes)
    const stop = Math.min(end, (cluster + 1) * clusterBytes)
    const within = start - cluster * clusterBytes
    const cut = Math.floor(within / sectorBytes) * sectorBytes
    const stored = await readAt(handle, host + cut, alignedUp(stop - cluster * clusterBytes) - cut)
    const plain = decryptSectors(masterKey, stored, (host + cut) / sectorBytes)
    plain.copy(bytes, start - offset, within - cut, within - cut + stop - start)
  }
  return bytes
}

const alignedUp = (bytes: number) => Math.ceil(bytes / sectorBytes) * sectorBytes

const mostUnlocked = 64
/** Opening takes milliseconds, and a snapshot is read in thousands of blocks. */
const unlocked = new Map<string, Buffer>()

async function unlock(handle: FileHandle, passphrase: string): Promise<Buffer> {
  const header = await readAt(handle, place.luks * clusterBytes, 592)
  const name = `${header.toString('base64')} ${passphrase}`
  const known = unlocked.get(name)
  if (known) return known
  const whole = await readAt(handle, place.luks * clusterBytes, luksHeaderBytes)
  const masterKey = openLuksHeader(whole, passphrase)
  unlocked.set(name, masterKey)
  const [oldest] = unlocked.keys()
  if (unlocked.size > mostUnlocked) unlocked.delete(oldest!)
  return masterKey
}

async function readAt(handle: FileHandle, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, from + filled)
    if (bytesRead === 0) throw damaged('it ends too early')
    filled += bytesRead
  }
  return bytes
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, from: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, from + done)
    done += bytesWritten
  }
}

function damaged(why: string): MalleeError {
  return new MalleeError({
    code: 'VolumeDamaged',
    publicMessage: `The file of an encrypted volume is damaged: ${why}.`,
  })
}
