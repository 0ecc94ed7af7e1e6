const blockBytes = 512
/** GNU tar writes records of this many bytes, and so do its imitators. */
const recordBytes = 20 * blockBytes

/** The header of a plain file of this size, as GNU tar writes it. Names longer than 100 bytes are cut. */
export function tarHeader(name: string, sizeBytes: number, mtimeMs: number): Buffer {
  const header = Buffer.alloc(blockBytes)
  Buffer.from(name.replaceAll('/', '_')).copy(header, 0, 0, 100)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  if (sizeBytes < 8 ** 11) header.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124)
  else {
    header[124] = 0x80 // what does not fit into eleven octal digits is a number in base 256
    header.writeBigUInt64BE(BigInt(sizeBytes), 128)
  }
  header.write(
    `${Math.floor(mtimeMs / 1000)
      .toString(8)
      .padStart(11, '0')}\0`,
    136,
  )
  header.fill(' ', 148, 156)
  header.write('0', 156)
  header.write('ustar  \0', 257)
  header.write('root\0', 265)
  header.write('root\0', 297)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** What follows the file: padding to a block, two empty blocks, padding to a record. */
export function tarEnd(sizeBytes: number): Buffer {
  const soFar = blockBytes + Math.ceil(sizeBytes / blockBytes) * blockBytes + 2 * blockBytes
  const total = Math.ceil(soFar / recordBytes) * recordBytes
  return Buffer.alloc(total - blockBytes - sizeBytes)
}
