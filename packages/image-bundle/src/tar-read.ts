import { BundleRefused } from './bundle-refused.ts'
import type { ByteSource } from './byte-source.ts'

/**
 * The one file of an archive, as GNU tar, Python and pax write it. The name in it is looked at and never used: nothing
 * is unpacked to any path.
 */
const blockBytes = 512
/** Bytes of a header that extends another one: a name or a few records. */
const mostExtensionBytes = 64 * 1024
/** Pieces of a sparse file. */
const mostPieces = 100_000
const holeBytes = 64 * 1024

/** Yields the file's bytes. Throws BundleRefused for all but one plain file of `sizeBytes`. */
export async function* readOnlyFile(
  source: ByteSource,
  sizeBytes: number,
): AsyncGenerator<Buffer, void, void> {
  const header = await nextFile(source)
  if (!header) throw new BundleRefused('The archive is empty.')
  if (header.sizeBytes !== sizeBytes)
    throw new BundleRefused(
      `The image in the bundle has ${header.sizeBytes} bytes; its manifest says ${sizeBytes}.`,
    )
  yield* header.pieces ? sparse(source, header.pieces, sizeBytes) : source.take(sizeBytes)
  await source.skip(paddingOf(header.storedBytes))
  if (await nextFile(source)) throw new BundleRefused('The archive holds more than one file.')
  // What fills the last record up is read for the digest's sake.
  for (let piece = await source.some(holeBytes); piece; piece = await source.some(holeBytes))
    if (!isEmpty(piece)) throw new BundleRefused('Something follows the end of the archive.')
}

/** A file of an archive, before its bytes. */
export interface FileHeader {
  readonly name: string
  readonly sizeBytes: number
  readonly storedBytes: number
  /** Of a sparse file, where its bytes lie. */
  readonly pieces: readonly Piece[] | null
}

interface Piece {
  readonly at: number
  readonly sizeBytes: number
}

/** The next file's header with what extends it; null at the archive's end. Throws BundleRefused for what is no plain file. */
export async function nextFile(source: ByteSource): Promise<FileHeader | null> {
  let records: ReadonlyMap<string, string> = new Map()
  let longName: string | null = null
  for (;;) {
    const block = await source.exactly(blockBytes)
    if (!block) return null
    if (isEmpty(block)) return null
    checkSum(block)
    const type = String.fromCharCode(block[156]!)
    const size = records.has('size') ? Number(records.get('size')) : numberAt(block, 124, 12)
    if (type === 'x' || type === 'g') {
      const found = paxRecords(await extension(source, size))
      if (type === 'x') records = found
    } else if (type === 'L') longName = textOf(await extension(source, size))
    else {
      if ([...records.keys()].some((key) => key.startsWith('GNU.sparse')))
        throw new BundleRefused('The archive is sparse in a way that is not understood.')
      const name = records.get('path') ?? longName ?? textOf(block.subarray(0, 100))
      checkFile(type, name)
      if (type !== 'S') return { name, sizeBytes: size, storedBytes: size, pieces: null }
      const pieces = await sparsePieces(source, block)
      return { name, sizeBytes: numberAt(block, 483, 12), storedBytes: size, pieces: checked(pieces, size) }
    }
  }
}

function checkFile(type: string, name: string): void {
  if (!['0', '\0', '7', 'S'].includes(type))
    throw new BundleRefused('The archive holds a link, a folder or a device; one file is expected.')
  const plain = name.replace(/^\.\//, '')
  if (plain === '' || plain === '.' || plain === '..' || /[/\\\p{Cc}]/u.test(plain))
    throw new BundleRefused('The file in the archive has a path for a name.')
}

function checkSum(block: Buffer): void {
  const stated = Number.parseInt(textOf(block.subarray(148, 156)).trim(), 8)
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
  if (stated !== sum) throw new BundleRefused('There is no tar archive, or a damaged one.')
}

/** Octal digits, or base 256 where the first bit is set. */
function numberAt(block: Buffer, at: number, length: number): number {
  if (block[at]! & 0x80) {
    const high = block.subarray(at + 1, at + length - 8)
    const value = block.readBigUInt64BE(at + length - 8)
    if (block[at] !== 0x80 || !isEmpty(high) || value > BigInt(Number.MAX_SAFE_INTEGER)) throw badNumber()
    return Number(value)
  }
  const text = textOf(block.subarray(at, at + length)).trim()
  if (!/^[0-7]*$/.test(text)) throw badNumber()
  return Number.parseInt(text || '0', 8)
}

const badNumber = () => new BundleRefused('The archive names a size that cannot be.')

async function extension(source: ByteSource, sizeBytes: number): Promise<Buffer> {
  if (sizeBytes > mostExtensionBytes) throw new BundleRefused('The archive has a header that is too long.')
  const bytes = (await source.exactly(sizeBytes)) ?? Buffer.alloc(0)
  await source.skip(paddingOf(sizeBytes))
  return bytes
}

/** `LENGTH KEY=VALUE\n`, the length counting itself. */
function paxRecords(bytes: Buffer): Map<string, string> {
  const found = new Map<string, string>()
  for (let at = 0; at < bytes.length;) {
    const [whole, length] = /^(\d{1,5}) /.exec(bytes.toString('latin1', at, at + 6)) ?? []
    const end = at + Number(length)
    const text = bytes.toString('utf8', at + (whole?.length ?? 0), end - 1)
    const equals = text.indexOf('=')
    if (!whole || end > bytes.length || bytes[end - 1] !== 10 || equals < 1)
      throw new BundleRefused('The archive has a header that is damaged.')
    found.set(text.slice(0, equals), text.slice(equals + 1))
    at = end
  }
  if (!/^\d{0,15}$/.test(found.get('size') ?? '')) throw badNumber()
  return found
}

/** The map of an old GNU sparse file: four places in the header, 21 in each block that continues it. */
async function sparsePieces(source: ByteSource, header: Buffer): Promise<Piece[]> {
  const pieces: Piece[] = []
  const add = (block: Buffer, from: number, count: number) => {
    for (let index = 0; index < count; index += 1) {
      const at = from + index * 24
      if (block[at] === 0) return
      pieces.push({ at: numberAt(block, at, 12), sizeBytes: numberAt(block, at + 12, 12) })
    }
  }
  add(header, 386, 4)
  let goesOn = header[482] !== 0
  while (goesOn) {
    const block = await source.exactly(blockBytes)
    if (!block || pieces.length > mostPieces)
      throw new BundleRefused('The archive is cut off, or in too many pieces.')
    add(block, 0, 21)
    goesOn = block[504] !== 0
  }
  return pieces
}

function checked(pieces: readonly Piece[], storedBytes: number): readonly Piece[] {
  let end = 0
  let stored = 0
  for (const piece of pieces) {
    if (piece.at < end) throw badNumber()
    end = piece.at + piece.sizeBytes
    stored += piece.sizeBytes
  }
  if (stored !== storedBytes) throw badNumber()
  return pieces
}

async function* sparse(
  source: ByteSource,
  pieces: readonly Piece[],
  sizeBytes: number,
): AsyncGenerator<Buffer, void, void> {
  const hole = Buffer.alloc(holeBytes)
  let at = 0
  for (const piece of [...pieces, { at: sizeBytes, sizeBytes: 0 }]) {
    if (piece.at + piece.sizeBytes > sizeBytes) throw badNumber()
    for (; at < piece.at; at += Math.min(holeBytes, piece.at - at))
      yield hole.subarray(0, Math.min(holeBytes, piece.at - at))
    yield* source.take(piece.sizeBytes)
    at = piece.at + piece.sizeBytes
  }
}

export const paddingOf = (sizeBytes: number): number => (blockBytes - (sizeBytes % blockBytes)) % blockBytes
const isEmpty = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0)
const textOf = (bytes: Buffer): string => bytes.toString('utf8').replace(/\0[^]*$/, '')
