import type { Ec2 } from '@mallee/ec2-api'
import type { ImageBlockDeviceTable } from '../store/tables.ts'

/** One device that instances of an image get. */
export function imageDeviceView(row: ImageBlockDeviceTable): Ec2.BlockDeviceMapping {
  if (row.virtual_name !== null) return { DeviceName: row.device, VirtualName: row.virtual_name }
  return {
    DeviceName: row.device,
    Ebs: {
      DeleteOnTermination: row.delete_on_termination === 1,
      Encrypted: row.encrypted === 1,
      ...(row.snapshot_id === null ? {} : { SnapshotId: row.snapshot_id }),
      ...(row.size_gib === null ? {} : { VolumeSize: row.size_gib }),
      ...(row.type === null ? {} : { VolumeType: row.type }),
      ...(row.iops === null ? {} : { Iops: row.iops }),
      ...(row.throughput === null ? {} : { Throughput: row.throughput }),
    },
  }
}
