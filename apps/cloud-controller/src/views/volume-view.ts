import type { Ec2 } from '@mallee/ec2-api'
import type { SnapshotTable, VolumeAttachmentTable, VolumeTable } from '../store/tables.ts'
import { describedIops } from '../store/volume-types.ts'

type Tags = readonly { Key: string; Value: string }[]

/** The gp2, io1 and standard of old clients are the same words today. */
export function volumeView(
  volume: VolumeTable,
  attachment: VolumeAttachmentTable | undefined,
  tags: Tags,
): Ec2.Volume {
  const iops = describedIops(volume)
  return {
    VolumeId: volume.id,
    Size: volume.size_gib,
    SnapshotId: volume.snapshot_id ?? '',
    AvailabilityZone: volume.availability_zone,
    State: volume.state,
    CreateTime: new Date(volume.created_at),
    Attachments: attachment ? [attachmentView(attachment)] : [],
    Tags: [...tags],
    VolumeType: volume.type,
    ...(iops === undefined ? {} : { Iops: iops }),
    ...(volume.throughput === null ? {} : { Throughput: volume.throughput }),
    ...encryptionView(volume),
    FastRestored: false,
    MultiAttachEnabled: false,
  }
}

function encryptionView({ kms_key_id: key }: Pick<VolumeTable, 'kms_key_id'>) {
  return key === null ? { Encrypted: false } : { Encrypted: true, KmsKeyId: key }
}

export function attachmentView(
  attachment: VolumeAttachmentTable,
): Required<Pick<Ec2.VolumeAttachment, 'VolumeId' | 'InstanceId'>> & Ec2.VolumeAttachment {
  return {
    VolumeId: attachment.volume_id,
    InstanceId: attachment.instance_id,
    Device: attachment.device,
    State: attachment.state,
    AttachTime: new Date(attachment.attached_at),
    DeleteOnTermination: attachment.delete_on_termination === 1,
  }
}

export function snapshotView(snapshot: SnapshotTable, tags: Tags): Ec2.Snapshot {
  return {
    SnapshotId: snapshot.id,
    VolumeId: snapshot.volume_id,
    State: snapshot.state === 'deleted' ? 'error' : snapshot.state,
    ...(snapshot.state_message === null ? {} : { StateMessage: snapshot.state_message }),
    StartTime: new Date(snapshot.started_at),
    ...(snapshot.completed_at === null ? {} : { CompletionTime: new Date(snapshot.completed_at) }),
    Progress: `${snapshot.state === 'completed' ? 100 : snapshot.progress}%`,
    OwnerId: snapshot.account_id,
    Description: snapshot.description,
    VolumeSize: snapshot.size_gib,
    ...encryptionView(snapshot),
    StorageTier: 'standard',
    Tags: [...tags],
  }
}
