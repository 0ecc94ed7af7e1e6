import type { AttachedVolume } from '@mallee/agent-contract'
import type { LiveDisk } from '../drivers/hypervisor/driver.ts'
import { diskSerial, diskTarget, volumeSerial } from '../drivers/volume/iscsi.ts'

/** What a running domain's volumes still need, from what it should have and what it has. */
export interface VolumePlan {
  readonly attach: readonly AttachedVolume[]
  readonly detach: readonly LiveDisk[]
  readonly grow: readonly { readonly volume: AttachedVolume; readonly disk: LiveDisk }[]
  readonly present: readonly { readonly volume: AttachedVolume; readonly disk: LiveDisk }[]
}

/**
 * A disk is the volume's only where it is reached by the very target that the item means: one that an earlier
 * attachment left in the guest goes first, and so does one that is where this one is to be.
 */
export function planVolumes(
  wanted: readonly AttachedVolume[],
  disks: readonly LiveDisk[],
  iqnOf: (attachmentId: string) => string | undefined,
): VolumePlan {
  const volumes = disks.filter((disk) => volumeSerial.test(disk.serial ?? ''))
  const found = wanted.map((volume) => {
    const iqn = iqnOf(volume.attachmentId)
    return { volume, disk: volumes.find((disk) => iqn !== undefined && disk.source === `${iqn}/1`) }
  })
  const present = found.filter((entry): entry is { volume: AttachedVolume; disk: LiveDisk } => !!entry.disk)
  const kept = new Set(present.map(({ disk }) => disk))
  const detach = volumes.filter((disk) => !kept.has(disk))
  return {
    present,
    detach,
    grow: present.filter(({ volume, disk }) => disk.sizeBytes !== null && disk.sizeBytes < volume.sizeBytes),
    attach: found.flatMap(({ volume, disk }) =>
      disk || detach.some((other) => isInTheWay(other, volume)) ? [] : [volume],
    ),
  }
}

function isInTheWay(disk: LiveDisk, volume: AttachedVolume): boolean {
  return disk.serial === diskSerial(volume.volumeId) || disk.target === diskTarget(volume.device)
}
