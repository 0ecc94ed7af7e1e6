import { GiB } from '@mallee/base'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AnsweringStorage } from '../../answering-storage.ts'
import { AnsweringWalrus } from '../../answering-walrus.ts'
import { CloudUnderTest, type Answer } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let storage: AnsweringStorage
let walrus: AnsweringWalrus
let node: string

beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  node = await cloud.addNode('node-1')
  storage = await AnsweringStorage.join(cloud, [node])
  walrus = await AnsweringWalrus.join(cloud)
})
afterEach(async () => {
  await walrus.stop()
  await cloud.stop()
})

type Parameters = Record<string, string | number | boolean>

async function ok(action: string, parameters: Parameters = {}): Promise<Answer['xml']> {
  const answer = await cloud.call(action, parameters)
  expect(answer.message, answer.body).toBeUndefined()
  await cloud.settled()
  return answer.xml
}

/** All agents do what they are told, until nothing is left to do. */
async function settle(): Promise<void> {
  for (let round = 0; round < 6; round += 1) {
    await storage.settle()
    await walrus.look()
  }
}

const url = 'http://127.0.0.1:8773/disks/web/manifest.xml?AWSAccessKeyId=A&Signature=hunter2'
const diskOf = (number: number, gib: number): Parameters => ({
  [`DiskImage.${number}.Image.Format`]: 'VMDK',
  [`DiskImage.${number}.Image.Bytes`]: 1000 * number,
  [`DiskImage.${number}.Image.ImportManifestUrl`]: url.replace('manifest', `manifest-${number}`),
  [`DiskImage.${number}.Volume.Size`]: gib,
})
const specification = (members: Parameters): Parameters =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [`LaunchSpecification.${name}`, value]))
const guest = {
  Platform: 'Linux',
  ...specification({ Architecture: 'x86_64', InstanceType: 'm1.small' }),
  ...diskOf(1, 4),
}
const staged = { state: 'staged', progress: 100, diskBytes: 3 * GiB + 512, blocks: 7 } as const

const begin = async (parameters: Parameters = guest) =>
  (await ok('ImportInstance', parameters)).conversionTask as Answer['xml']
const task = async (id: string) =>
  (await ok('DescribeConversionTasks', { 'ConversionTaskId.1': id })).conversionTasks.item[0]
const volumes = async () => ((await ok('DescribeVolumes')).volumeSet.item ?? []) as Answer['xml'][]
const snapshots = async () =>
  ((await ok('DescribeSnapshots', { 'Owner.1': 'self' })).snapshotSet.item ?? []) as Answer['xml'][]
const instances = async () =>
  ((await ok('DescribeInstances')).reservationSet.item ?? []).flatMap(
    (reservation: Answer['xml']) => reservation.instancesSet.item,
  ) as Answer['xml'][]
/** What walrus says of the disks of a task. */
const say = async (id: string, facts: Parameters | typeof staged, disks = [1]) => {
  for (const disk of disks) await walrus.sayOfImport(`${id}-${disk}`, facts as typeof staged)
}

async function nothingIsLeft(): Promise<void> {
  await settle()
  expect([await volumes(), await snapshots(), await instances()]).toEqual([[], [], []])
  expect(await walrus.imports()).toEqual([])
  expect([await storage.items('volume'), await storage.items('snapshot')]).toEqual([[], []])
}

describe('ImportInstance', () => {
  test('makes a stopped instance of a disk in parts, and it is started', async () => {
    const made = await begin({ ...guest, Description: 'from Xen' })
    const id = made.conversionTaskId as string
    expect(id).toMatch(/^import-i-[0-9a-f]{17}$/)
    const { instanceId } = made.importInstance
    expect(made).toMatchObject({
      ...{ state: 'active', statusMessage: 'pending' },
      importInstance: {
        ...{ platform: 'Linux', description: 'from Xen' },
        volumes: {
          item: [
            {
              ...{ availabilityZone: 'us-east-1a', bytesConverted: '0', status: 'active' },
              image: { format: 'VMDK', size: '1000', importManifestUrl: expect.stringContaining('hunter2') },
              volume: { size: '4' },
            },
          ],
        },
      },
    })
    expect((await walrus.imports())[0]).toMatchObject({ bucket: 'disks', key: 'web/manifest-1.xml' })
    expect(await instances()).toEqual([])
    await say(id, { state: 'converting', progress: 50 })
    expect(await task(id)).toMatchObject({
      ...{ state: 'active', statusMessage: 'converting' },
      importInstance: { volumes: { item: [{ bytesConverted: '500', statusMessage: 'converting' }] } },
    })
    await say(id, staged)
    await settle()
    const [volume] = await volumes()
    expect(await task(id)).toMatchObject({
      state: 'completed',
      importInstance: {
        instanceId,
        volumes: {
          item: [{ status: 'completed', bytesConverted: '1000', volume: { id: volume!.volumeId } }],
        },
      },
    })
    const [instance] = await instances()
    expect(instance).toMatchObject({
      ...{ instanceId, instanceState: { name: 'stopped' }, instanceType: 'm1.small', architecture: 'x86_64' },
      ...{ rootDeviceType: 'ebs', rootDeviceName: '/dev/sda1', ipAddress: expect.any(String) },
      blockDeviceMapping: {
        item: [{ deviceName: '/dev/sda1', ebs: { volumeId: volume!.volumeId, deleteOnTermination: 'true' } }],
      },
    })
    expect(await snapshots()).toEqual([])
    const images = await ok('DescribeImages', { 'Owner.1': 'self' })
    expect(images.imagesSet).toBe('')

    await ok('StartInstances', { 'InstanceId.1': instanceId })
    await settle()
    const [domain] = await storage.domains(node)
    expect(domain).toMatchObject({ instanceId, kernel: null, volumes: [{ root: true }] })
    await ok('TerminateInstances', { 'InstanceId.1': instanceId })
    await cloud.reportDomain(node, `${instanceId}/1`, { state: 'gone' })
    await settle()
    expect(await volumes()).toEqual([])
  })

  test('of several disks has them all, the first as its root', async () => {
    const { conversionTaskId: id, importInstance } = await begin({ ...guest, ...diskOf(2, 5) })
    await say(id, staged, [2])
    await settle()
    expect(await task(id)).toMatchObject({ state: 'active', statusMessage: 'pending' })
    await say(id, staged)
    await settle()
    expect((await task(id)).state).toBe('completed')
    const [instance] = await instances()
    expect(instance!.instanceId).toBe(importInstance.instanceId)
    const sizes = new Map((await volumes()).map((volume) => [volume.volumeId, volume.size]))
    const mapped = instance!.blockDeviceMapping.item as Answer['xml'][]
    expect(mapped.map(({ deviceName, ebs }) => [deviceName, sizes.get(ebs.volumeId)])).toEqual([
      ['/dev/sda1', '4'],
      ['/dev/sdb', '5'],
    ])
  })

  test('is launched as it was specified', async () => {
    await ok('CreateSecurityGroup', { GroupName: 'web', GroupDescription: 'x' })
    await ok('CreateKeyPair', { KeyName: 'mine' })
    const asked = specification({
      'GroupName.1': 'web',
      ...{ KeyName: 'mine', 'Monitoring.Enabled': true, UserData: 'aGVsbG8=' },
      ...{ InstanceInitiatedShutdownBehavior: 'terminate', PrivateIpAddress: '172.31.0.77' },
      'Placement.AvailabilityZone': 'us-east-1a',
    })
    const { conversionTaskId: id, importInstance } = await begin({ ...guest, ...asked })
    const { instanceId } = importInstance
    const taken = await cloud.call('ImportInstance', { ...guest, ...asked })
    expect([taken.code, taken.message]).toEqual(['InvalidIPAddress.InUse', 'Address 172.31.0.77 is in use.'])
    const held = await cloud.call('DeleteSecurityGroup', { GroupName: 'web' })
    expect(held.code).toBe('DependencyViolation')
    await say(id, staged)
    await settle()
    const attribute = async (name: string) =>
      (await ok('DescribeInstanceAttribute', { InstanceId: instanceId, Attribute: name }))[name].value
    expect((await instances())[0]).toMatchObject({
      ...{ keyName: 'mine', privateIpAddress: '172.31.0.77', monitoring: { state: expect.any(String) } },
      groupSet: { item: [{ groupName: 'web' }] },
    })
    expect(await attribute('userData')).toBe('aGVsbG8=')
    expect(await attribute('instanceInitiatedShutdownBehavior')).toBe('terminate')
  })

  test.each(['while it is converted', 'while it is gathered', 'between two disks'])(
    'that is cancelled %s leaves nothing',
    async (when) => {
      const { conversionTaskId: id } = await begin({ ...guest, ...diskOf(2, 5) })
      if (when !== 'while it is converted') await say(id, staged)
      if (when === 'between two disks') await settle()
      await ok('CancelConversionTask', { ConversionTaskId: id, ReasonMessage: 'enough' })
      expect((await task(id)).state).toBe('cancelling')
      await say(id, { state: 'gone' }, [1, 2])
      await nothingIsLeft()
      expect(await task(id)).toMatchObject({ state: 'cancelled', statusMessage: 'enough' })
      const again = await cloud.call('CancelConversionTask', { ConversionTaskId: id })
      expect(again.code).toBe('IncorrectState')
    },
  )

  test('one of whose disks cannot be used fails whole, and says why', async () => {
    const { conversionTaskId: id } = await begin({ ...guest, ...diskOf(2, 5) })
    await say(id, staged)
    await settle()
    await say(id, { state: 'failed', message: 'The VMDK disk has a parent.' }, [2])
    await say(id, { state: 'gone' }, [2])
    await nothingIsLeft()
    expect(await task(id)).toMatchObject({
      ...{ state: 'cancelled', statusMessage: 'ClientError: The VMDK disk has a parent.' },
    })
  })

  test('whose volume is deleted meanwhile fails', async () => {
    const { conversionTaskId: id } = await begin({ ...guest, ...diskOf(2, 5) })
    await say(id, staged)
    await settle()
    const done = (await volumes()).find(({ status }) => status === 'available')
    await ok('DeleteVolume', { VolumeId: done!.volumeId })
    await say(id, staged, [2])
    await settle()
    await say(id, { state: 'gone' }, [2])
    await nothingIsLeft()
    expect((await task(id)).state).toBe('cancelled')
  })

  test('has its address from the start, and its subnet stays', async () => {
    const vpc = (await ok('CreateVpc', { CidrBlock: '10.0.0.0/16' })).vpc
    const subnet = (
      await ok('CreateSubnet', { VpcId: vpc.vpcId, CidrBlock: '10.0.1.0/28', AvailabilityZone: 'us-east-1a' })
    ).subnet.subnetId as string
    const eni = (await ok('CreateNetworkInterface', { SubnetId: subnet })).networkInterface
    const assign = (more: Parameters) =>
      cloud.call('AssignPrivateIpAddresses', { NetworkInterfaceId: eni.networkInterfaceId, ...more })
    await ok('AssignPrivateIpAddresses', {
      ...{ NetworkInterfaceId: eni.networkInterfaceId, SecondaryPrivateIpAddressCount: 9 },
    })
    const { conversionTaskId: id } = await begin({ ...guest, ...specification({ SubnetId: subnet }) })
    const own = '10.0.1.14'
    for (const more of [{}, { AllowReassignment: true }])
      expect((await assign({ 'PrivateIpAddress.1': own, ...more })).code).toBe('InvalidIPAddress.InUse')
    const refused = async (action: string, parameters: Parameters) =>
      (await cloud.call(action, parameters)).code
    const gateway = { SubnetId: subnet, ConnectivityType: 'private' }
    expect([
      await refused('CreateNatGateway', { ...gateway, PrivateIpAddress: own }),
      await refused('CreateNetworkInterface', { SubnetId: subnet }),
      await refused('ImportInstance', { ...guest, ...specification({ SubnetId: subnet }) }),
      await refused('DeleteSubnet', { SubnetId: subnet }),
    ]).toEqual([
      ...['InvalidIPAddress.InUse', 'InsufficientFreeAddressesInSubnet'],
      ...['InsufficientFreeAddressesInSubnet', 'DependencyViolation'],
    ])
    await say(id, staged)
    await settle()
    expect((await instances())[0].privateIpAddress).toBe(own)
  })

  test('has its share of the quota from the start, once', async () => {
    await cloud.cloud.record.transaction('action', (tx) =>
      tx.db
        .updateTable('quota')
        .set({ value: 1 })
        .where('account_id', '=', cloud.admin.accountId)
        .where('name', '=', 'instances')
        .execute(),
    )
    const { conversionTaskId: id } = await begin()
    expect((await cloud.call('ImportInstance', guest)).code).toBe('InstanceLimitExceeded')
    const imageId = await cloud.plantImage(cloud.admin.accountId)
    const run = { ImageId: imageId, MinCount: 1, MaxCount: 1 }
    expect((await cloud.call('RunInstances', run)).code).toBe('InstanceLimitExceeded')
    expect(await volumes()).toHaveLength(1) // the refused one left none
    await say(id, staged)
    await settle()
    expect((await cloud.call('RunInstances', run)).code).toBe('InstanceLimitExceeded')
    const [instance] = await instances()
    await ok('TerminateInstances', { 'InstanceId.1': instance!.instanceId })
    await settle()
    await begin()
  })

  test.each<[string, Parameters, string, string]>([
    [
      'no disk',
      Object.fromEntries(Object.entries(guest).filter(([name]) => !name.startsWith('DiskImage'))),
      'MissingParameter',
      'DiskImage',
    ],
    ['Windows', { ...guest, Platform: 'Windows' }, 'UnsupportedOperation', 'Platform'],
    [
      'another architecture',
      { ...guest, ...specification({ Architecture: 'arm64_mac' }) },
      'InvalidParameterValue',
      'arm64_mac',
    ],
    [
      'another type',
      { ...guest, ...specification({ InstanceType: 'x9.huge' }) },
      'InvalidParameterValue',
      'x9.huge',
    ],
    [
      'another zone',
      { ...guest, ...specification({ 'Placement.AvailabilityZone': 'us-east-1z' }) },
      'InvalidParameterValue',
      'us-east-1z',
    ],
    [
      'another subnet',
      { ...guest, ...specification({ SubnetId: 'subnet-0123456789abcdef0' }) },
      'InvalidSubnetID.NotFound',
      'subnet-',
    ],
    [
      'another group',
      { ...guest, ...specification({ 'GroupId.1': 'sg-0123456789abcdef0' }) },
      'InvalidGroup.NotFound',
      'sg-',
    ],
    [
      'an address of another net',
      { ...guest, ...specification({ PrivateIpAddress: '10.0.0.9' }) },
      'InvalidParameterValue',
      'address range',
    ],
    [
      'the gateway’s address',
      { ...guest, ...specification({ PrivateIpAddress: '172.31.0.1' }) },
      'InvalidParameterValue',
      'reserved',
    ],
    [
      'what AWS keeps to itself',
      { ...guest, ...specification({ AdditionalInfo: 'x' }) },
      'UnsupportedOperation',
      'AdditionalInfo',
    ],
    [
      'bad user data',
      { ...guest, ...specification({ 'UserData.Data': '%%' }) },
      'InvalidUserData.Malformed',
      'user data',
    ],
    [
      'a URL of a file',
      { ...guest, 'DiskImage.1.Image.ImportManifestUrl': 'file:///etc/passwd' },
      'InvalidParameterValue',
      'bucket',
    ],
    ['another format', { ...guest, 'DiskImage.1.Image.Format': 'ISO' }, 'InvalidParameterValue', 'ISO'],
    ['no size', { ...guest, 'DiskImage.1.Volume.Size': 0 }, 'InvalidParameterValue', 'smaller'],
  ])('with %s is refused, and leaves nothing', async (_what, parameters, code, words) => {
    const refused = await cloud.call('ImportInstance', parameters)
    expect([refused.code, refused.message]).toEqual([code, expect.stringContaining(words)])
    expect([await volumes(), await snapshots(), await instances()]).toEqual([[], [], []])
  })

  test('is its account’s', async () => {
    const { conversionTaskId: id } = await begin()
    const as = await cloud.createAccount('other')
    const asked = await cloud.call('DescribeConversionTasks', { 'ConversionTaskId.1': id }, { as })
    expect(asked.code).toBe('InvalidConversionTaskId')
    const cancel = await cloud.call('CancelConversionTask', { ConversionTaskId: id }, { as })
    expect(cancel.code).toBe('InvalidConversionTaskId')
    // A disk of it is no task of its own.
    const disk = await cloud.call('CancelConversionTask', { ConversionTaskId: `${id}-1` })
    expect(disk.code).toBe('InvalidConversionTaskId.Malformed')
  })
})
