import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FsckResult } from '../../src/fsck/run-fsck.ts'
import type { Tx } from '../../src/store/record.ts'
import { filter, items, NetworkSteps, tagged } from '../actions/ec2/network-steps.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  steps = new NetworkSteps(cloud)
})
afterEach(() => cloud.stop())

async function codes(): Promise<string[]> {
  const response = await cloud.cloud.adminDoor.inject({
    method: 'POST',
    url: '/admin/v1/fsck',
    payload: { graceSeconds: 0 },
  })
  expect(response.statusCode, response.body).toBe(200)
  return (response.json() as FsckResult).findings.map((entry) => `${entry.code} ${entry.subject}`).toSorted()
}

const spoil = (work: (tx: Tx) => Promise<unknown>) => cloud.cloud.record.transaction('action', work)

/** One of everything. */
async function everything() {
  const vpcId = await steps.vpc()
  const subnet = await steps.subnet(vpcId)
  const gateway = await steps.gateway(vpcId)
  const table = (await steps.done('CreateRouteTable', { VpcId: vpcId, ...tagged('route-table') })).routeTable
    .routeTableId as string
  await steps.done('AssociateRouteTable', { RouteTableId: table, SubnetId: subnet })
  const route = { RouteTableId: table, DestinationCidrBlock: '0.0.0.0/0', GatewayId: gateway }
  await steps.done('CreateRoute', route)
  const { allocationId, publicIp } = await steps.address()
  const { natGateway } = await steps.done('CreateNatGateway', {
    SubnetId: subnet,
    AllocationId: allocationId,
  })
  const options = await steps.done('CreateDhcpOptions', {
    ...{ 'DhcpConfiguration.1.Key': 'domain-name', 'DhcpConfiguration.1.Value.1': 'corp.example' },
  })
  const dhcpOptionsId = options.dhcpOptions.dhcpOptionsId as string
  await steps.done('AssociateDhcpOptions', { DhcpOptionsId: dhcpOptionsId, VpcId: vpcId })
  const second = await steps.vpc('10.9.0.0/16')
  const sides = { VpcId: vpcId, PeerVpcId: second }
  const made = (await steps.done('CreateVpcPeeringConnection', sides)).vpcPeeringConnection
  const peering = made.vpcPeeringConnectionId as string
  await steps.done('AcceptVpcPeeringConnection', { VpcPeeringConnectionId: peering })
  const nat = natGateway.natGatewayId as string
  const logs = await steps.done('CreateFlowLogs', {
    ...{
      ResourceType: 'Subnet',
      'ResourceId.1': subnet,
      TrafficType: 'ALL',
      ...tagged('vpc-flow-log', 'log'),
    },
    ...{ LogDestinationType: 's3', LogDestination: 'arn:aws:s3:::records' },
  })
  const flowLog = logs.flowLogIdSet.item[0] as string
  return {
    flowLog,
    vpcId,
    subnet,
    gateway,
    table,
    allocationId,
    publicIp,
    nat,
    dhcpOptionsId,
    second,
    peering,
  }
}

test('a cloud with something of everything has no findings, nor one from which it was all taken away', async () => {
  const made = await everything()
  const { vpcId, subnet, gateway, table, second } = made
  expect(await codes()).toEqual([])
  expect(await steps.refused('DetachInternetGateway', { InternetGatewayId: gateway, VpcId: vpcId })).toBe(
    'DependencyViolation',
  )
  await steps.done('DeleteNatGateway', { NatGatewayId: made.nat })
  await cloud.settled()
  await steps.done('ReleaseAddress', { AllocationId: made.allocationId })
  await steps.done('DeleteVpcPeeringConnection', { VpcPeeringConnectionId: made.peering })
  const [described] = items(
    (await steps.done('DescribeRouteTables', filter('route-table-id', table))).routeTableSet,
  )
  await steps.done('DisassociateRouteTable', {
    AssociationId: described.associationSet.item[0].routeTableAssociationId,
  })
  await steps.done('DeleteRouteTable', { RouteTableId: table })
  expect(await codes()).toEqual([])
  await steps.done('DetachInternetGateway', { InternetGatewayId: gateway, VpcId: vpcId })
  await steps.done('DeleteInternetGateway', { InternetGatewayId: gateway })
  await steps.done('DeleteSubnet', { SubnetId: subnet })
  for (const id of [vpcId, second]) await steps.done('DeleteVpc', { VpcId: id })
  await steps.done('DeleteDhcpOptions', { DhcpOptionsId: made.dhcpOptionsId })
  expect(await codes()).toEqual([])
})

test('what is gone and still named', async () => {
  const { flowLog, vpcId, subnet, gateway, nat, dhcpOptionsId, peering, table } = await everything()
  const acl = await spoil(async ({ db }) => {
    await db.deleteFrom('dhcp_options').where('id', '=', dhcpOptionsId).execute()
    await db.updateTable('internet_gateway').set({ vpc_id: 'vpc-gone' }).where('id', '=', gateway).execute()
    await db.updateTable('nat_gateway').set({ interface_id: null }).execute()
    await db.updateTable('vpc_peering').set({ accepter_vpc_id: 'vpc-gone' }).execute()
    await db
      .updateTable('route')
      .set({ prefix_list_id: 'pl-gone' })
      .where('route_table_id', '=', table)
      .execute()
    await db.updateTable('flow_log').set({ resource_id: 'eni-gone' }).execute()
    const tags = db.updateTable('tag')
    await tags.set({ resource_id: 'rtb-gone' }).where('key', '=', 'colour').execute()
    await tags.set({ resource_id: 'fl-gone' }).where('key', '=', 'log').execute()
    await db.deleteFrom('network_acl_association').where('subnet_id', '=', subnet).execute()
    return db.selectFrom('network_acl').select('id').where('vpc_id', '=', vpcId).executeTakeFirstOrThrow()
  })
  await spoil(({ db }) =>
    db
      .updateTable('network_acl')
      .set({ is_default: 0 })
      .where('id', '=', (acl as { id: string }).id)
      .execute(),
  )
  expect(await codes()).toEqual(
    [
      ...[flowLog, vpcId, gateway, nat, peering, table, 'tag colour', 'tag log'].map(
        (id) => `R.dangling ${id}`,
      ),
      ...[vpcId, subnet].map((id) => `R.incomplete ${id}`),
    ].toSorted(),
  )
})

test('addresses of two, or of nobody', async () => {
  const { subnet, vpcId, second, publicIp, table } = await everything()
  const overlapping = await steps.subnet(second, '10.9.1.0/24')
  await spoil(async ({ db }) => {
    await db
      .updateTable('subnet')
      .set({ vpc_id: vpcId, cidr: '10.0.1.128/25' })
      .where('id', '=', overlapping)
      .execute()
    await db.updateTable('address').set({ private_ip: 9 }).execute()
    await db.updateTable('network_interface_address').set({ is_primary: 0 }).execute()
    await db
      .updateTable('route_table_association')
      .set({ vpc_id: second, route_table_id: await mainOf(db, second) })
      .where('route_table_id', '=', table)
      .execute()
  })
  const found = await codes()
  expect(found).toContain(`I2.address-astray ${publicIp}`)
  expect(found.filter((code) => code.startsWith('I2.private-address-unclaimed')).length).toBe(1)
  expect(
    found.some(
      (code) => code === `I3.subnets-overlap ${subnet}` || code === `I3.subnets-overlap ${overlapping}`,
    ),
  ).toBe(true)
  expect(found.filter((code) => code.startsWith('R.other-vpc')).length).toBe(2)
})

async function mainOf(db: Tx['db'], vpcId: string): Promise<string> {
  const row = await db
    .selectFrom('route_table')
    .select('id')
    .where('vpc_id', '=', vpcId)
    .executeTakeFirstOrThrow()
  return row.id
}
