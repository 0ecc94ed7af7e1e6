import type { DiskReader } from './disk-reader.ts'

/**
 * The header of a VMDK that is one file: monolithicSparse, as VMware and VirtualBox keep it, or streamOptimized, as an OVA
 * holds it. All others name files of their own choice, and so may a parent: QEMU would open them.
 * https://github.com/vmware/open-vmdk/blob/master/vmdk/vmdk.h
 */
const sectorBytes = 512
/** QEMU looks for a parent in so many bytes of the descriptor. */
const descriptorBytes = 20 * sectorBytes
const atTheEnd = 0xffff_ffff_ffff_ffffn
/** Marker, header and end of stream. */
const footerBytes = 3 * sectorBytes

interface Header {
  readonly version: number
  readonly capacityBytes: bigint
  readonly descriptorAt: bigint
  readonly directoryAt: bigint
}

/** Null for one that may be opened, else why not. */
export async function judgeVmdk(disk: DiskReader, mostBytes: number): Promise<string | null> {
  const first = await disk.read(0, sectorBytes)
  if (first.toString('latin1', 0, 21) === '# Disk DescriptorFile')
    return 'The VMDK is a descriptor that names other files, which is not accepted.'
  const header = readHeader(first)
  if (!header) return 'The object is no VMDK disk of one file.'
  if (header.version < 1 || header.version > 3) return `The VMDK disk is of version ${header.version}.`
  if (header.capacityBytes === 0n) return 'The VMDK disk names other files, which is not accepted.'
  if (header.capacityBytes > BigInt(mostBytes))
    return `The VMDK disk has ${header.capacityBytes} bytes, which is more than is taken.`
  if (header.directoryAt === atTheEnd && !(await footerAgrees(disk, header)))
    return 'The end of the VMDK disk does not agree with its beginning.'
  if (header.descriptorAt === 0n || header.descriptorAt >= BigInt(disk.sizeBytes))
    return 'The VMDK disk has no descriptor.'
  return judgeDescriptor((await disk.read(Number(header.descriptorAt), descriptorBytes)).toString('latin1'))
}

function readHeader(bytes: Buffer): Header | null {
  if (bytes.length < sectorBytes || bytes.toString('latin1', 0, 4) !== 'KDMV') return null
  return {
    version: bytes.readUInt32LE(4),
    capacityBytes: bytes.readBigUInt64LE(12) * BigInt(sectorBytes),
    descriptorAt: bytes.readBigUInt64LE(28) * BigInt(sectorBytes),
    directoryAt: bytes.readBigUInt64LE(56),
  }
}

/** Of a stream the header comes again, and it is the second one that counts. */
async function footerAgrees(disk: DiskReader, header: Header): Promise<boolean> {
  const end = await disk.read(disk.sizeBytes - footerBytes, footerBytes)
  const footer = readHeader(end.subarray(sectorBytes, 2 * sectorBytes))
  return (
    footer !== null &&
    footer.version === header.version &&
    footer.capacityBytes === header.capacityBytes &&
    footer.descriptorAt === header.descriptorAt &&
    footer.directoryAt !== atTheEnd
  )
}

function judgeDescriptor(text: string): string | null {
  if (/parentFileNameHint/i.test(text) || !/^\s*parentCID\s*=\s*"?ffffffff"?\s*$/im.test(text))
    return 'The VMDK disk has a parent, which is not accepted.'
  const [, type = 'none'] = /^\s*createType\s*=\s*"([A-Za-z0-9]{1,40})"\s*$/im.exec(text) ?? []
  if (type !== 'monolithicSparse' && type !== 'streamOptimized')
    return `The VMDK disk is of the type ${type}; monolithicSparse and streamOptimized are accepted.`
  const extents = text.match(/^\s*(?:RW|RDONLY|NOACCESS)\s.*$/gim) ?? []
  if (extents.length !== 1 || !/^\s*RW\s+\d{1,15}\s+SPARSE\s/i.test(extents[0]!))
    return 'The VMDK disk consists of several files, which is not accepted.'
  return null
}
