import { roomyStorage, type CloudUnderTest } from '../cloud-under-test.ts'

export type Parameters = Record<string, string | number | boolean>

export interface BaseRequest {
  /** A request that succeeds, with as little in it as may be. */
  readonly request: (world: CoverageWorld) => Promise<Parameters> | Parameters
  /** Others that succeed, for members that do not go with the first. */
  readonly others?: readonly ((world: CoverageWorld) => Promise<Parameters> | Parameters)[]
  /** The code that it is always answered with, where the cloud can only refuse. */
  readonly refusedAs?: string
}

export const importedDisk = {
  'DiskContainer.1.Format': 'raw',
  'DiskContainer.1.UserBucket.S3Bucket': 'disks',
  'DiskContainer.1.UserBucket.S3Key': 'disk.raw',
}

export const ssh = {
  'IpPermissions.1.IpProtocol': 'tcp',
  'IpPermissions.1.FromPort': 22,
  'IpPermissions.1.ToPort': 22,
  'IpPermissions.1.IpRanges.1.CidrIp': '10.1.2.3/32',
}

/** The mapping of an image's root. */
export const mappedRoot = (snapshotId: string): Parameters => ({
  'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
  'BlockDeviceMapping.1.Ebs.SnapshotId': snapshotId,
})

/** What base requests speak of; made once, and more of it whenever a request uses something up. */
export class CoverageWorld {
  readonly cloud: CloudUnderTest
  readonly imageId: string
  private made = 0
  private ofSnapshot: string | undefined
  private bootsFromVolume: string | undefined

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

  /** The one that instances are launched into. */
  async subnet(): Promise<string> {
    const ofZone = { 'Filter.1.Name': 'default-for-az', 'Filter.1.Value.1': 'true' }
    const here = { 'Filter.2.Name': 'availability-zone', 'Filter.2.Value.1': 'us-east-1a' }
    return (await this.call('DescribeSubnets', { ...ofZone, ...here })).subnetSet.item[0].subnetId
  }

  /** One that nothing has yet. */
  privateAddress(): string {
    this.made += 1
    return `172.31.${8 + (this.made >> 8)}.${this.made & 255}`
  }

  async networkInterface(): Promise<string> {
    const made = await this.call('CreateNetworkInterface', { SubnetId: await this.subnet() })
    return made.networkInterface.networkInterfaceId
  }

  /** The attachment's id. */
  async attachedInterface(): Promise<string> {
    const made = await this.call('AttachNetworkInterface', {
      NetworkInterfaceId: await this.networkInterface(),
      InstanceId: await this.runningInstance(),
      DeviceIndex: 1,
    })
    return made.attachmentId
  }

  async interfaceOf(attachmentId: string): Promise<string> {
    const found = await this.call('DescribeNetworkInterfaces', {
      'Filter.1.Name': 'attachment.attachment-id',
      'Filter.1.Value.1': attachmentId,
    })
    return found.networkInterfaceSet.item[0].networkInterfaceId
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

  /** As its storage controller would say: once it is there. */
  async volume(): Promise<string> {
    await this.hearStorage()
    const { volumeId } = await this.call('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: 1 })
    await this.make([volumeId])
    return volumeId
  }

  /** It says nothing by itself, and the tests before this may have taken longer than it may be silent. */
  async hearStorage(): Promise<void> {
    const agents = await this.cloud.cloud.record.read((db) =>
      db.selectFrom('agent').select('id').where('kind', '=', 'storage').execute(),
    )
    for (const { id } of agents) await this.cloud.report('storage', id, [], roomyStorage)
    await this.cloud.settled()
  }

  async snapshot(): Promise<string> {
    const { snapshotId } = await this.call('CreateSnapshot', { VolumeId: await this.volume() })
    const { cloud } = this.cloud
    const index = { bucket: 'mallee-ebs', key: snapshotId, sha256: 'b'.repeat(64), sizeBytes: 10 }
    await cloud.record.transaction('report', (tx) =>
      tx.db
        .updateTable('snapshot')
        .set({ taken: 1, progress: 100, index_object: JSON.stringify(index) })
        .where('id', '=', snapshotId)
        .execute(),
    )
    cloud.reconcilers['snapshots']!.wake(snapshotId)
    await this.cloud.settled()
    return snapshotId
  }

  /** One of a snapshot, which takes no walrus. */
  async volumeImage(): Promise<string> {
    this.ofSnapshot ??= await this.snapshot()
    const image = await this.call('RegisterImage', { Name: this.name(), ...mappedRoot(this.ofSnapshot) })
    return image.imageId
  }

  /** An instance that boots from a volume; it waits for it. */
  async volumeInstance(): Promise<string> {
    this.bootsFromVolume ??= await this.volumeImage()
    const run = await this.call('RunInstances', { ImageId: this.bootsFromVolume, MinCount: 1, MaxCount: 1 })
    return run.instancesSet.item[0].instanceId
  }

  /** With its root at /dev/sda1 there. */
  async stoppedInstance(): Promise<string> {
    const id = await this.volumeInstance()
    await this.call('StopInstances', { 'InstanceId.1': id })
    const { cloud } = this.cloud
    const rows = await cloud.record.read((db) =>
      db.selectFrom('volume_attachment').select('volume_id').where('instance_id', '=', id).execute(),
    )
    await this.make(rows.map((row) => row.volume_id))
    return id
  }

  /** Beside the root of a stopped instance, at /dev/sdf. */
  async attachedVolume(): Promise<string> {
    const parameters = {
      VolumeId: await this.volume(),
      InstanceId: await this.stoppedInstance(),
      Device: '/dev/sdf',
    }
    await this.call('AttachVolume', parameters)
    await this.cloud.settled()
    return parameters.VolumeId
  }

  private async make(volumeIds: readonly string[]): Promise<void> {
    const { cloud } = this.cloud
    await cloud.record.transaction('report', (tx) =>
      tx.db
        .updateTable('volume')
        .set({ observed_state: 'available', observed_size_bytes: 1024 ** 3, hydrated_percent: 100 })
        .where('id', 'in', volumeIds)
        .execute(),
    )
    for (const id of volumeIds) cloud.reconcilers['volumes']!.wake(id)
    await this.cloud.settled()
  }
}
