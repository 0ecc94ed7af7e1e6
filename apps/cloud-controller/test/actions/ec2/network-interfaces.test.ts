import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DomainItem, VpcItem } from '@mallee/agent-contract'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let node: string
let image: string
let subnet: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  node = await cloud.addNode('node', { address: '192.0.2.1' })
  image = await cloud.plantImage(cloud.admin.accountId)
  subnet = (await cloud.call('DescribeSubnets', {})).xml.subnetSet.item[0].subnetId
})
afterEach(() => cloud.stop())

type Parameters = Record<string, string | number | boolean>

const create = async (more: Parameters = {}) =>
  cloud.call('CreateNetworkInterface', { SubnetId: subnet, ...more })
const created = async (more: Parameters = {}) => {
  const answer = await create(more)
  expect(answer.code).toBeUndefined()
  return answer.xml.networkInterface
}
const look = async (id: string) =>
  (await cloud.call('DescribeNetworkInterfaces', { 'NetworkInterfaceId.1': id })).xml.networkInterfaceSet
    .item[0]
const launch = async (more: Parameters = {}) =>
  cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1, ...more })

/** An instance whose node says that it runs. */
async function running(more: Parameters = {}): Promise<string> {
  const answer = await launch(more)
  expect(answer.code).toBeUndefined()
  const id = answer.xml.instancesSet.item[0].instanceId as string
  await cloud.settled()
  await reportRunning(id)
  return id
}

async function reportRunning(id: string, facts: object = {}): Promise<void> {
  const item = await itemOf<DomainItem>('domain', `${id}/1`)
  await cloud.report('node', node, [
    {
      kind: 'domain',
      id: `${id}/1`,
      generation: item.generation,
      facts: {
        state: 'running',
        endReason: null,
        message: null,
        startedAtMs: 5,
        diskLost: false,
        rebootCount: 0,
        accelerator: 'simulated',
        ...facts,
      },
    },
  ])
  await cloud.settled()
}

async function itemOf<T>(kind: string, id: string): Promise<{ generation: number; body: T }> {
  const set = await cloud.desired('node', node)
  const body = set.bodies.find((item) => item.kind === kind && item.id === id)!
  return {
    generation: set.index.find((entry) => entry.kind === kind && entry.id === id)!.generation,
    body: body.body as T,
  }
}

const vpcItem = async () => {
  const set = await cloud.desired('node', node)
  return set.bodies.find((item) => item.kind === 'vpc')?.body as VpcItem | undefined
}

describe('interfaces that stand alone', () => {
  test('are made with addresses, groups and a description, described and deleted', async () => {
    const made = await created({
      Description: 'spare',
      'PrivateIpAddresses.1.PrivateIpAddress': '172.31.0.20',
      'PrivateIpAddresses.1.Primary': true,
      'PrivateIpAddresses.2.PrivateIpAddress': '172.31.0.21',
      'TagSpecification.1.ResourceType': 'network-interface',
      'TagSpecification.1.Tag.1.Key': 'k',
      'TagSpecification.1.Tag.1.Value': 'v',
    })
    expect(made).toMatchObject({
      description: 'spare',
      status: 'available',
      privateIpAddress: '172.31.0.20',
      sourceDestCheck: 'true',
    })
    const seen = await look(made.networkInterfaceId)
    expect(
      seen.privateIpAddressesSet.item.map((entry: { privateIpAddress: string; primary: string }) => [
        entry.privateIpAddress,
        entry.primary,
      ]),
    ).toEqual([
      ['172.31.0.20', 'true'],
      ['172.31.0.21', 'false'],
    ])
    expect(seen.tagSet.item[0]).toMatchObject({ key: 'k', value: 'v' })
    expect(
      (await cloud.call('DeleteNetworkInterface', { NetworkInterfaceId: made.networkInterfaceId })).status,
    ).toBe(200)
    const again = await cloud.call('DeleteNetworkInterface', { NetworkInterfaceId: made.networkInterfaceId })
    expect(again.code).toBe('InvalidNetworkInterfaceID.NotFound')
    // Its addresses are free again.
    await created({ PrivateIpAddress: '172.31.0.21' })
  })

  test('cannot have addresses that are not in the subnet, reserved, taken, doubled or too many', async () => {
    await created({ PrivateIpAddress: '172.31.0.30' })
    const refused = async (more: Parameters) => (await create(more)).code
    expect(await refused({ PrivateIpAddress: '10.0.0.1' })).toBe('InvalidParameterValue')
    expect(await refused({ PrivateIpAddress: '172.31.0.3' })).toBe('InvalidParameterValue')
    expect(await refused({ PrivateIpAddress: '172.31.15.255' })).toBe('InvalidParameterValue')
    expect(await refused({ PrivateIpAddress: '1.2.3' })).toBe('InvalidParameterValue')
    expect(await refused({ PrivateIpAddress: '172.31.0.30' })).toBe('InvalidIPAddress.InUse')
    expect(
      await refused({
        PrivateIpAddress: '172.31.0.40',
        'PrivateIpAddresses.1.PrivateIpAddress': '172.31.0.40',
      }),
    ).toBe('InvalidParameterValue')
    expect(await refused({ SecondaryPrivateIpAddressCount: 30 })).toBe('PrivateIpAddressLimitExceeded')
    expect(
      await refused({
        SecondaryPrivateIpAddressCount: 1,
        'PrivateIpAddresses.1.PrivateIpAddress': '172.31.0.41',
      }),
    ).toBe('InvalidParameterCombination')
    expect(await refused({ 'SecurityGroupId.1': 'sg-00000000000000000' })).toBe('InvalidGroup.NotFound')
    expect(await refused({ SubnetId: 'subnet-00000000000000000' })).toBe('InvalidSubnetID.NotFound')
    expect(await refused({ Ipv6AddressCount: 1 })).toBe('UnsupportedOperation')
  })

  test('belong to their account alone', async () => {
    const made = await created()
    const other = await cloud.createAccount('other')
    for (const action of ['DeleteNetworkInterface', 'ResetNetworkInterfaceAttribute'] as const) {
      const answer = await cloud.call(
        action,
        { NetworkInterfaceId: made.networkInterfaceId, SourceDestCheck: 'x' },
        { as: other },
      )
      expect(answer.status).not.toBe(200)
    }
    expect((await look(made.networkInterfaceId)).status).toBe('available')
  })
})

describe('attaching', () => {
  test('goes by the node: attaching, attached, detaching, available again', async () => {
    const id = await running()
    const { networkInterfaceId: eni } = await created()
    const attach = await cloud.call('AttachNetworkInterface', {
      NetworkInterfaceId: eni,
      InstanceId: id,
      DeviceIndex: 1,
    })
    expect(attach.code).toBeUndefined()
    const { attachmentId } = attach.xml
    await cloud.settled()
    expect((await look(eni)).attachment).toMatchObject({
      status: 'attaching',
      instanceId: id,
      deviceIndex: '1',
    })
    expect(
      (await itemOf<DomainItem>('domain', `${id}/1`)).body.interfaces.map((entry) => entry.interfaceId),
    ).toContain(eni)
    expect((await vpcItem())!.interfaces.map((entry) => entry.interfaceId)).toContain(eni)

    const attaching = [{ attachmentId, state: 'attaching', message: null }]
    await reportRunning(id, { interfaces: attaching })
    expect((await look(eni)).attachment.status).toBe('attaching')
    await reportRunning(id)
    expect((await look(eni)).attachment.status).toBe('attached')
    expect((await cloud.call('DeleteNetworkInterface', { NetworkInterfaceId: eni })).code).toBe(
      'InvalidNetworkInterface.InUse',
    )

    expect((await cloud.call('DetachNetworkInterface', { AttachmentId: attachmentId })).status).toBe(200)
    await cloud.settled()
    const seen = await look(eni)
    expect(seen.attachment.status).toBe('detaching')
    expect((await vpcItem())!.interfaces.map((entry) => entry.interfaceId)).not.toContain(eni)
    await reportRunning(id, {
      interfaces: [{ attachmentId: seen.macAddress, state: 'detaching', message: null }],
    })
    expect((await look(eni)).attachment.status).toBe('detaching')
    await reportRunning(id)
    expect(await look(eni)).toMatchObject({ status: 'available' })
  })

  test('an interface that cannot be plugged in is available again', async () => {
    const id = await running()
    const { networkInterfaceId: eni } = await created()
    const { attachmentId } = (
      await cloud.call('AttachNetworkInterface', { NetworkInterfaceId: eni, InstanceId: id, DeviceIndex: 1 })
    ).xml
    await cloud.settled()
    const failed = [{ attachmentId, state: 'failed', message: 'no more PCI slots' }]
    await reportRunning(id, { interfaces: failed })
    expect((await look(eni)).status).toBe('available')
    expect((await itemOf<DomainItem>('domain', `${id}/1`)).body.interfaces).toHaveLength(1)
  })

  test('a report about an older item says nothing of a newer interface', async () => {
    const id = await running()
    const before = (await itemOf('domain', `${id}/1`)).generation
    const { networkInterfaceId: eni } = await created()
    await cloud.call('AttachNetworkInterface', { NetworkInterfaceId: eni, InstanceId: id, DeviceIndex: 1 })
    await cloud.settled()
    await cloud.report('node', node, [
      {
        kind: 'domain',
        id: `${id}/1`,
        generation: before,
        facts: {
          ...{ state: 'running', endReason: null, message: null, startedAtMs: 5 },
          ...{ diskLost: false, rebootCount: 0, accelerator: 'simulated' },
        },
      } as never,
    ])
    await cloud.settled()
    expect((await look(eni)).attachment.status).toBe('attaching')
  })

  test('is refused where it cannot be, and the primary interface stays', async () => {
    const id = await running()
    const { networkInterfaceId: eni } = await created()
    const attach = (more: Parameters) =>
      cloud.call('AttachNetworkInterface', {
        NetworkInterfaceId: eni,
        InstanceId: id,
        DeviceIndex: 1,
        ...more,
      })
    expect((await attach({ DeviceIndex: 0 })).code).toBe('InvalidParameterValue')
    expect((await attach({ DeviceIndex: 99 })).code).toBe('InvalidParameterValue')
    expect((await attach({ InstanceId: 'i-00000000000000000' })).code).toBe('InvalidInstanceID.NotFound')
    const own = (await cloud.call('DescribeInstances', { 'InstanceId.1': id })).xml.reservationSet.item[0]
      .instancesSet.item[0].networkInterfaceSet.item[0]
    expect((await attach({ NetworkInterfaceId: own.networkInterfaceId })).code).toBe(
      'InvalidNetworkInterface.InUse',
    )
    const detach = (attachmentId: string) =>
      cloud.call('DetachNetworkInterface', { AttachmentId: attachmentId })
    expect((await detach(own.attachment.attachmentId)).code).toBe('OperationNotPermitted')
    expect((await detach('eni-attach-00000000000000000')).code).toBe('InvalidAttachmentID.NotFound')
    expect((await detach('nonsense')).code).toBe('InvalidAttachmentID.Malformed')
  })

  test('by force an interface is free at once', async () => {
    const id = await running()
    const { networkInterfaceId: eni } = await created()
    const { attachmentId } = (
      await cloud.call('AttachNetworkInterface', { NetworkInterfaceId: eni, InstanceId: id, DeviceIndex: 1 })
    ).xml
    await cloud.call('DetachNetworkInterface', { AttachmentId: attachmentId, Force: true })
    await cloud.settled()
    expect((await look(eni)).status).toBe('available')
    expect((await vpcItem())!.interfaces.map((entry) => entry.interfaceId)).not.toContain(eni)
  })

  test('outlives its instance unless it is said to end with it', async () => {
    const id = await running()
    const keeps = (await created()).networkInterfaceId as string
    const ends = (await created()).networkInterfaceId as string
    for (const [index, eni] of [keeps, ends].entries())
      await cloud.call('AttachNetworkInterface', {
        NetworkInterfaceId: eni,
        InstanceId: id,
        DeviceIndex: index + 1,
      })
    const tag = { 'Tag.1.Key': 'colour', 'Tag.1.Value': 'red' }
    await cloud.call('CreateTags', { 'ResourceId.1': keeps, 'ResourceId.2': ends, ...tag })
    const { attachmentId } = (await look(ends)).attachment
    const changed = await cloud.call('ModifyNetworkInterfaceAttribute', {
      NetworkInterfaceId: ends,
      'Attachment.AttachmentId': attachmentId,
      'Attachment.DeleteOnTermination': true,
    })
    expect(changed.code).toBeUndefined()
    await cloud.call('TerminateInstances', { 'InstanceId.1': id })
    await cloud.settled()
    const item = await itemOf<DomainItem>('domain', `${id}/1`)
    await cloud.report('node', node, [
      {
        kind: 'domain',
        id: `${id}/1`,
        generation: item.generation,
        facts: {
          ...{ state: 'gone', endReason: null, message: null, startedAtMs: 5 },
          ...{ diskLost: false, rebootCount: 0, accelerator: null },
        },
      } as never,
    ])
    await cloud.settled()
    const left = (await cloud.call('DescribeNetworkInterfaces', {})).xml.networkInterfaceSet.item
    expect(left.map((entry: { networkInterfaceId: string }) => entry.networkInterfaceId)).toEqual([keeps])
    expect(left[0].status).toBe('available')
    const tags = (await cloud.call('DescribeTags', {})).xml.tagSet.item
    expect(tags.map((entry: { resourceId: string }) => entry.resourceId)).toEqual([keeps])
  })

  test('what is asked of an instance with several must name one of them', async () => {
    const id = await running()
    const eni = (await created()).networkInterfaceId as string
    await cloud.call('AttachNetworkInterface', { NetworkInterfaceId: eni, InstanceId: id, DeviceIndex: 1 })
    const group = (await look(eni)).groupSet.item[0].groupId as string
    for (const change of [{ 'SourceDestCheck.Value': false }, { 'GroupId.1': group }] as Parameters[])
      expect((await cloud.call('ModifyInstanceAttribute', { InstanceId: id, ...change })).code).toBe(
        'InvalidInstanceID',
      )
    expect((await look(eni)).sourceDestCheck).toBe('true')
  })

  test('is found by the filters of the instance', async () => {
    const id = await running()
    const eni = (await created()).networkInterfaceId as string
    await cloud.call('AttachNetworkInterface', { NetworkInterfaceId: eni, InstanceId: id, DeviceIndex: 1 })
    const found = async (name: string, value: string | boolean) => {
      const filter = { 'Filter.1.Name': `network-interface.${name}`, 'Filter.1.Value.1': value }
      return ((await cloud.call('DescribeInstances', filter)).xml.reservationSet.item ?? []).length
    }
    expect(await found('attachment.status', 'attaching')).toBe(1)
    expect(await found('attachment.status', 'detached')).toBe(0)
    expect(await found('attachment.delete-on-termination', false)).toBe(1)
    expect(await found('network-interface-id', eni)).toBe(1)
    expect(await found('addresses.primary', false)).toBe(0)
    await cloud.call('AssignPrivateIpAddresses', {
      NetworkInterfaceId: eni,
      SecondaryPrivateIpAddressCount: 1,
    })
    expect(await found('addresses.primary', false)).toBe(1)
  })
})

describe('private addresses', () => {
  test('are assigned by name and by number, moved, and given back', async () => {
    const first = (await created()).networkInterfaceId as string
    const second = (await created()).networkInterfaceId as string
    const assign = (id: string, more: Parameters) =>
      cloud.call('AssignPrivateIpAddresses', { NetworkInterfaceId: id, ...more })
    const assigned = await assign(first, { 'PrivateIpAddress.1': '172.31.0.99' })
    expect(assigned.xml.assignedPrivateIpAddressesSet.item[0].privateIpAddress).toBe('172.31.0.99')
    expect((await assign(first, { SecondaryPrivateIpAddressCount: 2 })).status).toBe(200)
    expect((await look(first)).privateIpAddressesSet.item).toHaveLength(4)
    expect((await assign(second, { 'PrivateIpAddress.1': '172.31.0.99' })).code).toBe(
      'InvalidIPAddress.InUse',
    )
    expect(
      (await assign(second, { 'PrivateIpAddress.1': '172.31.0.99', AllowReassignment: true })).status,
    ).toBe(200)
    expect((await look(first)).privateIpAddressesSet.item).toHaveLength(3)
    const primary = (await look(first)).privateIpAddress
    expect((await assign(second, { 'PrivateIpAddress.1': primary, AllowReassignment: true })).code).toBe(
      'InvalidIPAddress.InUse',
    )
    const unassign = (id: string, address: string) =>
      cloud.call('UnassignPrivateIpAddresses', { NetworkInterfaceId: id, 'PrivateIpAddress.1': address })
    expect((await unassign(second, '172.31.0.99')).status).toBe(200)
    expect((await unassign(second, '172.31.0.99')).code).toBe('InvalidParameterValue')
    expect((await unassign(first, primary)).code).toBe('InvalidParameterValue')
  })
})

describe('launches', () => {
  test('with several interfaces, new and present, named addresses and counts', async () => {
    const present = (await created()).networkInterfaceId as string
    const id = await running({
      'NetworkInterface.1.DeviceIndex': 0,
      'NetworkInterface.1.SubnetId': subnet,
      'NetworkInterface.1.PrivateIpAddress': '172.31.0.50',
      'NetworkInterface.1.SecondaryPrivateIpAddressCount': 1,
      'NetworkInterface.1.Description': 'first',
      'NetworkInterface.2.DeviceIndex': 1,
      'NetworkInterface.2.NetworkInterfaceId': present,
    })
    const instance = (await cloud.call('DescribeInstances', { 'InstanceId.1': id })).xml.reservationSet
      .item[0].instancesSet.item[0]
    const cards = instance.networkInterfaceSet.item as { attachment: { deviceIndex: string } }[]
    expect(instance.privateIpAddress).toBe('172.31.0.50')
    expect(cards.map((card) => card.attachment.deviceIndex).toSorted()).toEqual(['0', '1'])
    const item = (await itemOf<DomainItem>('domain', `${id}/1`)).body
    expect(item.interfaces.map((entry) => [entry.deviceIndex, entry.secondary?.length ?? 0])).toEqual([
      [0, 1],
      [1, 0],
    ])
    expect((await look(present)).attachment).toMatchObject({
      status: 'attached',
      deleteOnTermination: 'false',
    })
  })

  test('refuse what does not go together', async () => {
    const present = (await created()).networkInterfaceId as string
    const code = async (more: Parameters) => (await launch(more)).code
    const second = { 'NetworkInterface.2.DeviceIndex': 1, 'NetworkInterface.2.SubnetId': subnet }
    expect(await code({ 'NetworkInterface.1.DeviceIndex': 1, 'NetworkInterface.1.SubnetId': subnet })).toBe(
      'InvalidParameterCombination',
    )
    expect(
      await code({
        ...{ 'NetworkInterface.1.DeviceIndex': 0, 'NetworkInterface.1.SubnetId': subnet },
        ...{ 'NetworkInterface.1.AssociatePublicIpAddress': true, ...second },
      }),
    ).toBe('InvalidParameterCombination')
    expect(
      await code({
        'NetworkInterface.1.NetworkInterfaceId': present,
        'NetworkInterface.1.DeviceIndex': 0,
        MaxCount: 2,
      }),
    ).toBe('InvalidParameterCombination')
    expect(
      await code({
        'NetworkInterface.1.NetworkInterfaceId': present,
        'NetworkInterface.1.DeviceIndex': 0,
        'NetworkInterface.1.SubnetId': subnet,
      }),
    ).toBe('InvalidParameterCombination')
    expect(await code({ PrivateIpAddress: '172.31.0.60', MaxCount: 2 })).toBe('InvalidParameterCombination')
    expect(await code({ PrivateIpAddress: '10.9.9.9' })).toBe('InvalidParameterValue')
    // Nothing of the refused launches is left.
    const left = (await cloud.call('DescribeNetworkInterfaces', {})).xml.networkInterfaceSet.item
    expect(left).toHaveLength(1)
  })
})

test('attributes are described, changed one at a time, and reset', async () => {
  const { networkInterfaceId: eni } = await created({ Description: 'old' })
  const modify = (more: Parameters) =>
    cloud.call('ModifyNetworkInterfaceAttribute', { NetworkInterfaceId: eni, ...more })
  const attribute = async (name: string) =>
    (await cloud.call('DescribeNetworkInterfaceAttribute', { NetworkInterfaceId: eni, Attribute: name })).xml
  expect((await modify({ 'Description.Value': 'new' })).status).toBe(200)
  expect((await attribute('description')).description.value).toBe('new')
  expect((await modify({ 'SourceDestCheck.Value': false })).status).toBe(200)
  expect((await attribute('sourceDestCheck')).sourceDestCheck.value).toBe('false')
  await cloud.call('ResetNetworkInterfaceAttribute', { NetworkInterfaceId: eni, SourceDestCheck: 'true' })
  expect((await attribute('sourceDestCheck')).sourceDestCheck.value).toBe('true')
  const group = (await cloud.call('CreateSecurityGroup', { GroupName: 'g', GroupDescription: 'g' })).xml
    .groupId
  expect((await modify({ 'SecurityGroupId.1': group })).status).toBe(200)
  expect((await attribute('groupSet')).groupSet.item[0].groupId).toBe(group)
  expect((await modify({})).code).toBe('InvalidParameterCombination')
  expect((await modify({ 'Description.Value': 'x', 'SourceDestCheck.Value': true })).code).toBe(
    'InvalidParameterCombination',
  )
})
