import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '@mallee/base'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
let vpcId: string
let subnet: string
let shiftMs = 0
const clock: Clock = { ...systemClock, now: () => systemClock.now() + shiftMs }
beforeEach(async () => {
  shiftMs = 0
  cloud = await CloudUnderTest.start({ requestLimits: 'none' }, clock)
  steps = new NetworkSteps(cloud)
  vpcId = await steps.vpc()
  subnet = await steps.subnet(vpcId)
})
afterEach(() => cloud.stop())

const create = (parameters: Parameters = {}) =>
  steps.call('CreateNatGateway', { SubnetId: subnet, ...parameters })
const described = async (parameters: Parameters = {}) =>
  items((await steps.done('DescribeNatGateways', parameters)).natGatewaySet)
const setState = (id: string, state: 'available' | 'deleted') =>
  cloud.cloud.record.transaction('action', (tx) =>
    tx.db
      .updateTable('nat_gateway')
      .set({ state, ...(state === 'deleted' ? { deleted_at: clock.now() } : {}) })
      .where('id', '=', id)
      .execute(),
  )

describe('a public one', () => {
  test('is pending, with its address on an interface that is its own', async () => {
    await steps.gateway(vpcId)
    const { allocationId, publicIp } = await steps.address()
    const asked = { AllocationId: allocationId, ClientToken: 'once', ...tagged('natgateway') }
    const { natGateway } = (await create(asked)).xml
    expect(((await create(asked)).xml.natGateway as { natGatewayId: string }).natGatewayId).toBe(
      natGateway.natGatewayId,
    )
    const id = natGateway.natGatewayId as string
    expect(natGateway).toMatchObject({
      ...{ vpcId, subnetId: subnet, state: 'pending', connectivityType: 'public' },
      natGatewayAddressSet: {
        item: [{ allocationId, publicIp, privateIp: '10.0.1.4', isPrimary: 'true', status: 'associating' }],
      },
      tagSet: { item: [{ key: 'colour', value: 'red' }] },
    })
    const [address] = natGateway.natGatewayAddressSet.item
    const [entry] = items(
      (await steps.done('DescribeNetworkInterfaces', filter('interface-type', 'nat_gateway')))
        .networkInterfaceSet,
    )
    expect(entry).toMatchObject({
      ...{ networkInterfaceId: address.networkInterfaceId, interfaceType: 'nat_gateway', status: 'in-use' },
      ...{ requesterManaged: 'true', description: `Interface for NAT Gateway ${id}` },
      association: { publicIp, allocationId },
    })
    const [row] = await cloud.cloud.record.read((db) => db.selectFrom('nat_gateway').selectAll().execute())
    expect(row).toMatchObject({ node_id: null, association_id: address.associationId })
    for (const [name, value] of [
      ['nat-gateway-id', id],
      ['state', 'pending'],
      ['subnet-id', subnet],
      ['vpc-id', vpcId],
      ['tag:colour', 'red'],
    ])
      expect((await described(filter(name!, value!))).length, name).toBe(1)
    expect(await described(filter('state', 'available'))).toEqual([])
    // Nobody but the gateway moves what is its.
    const other = (await steps.done('DescribeNetworkInterfaces')).networkInterfaceSet.item[0]
    const own = { AllocationId: (await steps.address()).allocationId }
    for (const [action, parameters] of [
      ['DisassociateAddress', { AssociationId: address.associationId as string }],
      ['ReleaseAddress', { AllocationId: allocationId }],
      ['AssociateAddress', { ...own, NetworkInterfaceId: other.networkInterfaceId as string }],
    ] as const)
      expect(await steps.refused(action, parameters), action).toBe('AuthFailure')
    const table = (await steps.done('CreateRouteTable', { VpcId: vpcId })).routeTable.routeTableId as string
    await steps.done('CreateRoute', {
      RouteTableId: table,
      DestinationCidrBlock: '0.0.0.0/0',
      NatGatewayId: id,
    })
    const routes = async () =>
      (await steps.done('DescribeRouteTables', { 'RouteTableId.1': table })).routeTableSet.item[0].routeSet
        .item
    expect((await routes())[1]).toMatchObject({ natGatewayId: id, state: 'active' })
    for (const held of [
      await steps.refused('DeleteSubnet', { SubnetId: subnet }),
      await steps.refused('DeleteVpc', { VpcId: vpcId }),
    ])
      expect(held).toBe('DependencyViolation')
    await setState(id, 'available')
    expect((await described())[0].natGatewayAddressSet.item[0].status).toBe('succeeded')
    expect((await steps.done('DeleteNatGateway', { NatGatewayId: id })).natGatewayId).toBe(id)
    // Its reconciler may have been quicker.
    expect((await described())[0].state).toMatch(/^delet(ing|ed)$/)
    expect((await routes())[1].state).toBe('blackhole')
    await setState(id, 'deleted')
    expect((await described())[0]).toMatchObject({ state: 'deleted' })
    expect(await steps.refused('DeleteNatGateway', { NatGatewayId: id })).toBe('NatGatewayNotFound')
    shiftMs = 3_700_000
    const later = (parameters: Parameters = {}) =>
      cloud.call('DescribeNatGateways', parameters, { now: new Date(clock.now()) })
    expect(items((await later()).xml.natGatewaySet)).toEqual([])
    expect((await later({ 'NatGatewayId.1': id })).code).toBe('NatGatewayNotFound')
  })

  test('fails where it cannot be, and says why', async () => {
    const { allocationId } = await steps.address()
    const failed = (await create({ AllocationId: allocationId })).xml.natGateway
    expect(failed).toMatchObject({ state: 'failed', failureCode: 'Gateway.NotAttached' })
    expect(failed.failureMessage).toBe(`Network ${vpcId} has no Internet gateway attached`)
    expect(failed.deleteTime).toBeDefined()
    await steps.gateway(vpcId)
    await create({ AllocationId: allocationId })
    expect((await create({ AllocationId: allocationId })).xml.natGateway).toMatchObject({
      ...{ state: 'failed', failureCode: 'Resource.AlreadyAssociated' },
    })
    expect((await described(filter('state', 'failed'))).length).toBe(2)
    expect((await steps.done('DeleteNatGateway', { NatGatewayId: failed.natGatewayId })).natGatewayId).toBe(
      failed.natGatewayId,
    )
    expect((await described({ 'NatGatewayId.1': failed.natGatewayId }))[0].state).toBe('failed')
  })
})

describe('a private one', () => {
  test('needs no gateway, and has the private address that is wished', async () => {
    const { natGateway } = (await create({ ConnectivityType: 'private', PrivateIpAddress: '10.0.1.77' })).xml
    expect(natGateway).toMatchObject({ connectivityType: 'private', state: 'pending' })
    expect(natGateway.natGatewayAddressSet.item[0]).toMatchObject({ privateIp: '10.0.1.77' })
    expect(natGateway.natGatewayAddressSet.item[0].publicIp).toBeUndefined()
    const codes = [
      await create({ ConnectivityType: 'private', PrivateIpAddress: '10.0.1.77' }),
      await create({ ConnectivityType: 'private', PrivateIpAddress: '10.0.1.2' }),
      await create({ ConnectivityType: 'private', PrivateIpAddress: '10.0.2.9' }),
      await create({ ConnectivityType: 'private', PrivateIpAddress: 'x' }),
    ].map((answer) => answer.code)
    expect(codes).toEqual([
      ...['InvalidIPAddress.InUse', 'InvalidParameterValue', 'InvalidParameterValue'],
      'InvalidParameterValue',
    ])
  })

  test('fails in a full subnet', async () => {
    subnet = await steps.subnet(vpcId, '10.0.3.0/28')
    const states = []
    for (let count = 0; count < 12; count += 1)
      states.push((await create({ ConnectivityType: 'private' })).xml.natGateway)
    expect(states.slice(0, 11).every((gateway) => gateway.state === 'pending')).toBe(true)
    expect(states[11]).toMatchObject({ state: 'failed', failureCode: 'InsufficientFreeAddressesInSubnet' })
  })
})

test.each<[Parameters, string]>([
  [{}, 'MissingParameter'],
  [{ AllocationId: 'eipalloc-12345678' }, 'InvalidAllocationID.NotFound'],
  [{ AllocationId: 'eipalloc-12345678', ConnectivityType: 'private' }, 'InvalidParameterCombination'],
  [{ ConnectivityType: 'private', SubnetId: 'subnet-12345678' }, 'InvalidSubnetID.NotFound'],
  [{ ConnectivityType: 'private', 'SecondaryPrivateIpAddress.1': '10.0.1.9' }, 'UnsupportedOperation'],
  [{ ConnectivityType: 'private', SecondaryPrivateIpAddressCount: 2 }, 'UnsupportedOperation'],
  [{ AvailabilityMode: 'regional' }, 'UnsupportedOperation'],
  [{ ConnectivityType: 'private', VpcId: 'vpc-12345678' }, 'UnsupportedOperation'],
])('CreateNatGateway with %o is refused', async (parameters, code) => {
  expect((await create(parameters)).code).toBe(code)
  expect(await described()).toEqual([])
})

test('the quota is of a zone; another account', async () => {
  await steps.setQuota('nat-gateways-per-zone', 1)
  const { natGateway } = (await create({ ConnectivityType: 'private' })).xml
  expect((await create({ ConnectivityType: 'private' })).code).toBe('NatGatewayLimitExceeded')
  const there = await steps.subnet(vpcId, '10.0.2.0/24', 'us-east-1b')
  expect((await create({ ConnectivityType: 'private', SubnetId: there })).status).toBe(200)
  const other = await steps.other()
  for (const id of [natGateway.natGatewayId as string, 'nat-12345678'])
    for (const [action, name] of [
      ['DeleteNatGateway', 'NatGatewayId'],
      ['DescribeNatGateways', 'NatGatewayId.1'],
    ] as const)
      expect(await other.refused(action, { [name]: id })).toBe('NatGatewayNotFound')
  expect(await other.refused('DeleteNatGateway', { NatGatewayId: 'x' })).toBe('NatGatewayMalformed')
  expect(await other.refused('CreateNatGateway', { SubnetId: subnet, ConnectivityType: 'private' })).toBe(
    'InvalidSubnetID.NotFound',
  )
})
