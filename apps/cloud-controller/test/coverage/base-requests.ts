import { importedDisk, type BaseRequest } from './coverage-world.ts'
import { groupRequests } from './group-requests.ts'
import { interfaceRequests } from './interface-requests.ts'
import { networkRequests } from './network-requests.ts'
import { profileRequests } from './profile-requests.ts'
import { volumeRequests } from './volume-requests.ts'

const bundleStorage = {
  'Storage.S3.Bucket': 'bundles',
  'Storage.S3.Prefix': 'web',
  'Storage.S3.AWSAccessKeyId': 'AKIDEXAMPLE',
  'Storage.S3.UploadPolicy': 'e30=',
  'Storage.S3.UploadPolicySignature': 'x',
}

const publicKey = Buffer.from(
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvHkJ4FYDAL0wjJBwmzp5SPHQ4GhFAmGN3mWpEW1pW x',
).toString('base64')

const nothing = () => ({})

const bare: BaseRequest = { request: () => ({}) }
const snapshotDisk = {
  'DiskContainer.Format': 'raw',
  'DiskContainer.UserBucket.S3Bucket': 'disks',
  'DiskContainer.UserBucket.S3Key': 'disk.raw',
}
const volumeInParts = {
  AvailabilityZone: 'us-east-1a',
  'Image.Format': 'RAW',
  'Image.Bytes': 1024,
  'Image.ImportManifestUrl': 'http://127.0.0.1:8773/disks/manifest.xml',
  'Volume.Size': 1,
}
const instanceInParts = {
  Platform: 'Linux',
  'DiskImage.1.Image.Format': 'RAW',
  'DiskImage.1.Image.Bytes': 1024,
  'DiskImage.1.Image.ImportManifestUrl': 'http://127.0.0.1:8773/disks/manifest.xml',
  'DiskImage.1.Volume.Size': 1,
}
const ofInstance: BaseRequest = { request: async (world) => ({ InstanceId: await world.instance() }) }
const ofInstances: BaseRequest = { request: async (world) => ({ 'InstanceId.1': await world.instance() }) }

/** One for every action that the cloud performs: the coverage test fails for one that is missing. */
export const baseRequests: Readonly<Record<string, BaseRequest>> = {
  ...networkRequests,
  ...profileRequests,
  ...groupRequests,
  ...volumeRequests,
  ...interfaceRequests,
  ConfirmProductInstance: {
    request: async (world) => ({ InstanceId: await world.instance(), ProductCode: 'x' }),
  },
  CreateKeyPair: { request: (world) => ({ KeyName: world.name(), KeyType: 'ed25519' }) },
  CreateSecurityGroup: { request: (world) => ({ GroupName: world.name(), GroupDescription: 'x' }) },
  CreateTags: {
    request: async (world) => ({ 'ResourceId.1': await world.group(), 'Tag.1.Key': 'a', 'Tag.1.Value': 'b' }),
  },
  DeleteKeyPair: { request: async (world) => ({ KeyName: await world.keyPair() }) },
  DeleteSecurityGroup: { request: async (world) => ({ GroupId: await world.group() }), others: [nothing] },
  DeleteTags: { request: async (world) => ({ 'ResourceId.1': await world.tagged(), 'Tag.1.Key': 'colour' }) },
  DescribeAccountAttributes: bare,
  DescribeAvailabilityZones: bare,
  DescribeElasticGpus: bare,
  DescribeImages: bare,
  DescribeInstanceAttribute: {
    request: async (world) => ({ InstanceId: await world.instance(), Attribute: 'instanceType' }),
  },
  DescribeInstanceCreditSpecifications: bare,
  DescribeInstanceStatus: { request: () => ({ IncludeAllInstances: true }) },
  DescribeInstanceTypes: bare,
  DescribeInstances: bare,
  DescribeKeyPairs: bare,
  DescribeNetworkInterfaces: bare,
  DescribeRegions: bare,
  DescribeSecurityGroups: bare,
  DescribeTags: bare,
  GetConsoleOutput: ofInstance,
  GetConsoleScreenshot: ofInstance,
  GetInstanceUefiData: { ...ofInstance, refusedAs: 'UnsupportedOperation' },
  GetPasswordData: ofInstance,
  ImportImage: {
    request: () => importedDisk,
    others: [() => ({ 'DiskContainer.1.Format': 'raw', 'DiskContainer.1.Url': 's3://disks/disk.raw' })],
  },
  ImportSnapshot: {
    request: () => snapshotDisk,
    others: [() => ({ 'DiskContainer.Format': 'raw', 'DiskContainer.Url': 's3://disks/disk.raw' })],
  },
  ImportInstance: {
    request: () => instanceInParts,
    others: [
      async (world) => ({
        ...instanceInParts,
        'LaunchSpecification.GroupName.1': 'default',
        'LaunchSpecification.KeyName': await world.keyPair(),
      }),
    ],
  },
  ImportVolume: { request: () => volumeInParts },
  ImportKeyPair: { request: (world) => ({ KeyName: world.name(), PublicKeyMaterial: publicKey }) },
  ModifyInstanceAttribute: {
    request: async (world) => ({ InstanceId: await world.instance(), 'DisableApiTermination.Value': true }),
    others: [
      async (world) => ({ InstanceId: await world.instance() }),
      async (world) => ({ InstanceId: await world.instance(), Attribute: 'disableApiStop' }),
      async (world) => ({
        InstanceId: await world.stoppedInstance(),
        'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
        'BlockDeviceMapping.1.Ebs.DeleteOnTermination': true,
      }),
    ],
  },
  ModifyInstanceMetadataOptions: {
    request: async (world) => ({ InstanceId: await world.instance(), HttpTokens: 'optional' }),
  },
  MonitorInstances: ofInstances,
  BundleInstance: {
    request: async (world) => ({ InstanceId: await world.runningInstance(), ...bundleStorage }),
  },
  CancelBundleTask: {
    request: async (world) => {
      const made = await world.call('BundleInstance', {
        InstanceId: await world.runningInstance(),
        ...bundleStorage,
      })
      return { BundleId: made.bundleInstanceTask.bundleId }
    },
  },
  CancelConversionTask: {
    request: async (world) => ({
      ConversionTaskId: (await world.call('ImportVolume', volumeInParts)).conversionTask.conversionTaskId,
    }),
    others: [
      async (world) => ({
        ConversionTaskId: (await world.call('ImportInstance', instanceInParts)).conversionTask
          .conversionTaskId,
      }),
    ],
  },
  CancelExportTask: {
    request: () => ({ ExportTaskId: 'export-i-12345678' }),
    refusedAs: 'InvalidExportTaskID.NotFound',
  },
  CancelImportTask: {
    request: async (world) => ({ ImportTaskId: await world.importTask() }),
  },
  CopyImage: {
    request: (world) => ({ Name: world.name(), SourceImageId: world.imageId, SourceRegion: 'us-east-1' }),
  },
  CreateLaunchTemplate: {
    request: (world) => ({ LaunchTemplateName: world.name(), 'LaunchTemplateData.InstanceType': 'm1.small' }),
    others: [
      async (world) => ({
        LaunchTemplateName: world.name(),
        'LaunchTemplateData.TagSpecification.1.ResourceType': 'instance',
      }),
    ],
  },
  CreateLaunchTemplateVersion: {
    request: async (world) => ({
      LaunchTemplateId: await world.launchTemplate(),
      'LaunchTemplateData.InstanceType': 'm1.small',
    }),
    others: [
      async (world) => ({
        LaunchTemplateId: await world.launchTemplate(),
        'LaunchTemplateData.TagSpecification.1.ResourceType': 'instance',
      }),
    ],
  },
  CreatePlacementGroup: { request: (world) => ({ GroupName: world.name(), Strategy: 'cluster' }) },
  DeleteLaunchTemplate: {
    request: async (world) => ({ LaunchTemplateId: await world.launchTemplate() }),
  },
  DeleteLaunchTemplateVersions: {
    request: async (world) => ({
      LaunchTemplateId: await world.launchTemplate(),
      'LaunchTemplateVersion.1': '7',
    }),
  },
  DeletePlacementGroup: { request: async (world) => ({ GroupName: await world.placementGroup() }) },
  DescribeAggregateIdFormat: bare,
  DescribeBundleTasks: bare,
  DescribeConversionTasks: bare,
  DescribeExportTasks: bare,
  DescribeFpgaImages: bare,
  DescribeIdFormat: bare,
  DescribeIdentityIdFormat: {
    request: (world) => ({ PrincipalArn: `arn:aws:iam::${world.cloud.admin.accountId}:root` }),
  },
  DescribeImageAttribute: {
    request: async (world) => ({ ImageId: await world.registeredImage(), Attribute: 'description' }),
  },
  DescribeImportImageTasks: bare,
  DescribeImportSnapshotTasks: bare,
  DescribeInstanceTypeOfferings: bare,
  DescribeLaunchTemplateVersions: {
    request: async (world) => ({ LaunchTemplateId: await world.launchTemplate() }),
  },
  DescribeLaunchTemplates: bare,
  DescribePlacementGroups: bare,
  DescribePrincipalIdFormat: bare,
  DisableImage: { request: async (world) => ({ ImageId: world.imageId }) },
  DisableImageDeprecation: { request: async (world) => ({ ImageId: await world.registeredImage() }) },
  EnableImage: { request: async (world) => ({ ImageId: world.imageId }) },
  EnableImageDeprecation: {
    request: async (world) => ({
      ImageId: await world.registeredImage(),
      DeprecateAt: '2033-01-01T00:00:00Z',
    }),
  },
  GetLaunchTemplateData: { request: async (world) => ({ InstanceId: await world.instance() }) },
  ModifyIdFormat: { request: () => ({ Resource: 'instance', UseLongIds: true }) },
  ModifyIdentityIdFormat: {
    request: (world) => ({
      PrincipalArn: `arn:aws:iam::${world.cloud.admin.accountId}:root`,
      Resource: 'instance',
      UseLongIds: true,
    }),
  },
  ModifyImageAttribute: {
    request: async (world) => ({ ImageId: await world.registeredImage(), 'Description.Value': 'x' }),
    others: [(world) => ({ ImageId: world.imageId })],
  },
  ModifyInstancePlacement: {
    request: async (world) => ({ InstanceId: await world.instance(), PartitionNumber: 1 }),
    refusedAs: 'IncorrectInstanceState',
  },
  ModifyLaunchTemplate: {
    request: async (world) => ({ LaunchTemplateId: await world.launchTemplate(), SetDefaultVersion: '1' }),
  },
  ResetImageAttribute: {
    request: async (world) => ({ ImageId: await world.registeredImage(), Attribute: 'launchPermission' }),
  },
  RebootInstances: ofInstances,
  DeregisterImage: {
    request: async (world) => {
      return { ImageId: await world.registeredImage() }
    },
  },
  ReportInstanceStatus: {
    request: async (world) => ({
      'InstanceId.1': await world.instance(),
      Status: 'ok',
      'ReasonCode.1': 'other',
    }),
  },
  ResetInstanceAttribute: {
    request: async (world) => ({ InstanceId: await world.instance(), Attribute: 'sourceDestCheck' }),
  },
  TerminateInstances: ofInstances,
  UnmonitorInstances: ofInstances,
}
