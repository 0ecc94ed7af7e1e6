import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ publicPool: '198.18.0.0/28', requestLimits: 'none' })
  await cloud.addNode('node-1')
  steps = new NetworkSteps(cloud)
})
afterEach(() => cloud.stop())

const rows = () => cloud.cloud.record.read((db) => db.selectFrom('address').selectAll().execute())
const described = async (parameters: Parameters = {}) =>
  items((await steps.done('DescribeAddresses', parameters)).addressesSet)

describe('AllocateAddress and ReleaseAddress', () => {
  test('an address is the account’s until it is released', async () => {
    const made = await steps.done('AllocateAddress', { Domain: 'vpc', ...tagged('elastic-ip') })
    expect(made).toMatchObject({
      publicIp: '198.18.0.4',
      domain: 'vpc',
      publicIpv4Pool: 'amazon',
      networkBorderGroup: 'us-east-1',
    })
    expect(made.allocationId).toMatch(/^eipalloc-[0-9a-f]{17}$/)
    expect(await described()).toEqual([
      {
        ...{ publicIp: '198.18.0.4', allocationId: made.allocationId, domain: 'vpc' },
        ...{ publicIpv4Pool: 'amazon', networkBorderGroup: 'us-east-1' },
        tagSet: { item: [{ key: 'colour', value: 'red' }] },
      },
    ])
    await steps.done('ReleaseAddress', { AllocationId: made.allocationId })
    expect(await rows()).toEqual([])
    expect(await steps.refused('ReleaseAddress', { AllocationId: made.allocationId })).toBe(
      'InvalidAllocationID.NotFound',
    )
    expect(items((await steps.done('DescribeTags')).tagSet)).toEqual([])
  })

  test('a wished one is given where nobody has it, and by its address it is released', async () => {
    expect((await steps.done('AllocateAddress', { Address: '198.18.0.9' })).publicIp).toBe('198.18.0.9')
    for (const taken of ['198.18.0.9', '198.18.0.1', '198.18.0.15', '192.0.2.1'])
      expect(await steps.refused('AllocateAddress', { Address: taken })).toBe('AuthFailure')
    const other = await steps.other()
    expect(await other.refused('ReleaseAddress', { PublicIp: '198.18.0.9' })).toBe('AuthFailure')
    expect(await other.refused('ReleaseAddress', { PublicIp: '198.18.0.8' })).toBe('AuthFailure')
    await steps.done('ReleaseAddress', { PublicIp: '198.18.0.9' })
    expect((await other.done('AllocateAddress', { Address: '198.18.0.9' })).publicIp).toBe('198.18.0.9')
  })

  test.each<[Parameters, string]>([
    [{ Domain: 'standard' }, 'UnsupportedOperation'],
    [{ PublicIpv4Pool: 'ipv4pool-ec2-1' }, 'UnsupportedOperation'],
    [{ CustomerOwnedIpv4Pool: 'x' }, 'UnsupportedOperation'],
    [{ NetworkBorderGroup: 'us-east-1-wl1' }, 'InvalidParameterValue'],
    [{ Address: 'nowhere' }, 'InvalidAddress.Malformed'],
    [{ DryRun: true }, 'DryRunOperation'],
    [tagged('instance'), 'InvalidParameterValue'],
  ])('AllocateAddress with %o is refused', async (parameters, code) => {
    expect(await steps.refused('AllocateAddress', parameters)).toBe(code)
    expect(await rows()).toEqual([])
  })

  test('the quota is of elastic addresses alone; the pool ends', async () => {
    await steps.setQuota('elastic-addresses', 1)
    await steps.instance()
    await steps.address()
    expect(await steps.refused('AllocateAddress')).toBe('AddressLimitExceeded')
    await steps.setQuota('elastic-addresses', 100)
    const answers = await Promise.all(Array.from({ length: 10 }, () => steps.call('AllocateAddress')))
    expect(answers.filter((answer) => answer.status === 200).length).toBe(9)
    expect(answers.find((answer) => answer.status !== 200)).toMatchObject({
      status: 500,
      code: 'InsufficientAddressCapacity',
    })
    expect(new Set((await rows()).map((row) => row.public_ip)).size).toBe(11)
  })
})

describe('AssociateAddress and DisassociateAddress', () => {
  test('the lent address of the same private one goes back to the pool', async () => {
    const { id, interfaceId } = await steps.instance()
    const before = await rows()
    expect(before).toMatchObject([{ interface_id: interfaceId, allocation_id: null }])
    const { allocationId, publicIp } = await steps.address()
    const { associationId } = await steps.done('AssociateAddress', {
      InstanceId: id,
      AllocationId: allocationId,
    })
    expect(await rows()).toMatchObject([
      { allocation_id: allocationId, interface_id: interfaceId, association_id: associationId },
    ])
    const [shown] = await described({ 'AllocationId.1': allocationId })
    expect(shown).toMatchObject({
      ...{ associationId, instanceId: id, networkInterfaceId: interfaceId },
      networkInterfaceOwnerId: cloud.admin.accountId,
    })
    for (const [name, value] of [
      ['association-id', associationId],
      ['instance-id', id],
      ['network-interface-id', interfaceId],
      ['private-ip-address', shown.privateIpAddress],
      ['public-ip', publicIp],
    ] as const)
      expect((await described(filter(name, value))).length, name).toBe(1)
    const seen = (await steps.done('DescribeInstances', { 'InstanceId.1': id })).reservationSet.item[0]
    expect(seen.instancesSet.item[0].ipAddress).toBe(publicIp)
    const again = await steps.done('AssociateAddress', {
      ...{ NetworkInterfaceId: interfaceId, PublicIp: publicIp, AllowReassociation: false },
    })
    expect(again.associationId).toBe(associationId)
    expect(await steps.refused('ReleaseAddress', { AllocationId: allocationId })).toBe(
      'InvalidIPAddress.InUse',
    )

    await steps.done('DisassociateAddress', { AssociationId: associationId })
    expect(await rows()).toMatchObject([
      { allocation_id: allocationId, interface_id: null, private_ip: null },
    ])
    expect(await steps.refused('DisassociateAddress', { AssociationId: associationId })).toBe(
      'InvalidAssociationID.NotFound',
    )
    await steps.done('DisassociateAddress', { PublicIp: publicIp })
    const after = (await steps.done('DescribeInstances', { 'InstanceId.1': id })).reservationSet.item[0]
    expect(after.instancesSet.item[0].ipAddress).toBeUndefined()
  })

  test('the guest is told at once', async () => {
    const { id } = await steps.instance()
    const { allocationId, publicIp } = await steps.address()
    const told = async () => {
      await cloud.settled()
      const [item] = await cloud.cloud.record.read((db) =>
        db.selectFrom('desired_item').select('body').where('kind', '=', 'domain').execute(),
      )
      return item!.body.includes(publicIp)
    }
    expect(await told()).toBe(false)
    await steps.done('AssociateAddress', { InstanceId: id, AllocationId: allocationId })
    expect(await told()).toBe(true)
    await steps.done('DisassociateAddress', { PublicIp: publicIp })
    expect(await told()).toBe(false)
  })

  test('it moves where it may, and pushes another off', async () => {
    const [one, two] = [await steps.instance(), await steps.instance()]
    const [a, b] = [await steps.address(), await steps.address()]
    const associate = (id: string, allocationId: string, more: Parameters = {}) =>
      steps.call('AssociateAddress', { InstanceId: id, AllocationId: allocationId, ...more })
    await associate(one.id, a.allocationId)
    expect((await associate(two.id, a.allocationId, { AllowReassociation: false })).code).toBe(
      'Resource.AlreadyAssociated',
    )
    expect((await associate(two.id, a.allocationId)).status).toBe(200)
    expect((await associate(two.id, b.allocationId)).status).toBe(200)
    const where = Object.fromEntries((await rows()).map((row) => [row.allocation_id, row.interface_id]))
    expect(where).toEqual({ [a.allocationId]: null, [b.allocationId]: two.interfaceId })
  })

  test('each private address of an interface has its own', async () => {
    const { interfaceId } = await steps.instance()
    const [entry] = await cloud.cloud.record.read((db) =>
      db.selectFrom('network_interface').selectAll().execute(),
    )
    const second = entry!.private_ip + 7
    await cloud.cloud.record.transaction('action', (tx) =>
      tx.db
        .insertInto('network_interface_address')
        .values({ subnet_id: entry!.subnet_id, private_ip: second, interface_id: interfaceId, is_primary: 0 })
        .execute(),
    )
    const { allocationId } = await steps.address()
    const to = (text: string) => ({
      ...{ NetworkInterfaceId: interfaceId, AllocationId: allocationId, PrivateIpAddress: text },
    })
    expect(await steps.refused('AssociateAddress', to('172.31.0.200'))).toBe('InvalidParameterValue')
    expect(await steps.refused('AssociateAddress', to('x'))).toBe('InvalidParameterValue')
    const text = `172.31.${(second >>> 8) & 255}.${second & 255}`
    await steps.done('AssociateAddress', to(text))
    expect((await rows()).map((row) => row.private_ip).toSorted()).toEqual([entry!.private_ip, second])
    expect((await described())[0].privateIpAddress).toBe(text)
  })

  test('what is asked of the wrong things is refused', async () => {
    const { id, interfaceId } = await steps.instance()
    const { allocationId, publicIp } = await steps.address()
    const refused = (parameters: Parameters) => steps.refused('AssociateAddress', parameters)
    const target = { InstanceId: id }
    expect(await refused(target)).toBe('MissingParameter')
    expect(await refused({ AllocationId: allocationId })).toBe('MissingParameter')
    expect(await refused({ ...target, NetworkInterfaceId: interfaceId, AllocationId: allocationId })).toBe(
      'InvalidParameterCombination',
    )
    expect(await refused({ ...target, AllocationId: allocationId, PublicIp: publicIp })).toBe(
      'InvalidParameterCombination',
    )
    expect(await refused({ ...target, AllocationId: 'eipalloc-1' })).toBe('InvalidAllocationID.Malformed')
    expect(await refused({ ...target, AllocationId: 'eipalloc-12345678' })).toBe(
      'InvalidAllocationID.NotFound',
    )
    expect(await refused({ ...target, PublicIp: '198.18.0.12' })).toBe('AuthFailure')
    expect(await refused({ ...target, PublicIp: 'x' })).toBe('InvalidAddress.Malformed')
    expect(await refused({ InstanceId: 'i-12345678', AllocationId: allocationId })).toBe(
      'InvalidInstanceID.NotFound',
    )
    expect(await refused({ NetworkInterfaceId: 'eni-12345678', AllocationId: allocationId })).toBe(
      'InvalidNetworkInterfaceID.NotFound',
    )
    await steps.setState(id, 'pending')
    expect(await refused({ ...target, AllocationId: allocationId })).toBe('InvalidInstanceID')
    expect(await refused({ NetworkInterfaceId: interfaceId, AllocationId: allocationId })).toBe(
      'IncorrectInstanceState',
    )
    await steps.setState(id, 'stopped')
    await cloud.cloud.record.transaction('action', (tx) =>
      tx.db.updateTable('internet_gateway').set({ vpc_id: null }).execute(),
    )
    expect(await refused({ ...target, AllocationId: allocationId })).toBe('Gateway.NotAttached')
    expect(await steps.refused('DisassociateAddress')).toBe('MissingParameter')
    expect(
      await steps.refused('DisassociateAddress', { PublicIp: publicIp, AssociationId: 'eipassoc-12345678' }),
    ).toBe('InvalidParameterCombination')
    expect(await steps.refused('DisassociateAddress', { AssociationId: 'eipassoc-12345678' })).toBe(
      'InvalidAssociationID.NotFound',
    )
    const other = await steps.other()
    expect(
      await other.refused('AssociateAddress', {
        NetworkInterfaceId: interfaceId,
        AllocationId: allocationId,
      }),
    ).toBe('InvalidNetworkInterfaceID.NotFound')
    const lent = (await rows()).find((row) => row.allocation_id === null)!
    expect(await steps.refused('DisassociateAddress', { AssociationId: lent.association_id! })).toBe(
      'InvalidAssociationID.NotFound',
    )
  })

  test('a thousand calls at once never give an address two owners, nor a place two addresses', async () => {
    const guests = [await steps.instance(), await steps.instance(), await steps.instance()]
    const addresses = [await steps.address(), await steps.address()]
    const calls = Array.from({ length: 1000 }, (_none, index) => {
      const guest = guests[index % guests.length]!
      const address = addresses[index % addresses.length]!
      return index % 4 === 3
        ? steps.call('DisassociateAddress', { PublicIp: address.publicIp })
        : steps.call('AssociateAddress', { InstanceId: guest.id, AllocationId: address.allocationId })
    })
    expect(new Set((await Promise.all(calls)).map((answer) => answer.status))).toEqual(new Set([200]))
    const held = (await rows()).filter((row) => row.interface_id !== null)
    expect((await rows()).filter((row) => row.allocation_id !== null).length).toBe(2)
    expect(new Set(held.map((row) => row.interface_id)).size).toBe(held.length)
    for (const row of held) expect(row.association_id).toMatch(/^eipassoc-/)
  })
})

test('attributes and what is left of EC2-Classic', async () => {
  const { allocationId, publicIp } = await steps.address()
  const attributes = await steps.done('DescribeAddressesAttribute', {
    ...{ 'AllocationId.1': allocationId, Attribute: 'domain-name', MaxResults: 5 },
  })
  expect(attributes.addressSet.item).toEqual([{ publicIp, allocationId }])
  expect(await steps.refused('DescribeAddressesAttribute', { 'AllocationId.1': 'eipalloc-12345678' })).toBe(
    'InvalidAllocationID.NotFound',
  )
  const own = { AllocationId: allocationId }
  expect(await steps.refused('ModifyAddressAttribute', { ...own, DomainName: 'x.example' })).toBe(
    'UnsupportedOperation',
  )
  expect(await steps.refused('ResetAddressAttribute', { ...own, Attribute: 'domain-name' })).toBe(
    'UnsupportedOperation',
  )
  expect(items((await steps.done('DescribeMovingAddresses')).movingAddressStatusSet)).toEqual([])
  expect(await steps.refused('DescribeMovingAddresses', { 'PublicIp.1': '198.18.0.12' })).toBe(
    'InvalidAddress.NotFound',
  )
  expect(await steps.refused('MoveAddressToVpc', { PublicIp: publicIp })).toBe('InvalidParameterValue')
  expect(await steps.refused('MoveAddressToVpc', { PublicIp: '198.18.0.12' })).toBe('AuthFailure')
  expect(await steps.refused('RestoreAddressToClassic', { PublicIp: publicIp })).toBe('UnsupportedOperation')
})
