import type { CloudUnderTest } from '../cloud-under-test.ts'

type Parameters = Record<string, string | number | boolean>

const bundleStorage = {
  'Storage.S3.Bucket': 'bundles',
  'Storage.S3.Prefix': 'web',
  'Storage.S3.AWSAccessKeyId': 'AKIDEXAMPLE',
  'Storage.S3.UploadPolicy': 'e30=',
  'Storage.S3.UploadPolicySignature': 'x',
}

const importedDisk = {
  'DiskContainer.1.Format': 'raw',
  'DiskContainer.1.UserBucket.S3Bucket': 'disks',
  'DiskContainer.1.UserBucket.S3Key': 'disk.raw',
}

/** What the requests below speak of; made once, and more of it whenever a request uses something up. */
export class CoverageWorld {
  readonly cloud: CloudUnderTest
  readonly imageId: string
  private made = 0

  constructor(cloud: CloudUnderTest, imageId: string) {
    this.cloud = cloud
    this.imageId = imageId
  }

  name(): string {
    this.made += 1
    return `thing-${this.made}`
  }

  async call(action: string, parameters: Parameters) {
    const answer = await this.cloud.call(action, parameters)
    if (answer.status !== 200) throw new Error(`${action}: ${answer.code} ${answer.message}`)
    return answer.xml
  }

  async instance(): Promise<string> {
    const run = await this.call('RunInstances', { ImageId: this.imageId, MinCount: 1, MaxCount: 1 })
    return run.instancesSet.item[0].instanceId
  }

  /** As its node would say; by rows, since a report says how large its node is, too. */
  async runningInstance(): Promise<string> {
    const id = await this.instance()
    const { cloud } = this.cloud
    await this.cloud.settled()
    await cloud.record.transaction('report', (tx) =>
      tx.db
        .updateTable('domain')
        .set({ observed_state: 'running', started_at: 5 })
        .where('instance_id', '=', id)
        .execute(),
    )
    cloud.reconcilers['instances']!.wake(id)
    await this.cloud.settled()
    return id
  }

  async group(): Promise<string> {
    return (await this.call('CreateSecurityGroup', { GroupName: this.name(), GroupDescription: 'x' })).groupId
  }

  async groupWithRule(side: 'Ingress' | 'Egress'): Promise<string> {
    const id = await this.group()
    await this.call(`AuthorizeSecurityGroup${side}`, { GroupId: id, ...ssh })
    return id
  }

  async peerRule(): Promise<Parameters> {
    return { 'IpPermissions.1.IpProtocol': '-1', 'IpPermissions.1.Groups.1.GroupId': await this.group() }
  }

  async keyPair(): Promise<string> {
    const name = this.name()
    await this.call('CreateKeyPair', { KeyName: name, KeyType: 'ed25519' })
    return name
  }

  async registeredImage(): Promise<string> {
    return (await this.call('RegisterImage', { Name: this.name(), ImageLocation: 'bucket/key' })).imageId
  }

  async importTask(): Promise<string> {
    return (await this.call('ImportImage', importedDisk)).importTaskId
  }

  async launchTemplate(): Promise<string> {
    const made = await this.call('CreateLaunchTemplate', {
      LaunchTemplateName: this.name(),
      'LaunchTemplateData.InstanceType': 'm1.small',
    })
    return made.launchTemplate.launchTemplateId
  }

  async placementGroup(): Promise<string> {
    const name = this.name()
    await this.call('CreatePlacementGroup', { GroupName: name, Strategy: 'spread' })
    return name
  }

  async tagged(): Promise<string> {
    const id = await this.group()
    await this.call('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'colour', 'Tag.1.Value': 'red' })
    return id
  }
}

const ssh = {
  'IpPermissions.1.IpProtocol': 'tcp',
  'IpPermissions.1.FromPort': 22,
  'IpPermissions.1.ToPort': 22,
  'IpPermissions.1.IpRanges.1.CidrIp': '10.1.2.3/32',
}
const publicKey = Buffer.from(
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvHkJ4FYDAL0wjJBwmzp5SPHQ4GhFAmGN3mWpEW1pW x',
).toString('base64')

interface BaseRequest {
  /** A request that succeeds, with as little in it as may be. */
  readonly request: (world: CoverageWorld) => Promise<Parameters> | Parameters
  /** Others that succeed, for members that do not go with the first. */
  readonly others?: readonly ((world: CoverageWorld) => Promise<Parameters> | Parameters)[]
  /** The code that it is always answered with, where the cloud can only refuse. */
  readonly refusedAs?: string
}

const flatRule = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, CidrIp: '10.1.2.3/32' }
const nothing = () => ({})

const bare: BaseRequest = { request: () => ({}) }
const ofInstance: BaseRequest = { request: async (world) => ({ InstanceId: await world.instance() }) }
const ofInstances: BaseRequest = { request: async (world) => ({ 'InstanceId.1': await world.instance() }) }

/** One for every action that the cloud performs: the coverage test fails for one that is missing. */
export const baseRequests: Readonly<Record<string, BaseRequest>> = {
  AuthorizeSecurityGroupEgress: {
    request: async (world) => ({ GroupId: await world.group(), ...ssh }),
    others: [
      async (world) => ({ GroupId: await world.group(), ...flatRule }),
      async (world) => ({ GroupId: await world.group(), ...(await world.peerRule()) }),
      nothing,
    ],
  },
  AuthorizeSecurityGroupIngress: {
    request: async (world) => ({ GroupId: await world.group(), ...ssh }),
    others: [
      async (world) => ({ GroupId: await world.group(), ...flatRule }),
      async (world) => ({ GroupId: await world.group(), ...(await world.peerRule()) }),
      nothing,
    ],
  },
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
  DescribeAddresses: bare,
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
  DescribeSecurityGroupRules: bare,
  DescribeSecurityGroups: bare,
  DescribeSubnets: bare,
  DescribeTags: bare,
  DescribeVpcs: bare,
  GetConsoleOutput: ofInstance,
  GetConsoleScreenshot: ofInstance,
  GetInstanceUefiData: { ...ofInstance, refusedAs: 'UnsupportedOperation' },
  GetPasswordData: ofInstance,
  ImportImage: {
    request: () => importedDisk,
    others: [() => ({ 'DiskContainer.1.Format': 'raw', 'DiskContainer.1.Url': 's3://disks/disk.raw' })],
  },
  ImportKeyPair: { request: (world) => ({ KeyName: world.name(), PublicKeyMaterial: publicKey }) },
  ModifyInstanceAttribute: {
    request: async (world) => ({ InstanceId: await world.instance(), 'DisableApiTermination.Value': true }),
    others: [
      async (world) => ({ InstanceId: await world.instance() }),
      async (world) => ({ InstanceId: await world.instance(), Attribute: 'disableApiStop' }),
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
    request: () => ({ ConversionTaskId: 'import-i-12345678' }),
    refusedAs: 'InvalidConversionTaskId',
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
  RegisterImage: { request: (world) => ({ Name: world.name(), ImageLocation: 'bucket/key' }) },
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
  RevokeSecurityGroupEgress: {
    request: async (world) => ({ GroupId: await world.groupWithRule('Egress'), ...ssh }),
    others: [
      async (world) => ({ GroupId: await world.groupWithRule('Egress'), ...flatRule }),
      async (world) => ({ GroupId: await world.group(), ...(await world.peerRule()) }),
      nothing,
    ],
  },
  RevokeSecurityGroupIngress: {
    request: async (world) => ({ GroupId: await world.groupWithRule('Ingress'), ...ssh }),
    others: [
      async (world) => ({ GroupId: await world.groupWithRule('Ingress'), ...flatRule }),
      async (world) => ({ GroupId: await world.group(), ...(await world.peerRule()) }),
      nothing,
    ],
  },
  RunInstances: { request: (world) => ({ ImageId: world.imageId, MinCount: 1, MaxCount: 1 }) },
  StartInstances: { ...ofInstances, refusedAs: 'UnsupportedOperation' },
  StopInstances: { ...ofInstances, refusedAs: 'UnsupportedOperation' },
  TerminateInstances: ofInstances,
  UnmonitorInstances: ofInstances,
}
