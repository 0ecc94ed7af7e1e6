import type { VolumeTable, VolumeType } from './volume-tables.ts'

/**
 * What each volume type may be asked for and what it gives, as AWS documents them. The figures are ceilings that the
 * node's hypervisor keeps; what the backend gives beneath them is its own.
 * https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
 */
interface TypeSpec {
  readonly sizeGiB: readonly [least: number, most: number]
  /** Null where it cannot be said. */
  readonly iops: readonly [least: number, most: number] | null
  readonly mostIopsPerGiB: number
  readonly throughput: readonly [least: number, most: number] | null
}

export const volumeTypeSpecs: Readonly<Record<VolumeType, TypeSpec>> = {
  standard: { sizeGiB: [1, 1024], iops: null, mostIopsPerGiB: 0, throughput: null },
  gp2: { sizeGiB: [1, 16_384], iops: null, mostIopsPerGiB: 3, throughput: null },
  gp3: { sizeGiB: [1, 16_384], iops: [3000, 16_000], mostIopsPerGiB: 500, throughput: [125, 1000] },
  io1: { sizeGiB: [4, 16_384], iops: [100, 64_000], mostIopsPerGiB: 50, throughput: null },
  io2: { sizeGiB: [4, 16_384], iops: [100, 64_000], mostIopsPerGiB: 500, throughput: null },
  st1: { sizeGiB: [125, 16_384], iops: null, mostIopsPerGiB: 0, throughput: null },
  sc1: { sizeGiB: [125, 16_384], iops: null, mostIopsPerGiB: 0, throughput: null },
}

/** Of `gp2`: three a GiB, never less than a hundred, and small ones burst to three thousand. */
export function describedIops(volume: Pick<VolumeTable, 'type' | 'size_gib' | 'iops'>): number | undefined {
  if (volume.type === 'gp2') return Math.min(16_000, Math.max(100, 3 * volume.size_gib))
  return volume.iops ?? undefined
}

/** Ceilings that the hypervisor keeps; 0 is none. */
export function volumeLimits(volume: Pick<VolumeTable, 'type' | 'size_gib' | 'iops' | 'throughput'>): {
  iops: number
  mibPerSecond: number
} {
  switch (volume.type) {
    case 'gp2':
      return { iops: Math.max(3000, describedIops(volume) ?? 0), mibPerSecond: 250 }
    case 'gp3':
      return { iops: volume.iops ?? 3000, mibPerSecond: volume.throughput ?? 125 }
    case 'io1':
    case 'io2':
      return { iops: volume.iops ?? 100, mibPerSecond: 1000 }
    case 'st1':
      return { iops: 0, mibPerSecond: 500 }
    case 'sc1':
      return { iops: 0, mibPerSecond: 250 }
    case 'standard':
      return { iops: 0, mibPerSecond: 90 }
  }
}
