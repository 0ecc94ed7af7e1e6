import { walk } from './client-answers.ts'
import { command, type Step } from './command.ts'

const imageWalks = [
  ...['imageId', 'name', 'imageLocation', 'imageOwnerId', 'imageOwnerAlias?', 'imageState', 'isPublic'],
  ...['architecture', 'imageType', 'kernelId?', 'ramdiskId?', 'platform?', 'rootDeviceType'],
  ...['virtualizationType', 'hypervisor', 'blockDeviceMapping[]?', 'tagSet[]?.key', 'tagSet[]?.value?'],
].map((path) => `imagesSet[].${path}`)
const described = (send?: Step['send'], changes: Partial<Step> = {}): Step => ({
  action: 'DescribeImages',
  ...(send ? { send } : {}),
  lists: ['imagesSet', 'productCodes', 'blockDeviceMapping', 'tagSet'],
  walks: imageWalks,
  whenEmpty: true,
  ...changes,
})
const register = (parameters: Record<string, string>, changes: Partial<Step> = {}): Step => ({
  action: 'RegisterImage',
  send: () => ({ ImageLocation: 'images/disk.img.manifest.xml', ...parameters }),
  walks: ['imageId'],
  ...changes,
})
const permission = (side: string, who: Record<string, string>): Step => ({
  action: 'ModifyImageAttribute',
  send: (world) => ({
    ImageId: world.thing('image'),
    ...Object.fromEntries(
      Object.entries(who).map(([name, value]) => [`LaunchPermission.${side}.1.${name}`, value]),
    ),
  }),
})
const attribute = (Attribute: string, walks: string[], refused?: Step['refused']): Step => ({
  action: 'DescribeImageAttribute',
  send: (world) => ({ ImageId: world.thing('image'), Attribute }),
  lists: ['blockDeviceMapping', 'launchPermission', 'productCodes'],
  walks: ['imageId', ...walks],
  ...(refused ? { refused } : {}),
})
const ofNoSnapshot = {
  RootDeviceName: '/dev/sda1',
  'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
  'BlockDeviceMapping.1.Ebs.SnapshotId': 'snap-01234567',
}
const task = { ConversionTaskId: 'import-i-01234567' }
const listedTask: Step = {
  action: 'DescribeConversionTasks',
  send: () => ({ 'ConversionTaskId.1': 'import-vol-01234567' }),
  refused: ['InvalidConversionTaskId', 'import-vol-01234567'],
}
/** What is printed of one. */
const taskPaths = ['conversionTaskId', 'expirationTime', 'state', 'statusMessage?']
const diskPaths = [
  ...['availabilityZone', 'bytesConverted', 'volume.size'],
  ...['image.format', 'image.size', 'image.importManifestUrl'],
]
const conversionPaths = [...taskPaths, ...diskPaths.map((path) => `importVolume.${path}`)]
const instancePaths = [
  ...taskPaths,
  'importInstance.instanceId',
  ...[...diskPaths, 'status', 'statusMessage?'].map((path) => `importInstance.volumes[].${path}`),
]
const disk = {
  Format: 'raw',
  Bytes: '1024',
  ImportManifestUrl: 'http://127.0.0.1:8773/services/objectstorage/b/disk.xml',
}
/** What was uploaded before images are registered: `BUCKET/KEY` of each manifest. */
const bundled = { kind: 'machine', architecture: 'x86_64', sizeBytes: 1024, rootDevice: 'sda1' } as const
export const bundledImages = {
  'images/disk.img.manifest.xml': bundled,
  'images/older.img.manifest.xml': bundled,
  'images/installed.manifest.xml': bundled,
  'images/vmlinuz.manifest.xml': { ...bundled, kind: 'kernel' },
  'images/initrd.manifest.xml': { ...bundled, kind: 'ramdisk' },
} as const

const under = (prefix: string, members: Record<string, string>) =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [`${prefix}.${name}`, value]))

export const imageCommands = [
  command(
    'euca-register',
    register(
      { Name: 'registered', Description: 'words', Architecture: 'x86_64', VirtualizationType: 'hvm' },
      { keep: (world, answer) => void (world.things['registered'] = walk(answer, 'imageId')[0]!) },
    ),
    register({ Name: 'for-windows', Platform: 'windows' }, { refused: ['UnknownParameter', 'Platform'] }),
    register({ Name: 'armhf', Architecture: 'armhf' }, { refused: ['InvalidParameterValue', 'armhf'] }),
    register(
      { Name: 'pv', VirtualizationType: 'paravirtual' },
      { refused: ['UnsupportedOperation', 'VirtualizationType'] },
    ),
    register(
      { Name: 'linux', KernelId: 'eki-01234567', RamdiskId: 'eri-01234567' },
      { refused: ['InvalidAMIID.NotFound', 'eki-01234567'] },
    ),
    register({ Name: 'kernel', ImageLocation: 'images/vmlinuz.manifest.xml' }),
    register({ Name: 'ramdisk', ImageLocation: 'images/initrd.manifest.xml' }),
    register(
      { Name: 'nowhere', ImageLocation: 'images/nowhere.manifest.xml' },
      { refused: ['AuthFailure', 'Manifest is not accessible'] },
    ),
    {
      action: 'RegisterImage',
      send: () => ({ Name: 'from-a-snapshot', ...ofNoSnapshot }),
      refused: ['InvalidSnapshot.NotFound', 'snap-01234567'],
    },
  ),
  command(
    'euca-register of euca2ools 2 and before, without a name',
    register({ ImageLocation: 'images/older.img.manifest.xml' }),
    described(() => ({ 'Owner.1': 'self' }), {
      shows: () => ({ 'imagesSet[].name': 'older.img' }),
      whenEmpty: false,
    }),
  ),
  command(
    'euca-install-image',
    register(
      {
        Name: 'installed',
        Architecture: 'x86_64',
        VirtualizationType: 'hvm',
        ImageLocation: 'images/installed.manifest.xml',
      },
      { byVersion2: true },
    ),
  ),
  command(
    'euca-modify-image-attribute',
    {
      action: 'ModifyImageAttribute',
      send: (world) => ({ ImageId: world.thing('image'), 'Description.Value': 'other words' }),
    },
    {
      action: 'ModifyImageAttribute',
      send: (world) => ({
        ImageId: world.thing('image'),
        'LaunchPermission.Add.1.UserId': world.thing('friend'),
      }),
    },
    permission('Add', { Group: 'all' }),
    {
      action: 'ModifyImageAttribute',
      send: (world) => ({ ImageId: world.thing('image'), 'ProductCode.1': 'abc' }),
      refused: ['UnsupportedOperation', 'ProductCode'],
    },
  ),
  command(
    'euca-describe-image-attribute',
    attribute('launchPermission', ['launchPermission[].userId?', 'launchPermission[].group?']),
    attribute('description', ['description.value']),
    attribute('kernel', ['kernel?.value?']),
    attribute('ramdisk', ['ramdisk?.value?']),
    attribute('productCodes', ['productCodes[]?.productCode']),
    attribute('blockDeviceMapping', ['blockDeviceMapping[]?.deviceName']),
  ),
  command(
    'euca-describe-images',
    described(() => ({ 'Owner.1': 'self' })),
    described(() => ({ 'ExecutableBy.1': 'self' }), { walks: ['imagesSet[]?'] }),
    described(() => ({ 'ImageId.1': 'verbose' })),
    described(),
    described((world) => ({ 'ImageId.1': world.thing('image') }), { whenEmpty: false }),
  ),
  command('euca-reset-image-attribute', {
    action: 'ResetImageAttribute',
    send: (world) => ({ ImageId: world.thing('image'), Attribute: 'launchPermission' }),
  }),
  command('euca-copy-image', {
    action: 'CopyImage',
    send: (world) => ({
      SourceRegion: 'us-east-1',
      SourceImageId: world.thing('image'),
      Name: 'copied',
      Description: 'a copy',
      ClientToken: 'copy',
    }),
    walks: ['imageId'],
  }),
  command('euca-deregister', {
    action: 'DeregisterImage',
    send: (world) => ({ ImageId: world.thing('registered') }),
    walks: ['return'],
  }),
  command('euca-describe-bundle-tasks', {
    action: 'DescribeBundleTasks',
    lists: ['bundleInstanceTasksSet'],
    walks: [
      ...['bundleId', 'instanceId', 'state', 'startTime', 'updateTime', 'progress'],
      ...['storage.S3.bucket', 'storage.S3.prefix', 'error?.code?'],
    ].map((path) => `bundleInstanceTasksSet[].${path}`),
    whenEmpty: true,
  }),
  command(
    'euca-cancel-bundle-task',
    {
      action: 'CancelBundleTask',
      send: (world) => ({ BundleId: world.thing('bundle') }),
      walks: ['bundleInstanceTask.bundleId', 'bundleInstanceTask.state'],
    },
    {
      action: 'CancelBundleTask',
      send: () => ({ BundleId: 'bun-01234567' }),
      refused: ['InvalidBundleID.NotFound', 'bun-01234567'],
    },
  ),
  command('euca-describe-conversion-tasks', {
    action: 'DescribeConversionTasks',
    lists: ['conversionTasks', 'volumes'],
    walks: ['conversionTasks[]?'],
    whenEmpty: true,
  }),
  command('euca-cancel-conversion-task', {
    action: 'CancelConversionTask',
    send: () => task,
    refused: ['InvalidConversionTaskId', task.ConversionTaskId],
  }),
  command('euca-delete-disk-image', listedTask),
  command('euca-resume-import', listedTask),
]

/** Of a cloud that has volumes. */
export const importCommands = [
  command(
    'euca-import-instance',
    {
      action: 'ImportInstance',
      send: () => ({
        Platform: 'Linux',
        ...under('LaunchSpecification', {
          ...{ Architecture: 'x86_64', InstanceType: 'm1.small', 'Placement.AvailabilityZone': 'us-east-1a' },
          ...{ 'GroupName.1': 'default', KeyName: 'key', 'UserData.Data': 'aGVsbG8=' },
          ...{ 'Monitoring.Enabled': 'true', InstanceInitiatedShutdownBehavior: 'stop' },
        }),
        Description: 'words',
        ...under('DiskImage.1.Image', disk),
        'DiskImage.1.Volume.Size': '1',
      }),
      lists: ['conversionTasks', 'volumes'],
      walks: instancePaths.map((path) => `conversionTask.${path}`),
      keep: (world, answer) => {
        world.things['instance-import'] = walk(answer, 'conversionTask.conversionTaskId')[0]!
      },
    },
    {
      action: 'DescribeConversionTasks',
      send: (world) => ({ 'ConversionTaskId.1': world.thing('instance-import') }),
      lists: ['conversionTasks', 'volumes'],
      walks: instancePaths.map((path) => `conversionTasks[].${path}`),
    },
    {
      action: 'CancelConversionTask',
      send: (world) => ({ ConversionTaskId: world.thing('instance-import') }),
      walks: ['return'],
    },
    {
      action: 'ImportInstance',
      send: () => ({
        Platform: 'Linux',
        ...under('LaunchSpecification', {
          ...{ Architecture: 'x86_64', InstanceType: 'm1.small', UserData: 'aGVsbG8=' },
          PrivateIpAddress: '10.9.8.7',
        }),
        ...under('DiskImage.1.Image', { ...disk, Format: 'VHD' }),
        'DiskImage.1.Volume.Size': '1',
      }),
      refused: ['InvalidParameterValue', 'range'],
    },
    {
      action: 'ImportInstance',
      send: () => ({
        Platform: 'Windows',
        ...under('DiskImage.1.Image', disk),
        'DiskImage.1.Volume.Size': '1',
      }),
      refused: ['UnsupportedOperation', 'Platform'],
    },
  ),
  command('euca-import-volume', {
    action: 'ImportVolume',
    send: () => ({ AvailabilityZone: 'us-east-1a', ...under('Image', disk), 'Volume.Size': '1' }),
    lists: ['conversionTasks', 'volumes'],
    walks: conversionPaths.map((path) => `conversionTask.${path}`),
    keep: (world, answer) => {
      world.things['conversion'] = walk(answer, 'conversionTask.conversionTaskId')[0]!
    },
  }),
  command('euca-describe-conversion-tasks', {
    action: 'DescribeConversionTasks',
    send: (world) => ({ 'ConversionTaskId.1': world.thing('conversion') }),
    lists: ['conversionTasks', 'volumes'],
    walks: conversionPaths.map((path) => `conversionTasks[].${path}`),
  }),
  command('euca-cancel-conversion-task', {
    action: 'CancelConversionTask',
    send: (world) => ({ ConversionTaskId: world.thing('conversion') }),
    walks: ['return'],
  }),
]
