import { refuse, type ImageBytes, type ImageVerdict } from './image-verdict.ts'

const sectorBytes = 512
const emptyGuid = Buffer.alloc(16)

/**
 * A raw disk has no header of its own: it is one if a partition table is where it must be; with a file system there
 * instead it is the root partition of a disk that the node makes.
 */
export function judgeRaw(image: ImageBytes): ImageVerdict {
  const table = partitionTable(image)
  const found = table ?? fileSystem(image)
  if (found === null)
    return refuse('The object is no disk: it has neither a partition table nor a file system that is known.')
  if (typeof found === 'string') return refuse(found)
  if (image.sizeBytes % sectorBytes !== 0)
    return refuse(`The raw disk has ${image.sizeBytes} bytes, which is no multiple of 512.`)
  return {
    format: 'raw',
    virtualSizeBytes: image.sizeBytes,
    layout: table === null ? 'partition' : 'disk',
  }
}

/** A sentence where there is one that cannot be right, true where it is sound, null where there is none. */
type Finding = true | string | null

function partitionTable(image: ImageBytes): Finding {
  const { head } = image
  if (head.length < 2 * sectorBytes || head.readUInt16LE(510) !== 0xaa55) return gpt(image)
  const entries = [446, 462, 478, 494].map((at) => ({
    status: head[at] ?? 0,
    type: head[at + 4] ?? 0,
    start: head.readUInt32LE(at + 8),
    count: head.readUInt32LE(at + 12),
  }))
  if (entries.some((entry) => entry.type === 0xee)) {
    return gpt(image) ?? 'The disk says that it has a GUID partition table, and has none.'
  }
  const used = entries.filter((entry) => entry.type !== 0)
  const sane =
    used.length > 0 &&
    entries.every((entry) => entry.status === 0 || entry.status === 0x80) &&
    used.every((entry) => entry.start > 0 && entry.count > 0)
  if (!sane) return null // a boot sector of something else, such as a bare FAT file system
  const sectors = Math.floor(image.sizeBytes / sectorBytes)
  const beyond = used.find((entry) => entry.start + entry.count > sectors)
  return beyond ? cutOff(beyond.start + beyond.count, sectors) : true
}

function gpt({ head, sizeBytes }: ImageBytes): Finding {
  const at = [512, 4096].find((offset) => head.toString('latin1', offset, offset + 8) === 'EFI PART')
  if (at === undefined || head.length < at + 92) return null
  const headerBytes = head.readUInt32LE(at + 12)
  const entryBytes = head.readUInt32LE(at + 84)
  if (headerBytes < 92 || headerBytes > 4096 || entryBytes < 128 || head.readBigUInt64LE(at + 24) !== 1n)
    return 'The GUID partition table of the disk is damaged.'
  if (head.subarray(at + 56, at + 72).equals(emptyGuid))
    return 'The GUID partition table of the disk is damaged.'
  const lastUsable = Number(head.readBigUInt64LE(at + 48))
  const sectors = Math.floor(sizeBytes / at)
  return lastUsable >= sectors ? cutOff(lastUsable + 1, sectors) : true
}

const cutOff = (needed: number, present: number): string =>
  `The disk is cut off: its partition table needs ${needed} sectors, and it has ${present}.`

function fileSystem({ head, sizeBytes }: ImageBytes): Finding {
  if (head.length >= 2048 && head.readUInt16LE(1024 + 56) === 0xef53) {
    const blockBytes = 1024 * 2 ** Math.min(head.readUInt32LE(1024 + 24), 6)
    const bytes = head.readUInt32LE(1024 + 4) * blockBytes
    if (bytes === 0) return null
    return bytes > sizeBytes ? shortened('ext', bytes, sizeBytes) : true
  }
  if (head.length >= 512 && head.toString('latin1', 0, 4) === 'XFSB') {
    const bytes = head.readUInt32BE(4) * Number(head.readBigUInt64BE(8))
    return bytes > sizeBytes ? shortened('XFS', bytes, sizeBytes) : true
  }
  const btrfs = 64 * 1024
  if (head.length >= btrfs + 4096 && head.toString('latin1', btrfs + 64, btrfs + 72) === '_BHRfS_M') {
    const bytes = Number(head.readBigUInt64LE(btrfs + 112))
    return bytes > sizeBytes ? shortened('btrfs', bytes, sizeBytes) : true
  }
  return null
}

const shortened = (kind: string, needed: number, present: number): string =>
  `The disk is cut off: its ${kind} file system needs ${needed} bytes, and it has ${present}.`
