import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  await cloud.addNode('node-1')
  steps = new NetworkSteps(cloud)
})
afterEach(() => cloud.stop())

/** Rows of every table that a VPC is made of, by table. */
async function counts(): Promise<Record<string, number>> {
  const tables = [
    ...(['vpc', 'vpc_cidr', 'route_table', 'route_table_association', 'route'] as const),
    ...(['network_acl', 'network_acl_entry', 'security_group', 'security_group_rule', 'tag'] as const),
  ]
  return cloud.cloud.record.read(async (db) => {
    const found: Record<string, number> = {}
    for (const table of tables)
      found[table] = (
        await db
          .selectFrom(table as 'vpc')
          .selectAll()
          .execute()
      ).length
    return found
  })
}

describe('CreateVpc and DeleteVpc', () => {
  test('what is made with it is there, and goes with it', async () => {
    const before = await counts()
    const { vpc } = await steps.done('CreateVpc', {
      ...{ CidrBlock: '10.0.9.9/16', InstanceTenancy: 'default', AmazonProvidedIpv6CidrBlock: false },
      ...tagged('vpc'),
    })
    expect(vpc).toMatchObject({
      ...{ cidrBlock: '10.0.0.0/16', state: 'available', isDefault: 'false', instanceTenancy: 'default' },
      ...{ dhcpOptionsId: 'default', ownerId: cloud.admin.accountId },
      cidrBlockAssociationSet: {
        item: [{ cidrBlock: '10.0.0.0/16', cidrBlockState: { state: 'associated' } }],
      },
      tagSet: { item: [{ key: 'colour', value: 'red' }] },
    })
    const { associationId } = vpc.cidrBlockAssociationSet.item[0]
    expect(associationId).toMatch(/^vpc-cidr-assoc-[0-9a-f]{17}$/)
    for (const [name, value] of [
      ['vpc-id', vpc.vpcId],
      ['cidr', '10.0.0.0/16'],
      ['cidr-block-association.association-id', associationId],
      ['cidr-block-association.cidr-block', '10.0.*'],
      ['is-default', 'false'],
      ['tag:colour', 'red'],
    ]) {
      const found = items((await steps.done('DescribeVpcs', filter(name, value))).vpcSet)
      expect(found, name).toEqual([vpc])
    }
    await steps.done('DeleteVpc', { VpcId: vpc.vpcId })
    expect(await counts()).toEqual(before)
    expect(await steps.refused('DeleteVpc', { VpcId: vpc.vpcId })).toBe('InvalidVpcID.NotFound')
  })

  test.each<[Parameters, string]>([
    [{}, 'MissingParameter'],
    [{ CidrBlock: 'x' }, 'InvalidParameterValue'],
    [{ CidrBlock: '10.0.0.0/15' }, 'InvalidVpc.Range'],
    [{ CidrBlock: '10.0.0.0/29' }, 'InvalidVpc.Range'],
    [{ CidrBlock: '127.0.0.0/16' }, 'InvalidVpc.Range'],
    [{ CidrBlock: '224.0.0.0/24' }, 'InvalidVpc.Range'],
    [{ CidrBlock: '10.0.0.0/16', InstanceTenancy: 'dedicated' }, 'UnsupportedOperation'],
    [{ CidrBlock: '10.0.0.0/16', AmazonProvidedIpv6CidrBlock: true }, 'UnsupportedOperation'],
    [{ Ipv4IpamPoolId: 'ipam-pool-1', Ipv4NetmaskLength: 20 }, 'UnsupportedOperation'],
    [{ CidrBlock: '10.0.0.0/16', DryRun: true }, 'DryRunOperation'],
  ])('CreateVpc with %o is refused', async (parameters, code) => {
    expect(await steps.refused('CreateVpc', parameters)).toBe(code)
  })

  test('the quota; another account', async () => {
    await steps.setQuota('vpcs', 2)
    const vpcId = await steps.vpc()
    expect(await steps.refused('CreateVpc', { CidrBlock: '10.1.0.0/16' })).toBe('VpcLimitExceeded')
    const other = await steps.other()
    expect(await other.refused('DeleteVpc', { VpcId: vpcId })).toBe('InvalidVpcID.NotFound')
    expect(await other.refused('DescribeVpcs', { 'VpcId.1': vpcId })).toBe('InvalidVpcID.NotFound')
    await other.vpc()
  })

  test('anything of the owner’s in it holds it', async () => {
    const vpcId = await steps.vpc()
    const refused = () => steps.refused('DeleteVpc', { VpcId: vpcId })
    const subnet = await steps.subnet(vpcId)
    expect(await refused()).toBe('DependencyViolation')
    await steps.done('DeleteSubnet', { SubnetId: subnet })
    const { groupId } = await steps.done('CreateSecurityGroup', {
      ...{ GroupName: 'servers', GroupDescription: 'x', VpcId: vpcId },
    })
    expect(await refused()).toBe('DependencyViolation')
    await steps.done('DeleteSecurityGroup', { GroupId: groupId })
    await cloud.cloud.record.transaction('action', (tx) =>
      tx.db
        .insertInto('internet_gateway')
        .values({ id: 'igw-1', account_id: cloud.admin.accountId, vpc_id: vpcId, created_at: 1 })
        .execute(),
    )
    expect(await refused()).toBe('DependencyViolation')
    await cloud.cloud.record.transaction('action', (tx) =>
      tx.db.deleteFrom('internet_gateway').where('id', '=', 'igw-1').execute(),
    )
    await steps.done('DeleteVpc', { VpcId: vpcId })
  })

  test('the default one comes back when it is asked for', async () => {
    expect(await steps.refused('CreateDefaultVpc')).toBe('DefaultVpcAlreadyExists')
    const vpcs = items((await steps.done('DescribeVpcs')).vpcSet)
    const vpcId = vpcs[0].vpcId as string
    for (const { subnetId } of items((await steps.done('DescribeSubnets')).subnetSet))
      await steps.done('DeleteSubnet', { SubnetId: subnetId })
    await cloud.cloud.record.transaction('action', (tx) => tx.db.deleteFrom('internet_gateway').execute())
    await steps.done('DeleteVpc', { VpcId: vpcId })
    expect(await steps.refused('CreateDefaultSubnet', { AvailabilityZone: 'us-east-1a' })).toBe(
      'DefaultVpcDoesNotExist',
    )
    const { vpc } = await steps.done('CreateDefaultVpc')
    expect(vpc).toMatchObject({ isDefault: 'true', cidrBlock: '172.31.0.0/16' })
    const subnets = items((await steps.done('DescribeSubnets')).subnetSet)
    expect(subnets.map((subnet) => [subnet.cidrBlock, subnet.defaultForAz])).toEqual([
      ['172.31.0.0/20', 'true'],
      ['172.31.16.0/20', 'true'],
    ])
    await steps.instance()
  })
})

test('public names are those of a VPC that gives them', async () => {
  const vpcId = await steps.vpc()
  await steps.gateway(vpcId)
  const subnet = await steps.subnet(vpcId)
  await steps.done('ModifySubnetAttribute', { SubnetId: subnet, 'MapPublicIpOnLaunch.Value': true })
  const { id } = await steps.instance({ SubnetId: subnet })
  const names = async () => {
    const [reservation] = items(
      (await steps.done('DescribeInstances', { 'InstanceId.1': id })).reservationSet,
    )
    const [instance] = reservation.instancesSet.item
    const [entry] = instance.networkInterfaceSet.item
    const named = filter('dns-name', 'ec2-*')
    expect(instance.ipAddress).toBe(entry.association.publicIp)
    return [
      instance.dnsName,
      entry.association.publicDnsName,
      items((await steps.done('DescribeInstances', named)).reservationSet).length,
    ]
  }
  expect(await names()).toEqual(['', '', 0])
  await steps.done('ModifyVpcAttribute', { VpcId: vpcId, 'EnableDnsHostnames.Value': true })
  const name = expect.stringMatching(/^ec2-.*\.compute-1\.internal$/)
  expect(await names()).toEqual([name, name, 1])
})

test('attributes: one a call, and what is so is said', async () => {
  const vpcId = await steps.vpc()
  const value = async (name: string) => {
    const answer = await steps.done('DescribeVpcAttribute', { VpcId: vpcId, Attribute: name })
    expect(answer.vpcId).toBe(vpcId)
    return answer[name].value
  }
  expect(await value('enableDnsSupport')).toBe('true')
  expect(await value('enableDnsHostnames')).toBe('false')
  expect(await value('enableNetworkAddressUsageMetrics')).toBe('false')
  const modify = (parameters: Parameters) => steps.call('ModifyVpcAttribute', { VpcId: vpcId, ...parameters })
  await modify({ 'EnableDnsHostnames.Value': true })
  await modify({ 'EnableDnsSupport.Value': false })
  await modify({ 'EnableNetworkAddressUsageMetrics.Value': false })
  expect([await value('enableDnsSupport'), await value('enableDnsHostnames')]).toEqual(['false', 'true'])
  const codes = [
    await modify({}),
    await modify({ 'EnableDnsSupport.Value': true, 'EnableDnsHostnames.Value': true }),
    await modify({ 'EnableNetworkAddressUsageMetrics.Value': true }),
    await (await steps.other()).call('ModifyVpcAttribute', { VpcId: vpcId, 'EnableDnsSupport.Value': true }),
  ].map((answer) => answer.code)
  expect(codes).toEqual([
    ...['MissingParameter', 'InvalidParameterCombination', 'UnsupportedOperation', 'InvalidVpcID.NotFound'],
  ])
})

describe('further address blocks', () => {
  const associate = (vpcId: string, cidr: string) =>
    steps.call('AssociateVpcCidrBlock', { VpcId: vpcId, CidrBlock: cidr })

  test('subnets are made of them, and hold them', async () => {
    const vpcId = await steps.vpc('10.5.0.0/16')
    const answer = await associate(vpcId, '10.9.1.0/20')
    expect(answer.xml).toMatchObject({
      vpcId,
      cidrBlockAssociation: { cidrBlock: '10.9.0.0/20', cidrBlockState: { state: 'associated' } },
    })
    const { associationId } = answer.xml.cidrBlockAssociation
    const [seen] = items((await steps.done('DescribeVpcs', { 'VpcId.1': vpcId })).vpcSet)
    expect(seen.cidrBlockAssociationSet.item.map((row: { cidrBlock: string }) => row.cidrBlock)).toEqual([
      ...['10.5.0.0/16', '10.9.0.0/20'],
    ])
    const subnet = await steps.subnet(vpcId, '10.9.4.0/24')
    const disassociate = (id: string) => steps.call('DisassociateVpcCidrBlock', { AssociationId: id })
    expect((await disassociate(associationId)).code).toBe('DependencyViolation')
    expect((await disassociate(seen.cidrBlockAssociationSet.item[0].associationId)).code).toBe(
      'OperationNotPermitted',
    )
    await steps.done('DeleteSubnet', { SubnetId: subnet })
    const other = await steps.other()
    for (const id of [associationId, 'vpc-cidr-assoc-12345678', 'x'])
      expect(await other.refused('DisassociateVpcCidrBlock', { AssociationId: id })).toBe(
        'InvalidVpcCidrBlockAssociationID.NotFound',
      )
    const gone = await disassociate(associationId)
    expect(gone.xml.cidrBlockAssociation.cidrBlockState.state).toBe('disassociated')
    expect(await steps.refused('CreateSubnet', { VpcId: vpcId, CidrBlock: '10.9.4.0/24' })).toBe(
      'InvalidSubnet.Range',
    )
  })

  test.each([
    ['10.5.0.0/16', '10.5.128.0/20', 'InvalidVpc.Range'],
    ['10.5.0.0/16', '192.168.0.0/16', 'InvalidVpc.Range'],
    ['10.5.0.0/16', '198.19.1.0/24', 'InvalidVpc.Range'],
    ['10.1.0.0/16', '10.0.0.0/20', 'InvalidVpc.Range'],
    ['172.20.0.0/16', '172.31.0.0/20', 'InvalidVpc.Range'],
    ['100.64.0.0/16', '10.0.0.0/16', 'InvalidVpc.Range'],
    ['10.5.0.0/16', '10.6.0.0/29', 'InvalidVpc.Range'],
    ['10.5.0.0/16', 'x', 'InvalidParameterValue'],
    ['10.5.0.0/16', '10.6.0.0/16', undefined],
    ['10.5.0.0/16', '100.64.0.0/16', undefined],
    ['192.168.0.0/20', '192.168.16.0/20', undefined],
    ['100.64.0.0/16', '203.0.113.0/24', undefined],
  ])('beside %s, %s is answered %s', async (first, second, code) => {
    expect((await associate(await steps.vpc(first), second)).code).toBe(code)
  })

  test('a route that it would swallow, the quota, IPv6', async () => {
    const vpcId = await steps.vpc('10.5.0.0/16')
    await cloud.cloud.record.transaction('action', async (tx) => {
      const table = await tx.db
        .selectFrom('route_table')
        .select('id')
        .where('vpc_id', '=', vpcId)
        .executeTakeFirstOrThrow()
      const target = { target_kind: 'internet-gateway', target_id: 'igw-1' } as const
      await tx.db
        .insertInto('route')
        .values({
          ...{ route_table_id: table.id, destination: '10.7.1.0/24', prefix_list_id: null, created_at: 1 },
          ...target,
        })
        .execute()
    })
    expect((await associate(vpcId, '10.7.0.0/16')).code).toBe('InvalidVpc.Range')
    expect((await associate(vpcId, '10.7.1.128/25')).status).toBe(200)
    await steps.setQuota('vpc-cidrs', 2)
    expect((await associate(vpcId, '10.8.0.0/16')).code).toBe('CidrLimitExceeded')
    expect(
      await steps.refused('AssociateVpcCidrBlock', { VpcId: vpcId, AmazonProvidedIpv6CidrBlock: true }),
    ).toBe('UnsupportedOperation')
    expect(await steps.refused('AssociateVpcCidrBlock', { VpcId: vpcId })).toBe('MissingParameter')
  })
})
