import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AnsweringStorage } from '../../answering-storage.ts'
import { CloudUnderTest, roomyStorage, type Answer } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let storage: AnsweringStorage
let nodes: [string, string]
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  nodes = [await cloud.addNode('n1'), await cloud.addNode('n2')]
  storage = await AnsweringStorage.join(cloud, nodes)
})
afterEach(() => cloud.stop())

type Parameters = Record<string, string | number | boolean>

async function ok(action: string, parameters: Parameters = {}): Promise<Answer['xml']> {
  const answer = await cloud.call(action, parameters)
  expect(answer.message, `${action} ${answer.body}`).toBeUndefined()
  return answer.xml
}

async function snapshot(sizeGiB = 1): Promise<string> {
  const { volumeId } = await ok('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: sizeGiB })
  await storage.settle()
  const { snapshotId } = await ok('CreateSnapshot', { VolumeId: volumeId, Description: 'a root' })
  await storage.settle()
  await ok('DeleteVolume', { VolumeId: volumeId })
  await storage.settle()
  return snapshotId as string
}

async function register(snapshotId: string, more: Parameters = {}): Promise<string> {
  const xml = await ok('RegisterImage', {
    Name: 'rooted',
    RootDeviceName: '/dev/sda1',
    'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
    'BlockDeviceMapping.1.Ebs.SnapshotId': snapshotId,
    ...more,
  })
  return xml.imageId as string
}

async function launch(imageId: string, parameters: Parameters = {}): Promise<string> {
  const xml = await ok('RunInstances', { ImageId: imageId, MinCount: 1, MaxCount: 1, ...parameters })
  return xml.instancesSet.item[0].instanceId as string
}

async function instance(id: string) {
  return (await ok('DescribeInstances', { 'InstanceId.1': id })).reservationSet.item[0].instancesSet.item[0]
}

const domainsOf = async (id: string) =>
  (await Promise.all(nodes.map((node) => storage.domains(node))))
    .flat()
    .filter((item) => item.instanceId === id)

test('an image of a snapshot is launched: the root is a volume made for the instance, and no disk of the node', async () => {
  const snapshotId = await snapshot()
  const imageId = await register(snapshotId)
  const [image] = (await ok('DescribeImages', { 'ImageId.1': imageId })).imagesSet.item
  expect(image).toMatchObject({
    ...{ imageState: 'available', rootDeviceType: 'ebs', rootDeviceName: '/dev/sda1' },
    blockDeviceMapping: {
      item: [{ deviceName: '/dev/sda1', ebs: { snapshotId, deleteOnTermination: 'true' } }],
    },
  })
  const id = await launch(imageId, {
    'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
    'BlockDeviceMapping.1.Ebs.VolumeSize': 8,
  })
  await cloud.settled()
  expect(await domainsOf(id)).toEqual([]) // nothing starts before its root can be reached
  await storage.settle()
  const found = await instance(id)
  expect(found).toMatchObject({ rootDeviceType: 'ebs', instanceState: { name: 'running' } })
  const volumeId = found.blockDeviceMapping.item[0].ebs.volumeId as string
  const [volume] = (await ok('DescribeVolumes', { 'VolumeId.1': volumeId })).volumeSet.item
  expect(volume).toMatchObject({ size: '8', snapshotId, status: 'in-use' })
  const [domain] = await domainsOf(id)
  expect(domain).toMatchObject({ machine: null, imageId, volumes: [{ volumeId, root: true }] })
  expect((await cloud.call('DeleteSnapshot', { SnapshotId: snapshotId })).code).toBe('InvalidSnapshot.InUse')
  expect((await cloud.call('DetachVolume', { VolumeId: volumeId })).code).toBe('OperationNotPermitted')
  await ok('TerminateInstances', { 'InstanceId.1': id })
  await storage.settle()
  expect((await ok('DescribeVolumes')).volumeSet).toBe('')
  await ok('DeregisterImage', { ImageId: imageId })
  await ok('DeleteSnapshot', { SnapshotId: snapshotId })
  await storage.settle()
  expect(await storage.items('snapshot')).toEqual([])
})

describe('an instance that boots from a volume', () => {
  test('is stopped and started on whatever node there is; its volume is one and the same', async () => {
    const id = await launch(await register(await snapshot()))
    await storage.settle()
    const before = (await instance(id)).blockDeviceMapping.item[0].ebs.volumeId as string
    const [domain] = await domainsOf(id)
    const first = (await cloud.cloud.record.read((db) =>
      db.selectFrom('instance').select('node_id').where('id', '=', id).executeTakeFirstOrThrow(),
    ))!.node_id
    expect((await ok('StopInstances', { 'InstanceId.1': id })).instancesSet.item[0].currentState.name).toBe(
      'stopping',
    )
    await storage.settle()
    expect((await instance(id)).instanceState.name).toBe('stopped')
    expect(await domainsOf(id)).toEqual([])
    expect(await storage.items('export')).toEqual([])
    expect((await instance(id)).blockDeviceMapping.item[0].ebs).toMatchObject({
      volumeId: before,
      status: 'attached',
    })

    expect((await cloud.call('StopInstances', { 'InstanceId.1': id })).status).toBe(200)
    await ok('StartInstances', { 'InstanceId.1': id })
    await storage.settle()
    expect((await instance(id)).instanceState.name).toBe('running')
    const [again] = await domainsOf(id)
    expect(again!.incarnation).toBe(domain!.incarnation + 1)
    expect(again!.volumes).toMatchObject([{ volumeId: before, root: true }])
    const second = (await cloud.cloud.record.read((db) =>
      db.selectFrom('instance').select('node_id').where('id', '=', id).executeTakeFirstOrThrow(),
    ))!.node_id
    expect(second).not.toBe(first) // round-robin
  })

  test('that is stopped has what was being plugged in, and not what was being taken out', async () => {
    const id = await launch(await register(await snapshot()))
    await storage.settle()
    const zone = (await instance(id)).placement.availabilityZone as string
    const subnets = (await ok('DescribeSubnets')).subnetSet.item
    const subnet = subnets.find((entry: { availabilityZone: string }) => entry.availabilityZone === zone)
    const plugged = async (index: number) => {
      const { networkInterface } = await ok('CreateNetworkInterface', { SubnetId: subnet.subnetId })
      const eni = networkInterface.networkInterfaceId as string
      const { attachmentId } = await ok('AttachNetworkInterface', {
        ...{ NetworkInterfaceId: eni, InstanceId: id, DeviceIndex: index },
      })
      return { eni, attachmentId: attachmentId as string }
    }
    const seen = async (eni: string) =>
      (await ok('DescribeNetworkInterfaces', { 'NetworkInterfaceId.1': eni })).networkInterfaceSet.item[0]
    const [coming, going] = [await plugged(1), await plugged(2)]
    await ok('DetachNetworkInterface', { AttachmentId: going.attachmentId })
    expect((await seen(going.eni)).attachment.status).toBe('detaching')
    await ok('StopInstances', { 'InstanceId.1': id })
    await storage.settle()
    expect((await instance(id)).instanceState.name).toBe('stopped')
    expect(await seen(going.eni)).toMatchObject({ status: 'available' })
    expect((await seen(coming.eni)).attachment.status).toBe('attached')
  })

  test('that shut itself down is stopped, or terminated if that is what it was told', async () => {
    const imageId = await register(await snapshot())
    for (const [behavior, state] of [
      ['stop', 'stopped'],
      ['terminate', 'terminated'],
    ] as const) {
      const id = await launch(imageId, { InstanceInitiatedShutdownBehavior: behavior })
      await storage.settle()
      const row = await cloud.cloud.record.read((db) =>
        db.selectFrom('domain').selectAll().where('instance_id', '=', id).executeTakeFirstOrThrow(),
      )
      await cloud.reportDomain(row.node_id, row.id, { state: 'ended', endReason: 'shutdown', startedAtMs: 1 })
      await storage.settle()
      expect((await instance(id)).instanceState.name).toBe(state)
    }
  })

  test('type, user data and shutdown behaviour are changed while it is stopped', async () => {
    const id = await launch(await register(await snapshot()))
    await storage.settle()
    const change = { InstanceId: id, 'InstanceType.Value': 'm1.large' }
    expect((await cloud.call('ModifyInstanceAttribute', change)).code).toBe('IncorrectInstanceState')
    await ok('StopInstances', { 'InstanceId.1': id })
    await storage.settle()
    await ok('ModifyInstanceAttribute', change)
    await ok('ModifyInstanceAttribute', {
      InstanceId: id,
      'InstanceInitiatedShutdownBehavior.Value': 'terminate',
    })
    await ok('ModifyInstanceAttribute', {
      InstanceId: id,
      'UserData.Value': Buffer.from('#!/bin/sh').toString('base64'),
    })
    await ok('StartInstances', { 'InstanceId.1': id })
    await storage.settle()
    const [domain] = await domainsOf(id)
    expect(domain).toMatchObject({
      instanceType: 'm1.large',
      userData: Buffer.from('#!/bin/sh').toString('base64'),
    })
    expect((await instance(id)).instanceType).toBe('m1.large')
  })

  test('whose node is declared dead is stopped, and its way to the volume is withdrawn before it starts elsewhere', async () => {
    const id = await launch(await register(await snapshot()))
    await storage.settle()
    const { node_id: nodeId } = await cloud.cloud.record.read((db) =>
      db.selectFrom('instance').select('node_id').where('id', '=', id).executeTakeFirstOrThrow(),
    )
    const agent = await cloud.cloud.record.read((db) =>
      db.selectFrom('agent').selectAll().where('id', '=', nodeId!).executeTakeFirstOrThrow(),
    )
    storage.nodes.splice(storage.nodes.indexOf(nodeId!), 1)
    await expect
      .poll(
        async () => {
          const response = await cloud.cloud.adminDoor.inject({
            method: 'POST',
            url: `/admin/v1/agents/${agent.name}/forget`,
            payload: { fenced: true },
          })
          // The other node is heard of meanwhile.
          for (const other of storage.nodes) await storage.lookAtNode(other)
          return response.statusCode
        },
        { timeout: 20_000 },
      )
      .toBe(200)
    await cloud.settled()
    expect((await instance(id)).instanceState.name).toBe('stopped')
    expect((await storage.items('export'))[0]!.body).toMatchObject({ withdraw: true })
    await ok('StartInstances', { 'InstanceId.1': id })
    await cloud.settled()
    expect(await storage.items('export')).toHaveLength(1) // the old one, still: nobody gets another
    await storage.settle()
    expect((await instance(id)).instanceState.name).toBe('running')
    expect((await storage.items('export'))[0]!.body).toMatchObject({ withdraw: false })
  })

  test('whose root cannot be made is terminated, and says why', async () => {
    const imageId = await register(await snapshot())
    const id = await launch(imageId)
    await cloud.settled()
    const [root] = await storage.items('volume')
    storage.refuses.add(root!.id)
    await storage.settle()
    const found = await instance(id)
    expect(found.instanceState.name).toBe('terminated')
    expect(found.stateReason.message).toContain('The backend is full.')
  })

  test.each([
    ['no root', { 'BlockDeviceMapping.1.DeviceName': '/dev/sda1', 'BlockDeviceMapping.1.NoDevice': '' }],
    [
      'two at one place',
      {
        'BlockDeviceMapping.1.DeviceName': '/dev/sdb',
        'BlockDeviceMapping.1.Ebs.VolumeSize': 1,
        'BlockDeviceMapping.2.DeviceName': '/dev/xvdb',
        'BlockDeviceMapping.2.Ebs.VolumeSize': 1,
      },
    ],
    ['nothing at a place', { 'BlockDeviceMapping.1.DeviceName': '/dev/sdb' }],
    [
      'no ephemeral',
      { 'BlockDeviceMapping.1.DeviceName': '/dev/sdb', 'BlockDeviceMapping.1.VirtualName': 'swap' },
    ],
  ])('%s is refused', async (_name, mapping) => {
    const imageId = await register(await snapshot())
    const answer = await cloud.call('RunInstances', {
      ImageId: imageId,
      MinCount: 1,
      MaxCount: 1,
      ...mapping,
    })
    expect(answer.code).toBe('InvalidBlockDeviceMapping')
  })
})

describe('CreateImage', () => {
  test('shuts the guest down until every volume is frozen, starts it again, and is there when all is whole', async () => {
    const id = await launch(await register(await snapshot()), {
      'BlockDeviceMapping.1.DeviceName': '/dev/sdb',
      'BlockDeviceMapping.1.Ebs.VolumeSize': 2,
    })
    await storage.settle()
    const { imageId } = await ok('CreateImage', { InstanceId: id, Name: 'made' })
    await cloud.settled()
    expect((await domainsOf(id))[0]).toMatchObject({ intent: 'release' })
    const taken = async () => (await storage.items('snapshot')).length
    expect(await taken()).toBe(1) // that of the first image
    expect((await cloud.call('CreateImage', { InstanceId: id, Name: 'again' })).code).toBe(
      'IncorrectInstanceState',
    )
    await storage.settle()
    expect(await taken()).toBe(3)
    const [image] = (await ok('DescribeImages', { 'ImageId.1': imageId })).imagesSet.item
    expect(image).toMatchObject({ imageState: 'available', sourceInstanceId: id, rootDeviceType: 'ebs' })
    expect(image.blockDeviceMapping.item).toHaveLength(2)
    expect((await instance(id)).instanceState.name).toBe('running')
    expect((await domainsOf(id))[0]).toMatchObject({ intent: 'run' })
    const copy = await launch(imageId)
    await storage.settle()
    expect((await instance(copy)).blockDeviceMapping.item).toHaveLength(2)
  })

  test('without a reboot leaves the guest alone', async () => {
    const id = await launch(await register(await snapshot()))
    await storage.settle()
    const [before] = await domainsOf(id)
    const { imageId } = await ok('CreateImage', { InstanceId: id, Name: 'made', NoReboot: true })
    await storage.settle()
    const [image] = (await ok('DescribeImages', { 'ImageId.1': imageId })).imagesSet.item
    expect(image.imageState).toBe('available')
    expect((await domainsOf(id))[0]!.incarnation).toBe(before!.incarnation)
  })

  test('of an instance that boots from an image is refused', async () => {
    const image = await cloud.plantImage(cloud.admin.accountId)
    const id = await launch(image)
    await storage.settle()
    expect((await cloud.call('CreateImage', { InstanceId: id, Name: 'made' })).code).toBe(
      'UnsupportedOperation',
    )
  })
})

describe('bad days of an instance that boots from a volume', () => {
  async function running(): Promise<{ id: string; domainId: string; nodeId: string }> {
    const id = await launch(await register(await snapshot()))
    await storage.settle()
    const row = await cloud.cloud.record.read((db) =>
      db.selectFrom('domain').selectAll().where('instance_id', '=', id).executeTakeFirstOrThrow(),
    )
    return { id, domainId: row.id, nodeId: row.node_id }
  }

  test('a restart that fails stops it, and its volume is there still', async () => {
    const { id, domainId, nodeId } = await running()
    await cloud.reportDomain(nodeId, domainId, { state: 'ended', endReason: 'crashed', startedAtMs: 1 })
    await cloud.reportDomain(nodeId, domainId, { state: 'gone', startedAtMs: 1 })
    await expect.poll(async () => (await domainsOf(id))[0]?.incarnation, { timeout: 10_000 }).toBe(2)
    await cloud.reportDomain(nodeId, `${id}/2`, { state: 'failed', message: 'A hook refused.' })
    await storage.settle()
    expect((await instance(id)).instanceState.name).toBe('stopped')
    expect((await ok('DescribeVolumes')).volumeSet.item[0].status).toBe('in-use')
  })

  test('a target that is made anew takes no disk from its guest', async () => {
    const { id } = await running()
    const [target] = await storage.items('export')
    const facts = { state: 'preparing' as const, message: 'The target daemon is silent.', portal: null }
    const said = { kind: 'export' as const, id: target!.id, generation: target!.generation, facts }
    await cloud.report('storage', storage.storageId, [said], roomyStorage)
    await cloud.settled()
    cloud.cloud.reconcilers['instances']!.wake(id)
    await cloud.settled()
    expect((await domainsOf(id))[0]!.volumes).toHaveLength(1)
  })

  test('a root that was taken away to be mended is the root again; without one it does not start', async () => {
    const { id } = await running()
    await ok('StopInstances', { 'InstanceId.1': id })
    await storage.settle()
    const volumeId = (await instance(id)).blockDeviceMapping.item[0].ebs.volumeId as string
    await ok('DetachVolume', { VolumeId: volumeId })
    await storage.settle()
    expect((await cloud.call('StartInstances', { 'InstanceId.1': id })).code).toBe('IncorrectState')
    await ok('AttachVolume', { VolumeId: volumeId, InstanceId: id, Device: '/dev/sda1' })
    await storage.settle()
    await ok('StartInstances', { 'InstanceId.1': id })
    await storage.settle()
    expect((await domainsOf(id))[0]!.volumes).toMatchObject([{ volumeId, root: true }])
    expect((await cloud.call('DetachVolume', { VolumeId: volumeId })).code).toBe('OperationNotPermitted')
    await ok('TerminateInstances', { 'InstanceId.1': id })
    await storage.settle()
    expect((await ok('DescribeVolumes')).volumeSet.item[0].status).toBe('available') // it was put there by hand
  })

  test('a volume whose snapshot is not taken yet is not deleted', async () => {
    const { volumeId } = await ok('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: 1 })
    await storage.settle()
    await ok('CreateSnapshot', { VolumeId: volumeId })
    await ok('DeleteVolume', { VolumeId: volumeId })
    await cloud.settled()
    expect((await storage.items('volume'))[0]!.body).toMatchObject({ remove: false })
    await storage.settle()
    expect(await storage.items('volume')).toEqual([])
    expect((await ok('DescribeSnapshots', { 'Owner.1': 'self' })).snapshotSet.item[0].status).toBe(
      'completed',
    )
  })

  test('an attribute that names no device is no failure of ours', async () => {
    const { id } = await running()
    const answer = await cloud.call('ModifyInstanceAttribute', {
      ...{ InstanceId: id, Attribute: 'blockDeviceMapping', Value: 'x' },
    })
    expect(answer.code).toBe('MissingParameter')
  })
})

test('a stopped instance of a spread group starts on a node that none of its group has', async () => {
  const imageId = await register(await snapshot())
  await ok('CreatePlacementGroup', { GroupName: 'apart', Strategy: 'spread' })
  const inGroup = { 'Placement.GroupName': 'apart', 'Placement.AvailabilityZone': 'us-east-1a' }
  const [first, second] = [await launch(imageId, inGroup), await launch(imageId, inGroup)]
  await storage.settle()
  await ok('StopInstances', { 'InstanceId.1': first })
  await storage.settle()
  await launch(imageId) // takes its turn: the next one would be beside the second
  await ok('StartInstances', { 'InstanceId.1': first })
  await storage.settle()
  const nodeOf = async (id: string) => {
    const rows = await cloud.cloud.record.read((db) =>
      db.selectFrom('instance').select('node_id').where('id', '=', id).execute(),
    )
    return rows[0]!.node_id
  }
  expect(new Set([await nodeOf(first), await nodeOf(second)]).size).toBe(2)
  const record = await cloud.cloud.record.read((db) =>
    db.selectFrom('decision').select('record').where('instance_id', '=', first).executeTakeFirstOrThrow(),
  )
  expect(JSON.parse(record.record)).toMatchObject({
    taken: await nodeOf(first),
    group: { strategy: 'spread' },
  })
})
