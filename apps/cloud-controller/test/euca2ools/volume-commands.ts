/** Commands for volumes and snapshots, and for instances and images that are made of them. */
import { walk, type Value } from './client-answers.ts'
import type { ClientWorld } from './client-world.ts'
import { command, type Step } from './command.ts'
import { instancePaths, inReservation, reservationLists } from './launch-commands.ts'

const volumePaths = [
  ...['volumeId', 'size', 'snapshotId?', 'availabilityZone', 'status', 'createTime', 'volumeType', 'iops?'],
  'tagSet[]?.key',
  'tagSet[]?.value?',
]
const attachmentPaths = ['volumeId', 'instanceId', 'device', 'status', 'attachTime']
const snapshotPaths = [
  ...['snapshotId', 'volumeId', 'status', 'startTime', 'progress?', 'ownerId', 'volumeSize', 'description?'],
  'tagSet[]?.key',
  'tagSet[]?.value?',
]

const keep = (name: string, path: string): NonNullable<Step['keep']> => {
  return (world: ClientWorld, answer: Value) => {
    world.things[name] = walk(answer, path)[0]!
  }
}

const describedVolumes: Step = {
  action: 'DescribeVolumes',
  lists: ['volumeSet', 'attachmentSet', 'tagSet'],
  walks: [
    ...volumePaths.map((path) => `volumeSet[].${path}`),
    ...attachmentPaths.map((path) => `volumeSet[].attachmentSet[]?.${path}`),
  ],
  whenEmpty: true,
}
const describedSnapshots = (send?: Step['send']): Step => ({
  action: 'DescribeSnapshots',
  ...(send ? { send } : {}),
  lists: ['snapshotSet', 'tagSet'],
  walks: snapshotPaths.map((path) => `snapshotSet[].${path}`),
  whenEmpty: true,
})
const ofVolume = (world: ClientWorld) => ({ VolumeId: world.thing('volume') })
const ofSnapshot = (world: ClientWorld) => ({ SnapshotId: world.thing('snapshot') })
const permission = (parameters: (world: ClientWorld) => Record<string, string>): Step => ({
  action: 'ModifySnapshotAttribute',
  send: (world) => ({ ...ofSnapshot(world), ...parameters(world) }),
})

const madeOfVolumes = [
  command(
    'euca-create-volume',
    {
      action: 'CreateVolume',
      send: () => ({ AvailabilityZone: 'us-east-1a', Size: 1, VolumeType: 'standard' }),
      walks: volumePaths.filter((path) => !path.startsWith('tagSet')),
      keep: keep('volume', 'volumeId'),
    },
    {
      action: 'CreateVolume',
      send: () => ({ AvailabilityZone: 'us-east-1a', Size: 4, VolumeType: 'io1', Iops: 100 }),
      walks: ['volumeId', 'iops'],
      keep: keep('fast', 'volumeId'),
    },
    {
      action: 'CreateVolume',
      send: () => ({ AvailabilityZone: 'us-east-1a', SnapshotId: 'snap-01234567' }),
      refused: ['InvalidSnapshot.NotFound', 'snap-01234567'],
    },
  ),
  command('euca-create-snapshot', {
    action: 'CreateSnapshot',
    send: (world) => ({ ...ofVolume(world), Description: 'words' }),
    walks: snapshotPaths.filter((path) => !path.startsWith('tagSet')),
    keep: keep('snapshot', 'snapshotId'),
  }),
  command('euca-create-tags', {
    action: 'CreateTags',
    send: (world) => ({
      'ResourceId.1': world.thing('volume'),
      'ResourceId.2': world.thing('snapshot'),
      'Tag.1.Key': 'colour',
      'Tag.1.Value': 'red',
    }),
    walks: ['return'],
  }),
  command(
    'euca-describe-snapshots',
    describedSnapshots(() => ({ 'Owner.1': 'self' })),
    describedSnapshots(() => ({ 'RestorableBy.1': 'self' })),
    describedSnapshots(() => ({ 'SnapshotId.1': 'verbose' })),
    describedSnapshots(),
  ),
  command(
    'euca-modify-snapshot-attribute',
    permission(() => ({ 'CreateVolumePermission.Add.1.Group': 'all' })),
    permission((world) => ({ 'CreateVolumePermission.Add.1.UserId': world.thing('friend') })),
    permission(() => ({ 'CreateVolumePermission.Remove.1.Group': 'all' })),
  ),
  command('euca-describe-snapshot-attribute', {
    action: 'DescribeSnapshotAttribute',
    send: (world) => ({ ...ofSnapshot(world), Attribute: 'createVolumePermission' }),
    lists: ['createVolumePermission'],
    walks: ['snapshotId', 'createVolumePermission[].group?', 'createVolumePermission[].userId?'],
    shows: (world) => ({ 'createVolumePermission[].userId': world.thing('friend') }),
  }),
  command('euca-reset-snapshot-attribute', {
    action: 'ResetSnapshotAttribute',
    send: (world) => ({ ...ofSnapshot(world), Attribute: 'createVolumePermission' }),
  }),
]

const snapshotRoot = (world: ClientWorld) => ({
  'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
  'BlockDeviceMapping.1.Ebs.SnapshotId': world.thing('snapshot'),
})
const launched = (
  name: string,
  parameters: (world: ClientWorld) => Record<string, string | number>,
): Step => ({
  action: 'RunInstances',
  send: (world) => ({ MinCount: 1, MaxCount: 1, KeyName: 'key', ClientToken: name, ...parameters(world) }),
  lists: reservationLists,
  walks: inReservation(instancePaths),
  keep: keep(name, 'instancesSet[].instanceId'),
})
const described: Step = {
  action: 'DescribeInstances',
  send: (world) => ({ 'InstanceId.1': world.thing('rooted') }),
  lists: reservationLists,
  walks: inReservation([
    ...instancePaths,
    ...['deviceName', 'ebs.volumeId', 'ebs.attachTime', 'ebs.deleteOnTermination'].map(
      (path) => `blockDeviceMapping[].${path}`,
    ),
  ]).map((path) => `reservationSet[].${path}`),
  shows: () => ({
    'reservationSet[].instancesSet[].rootDeviceType': 'ebs',
    'reservationSet[].instancesSet[].blockDeviceMapping[].deviceName': '/dev/sdb',
  }),
}
const changed = {
  send: (world: ClientWorld) => ({ 'InstanceId.1': world.thing('rooted') }),
  lists: ['instancesSet'],
  walks: [
    'instancesSet[].instanceId',
    'instancesSet[].previousState.name',
    'instancesSet[].currentState.name',
  ],
}

const bootingFromVolumes = [
  command(
    'euca-register',
    {
      action: 'RegisterImage',
      // -s SNAPSHOT
      send: (world) => ({ Name: 'of-a-snapshot', ...snapshotRoot(world) }),
      walks: ['imageId'],
      keep: keep('bootable', 'imageId'),
    },
    {
      action: 'RegisterImage',
      // --root-device-name NAME -s SNAPSHOT:2:false -b NAME=ephemeral0 -b NAME=:3:true:gp2
      send: (world) => ({
        ...{ Name: 'of-two', Architecture: 'x86_64', RootDeviceName: '/dev/sda1', ...snapshotRoot(world) },
        'BlockDeviceMapping.1.Ebs.VolumeSize': 2,
        'BlockDeviceMapping.1.Ebs.DeleteOnTermination': false,
        'BlockDeviceMapping.2.DeviceName': '/dev/sdb',
        'BlockDeviceMapping.2.VirtualName': 'ephemeral0',
        'BlockDeviceMapping.3.DeviceName': '/dev/sdc',
        'BlockDeviceMapping.3.Ebs.VolumeSize': 3,
        'BlockDeviceMapping.3.Ebs.DeleteOnTermination': true,
        'BlockDeviceMapping.3.Ebs.VolumeType': 'gp2',
      }),
      walks: ['imageId'],
    },
  ),
  command('euca-describe-images', {
    action: 'DescribeImages',
    send: (world) => ({ 'ImageId.1': world.thing('bootable') }),
    lists: ['imagesSet', 'productCodes', 'blockDeviceMapping', 'tagSet'],
    walks: [
      ...['imageId', 'name', 'imageLocation', 'imageState', 'rootDeviceType', 'rootDeviceName'],
      ...['deviceName', 'ebs.snapshotId', 'ebs.volumeSize', 'ebs.deleteOnTermination', 'ebs.volumeType'].map(
        (path) => `blockDeviceMapping[].${path}`,
      ),
    ].map((path) => `imagesSet[].${path}`),
    shows: () => ({ 'imagesSet[].rootDeviceType': 'ebs' }),
  }),
  command(
    'euca-run-instances',
    // -b NAME=:8:false:standard -b NAME=SNAPSHOT
    launched('rooted', (world) => ({
      ImageId: world.thing('bootable'),
      'BlockDeviceMapping.1.DeviceName': '/dev/sdb',
      'BlockDeviceMapping.1.Ebs.VolumeSize': 8,
      'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'false',
      'BlockDeviceMapping.1.Ebs.VolumeType': 'standard',
      'BlockDeviceMapping.2.DeviceName': '/dev/sdc',
      'BlockDeviceMapping.2.Ebs.SnapshotId': world.thing('snapshot'),
    })),
    // -b NAME=ephemeral0 -b NAME=none, of an image with an instance store
    launched('stored', (world) => ({
      ImageId: world.thing('image'),
      'BlockDeviceMapping.1.DeviceName': '/dev/sdb',
      'BlockDeviceMapping.1.VirtualName': 'ephemeral0',
      'BlockDeviceMapping.2.DeviceName': '/dev/sdc',
      'BlockDeviceMapping.2.NoDevice': 'none',
    })),
  ),
  command('euca-describe-instances', described),
  command('euca-describe-instance-attribute', {
    action: 'DescribeInstanceAttribute',
    send: (world) => ({ InstanceId: world.thing('rooted'), Attribute: 'blockDeviceMapping' }),
    lists: ['blockDeviceMapping', 'groupSet', 'productCodes'],
    walks: [
      'instanceId',
      ...['deviceName', 'ebs.volumeId', 'ebs.attachTime', 'ebs.deleteOnTermination'].map(
        (path) => `blockDeviceMapping[].${path}`,
      ),
    ],
  }),
  command('euca-attach-volume', {
    action: 'AttachVolume',
    send: (world) => ({ ...ofVolume(world), InstanceId: world.thing('rooted'), Device: '/dev/sdf' }),
    walks: attachmentPaths,
    shows: () => ({ status: 'attaching' }),
  }),
  command(
    'euca-describe-volumes',
    {
      ...describedVolumes,
      walks: [
        ...volumePaths.map((path) => `volumeSet[].${path}`),
        ...attachmentPaths.map((path) => `volumeSet[].attachmentSet[].${path}`),
      ],
      shows: () => ({ 'volumeSet[].attachmentSet[].status': 'attached' }),
    },
    { ...describedVolumes, send: () => ({ 'VolumeId.1': 'verbose' }) },
    { ...describedVolumes, send: (world) => ({ 'VolumeId.1': world.thing('fast') }), whenEmpty: false },
  ),
  command('euca-modify-instance-attribute', {
    action: 'ModifyInstanceAttribute',
    // -b NAME=:false
    send: (world) => ({
      InstanceId: world.thing('rooted'),
      'BlockDeviceMapping.1.DeviceName': '/dev/sdc',
      'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'false',
    }),
    walks: ['return'],
  }),
  command(
    'euca-create-image',
    {
      action: 'CreateImage',
      send: (world) => ({
        InstanceId: world.thing('rooted'),
        Name: 'snapped',
        Description: 'words',
        NoReboot: 'true',
        'BlockDeviceMapping.1.DeviceName': '/dev/sdf',
        'BlockDeviceMapping.1.NoDevice': 'none',
      }),
      walks: ['imageId'],
      keep: keep('snapped', 'imageId'),
    },
    {
      action: 'CreateImage',
      send: (world) => ({ InstanceId: world.thing('stored'), Name: 'stored' }),
      refused: ['UnsupportedOperation', 'bundle it instead'],
    },
  ),
  command('euca-detach-volume', {
    action: 'DetachVolume',
    send: (world) => ({
      ...ofVolume(world),
      ...{ InstanceId: world.thing('rooted'), Device: '/dev/sdf', Force: 'true' },
    }),
    walks: attachmentPaths,
    shows: () => ({ status: 'detaching' }),
  }),
  command('euca-stop-instances', {
    action: 'StopInstances',
    ...changed,
    shows: () => ({ 'instancesSet[].currentState.name': 'stopping' }),
  }),
  command('euca-start-instances', {
    action: 'StartInstances',
    ...changed,
    shows: () => ({ 'instancesSet[].previousState.name': 'stopped' }),
  }),
  command('euca-terminate-instances', { action: 'TerminateInstances', ...changed }),
  command('euca-delete-volume', { action: 'DeleteVolume', send: ofVolume, walks: ['return'] }),
  command(
    'euca-delete-snapshot',
    {
      action: 'DeleteSnapshot',
      send: ofSnapshot,
      refused: ['InvalidSnapshot.InUse', 'snap-'],
    },
    {
      action: 'DeleteSnapshot',
      send: () => ({ SnapshotId: 'snap-01234567' }),
      refused: ['InvalidSnapshot.NotFound', 'snap-01234567'],
    },
  ),
]

export const volumeCommands = [...madeOfVolumes, ...bootingFromVolumes]
