import { invalidParameterValue } from '@mallee/ec2-api'
import type { VolumeAttachmentTable } from '../../store/tables.ts'

/** AWS's own limit for instances of its present kind, the root among them. */
export const mostVolumes = 28

const deviceForm = /^(?:\/dev\/)?((?:sd|xvd|vd|hd)([a-z]{1,2})([0-9]{0,2}))$/

/** The name as it is kept, and as clients of both eras write it: with `/dev/`. */
export function deviceNamed(given: string): string {
  const found = deviceForm.exec(given)
  if (!found)
    throw invalidParameterValue(
      `Value (${given.slice(0, 60)}) for parameter device is invalid. ${given.slice(0, 60)} is not a valid EBS device name.`,
    )
  return `/dev/${found[1]}`
}

/** Which of a guest's disks a name means: `/dev/sdf`, `/dev/xvdf` and `/dev/sdf1` are one place. */
export function placeOf(device: string): string {
  return deviceForm.exec(device)?.[2] ?? device
}

/** Throws InvalidParameterValue where another volume, or the instance's own disk, is there already. */
export function requireFreeDevice(
  device: string,
  taken: readonly (Pick<VolumeAttachmentTable, 'device'> | { readonly device: string })[],
): void {
  if (taken.some((other) => placeOf(other.device) === placeOf(device)))
    throw invalidParameterValue(
      `Invalid value '${device}' for unixDevice. Attachment point ${device} is already in use`,
    )
}
