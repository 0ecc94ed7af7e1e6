import { walk, type Value } from './client-answers.ts'
import { command, type Step } from './command.ts'

export const reservationLists = [
  'reservationSet',
  'instancesSet',
  'groupSet',
  'tagSet',
  'blockDeviceMapping',
  'productCodes',
  'networkInterfaceSet',
  'privateIpAddressesSet',
]

/** What is printed of an interface, of an instance's or on its own. */
export const interfacePaths = [
  ...['networkInterfaceId', 'subnetId', 'vpcId', 'ownerId', 'status', 'privateIpAddress', 'privateDnsName'],
  'sourceDestCheck',
  ...['instanceId?', 'attachmentId', 'deviceIndex', 'status', 'attachTime', 'deleteOnTermination'].map(
    (name) => `attachment.${name}`,
  ),
  'association?.publicIp',
  'association?.ipOwnerId',
  'groupSet[].groupId',
  'groupSet[].groupName',
  'privateIpAddressesSet[].primary',
  'privateIpAddressesSet[].privateIpAddress',
  'privateIpAddressesSet[].privateDnsName',
  'privateIpAddressesSet[].association?.publicIp',
]

/** What is printed of an instance. Its answers to RunInstances come before it has an address or a tag. */
export const instancePaths = [
  ...[
    'instanceId',
    'imageId',
    'dnsName?',
    'privateDnsName',
    'instanceState.name',
    'keyName',
    'amiLaunchIndex',
  ],
  'productCodes[]?',
  ...['instanceType', 'launchTime', 'placement.availabilityZone', 'kernelId?', 'ramdiskId?', 'platform?'],
  ...['monitoring.state', 'ipAddress?', 'privateIpAddress', 'vpcId', 'subnetId', 'rootDeviceType'],
  ...['instanceLifecycle?', 'placement.groupName?', 'virtualizationType', 'hypervisor', 'clientToken'],
  ...['groupSet[].groupId', 'placement.tenancy', 'ebsOptimized', 'iamInstanceProfile?.arn', 'architecture'],
  'blockDeviceMapping[]?',
  'tagSet[]?.key',
  ...interfacePaths.map((path) => `networkInterfaceSet[].${path}`),
]

export const inReservation = (paths: readonly string[]) => [
  'reservationId',
  'ownerId',
  'groupSet[]?',
  ...paths.map((path) => `instancesSet[].${path}`),
]

const keepInstance = (name: string) => (world: { things: Record<string, string> }, answer: Value) => {
  world.things[name] = walk(answer, 'instancesSet[].instanceId')[0]!
}

const run = (parameters: Record<string, string>): NonNullable<Step['send']> => {
  return (world) => ({ ImageId: world.thing('image'), MinCount: 1, MaxCount: 1, ...parameters })
}

const refusedRun = (parameters: Record<string, string>, code: string, words: string): Step => ({
  action: 'RunInstances',
  send: run(parameters),
  refused: [code, words],
})

const launches: Step[] = [
  {
    action: 'RunInstances',
    // -n 1-2 -g GROUP -k KEYPAIR -d DATA -t TYPE -z ZONE -m and the rest of what is not for EBS or a subnet
    send: (world) => ({
      ImageId: world.thing('image'),
      MinCount: 1,
      MaxCount: 2,
      'SecurityGroup.1': 'servers',
      KeyName: 'key',
      UserData: Buffer.from('hello').toString('base64'),
      InstanceType: 'm1.small',
      'Placement.AvailabilityZone': 'us-east-1a',
      'Placement.Tenancy': 'default',
      'Monitoring.Enabled': 'true',
      DisableApiTermination: 'true',
      InstanceInitiatedShutdownBehavior: 'terminate',
      ClientToken: 'once',
    }),
    lists: reservationLists,
    walks: inReservation(instancePaths),
    shows: () => ({
      'instancesSet[].monitoring.state': 'enabled',
      'instancesSet[].groupSet[].groupName': 'servers',
    }),
    keep: keepInstance('instance'),
  },
  {
    action: 'RunInstances',
    send: (world) => ({
      ...run({ AddressingType: 'private', KeyName: 'key', ClientToken: 'two' })(world),
      'SecurityGroupId.1': world.thing('group'),
    }),
    lists: reservationLists,
    walks: inReservation(instancePaths),
    keep: keepInstance('second'),
  },
  {
    action: 'RunInstances',
    // -s SUBNET -g sg-… --associate-public-ip-address: everything goes to one interface
    send: (world) => ({
      ...run({ KeyName: 'key', ClientToken: 'three' })(world),
      'NetworkInterface.1.DeviceIndex': 0,
      'NetworkInterface.1.SubnetId': world.thing('subnet'),
      'NetworkInterface.1.SecurityGroupId.1': world.thing('group'),
      'NetworkInterface.1.AssociatePublicIpAddress': true,
    }),
    lists: reservationLists,
    walks: inReservation(instancePaths),
    keep: keepInstance('third'),
  },
  {
    action: 'RunInstances',
    // --private-ip-address
    send: run({
      ...{ KeyName: 'key', ClientToken: 'four' },
      'NetworkInterface.1.DeviceIndex': '0',
      'NetworkInterface.1.PrivateIpAddresses.1.PrivateIpAddress': '172.31.0.99',
      'NetworkInterface.1.PrivateIpAddresses.1.Primary': 'true',
    }),
    lists: reservationLists,
    walks: inReservation(instancePaths),
  },
  {
    action: 'RunInstances',
    // --secondary-private-ip-address-count
    send: run({
      ...{ KeyName: 'key', ClientToken: 'five' },
      'NetworkInterface.1.DeviceIndex': '0',
      'NetworkInterface.1.SecondaryPrivateIpAddressCount': '2',
    }),
    lists: reservationLists,
    walks: inReservation(instancePaths),
  },
  refusedRun({ KernelId: 'eki-01234567' }, 'InvalidAMIID.NotFound', 'eki-01234567'),
  refusedRun({ RamdiskId: 'eri-01234567' }, 'InvalidAMIID.NotFound', 'eri-01234567'),
  refusedRun(
    {
      'BlockDeviceMapping.1.DeviceName': '/dev/sdf',
      'BlockDeviceMapping.1.Ebs.SnapshotId': 'snap-01234567',
      'BlockDeviceMapping.1.Ebs.VolumeSize': '8',
      'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'true',
      'BlockDeviceMapping.1.Ebs.VolumeType': 'io1',
      'BlockDeviceMapping.1.Ebs.Iops': '100',
    },
    'InvalidSnapshot.NotFound',
    'snap-01234567',
  ),
  refusedRun({ 'IamInstanceProfile.Name': 'web' }, 'InvalidParameterValue', 'iamInstanceProfile'),
  refusedRun(
    { 'IamInstanceProfile.Arn': 'arn:aws:iam::000000000001:instance-profile/web' },
    'InvalidParameterValue',
    'iamInstanceProfile',
  ),
  refusedRun({ 'Placement.Tenancy': 'dedicated' }, 'UnsupportedOperation', 'Tenancy'),
  refusedRun({ 'Placement.GroupName': 'nobody' }, 'InvalidPlacementGroup.Unknown', 'nobody'),
  refusedRun({ EbsOptimized: 'true' }, 'UnsupportedOperation', 'EbsOptimized'),
]

const described: Step = {
  action: 'DescribeInstances',
  lists: reservationLists,
  walks: inReservation(instancePaths).map((path) => `reservationSet[].${path}`),
}
const ofInstance = (world: { thing(name: string): string }) => ({ InstanceId: world.thing('instance') })
const ofInstances = (world: { thing(name: string): string }) => ({ 'InstanceId.1': world.thing('instance') })
const changed = {
  lists: ['instancesSet'],
  walks: [
    'instancesSet[].instanceId',
    'instancesSet[].previousState.name',
    'instancesSet[].currentState.name',
  ],
}
const statusWalks = [
  'instanceId',
  'availabilityZone',
  'instanceState.name',
  'instanceState.code',
  'instanceStatus.status',
  'systemStatus.status',
  'systemStatus.details[].name',
  'systemStatus.details[].status',
  'eventsSet[]?.code',
]

const attributes = [
  'disableApiTermination',
  'ebsOptimized',
  'instanceInitiatedShutdownBehavior',
  'instanceType',
  'rootDeviceName',
  'sourceDestCheck',
  'userData',
].map((Attribute): Step => ({
  action: 'DescribeInstanceAttribute',
  send: (world) => ({ ...ofInstance(world), Attribute }),
  walks: ['instanceId', `${Attribute}.value`],
}))
const modify = (parameters: Record<string, string>, refused?: Step['refused']): Step => ({
  action: 'ModifyInstanceAttribute',
  send: (world) => ({ ...ofInstance(world), ...parameters }),
  ...(refused ? { refused } : {}),
})

export const launchCommands = [
  command('euca-run-instances', ...launches),
  command(
    'euca-describe-instances',
    { ...described, whenEmpty: true },
    {
      ...described,
      send: () => ({ 'InstanceId.1': 'verbose' }),
      walks: [...described.walks!, 'reservationSet[].instancesSet[].tagSet[].value'],
      shows: () => ({ 'reservationSet[].instancesSet[].tagSet[].key': 'euca:node' }),
      whenEmpty: true,
    },
    {
      ...described,
      send: () => ({
        'Filter.1.Name': 'instance-state-name',
        'Filter.1.Value.1': 'running',
        'Filter.1.Value.2': 'pending',
      }),
      whenEmpty: true,
    },
  ),
  command(
    'euca-describe-instance-status',
    {
      action: 'DescribeInstanceStatus',
      send: () => ({ IncludeAllInstances: true }),
      lists: ['instanceStatusSet', 'details', 'eventsSet'],
      walks: statusWalks.map((path) => `instanceStatusSet[].${path}`),
      whenEmpty: true,
    },
    {
      action: 'DescribeInstanceStatus',
      send: () => ({ 'InstanceId.1': 'verbose' }),
      lists: ['instanceStatusSet', 'details', 'eventsSet'],
      walks: ['instanceStatusSet[]?.instanceId'],
      whenEmpty: true,
    },
  ),
  command(
    'euca-describe-instance-attribute',
    ...attributes,
    {
      action: 'DescribeInstanceAttribute',
      send: (world) => ({ ...ofInstance(world), Attribute: 'groupSet' }),
      lists: ['blockDeviceMapping', 'groupSet', 'productCodes'],
      walks: ['instanceId', 'groupSet[].groupId'],
    },
    {
      action: 'DescribeInstanceAttribute',
      send: (world) => ({ ...ofInstance(world), Attribute: 'productCodes' }),
      lists: ['blockDeviceMapping', 'groupSet', 'productCodes'],
      walks: ['instanceId', 'productCodes[]?.productCode'],
    },
    {
      action: 'DescribeInstanceAttribute',
      send: (world) => ({ ...ofInstance(world), Attribute: 'blockDeviceMapping' }),
      lists: ['blockDeviceMapping', 'groupSet', 'productCodes'],
      walks: ['instanceId', 'blockDeviceMapping[]?.deviceName'],
    },
    {
      action: 'DescribeInstanceAttribute',
      send: (world) => ({ ...ofInstance(world), Attribute: 'kernel' }),
      walks: ['instanceId', 'kernel?.value?'],
    },
    {
      action: 'DescribeInstanceAttribute',
      send: (world) => ({ ...ofInstance(world), Attribute: 'ramdisk' }),
      walks: ['instanceId', 'ramdisk?.value?'],
    },
  ),
  command(
    'euca-modify-instance-attribute',
    modify({ 'DisableApiTermination.Value': 'false' }),
    modify({ InstanceInitiatedShutdownBehavior: 'terminate' }),
    {
      action: 'ModifyInstanceAttribute',
      send: (world) => ({ ...ofInstance(world), 'SecurityGroupId.1': world.thing('group') }),
    },
    modify({ 'SecurityGroup.1': 'servers' }, ['UnknownParameter', 'SecurityGroup']),
    modify({ EbsOptimized: 'true' }, ['IncorrectInstanceState', "'stopped'"]),
    modify({ UserData: 'aGVsbG8=' }, ['IncorrectInstanceState', "'stopped'"]),
    modify(
      { 'BlockDeviceMapping.1.DeviceName': '/dev/sdb', 'BlockDeviceMapping.1.VirtualName': 'ephemeral0' },
      ['UnsupportedOperation', 'BlockDeviceMapping'],
    ),
  ),
  command('euca-reset-instance-attribute', {
    action: 'ResetInstanceAttribute',
    send: (world) => ({ ...ofInstance(world), Attribute: 'sourceDestCheck' }),
  }),
  command('euca-monitor-instances', {
    action: 'MonitorInstances',
    send: ofInstances,
    lists: ['instancesSet'],
    walks: ['instancesSet[].instanceId', 'instancesSet[].monitoring.state'],
  }),
  command('euca-unmonitor-instances', {
    action: 'UnmonitorInstances',
    send: ofInstances,
    lists: ['instancesSet'],
    walks: ['instancesSet[].instanceId', 'instancesSet[].monitoring.state'],
  }),
  command('euca-get-console-output', {
    action: 'GetConsoleOutput',
    send: ofInstance,
    walks: ['instanceId', 'timestamp', 'output'],
  }),
  command('euca-get-password-data', { action: 'GetPasswordData', send: ofInstance, walks: ['passwordData'] }),
  command('euca-get-password', { action: 'GetPasswordData', send: ofInstance, walks: ['passwordData'] }),
  command('euca-confirm-product-instance', {
    action: 'ConfirmProductInstance',
    send: (world) => ({ ...ofInstance(world), ProductCode: 'abc' }),
    walks: ['return', 'ownerId?'],
  }),
  command('euca-reboot-instances', { action: 'RebootInstances', send: ofInstances, walks: ['return'] }),
  command('euca-stop-instances', {
    action: 'StopInstances',
    send: (world) => ({ ...ofInstances(world), Force: 'true' }),
    refused: ['UnsupportedOperation', 'instance'],
  }),
  command('euca-start-instances', {
    action: 'StartInstances',
    send: ofInstances,
    refused: ['UnsupportedOperation', 'instance'],
  }),
  command('euca-bundle-instance', {
    action: 'BundleInstance',
    send: (world) => ({
      ...ofInstance(world),
      'Storage.S3.Bucket': 'bundles',
      'Storage.S3.Prefix': 'p',
      'Storage.S3.AWSAccessKeyId': world.who.accessKeyId,
      'Storage.S3.UploadPolicy': 'e30=',
      'Storage.S3.UploadPolicySignature': 'x',
    }),
    walks: ['bundleInstanceTask.bundleId', 'bundleInstanceTask.state', 'bundleInstanceTask.instanceId'],
    keep: (world, answer) => void (world.things['bundle'] = walk(answer, 'bundleInstanceTask.bundleId')[0]!),
  }),
]

export const lastCommands = [
  command('euca-terminate-instances', { action: 'TerminateInstances', send: ofInstances, ...changed }),
]
