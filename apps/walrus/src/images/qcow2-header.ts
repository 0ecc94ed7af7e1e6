import { refuse, type ImageBytes, type ImageVerdict } from './image-verdict.ts'

/** The header of qcow2. https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.rst */
const magic = 0x514649fb
const maxVirtualBytes = 64n * 1024n ** 4n
const maxRefcountTableBytes = 8 * 1024 * 1024
const maxSnapshots = 65_536

/** Incompatible features: bits 0 (dirty), 3 (compression type) and 4 (extended L2 entries) can be read. */
const readableFeatures = 0b11001n
const corruptBit = 0b10n
const dataFileBit = 0b100n
const externalDataFileName = 0x44415441

export const isQcow = (head: Buffer): boolean => head.length >= 8 && head.readUInt32BE(0) === magic

export function judgeQcow2(image: ImageBytes): ImageVerdict {
  const { head } = image
  const version = head.readUInt32BE(4)
  if (version !== 2 && version !== 3)
    return refuse(`The qcow2 disk is of version ${version}; 2 and 3 are accepted.`)
  if (head.length < (version === 2 ? 72 : 104)) return refuse('The qcow2 header is cut off.')
  if (head.readBigUInt64BE(8) !== 0n)
    return refuse('The qcow2 disk has a backing file, which is not accepted.')
  if (head.readUInt32BE(32) !== 0) return refuse('The qcow2 disk is encrypted, which is not accepted.')
  const features = version === 3 ? head.readBigUInt64BE(72) : 0n
  if (features & dataFileBit)
    return refuse('The qcow2 disk keeps its data in another file, which is not accepted.')
  if (features & corruptBit) return refuse('The qcow2 disk is marked as corrupt.')
  if (features & ~readableFeatures)
    return refuse(`The qcow2 disk has incompatible features that are unknown (0x${features.toString(16)}).`)
  return judgeGeometry(image, version, features) ?? judgeExtensions(head, version) ?? accepted(head)
}

const accepted = (head: Buffer): ImageVerdict => ({
  format: 'qcow2',
  virtualSizeBytes: Number(head.readBigUInt64BE(24)),
  layout: 'disk',
})

function judgeGeometry(
  { head, sizeBytes }: ImageBytes,
  version: number,
  features: bigint,
): ImageVerdict | null {
  const clusterBits = head.readUInt32BE(20)
  const virtual = head.readBigUInt64BE(24)
  const absurd = (what: string) => refuse(`The qcow2 header is not sane: ${what}.`)
  const extended = (features & 0b10000n) !== 0n
  if (clusterBits < (extended ? 14 : 9) || clusterBits > 21)
    return absurd(`clusters of 2^${clusterBits} bytes`)
  if (virtual === 0n || virtual > maxVirtualBytes) return absurd(`a virtual size of ${virtual} bytes`)
  if (virtual % 512n !== 0n) return absurd('its virtual size is no multiple of 512 bytes')
  const clusterBytes = 1n << BigInt(clusterBits)
  // Each entry of the first table leads to one cluster of entries of 8 (or 16) bytes, each for one cluster of data.
  const perEntry = clusterBytes * (clusterBytes / (extended ? 16n : 8n))
  const l1Size = BigInt(head.readUInt32BE(36))
  if (l1Size < (virtual + perEntry - 1n) / perEntry) return absurd('its first table is smaller than its disk')
  if (l1Size * 8n > 32n * 1024n * 1024n) return absurd('its first table is too large')
  const inFile = (offset: bigint, length: bigint) =>
    offset > 0n && offset % clusterBytes === 0n && offset + length <= BigInt(sizeBytes)
  if (!inFile(head.readBigUInt64BE(40), l1Size * 8n)) return absurd('its first table lies outside the file')
  const refcountBytes = BigInt(head.readUInt32BE(56)) * clusterBytes
  if (refcountBytes === 0n || refcountBytes > BigInt(maxRefcountTableBytes))
    return absurd('the size of its table of reference counts')
  if (!inFile(head.readBigUInt64BE(48), 1n))
    return absurd('its table of reference counts lies outside the file')
  if (head.readUInt32BE(60) > maxSnapshots) return absurd('the number of its snapshots')
  if (version === 3 && head.readUInt32BE(96) > 6) return absurd('the width of its reference counts')
  return null
}

/** Extensions follow the header: type, length, data padded to 8 bytes, until type 0. */
function judgeExtensions(head: Buffer, version: number): ImageVerdict | null {
  let at = version === 2 ? 72 : head.readUInt32BE(100)
  if (version === 3 && (at < 104 || at % 8 !== 0)) return refuse('The qcow2 header is not sane: its length.')
  if (version === 3 && at > 104 && at <= head.length && (head[104] ?? 0) > 1)
    return refuse(`The qcow2 disk is compressed in an unknown way (${head[104]}).`)
  const end = Math.min(head.length, 2 ** head.readUInt32BE(20))
  while (at + 8 <= end) {
    const type = head.readUInt32BE(at)
    if (type === 0) return null
    if (type === externalDataFileName)
      return refuse('The qcow2 disk names another file for its data, which is not accepted.')
    at += 8 + Math.ceil(head.readUInt32BE(at + 4) / 8) * 8
  }
  return null
}
