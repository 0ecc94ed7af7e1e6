import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
let vpcId: string
let table: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  await cloud.addNode('node-1')
  steps = new NetworkSteps(cloud)
  vpcId = await steps.vpc()
  table = await newTable(vpcId)
})
afterEach(() => cloud.stop())

async function newTable(vpc: string, more: Parameters = {}): Promise<string> {
  return (await steps.done('CreateRouteTable', { VpcId: vpc, ...more })).routeTable.routeTableId
}
const described = async (parameters: Parameters = {}) =>
  items((await steps.done('DescribeRouteTables', parameters)).routeTableSet)
const routesOf = async (id: string) => (await described({ 'RouteTableId.1': id }))[0].routeSet.item
const create = (parameters: Parameters) =>
  steps.call('CreateRoute', { RouteTableId: table, DestinationCidrBlock: '0.0.0.0/0', ...parameters })
const mainOf = async (vpc: string) =>
  (await described({ ...filter('association.main', true) })).find((entry) => entry.vpcId === vpc)

describe('tables and their associations', () => {
  test('a table has the local routes of every block, and is made once for a token', async () => {
    await steps.done('AssociateVpcCidrBlock', { VpcId: vpcId, CidrBlock: '10.7.0.0/16' })
    const token = { ClientToken: 'once', ...tagged('route-table') }
    const id = await newTable(vpcId, token)
    expect(await newTable(vpcId, token)).toBe(id)
    const [seen] = await described({ 'RouteTableId.1': id })
    const local = (cidr: string) => ({
      destinationCidrBlock: cidr,
      ...{ gatewayId: 'local', origin: 'CreateRouteTable', state: 'active' },
    })
    expect(seen).toEqual({
      ...{ routeTableId: id, vpcId, ownerId: cloud.admin.accountId, associationSet: '' },
      routeSet: { item: [local('10.0.0.0/16'), local('10.7.0.0/16')] },
      propagatingVgwSet: '',
      tagSet: { item: [{ key: 'colour', value: 'red' }] },
    })
    for (const [name, value] of [
      ['route-table-id', id],
      ['tag:colour', 'red'],
    ])
      expect(await described(filter(name!, value!)), name).toEqual([seen])
    expect((await described(filter('vpc-id', vpcId))).length).toBe(3)
    expect((await described(filter('route.destination-cidr-block', '10.7.0.0/16'))).length).toBe(3)
    expect((await described(filter('route.gateway-id', 'local'))).length).toBe(4)
    await steps.done('DeleteRouteTable', { RouteTableId: id })
    expect(await steps.refused('DescribeRouteTables', { 'RouteTableId.1': id })).toBe(
      'InvalidRouteTableID.NotFound',
    )
    expect(await steps.refused('DescribeRouteTables', { 'RouteTableId.1': 'rtb-x' })).toBe(
      'InvalidRouteTableId.Malformed',
    )
  })

  test('a subnet goes by one table; the main one is for those without', async () => {
    const subnet = await steps.subnet(vpcId)
    const associate = (id: string, more: Parameters = {}) =>
      steps.call('AssociateRouteTable', { RouteTableId: id, SubnetId: subnet, ...more })
    const made = (await associate(table)).xml
    expect(made).toMatchObject({ associationState: { state: 'associated' } })
    expect((await associate(table)).code).toBe('Resource.AlreadyAssociated')
    const [seen] = await described(filter('association.subnet-id', subnet))
    expect(seen.associationSet.item).toEqual([
      {
        ...{ routeTableAssociationId: made.associationId, routeTableId: table, subnetId: subnet },
        ...{ main: 'false', associationState: { state: 'associated' } },
      },
    ])
    expect(await steps.refused('DeleteRouteTable', { RouteTableId: table })).toBe('DependencyViolation')
    const other = await newTable(vpcId)
    const replaced = await steps.done('ReplaceRouteTableAssociation', {
      ...{ AssociationId: made.associationId, RouteTableId: other },
    })
    expect(replaced.newAssociationId).not.toBe(made.associationId)
    expect(
      (await described(filter('association.route-table-association-id', replaced.newAssociationId)))[0],
    ).toMatchObject({ routeTableId: other })
    await steps.done('DisassociateRouteTable', { AssociationId: replaced.newAssociationId })
    expect(await steps.refused('DisassociateRouteTable', { AssociationId: replaced.newAssociationId })).toBe(
      'InvalidAssociationID.NotFound',
    )
    const elsewhere = await newTable(await steps.vpc('10.9.0.0/16'))
    expect((await associate(elsewhere)).code).toBe('InvalidParameterValue')
    expect(await steps.refused('AssociateRouteTable', { RouteTableId: table })).toBe('MissingParameter')
    expect(
      await steps.refused('AssociateRouteTable', { RouteTableId: table, GatewayId: 'igw-12345678' }),
    ).toBe('UnsupportedOperation')
  })

  test('another table becomes the main one', async () => {
    const main = await mainOf(vpcId)
    const association = main.associationSet.item[0]
    expect(association).toMatchObject({ main: 'true' })
    expect(association.subnetId).toBeUndefined()
    expect(
      await steps.refused('DisassociateRouteTable', { AssociationId: association.routeTableAssociationId }),
    ).toBe('InvalidParameterValue')
    expect(await steps.refused('DeleteRouteTable', { RouteTableId: main.routeTableId })).toBe(
      'DependencyViolation',
    )
    await steps.done('ReplaceRouteTableAssociation', {
      ...{ AssociationId: association.routeTableAssociationId, RouteTableId: table },
    })
    expect((await mainOf(vpcId)).routeTableId).toBe(table)
    await steps.done('DeleteRouteTable', { RouteTableId: main.routeTableId })
    await steps.done('DeleteVpc', { VpcId: vpcId })
  })

  test('the quota; another account', async () => {
    await steps.setQuota('route-tables-per-vpc', 2)
    expect(await steps.refused('CreateRouteTable', { VpcId: vpcId })).toBe('RouteTableLimitExceeded')
    const other = await steps.other()
    expect(await other.refused('CreateRouteTable', { VpcId: vpcId })).toBe('InvalidVpcID.NotFound')
    const notFound = 'InvalidRouteTableID.NotFound'
    const own = { RouteTableId: table }
    expect(await other.refused('DeleteRouteTable', own)).toBe(notFound)
    expect(await other.refused('CreateRoute', { ...own, DestinationCidrBlock: '0.0.0.0/0' })).toBe(notFound)
    expect(await other.refused('DeleteRoute', { ...own, DestinationCidrBlock: '0.0.0.0/0' })).toBe(notFound)
    const association = (await mainOf(vpcId)).associationSet.item[0].routeTableAssociationId as string
    expect(await other.refused('DisassociateRouteTable', { AssociationId: association })).toBe(
      'InvalidAssociationID.NotFound',
    )
  })
})

describe('routes', () => {
  test('to an internet gateway, and nowhere once it is detached', async () => {
    const gateway = await steps.gateway(vpcId)
    expect((await create({ GatewayId: gateway })).xml.return).toBe('true')
    expect((await create({ GatewayId: gateway })).code).toBe('RouteAlreadyExists')
    const route = { destinationCidrBlock: '0.0.0.0/0', gatewayId: gateway, origin: 'CreateRoute' }
    expect((await routesOf(table))[1]).toEqual({ ...route, state: 'active' })
    expect((await described(filter('route.gateway-id', gateway))).length).toBe(1)
    await steps.done('DetachInternetGateway', { InternetGatewayId: gateway, VpcId: vpcId })
    expect((await routesOf(table))[1]).toEqual({ ...route, state: 'blackhole' })
    await steps.done('DeleteInternetGateway', { InternetGatewayId: gateway })
    expect((await described(filter('route.state', 'blackhole')))[0].routeTableId).toBe(table)
    const own = { RouteTableId: table, DestinationCidrBlock: '0.0.0.0/0' }
    await steps.done('DeleteRoute', own)
    expect(await steps.refused('DeleteRoute', own)).toBe('InvalidRoute.NotFound')
  })

  test('to an instance or its interface, while it runs', async () => {
    const subnet = await steps.subnet(vpcId)
    const { id, interfaceId } = await steps.instance({ SubnetId: subnet })
    expect((await create({ DestinationCidrBlock: '192.168.1.9/24', InstanceId: id })).status).toBe(200)
    const last = async () => (await routesOf(table)).at(-1)
    expect(await last()).toEqual({
      ...{ destinationCidrBlock: '192.168.1.0/24', networkInterfaceId: interfaceId, instanceId: id },
      ...{ instanceOwnerId: cloud.admin.accountId, origin: 'CreateRoute', state: 'active' },
    })
    await steps.setState(id, 'stopped')
    expect((await last()).state).toBe('blackhole')
    expect((await described(filter('route.instance-id', id))).length).toBe(1)
    const replace = (parameters: Parameters) =>
      steps.call('ReplaceRoute', {
        RouteTableId: table,
        DestinationCidrBlock: '192.168.1.0/24',
        ...parameters,
      })
    const gateway = await steps.gateway(vpcId)
    expect((await replace({ GatewayId: gateway })).status).toBe(200)
    expect(await last()).toMatchObject({ gatewayId: gateway, state: 'active' })
    expect((await replace({ NetworkInterfaceId: interfaceId })).status).toBe(200)
    expect((await replace({ DestinationCidrBlock: '192.168.2.0/24', GatewayId: gateway })).code).toBe(
      'InvalidParameterValue',
    )
    await steps.setState(id, 'terminated')
    expect((await replace({ InstanceId: id })).code).toBe('InvalidInstanceID.NotFound')
  })

  test('to a peering connection, and to the blocks of a prefix list', async () => {
    const peer = await steps.vpc('10.8.0.0/16')
    const { accountId } = cloud.admin
    await cloud.cloud.record.transaction('action', async (tx) => {
      await tx.db
        .insertInto('vpc_peering')
        .values({
          ...{ id: 'pcx-12345678', account_id: accountId, requester_vpc_id: peer, accepter_vpc_id: vpcId },
          ...{ accepter_account_id: accountId, status: 'pending-acceptance', message: '', created_at: 1 },
          ...{ requester_dns: 0, accepter_dns: 0, expires_at: null, ended_at: null },
        })
        .execute()
      await tx.db
        .insertInto('prefix_list')
        .values({
          ...{
            id: 'pl-12345678',
            account_id: accountId,
            name: 'x',
            max_entries: 4,
            version: 1,
            state: 'create-complete',
            state_message: null,
            created_at: 1,
          },
        })
        .execute()
    })
    const target = { VpcPeeringConnectionId: 'pcx-12345678' }
    expect((await create({ DestinationCidrBlock: '10.8.0.0/16', ...target })).status).toBe(200)
    expect((await routesOf(table))[1]).toMatchObject({
      ...{ vpcPeeringConnectionId: 'pcx-12345678', state: 'blackhole' },
    })
    await cloud.cloud.record.transaction('action', (tx) =>
      tx.db.updateTable('vpc_peering').set({ status: 'active' }).execute(),
    )
    expect((await routesOf(table))[1].state).toBe('active')
    const list = { RouteTableId: table, DestinationPrefixListId: 'pl-12345678' }
    await steps.done('CreateRoute', { ...list, ...target })
    expect((await routesOf(table)).at(-1)).toMatchObject({
      ...{ destinationPrefixListId: 'pl-12345678', vpcPeeringConnectionId: 'pcx-12345678' },
    })
    expect((await described(filter('route.destination-prefix-list-id', 'pl-12345678'))).length).toBe(1)
    expect((await described(filter('route.vpc-peering-connection-id', 'pcx-12345678'))).length).toBe(1)
    await steps.setQuota('routes-per-table', 6)
    expect((await create({ DestinationCidrBlock: '10.20.0.0/16', ...target })).status).toBe(200)
    expect((await create({ DestinationCidrBlock: '10.21.0.0/16', ...target })).code).toBe(
      'RouteLimitExceeded',
    )
    await steps.done('DeleteRoute', list)
    expect(
      await steps.refused('CreateRoute', { ...list, DestinationCidrBlock: '10.8.0.0/16', ...target }),
    ).toBe('InvalidParameterCombination')
    const elsewhere = await newTable(await steps.vpc('10.9.0.0/16'))
    expect((await create({ RouteTableId: elsewhere, ...target })).code).toBe('InvalidParameterValue')
  })

  test.each<[Parameters, string]>([
    [{}, 'InvalidParameterCombination'],
    [{ GatewayId: 'igw-12345678', NatGatewayId: 'nat-12345678' }, 'InvalidParameterCombination'],
    [{ GatewayId: 'igw-12345678' }, 'InvalidGatewayID.NotFound'],
    [{ GatewayId: 'vgw-12345678' }, 'UnsupportedOperation'],
    [{ GatewayId: 'local' }, 'InvalidParameterValue'],
    [{ GatewayId: 'local', DestinationCidrBlock: '10.0.0.0/16' }, 'RouteAlreadyExists'],
    [{ NatGatewayId: 'nat-12345678' }, 'InvalidNatGatewayID.NotFound'],
    [{ NetworkInterfaceId: 'eni-12345678' }, 'InvalidNetworkInterfaceID.NotFound'],
    [{ InstanceId: 'i-12345678' }, 'InvalidInstanceID.NotFound'],
    [{ VpcPeeringConnectionId: 'pcx-12345678' }, 'InvalidVpcPeeringConnectionID.NotFound'],
    [{ VpcPeeringConnectionId: 'x' }, 'InvalidVpcPeeringConnectionId.Malformed'],
    [{ TransitGatewayId: 'tgw-12345678' }, 'UnsupportedOperation'],
    [{ EgressOnlyInternetGatewayId: 'eigw-12345678' }, 'UnsupportedOperation'],
    [{ CarrierGatewayId: 'cagw-12345678' }, 'UnsupportedOperation'],
    [{ DestinationIpv6CidrBlock: '::/0' }, 'UnsupportedOperation'],
    [{ DestinationCidrBlock: 'x', GatewayId: 'igw-12345678' }, 'InvalidParameterValue'],
    [{ DestinationCidrBlock: '10.0.1.0/24', GatewayId: 'igw-12345678' }, 'InvalidParameterValue'],
    [{ DestinationCidrBlock: '169.254.169.254/32', GatewayId: 'igw-12345678' }, 'InvalidParameterValue'],
  ])('CreateRoute with %o is refused', async (parameters, code) => {
    expect((await create(parameters)).code).toBe(code)
    expect((await routesOf(table)).length).toBe(1)
  })

  test('local routes stay', async () => {
    const own = { RouteTableId: table, DestinationCidrBlock: '10.0.0.0/16' }
    expect(await steps.refused('DeleteRoute', own)).toBe('InvalidParameterValue')
    await steps.done('ReplaceRoute', { ...own, LocalTarget: true })
    const gateway = await steps.gateway(vpcId)
    expect(await steps.refused('ReplaceRoute', { ...own, GatewayId: gateway })).toBe('InvalidParameterValue')
    expect(await steps.refused('DeleteRoute', { RouteTableId: table })).toBe('MissingParameter')
    const other = await newTable(await steps.vpc('10.9.0.0/16'))
    expect((await create({ RouteTableId: other, GatewayId: gateway })).code).toBe('InvalidParameterValue')
  })
})
