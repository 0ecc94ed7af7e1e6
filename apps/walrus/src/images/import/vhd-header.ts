import type { DiskReader } from './disk-reader.ts'

/** https://www.microsoft.com/en-us/download/details.aspx?id=23850 */
const footerBytes = 512
const fixed = 2
const dynamic = 3

/** Null for a VHD that may be opened, else why not. A dynamic one has its footer at both ends, and they must agree. */
export async function judgeVhd(disk: DiskReader, mostBytes: number): Promise<string | null> {
  const ends = [await disk.read(0, footerBytes), await disk.read(disk.sizeBytes - footerBytes, footerBytes)]
  const footers = ends.filter((bytes) => bytes.length === footerBytes && isFooter(bytes))
  if (footers.length === 0) return 'The object is no VHD disk.'
  for (const footer of footers) {
    const type = footer.readUInt32BE(60)
    const sizeBytes = footer.readBigUInt64BE(48)
    if (type !== fixed && type !== dynamic)
      return 'The VHD disk depends on another one, which is not accepted.'
    if (sizeBytes === 0n || sizeBytes > BigInt(mostBytes))
      return `The VHD disk has ${sizeBytes} bytes, which is more than is taken.`
  }
  const [last] = footers.slice(-1)
  if (last!.readUInt32BE(60) === fixed && last!.readBigUInt64BE(48) + 512n > BigInt(disk.sizeBytes))
    return 'The VHD disk is cut off.'
  const types = new Set(footers.map((footer) => footer.readUInt32BE(60)))
  if (types.size > 1 || (types.has(dynamic) && footers.length < 2))
    return 'The end of the VHD disk does not agree with its beginning.'
  return null
}

const isFooter = (bytes: Buffer): boolean => bytes.toString('latin1', 0, 8) === 'conectix'

/** Null for a VHDX; what is in it is asked of QEMU, which takes none that depends on another one. */
export async function judgeVhdx(disk: DiskReader): Promise<string | null> {
  const head = await disk.read(0, 8)
  return head.toString('latin1') === 'vhdxfile' ? null : 'The object is no VHDX disk.'
}
