import { GiB, MiB } from '@mallee/base'

/** A partition of a disk that the node makes, in bytes. `number` is what the guest sees behind the disk's name. */
export interface Partition {
  readonly name: 'root' | 'ephemeral0' | 'swap'
  readonly number: 1 | 2 | 3
  readonly startBytes: number
  readonly sizeBytes: number
}

export interface PartitionLayout {
  readonly diskBytes: number
  readonly partitions: readonly Partition[]
}

const firstBytes = MiB
const swapBytes = 512 * MiB
/** Less is of no use to anybody. */
const leastBytes = 16 * MiB
/** What a table of 32-bit sectors can speak of. */
const tableBytes = (2 ** 32 - 1) * 512

/**
 * The disk around an image that is one file system, as Eucalyptus made it: the image first, then what is left of the
 * type's disk as ephemeral0, and swap of 512 MiB, or of half of what is left where that is less. A pure function of what
 * the item says, so that the metadata service tells the same.
 */
export function partitionLayout(options: { imageBytes: number; diskGiB: number }): PartitionLayout {
  const diskBytes = options.diskGiB * GiB
  const root: Partition = { name: 'root', number: 1, startBytes: firstBytes, sizeBytes: options.imageBytes }
  const afterRoot = roundUp(firstBytes + options.imageBytes)
  const rest = Math.min(diskBytes, roundDown(tableBytes)) - afterRoot
  const swap = Math.min(swapBytes, roundDown(rest / 2))
  if (swap < leastBytes) return { diskBytes, partitions: [root] }
  const ephemeral = rest - swap
  return {
    diskBytes,
    partitions: [
      root,
      { name: 'ephemeral0', number: 2, startBytes: afterRoot, sizeBytes: ephemeral },
      { name: 'swap', number: 3, startBytes: afterRoot + ephemeral, sizeBytes: swap },
    ],
  }
}

const roundUp = (bytes: number) => Math.ceil(bytes / MiB) * MiB
const roundDown = (bytes: number) => Math.floor(bytes / MiB) * MiB
