import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AnsweringStorage } from '../../answering-storage.ts'
import { CloudUnderTest, roomyStorage, type Answer } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let storage: AnsweringStorage
let nodeId: string
let image: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  nodeId = await cloud.addNode('n1')
  storage = await AnsweringStorage.join(cloud, [nodeId])
  image = await cloud.plantImage(cloud.admin.accountId)
})
afterEach(() => cloud.stop())

type Parameters = Record<string, string | number | boolean>

async function ok(action: string, parameters: Parameters = {}): Promise<Answer['xml']> {
  const answer = await cloud.call(action, parameters)
  expect(answer.message, `${action} ${answer.body}`).toBeUndefined()
  return answer.xml
}

async function createVolume(parameters: Parameters = {}): Promise<string> {
  const xml = await ok('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: 1, ...parameters })
  expect(xml.status).toBe('creating')
  await storage.settle()
  return xml.volumeId as string
}

async function launch(parameters: Parameters = {}): Promise<string> {
  const xml = await ok('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1, ...parameters })
  await storage.settle()
  return xml.instancesSet.item[0].instanceId as string
}

async function volume(id: string) {
  return (await ok('DescribeVolumes', { 'VolumeId.1': id })).volumeSet.item[0]
}

async function instance(id: string) {
  return (await ok('DescribeInstances', { 'InstanceId.1': id })).reservationSet.item[0].instancesSet.item[0]
}

describe('a volume', () => {
  test('is created, described, tagged and deleted; its storage controller has it exactly as long', async () => {
    const id = await createVolume({
      'TagSpecification.1.ResourceType': 'volume',
      'TagSpecification.1.Tag.1.Key': 'Name',
      'TagSpecification.1.Tag.1.Value': 'data',
    })
    expect(await volume(id)).toMatchObject({
      ...{ status: 'available', size: '1', availabilityZone: 'us-east-1a', volumeType: 'gp2', iops: '100' },
      ...{
        encrypted: 'false',
        multiAttachEnabled: 'false',
        tagSet: { item: [{ key: 'Name', value: 'data' }] },
      },
    })
    expect(await storage.items('volume')).toMatchObject([
      { id, body: { sizeBytes: 1024 ** 3, source: null } },
    ])
    await ok('DeleteVolume', { VolumeId: id })
    await storage.settle()
    expect((await cloud.call('DescribeVolumes', { 'VolumeId.1': id })).code).toBe('InvalidVolume.NotFound')
    expect(await storage.items('volume')).toEqual([])
    expect((await cloud.call('DescribeTags')).body).not.toContain('data')
  })

  test('that cannot be made is in error, and can be deleted', async () => {
    const xml = await ok('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: 2 })
    storage.refuses.add(xml.volumeId)
    await storage.settle()
    expect((await volume(xml.volumeId)).status).toBe('error')
    await ok('DeleteVolume', { VolumeId: xml.volumeId })
    await storage.settle()
    expect((await cloud.call('DescribeVolumes', { 'VolumeId.1': xml.volumeId })).status).toBe(400)
  })

  test.each([
    ['of no size', {}, 'MissingParameter'],
    ['too large', { Size: 100_000 }, 'InvalidParameterValue'],
    ['of no type', { Size: 1, VolumeType: 'gp9' }, 'InvalidParameterValue'],
    ['gp2 with IOPS', { Size: 1, Iops: 3000 }, 'InvalidParameterCombination'],
    ['io1 without', { Size: 4, VolumeType: 'io1' }, 'MissingParameter'],
    ['io1 with too many for its size', { Size: 4, VolumeType: 'io1', Iops: 1000 }, 'InvalidParameterValue'],
    ['of a snapshot that is not there', { SnapshotId: 'snap-0123456789abcdef0' }, 'InvalidSnapshot.NotFound'],
    ['of no snapshot at all', { SnapshotId: 'x' }, 'InvalidSnapshotID.Malformed'],
    ['elsewhere', { Size: 1, AvailabilityZone: 'eu-west-1a' }, 'InvalidParameterValue'],
    ['where no storage is', { Size: 1, AvailabilityZone: 'us-east-1b' }, 'InsufficientVolumeCapacity'],
    ['only to see', { Size: 1, DryRun: true }, 'DryRunOperation'],
  ])('%s is refused', async (_name, parameters, code) => {
    const answer = await cloud.call('CreateVolume', { AvailabilityZone: 'us-east-1a', ...parameters })
    expect(answer.code).toBe(code)
    expect(await storage.items('volume')).toEqual([])
  })

  test('counts against the quotas of number and size', async () => {
    await cloud.cloud.record.transaction('action', async (tx) => {
      const account_id = cloud.admin.accountId
      await tx.db
        .updateTable('quota')
        .set({ value: 5 })
        .where('account_id', '=', account_id)
        .where('name', '=', 'volume-gib')
        .execute()
    })
    await createVolume({ Size: 5 })
    const more = await cloud.call('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: 1 })
    expect(more.code).toBe('VolumeLimitExceeded')
  })

  test('of another account is as if it were not there', async () => {
    const id = await createVolume()
    const other = await cloud.createAccount('other')
    for (const [action, parameters] of [
      ['DescribeVolumes', { 'VolumeId.1': id }],
      ['DeleteVolume', { VolumeId: id }],
      ['CreateSnapshot', { VolumeId: id }],
      ['ModifyVolume', { VolumeId: id, Size: 2 }],
      ['AttachVolume', { VolumeId: id, InstanceId: 'i-0123456789abcdef0', Device: '/dev/sdf' }],
      ['DetachVolume', { VolumeId: id }],
      ['DescribeVolumeAttribute', { VolumeId: id, Attribute: 'autoEnableIO' }],
    ] as const) {
      expect((await cloud.call(action, parameters, { as: other })).code, action).toBe(
        'InvalidVolume.NotFound',
      )
    }
    expect((await cloud.call('DescribeVolumes', {}, { as: other })).body).not.toContain(id)
  })
})

describe('an attachment', () => {
  test('gives the instance a target of its own, and takes it away again before the volume is free', async () => {
    const id = await createVolume()
    const instanceId = await launch()
    const xml = await ok('AttachVolume', { VolumeId: id, InstanceId: instanceId, Device: '/dev/sdf' })
    expect(xml).toMatchObject({ status: 'attaching', device: '/dev/sdf', deleteOnTermination: 'false' })
    expect(await volume(id)).toMatchObject({ status: 'in-use' })
    await storage.settle()
    expect((await volume(id)).attachmentSet.item[0]).toMatchObject({ status: 'attached', instanceId })
    const [connection] = await storage.connections(nodeId)
    const [target] = await storage.items('export')
    expect(target!.body).toMatchObject({ iqn: connection!.iqn, initiatorIqn: connection!.initiatorIqn })
    expect(connection!.initiatorIqn).toContain(nodeId)
    expect((await storage.domains(nodeId))[0]!.volumes).toMatchObject([{ volumeId: id, device: '/dev/sdf' }])
    expect((await instance(instanceId)).blockDeviceMapping.item[0].ebs.volumeId).toBe(id)

    expect((await ok('DetachVolume', { VolumeId: id })).status).toBe('detaching')
    await cloud.settled()
    // The guest has it still: nothing is withdrawn, and the volume is not free.
    expect((await storage.items('export'))[0]!.body).toMatchObject({ withdraw: false })
    expect((await volume(id)).status).toBe('in-use')
    await storage.lookAtNode(nodeId)
    expect((await storage.items('export'))[0]!.body).toMatchObject({ withdraw: true })
    expect((await volume(id)).status).toBe('in-use')
    await storage.settle()
    expect(await volume(id)).toMatchObject({ status: 'available', attachmentSet: '' })
    expect(await storage.items('export')).toEqual([])
    expect(await storage.connections(nodeId)).toEqual([])

    await ok('AttachVolume', { VolumeId: id, InstanceId: instanceId, Device: '/dev/sdf' })
    await storage.settle()
    const [next] = await storage.connections(nodeId)
    expect(next!.iqn).not.toBe(connection!.iqn)
    expect(next!.chapSecret).not.toBe(connection!.chapSecret)
  })

  test('that is taken by force is withdrawn whatever the guest does', async () => {
    const id = await createVolume()
    const instanceId = await launch()
    await ok('AttachVolume', { VolumeId: id, InstanceId: instanceId, Device: '/dev/sdf' })
    await storage.settle()
    await ok('DetachVolume', { VolumeId: id, Force: true })
    await cloud.settled()
    expect((await storage.items('export'))[0]!.body).toMatchObject({ withdraw: true })
    await storage.lookAtStorage()
    expect((await volume(id)).status).toBe('available')
  })

  test('no word of a node that contradicts its item frees a volume', async () => {
    const id = await createVolume()
    const instanceId = await launch()
    await ok('AttachVolume', { VolumeId: id, InstanceId: instanceId, Device: '/dev/sdf' })
    await storage.settle()
    await ok('DetachVolume', { VolumeId: id })
    await cloud.settled()
    const [target] = await storage.items('export')
    const facts = { state: 'gone' as const, message: null, portal: null }
    await cloud.report(
      'storage',
      storage.storageId,
      [{ kind: 'export', id: target!.id, generation: 9, facts }],
      roomyStorage,
    )
    await cloud.settled()
    expect((await volume(id)).status).toBe('in-use')
  })

  test('its secret is in no answer and nowhere in the record', async () => {
    const id = await createVolume()
    const instanceId = await launch()
    await ok('AttachVolume', { VolumeId: id, InstanceId: instanceId, Device: '/dev/sdf' })
    await storage.settle()
    const chapSecret = (await storage.connections(nodeId))[0]!.chapSecret
    expect(chapSecret).toMatch(/^[A-Z2-7]{32}$/)
    const rows = await cloud.cloud.record.read(async (db) => [
      await db.selectFrom('volume_export').selectAll().execute(),
      await db.selectFrom('desired_item').selectAll().execute(),
      await db.selectFrom('event').selectAll().execute(),
    ])
    expect(JSON.stringify(rows)).not.toContain(chapSecret)
  })

  test.each([
    ['a device that is none', { Device: 'x' }, 'InvalidParameterValue'],
    ["the instance's own disk", { Device: '/dev/sda1' }, 'InvalidParameterValue'],
    ['an instance that is not there', { InstanceId: 'i-0123456789abcdef0' }, 'InvalidInstanceID.NotFound'],
    ['no id', { VolumeId: 'x' }, 'InvalidVolumeID.Malformed'],
  ])('to %s is refused', async (_name, changes, code) => {
    const VolumeId = await createVolume()
    const InstanceId = await launch()
    const answer = await cloud.call('AttachVolume', { VolumeId, InstanceId, Device: '/dev/sdf', ...changes })
    expect(answer.code).toBe(code)
    expect((await volume(VolumeId)).status).toBe('available')
  })

  test('of a volume that is attached, or at a place that is taken, is refused', async () => {
    const [first, second] = [await createVolume(), await createVolume()]
    const InstanceId = await launch()
    await ok('AttachVolume', { VolumeId: first, InstanceId, Device: '/dev/sdf' })
    const again = { VolumeId: first, InstanceId, Device: '/dev/sdg' }
    expect((await cloud.call('AttachVolume', again)).code).toBe('VolumeInUse')
    const there = { VolumeId: second, InstanceId, Device: '/dev/xvdf1' }
    expect((await cloud.call('AttachVolume', there)).code).toBe('InvalidParameterValue')
    expect((await cloud.call('DeleteVolume', { VolumeId: first })).code).toBe('VolumeInUse')
    expect((await cloud.call('DetachVolume', { VolumeId: second })).code).toBe('IncorrectState')
    const elsewhere = { VolumeId: first, Device: '/dev/sdz' }
    expect((await cloud.call('DetachVolume', elsewhere)).code).toBe('InvalidAttachment.NotFound')
  })

  test('ends with its instance; the volume stays, unless it was to go', async () => {
    const kept = await createVolume()
    const instanceId = await launch({
      'BlockDeviceMapping.1.DeviceName': '/dev/sdb',
      'BlockDeviceMapping.1.Ebs.VolumeSize': 2,
      'BlockDeviceMapping.1.Ebs.DeleteOnTermination': true,
      'TagSpecification.1.ResourceType': 'volume',
      'TagSpecification.1.Tag.1.Key': 'made',
    })
    await ok('AttachVolume', { VolumeId: kept, InstanceId: instanceId, Device: '/dev/sdf' })
    await storage.settle()
    const mapped = (await instance(instanceId)).blockDeviceMapping.item
    expect(mapped.map((entry: { deviceName: string }) => entry.deviceName)).toEqual(['/dev/sdb', '/dev/sdf'])
    await ok('TerminateInstances', { 'InstanceId.1': instanceId })
    await storage.settle()
    const left = (await ok('DescribeVolumes')).volumeSet.item
    expect(left).toMatchObject([{ volumeId: kept, status: 'available' }])
    expect(await storage.items('export')).toEqual([])
  })
})

describe('a modification', () => {
  test('grows a volume that a guest has; it is complete when the guest knows', async () => {
    const id = await createVolume()
    const InstanceId = await launch()
    await ok('AttachVolume', { VolumeId: id, InstanceId, Device: '/dev/sdf' })
    await storage.settle()
    const { volumeModification: said } = await ok('ModifyVolume', {
      VolumeId: id,
      Size: 3,
      VolumeType: 'gp3',
    })
    expect(said).toMatchObject({
      ...{ modificationState: 'modifying', originalSize: '1', targetSize: '3' },
      ...{ originalVolumeType: 'gp2', targetVolumeType: 'gp3', targetIops: '3000' },
    })
    expect((await cloud.call('ModifyVolume', { VolumeId: id, Size: 4 })).code).toBe(
      'IncorrectModificationState',
    )
    await storage.lookAtStorage()
    const state = async () =>
      (await ok('DescribeVolumesModifications', { 'VolumeId.1': id })).volumeModificationSet.item[0]
        .modificationState as string
    expect(await state()).toBe('modifying') // the guest does not know
    await storage.settle()
    expect(await state()).toBe('completed')
    expect(await volume(id)).toMatchObject({ size: '3', volumeType: 'gp3', throughput: '125' })
    expect((await cloud.call('ModifyVolume', { VolumeId: id, Size: 2 })).code).toBe('InvalidParameterValue')
  })

  test('of a volume that never had one is not found', async () => {
    const id = await createVolume()
    const answer = await cloud.call('DescribeVolumesModifications', { 'VolumeId.1': id })
    expect(answer.code).toBe('InvalidVolumeModification.NotFound')
  })
})

test('status and attributes say what is so', async () => {
  const id = await createVolume()
  const [status] = (await ok('DescribeVolumeStatus', { 'VolumeId.1': id })).volumeStatusSet.item
  expect(status.volumeStatus.status).toBe('ok')
  await ok('ModifyVolumeAttribute', { VolumeId: id, 'AutoEnableIO.Value': true })
  const said = await ok('DescribeVolumeAttribute', { VolumeId: id, Attribute: 'autoEnableIO' })
  expect(said.autoEnableIO.value).toBe('true')
  await ok('EnableVolumeIO', { VolumeId: id })
})
