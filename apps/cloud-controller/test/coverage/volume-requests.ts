import { mappedRoot, type BaseRequest, type CoverageWorld } from './coverage-world.ts'

const bare: BaseRequest = { request: () => ({}) }
const ofVolume: BaseRequest = { request: async (world) => ({ VolumeId: await world.volume() }) }
const ofSnapshot = async (world: CoverageWorld) => ({ SnapshotId: await world.snapshot() })
const permission = { Attribute: 'createVolumePermission' }

/** Of every action that has to do with volumes, snapshots, and instances that boot from them. */
export const volumeRequests: Readonly<Record<string, BaseRequest>> = {
  AttachVolume: {
    request: async (world) => ({
      VolumeId: await world.volume(),
      InstanceId: await world.stoppedInstance(),
      Device: '/dev/sdf',
    }),
  },
  CopySnapshot: {
    request: async (world) => ({ SourceRegion: 'us-east-1', SourceSnapshotId: await world.snapshot() }),
  },
  CreateImage: {
    request: async (world) => ({ InstanceId: await world.stoppedInstance(), Name: world.name() }),
    others: [
      async (world) => ({
        ...{ InstanceId: await world.stoppedInstance(), Name: world.name() },
        'BlockDeviceMapping.1.DeviceName': '/dev/sdf',
      }),
    ],
  },
  CreateSnapshot: ofVolume,
  CreateSnapshots: {
    request: async (world) => ({ 'InstanceSpecification.InstanceId': await world.stoppedInstance() }),
  },
  CreateVolume: {
    request: async (world) => {
      await world.hearStorage()
      return { AvailabilityZone: 'us-east-1a', Size: 1 }
    },
  },
  DeleteSnapshot: { request: ofSnapshot },
  DeleteVolume: ofVolume,
  DescribeSnapshotAttribute: {
    request: async (world) => ({ ...(await ofSnapshot(world)), ...permission }),
  },
  DescribeSnapshots: bare,
  DescribeVolumeAttribute: {
    request: async (world) => ({ VolumeId: await world.volume(), Attribute: 'autoEnableIO' }),
  },
  DescribeVolumeStatus: bare,
  DescribeVolumes: bare,
  DescribeVolumesModifications: bare,
  DetachVolume: { request: async (world) => ({ VolumeId: await world.attachedVolume() }) },
  DisableEbsEncryptionByDefault: bare,
  EnableEbsEncryptionByDefault: bare,
  GetEbsDefaultKmsKeyId: bare,
  GetEbsEncryptionByDefault: bare,
  ModifyEbsDefaultKmsKeyId: { request: () => ({ KmsKeyId: 'alias/aws/ebs' }) },
  ResetEbsDefaultKmsKeyId: bare,
  EnableVolumeIO: ofVolume,
  ModifySnapshotAttribute: {
    request: async (world) => ({
      ...(await ofSnapshot(world)),
      'CreateVolumePermission.Add.1.UserId': world.cloud.admin.accountId,
    }),
    others: [
      async (world) => ({
        ...(await ofSnapshot(world)),
        OperationType: 'add',
        'UserId.1': world.cloud.admin.accountId,
      }),
    ],
  },
  ModifyVolume: { request: async (world) => ({ VolumeId: await world.volume(), Size: 2 }) },
  ModifyVolumeAttribute: {
    request: async (world) => ({ VolumeId: await world.volume(), 'AutoEnableIO.Value': true }),
  },
  RegisterImage: {
    request: (world) => ({ Name: world.name(), ImageLocation: 'bucket/key' }),
    others: [async (world) => ({ Name: world.name(), ...mappedRoot(await world.snapshot()) })],
  },
  ResetSnapshotAttribute: {
    request: async (world) => ({ ...(await ofSnapshot(world)), ...permission }),
  },
  RunInstances: {
    request: (world) => ({ ImageId: world.imageId, MinCount: 1, MaxCount: 1 }),
    others: [
      (world) => ({
        ...{ ImageId: world.imageId, MinCount: 1, MaxCount: 1 },
        ...{ 'BlockDeviceMapping.1.DeviceName': '/dev/sdf', 'BlockDeviceMapping.1.Ebs.VolumeSize': 1 },
      }),
    ],
  },
  StartInstances: { request: async (world) => ({ 'InstanceId.1': await world.stoppedInstance() }) },
  StopInstances: { request: async (world) => ({ 'InstanceId.1': await world.volumeInstance() }) },
}
