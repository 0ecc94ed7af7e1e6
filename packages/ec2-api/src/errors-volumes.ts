/** EC2's errors about volumes, their attachments and snapshots. */
import { AwsError } from '@mallee/aws-protocol'
import { malformedId } from './errors-ids.ts'

export function invalidVolumeNotFound(ids: readonly string[]): AwsError {
  return new AwsError(
    'InvalidVolume.NotFound',
    ids.length === 1
      ? `The volume '${ids[0]}' does not exist.`
      : `The volumes '${ids.join(', ')}' do not exist.`,
  )
}

export function invalidVolumeIdMalformed(id: string): AwsError {
  return malformedId('InvalidVolumeID.Malformed', id, 'vol-')
}

export function invalidVolumeZoneMismatch(volumeId: string, instanceId: string): AwsError {
  return new AwsError(
    'InvalidVolume.ZoneMismatch',
    `The volume '${volumeId}' is not in the same availability zone as instance '${instanceId}'`,
  )
}

export function volumeInUse(message: string): AwsError {
  return new AwsError('VolumeInUse', message)
}

export function volumeLimitExceeded(message: string): AwsError {
  return new AwsError('VolumeLimitExceeded', message)
}

export function attachmentLimitExceeded(message: string): AwsError {
  return new AwsError('AttachmentLimitExceeded', message)
}

/** No storage controller of the zone can take it now. */
export function insufficientVolumeCapacity(message: string): AwsError {
  return new AwsError('InsufficientVolumeCapacity', message, 500)
}

export function invalidAttachmentNotFound(message: string): AwsError {
  return new AwsError('InvalidAttachment.NotFound', message)
}

export function incorrectModificationState(volumeId: string): AwsError {
  return new AwsError(
    'IncorrectModificationState',
    `Volume ${volumeId} is already being modified. Wait until its modification is completed.`,
  )
}

export function invalidVolumeModificationNotFound(ids: readonly string[]): AwsError {
  return new AwsError(
    'InvalidVolumeModification.NotFound',
    `Modification for volume '${ids.join(', ')}' does not exist.`,
  )
}

export function unknownVolumeType(type: string): AwsError {
  return new AwsError(
    'UnknownVolumeType',
    `Unsupported volume type '${type.slice(0, 60)}' for volume creation.`,
  )
}

export function invalidSnapshotNotFound(ids: readonly string[]): AwsError {
  return new AwsError(
    'InvalidSnapshot.NotFound',
    ids.length === 1
      ? `The snapshot '${ids[0]}' does not exist.`
      : `The snapshots '${ids.join(', ')}' do not exist.`,
  )
}

export function invalidSnapshotIdMalformed(id: string): AwsError {
  return malformedId('InvalidSnapshotID.Malformed', id, 'snap-')
}

export function invalidSnapshotInUse(id: string, imageId: string): AwsError {
  return new AwsError('InvalidSnapshot.InUse', `The snapshot ${id} is currently in use by ${imageId}`)
}

export function snapshotLimitExceeded(message: string): AwsError {
  return new AwsError('SnapshotLimitExceeded', message)
}

/** More snapshots of one volume at once than may be. */
export function concurrentSnapshotLimitExceeded(volumeId: string): AwsError {
  return new AwsError(
    'ConcurrentSnapshotLimitExceeded',
    `Maximum number of concurrent snapshots for volume ${volumeId} exceeded.`,
  )
}
