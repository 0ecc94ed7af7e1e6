import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemRandom } from '@mallee/base'
import { openZones } from '../../../src/store/default-network.ts'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
let vpcId: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  await cloud.addNode('node-1')
  steps = new NetworkSteps(cloud)
  vpcId = await steps.vpc('10.0.0.0/16')
})
afterEach(() => cloud.stop())

const described = async (parameters: Parameters = {}) =>
  items((await steps.done('DescribeSubnets', parameters)).subnetSet)

describe('CreateSubnet and DeleteSubnet', () => {
  test('a subnet is in its zone, with the VPC’s default ACL', async () => {
    const { subnet } = await steps.done('CreateSubnet', {
      ...{ VpcId: vpcId, CidrBlock: '10.0.1.7/24', AvailabilityZoneId: 'use1-az2' },
      ...tagged('subnet'),
    })
    expect(subnet).toMatchObject({
      ...{ vpcId, cidrBlock: '10.0.1.0/24', availabilityZone: 'us-east-1b', availabilityZoneId: 'use1-az2' },
      ...{ state: 'available', availableIpAddressCount: '251', mapPublicIpOnLaunch: 'false' },
      ...{ defaultForAz: 'false', enableDns64: 'false', ipv6Native: 'false' },
      privateDnsNameOptionsOnLaunch: { hostnameType: 'ip-name' },
      tagSet: { item: [{ key: 'colour', value: 'red' }] },
    })
    expect(await described(filter('vpc-id', vpcId))).toEqual([subnet])
    const acls = await cloud.cloud.record.read((db) =>
      db
        .selectFrom('network_acl_association as link')
        .innerJoin('network_acl as acl', 'acl.id', 'link.acl_id')
        .select(['acl.vpc_id', 'acl.is_default'])
        .where('link.subnet_id', '=', subnet.subnetId)
        .execute(),
    )
    expect(acls).toEqual([{ vpc_id: vpcId, is_default: 1 }])
    await steps.done('DeleteSubnet', { SubnetId: subnet.subnetId })
    expect(await described(filter('vpc-id', vpcId))).toEqual([])
    expect(await steps.refused('DeleteSubnet', { SubnetId: subnet.subnetId })).toBe(
      'InvalidSubnetID.NotFound',
    )
    expect(items((await steps.done('DescribeTags')).tagSet)).toEqual([])
  })

  test.each<[Parameters, string]>([
    [{}, 'MissingParameter'],
    [{ CidrBlock: 'x' }, 'InvalidParameterValue'],
    [{ CidrBlock: '10.1.0.0/24' }, 'InvalidSubnet.Range'],
    [{ CidrBlock: '10.0.0.0/15' }, 'InvalidSubnet.Range'],
    [{ CidrBlock: '10.0.0.0/29' }, 'InvalidSubnet.Range'],
    [{ CidrBlock: '10.0.1.128/25' }, 'InvalidSubnet.Conflict'],
    [{ CidrBlock: '10.0.0.0/20' }, 'InvalidSubnet.Conflict'],
    [{ CidrBlock: '10.0.2.0/24', AvailabilityZone: 'us-east-1z' }, 'InvalidParameterValue'],
    [{ CidrBlock: '10.0.2.0/24', AvailabilityZoneId: 'use1-az9' }, 'InvalidParameterValue'],
    [
      { CidrBlock: '10.0.2.0/24', AvailabilityZone: 'us-east-1a', AvailabilityZoneId: 'use1-az1' },
      'InvalidParameterCombination',
    ],
    [{ CidrBlock: '10.0.2.0/24', Ipv6CidrBlock: 'fd00::/64' }, 'UnsupportedOperation'],
    [{ CidrBlock: '10.0.2.0/24', Ipv6Native: true }, 'UnsupportedOperation'],
    [{ CidrBlock: '10.0.2.0/24', OutpostArn: 'arn:aws:outposts:x' }, 'UnsupportedOperation'],
  ])('CreateSubnet with %o is refused', async (parameters, code) => {
    await steps.subnet(vpcId, '10.0.1.0/24')
    expect(await steps.refused('CreateSubnet', { VpcId: vpcId, ...parameters })).toBe(code)
    expect((await described(filter('vpc-id', vpcId))).length).toBe(1)
  })

  test('the quota is of a VPC; another account; an instance holds it', async () => {
    const subnet = await steps.subnet(vpcId, '10.0.1.0/24')
    await steps.setQuota('subnets-per-vpc', 1)
    expect(await steps.refused('CreateSubnet', { VpcId: vpcId, CidrBlock: '10.0.2.0/24' })).toBe(
      'SubnetLimitExceeded',
    )
    await steps.subnet(await steps.vpc('10.7.0.0/16'), '10.7.1.0/24')
    const other = await steps.other()
    expect(await other.refused('CreateSubnet', { VpcId: vpcId, CidrBlock: '10.0.2.0/24' })).toBe(
      'InvalidVpcID.NotFound',
    )
    expect(await other.refused('DeleteSubnet', { SubnetId: subnet })).toBe('InvalidSubnetID.NotFound')
    await steps.instance({ SubnetId: subnet })
    expect(await steps.refused('DeleteSubnet', { SubnetId: subnet })).toBe('DependencyViolation')
    expect((await described({ 'SubnetId.1': subnet }))[0].availableIpAddressCount).toBe('250')
    expect((await described(filter('available-ip-address-count', 250)))[0].subnetId).toBe(subnet)
  })

  test('two at once never overlap', async () => {
    const cidrs = ['10.0.0.0/20', '10.0.8.0/21', '10.0.0.0/24', '10.0.15.0/24']
    const answers = await Promise.all(
      cidrs.map((cidr) => steps.call('CreateSubnet', { VpcId: vpcId, CidrBlock: cidr })),
    )
    expect(answers.map((answer) => answer.code ?? 'made').toSorted()).toContain('InvalidSubnet.Conflict')
    const made = await described(filter('vpc-id', vpcId))
    expect(made.length).toBe(answers.filter((answer) => answer.status === 200).length)
  })
})

test('a default subnet for each zone, once', async () => {
  const zone = { AvailabilityZone: 'us-east-1b' }
  expect(await steps.refused('CreateDefaultSubnet', zone)).toBe(
    'DefaultSubnetAlreadyExistsInAvailabilityZone',
  )
  expect(await steps.refused('CreateDefaultSubnet')).toBe('MissingParameter')
  const [second] = await described({ ...filter('default-for-az', true), ...{} }).then((all) =>
    all.filter((subnet) => subnet.availabilityZone === 'us-east-1b'),
  )
  await steps.done('DeleteSubnet', { SubnetId: second.subnetId })
  // Its owner wants it away: a start of the cloud does not bring it back.
  await cloud.cloud.record.transaction('action', (tx) =>
    openZones(tx, { zones: ['us-east-1a', 'us-east-1b'], random: systemRandom, nowMs: 1 }),
  )
  expect((await described(filter('default-for-az', true))).length).toBe(1)
  const taken = { VpcId: second.vpcId as string, CidrBlock: '172.31.16.0/24' }
  await steps.done('CreateSubnet', taken)
  const { subnet } = await steps.done('CreateDefaultSubnet', zone)
  expect(subnet).toMatchObject({
    cidrBlock: '172.31.32.0/20',
    defaultForAz: 'true',
    mapPublicIpOnLaunch: 'true',
  })
  await cloud.cloud.record.transaction('action', (tx) =>
    openZones(tx, { zones: ['us-east-1a', 'us-east-1b', 'us-east-1c'], random: systemRandom, nowMs: 1 }),
  )
  const all = await described(filter('default-for-az', true))
  expect(all.map((entry) => entry.cidrBlock).toSorted()).toEqual([
    ...['172.31.0.0/20', '172.31.32.0/20', '172.31.48.0/20'],
  ])
})

describe('attributes', () => {
  test('instances get public addresses where the subnet says so', async () => {
    const subnet = await steps.subnet(vpcId)
    await steps.done('ModifySubnetAttribute', { SubnetId: subnet, 'MapPublicIpOnLaunch.Value': true })
    expect((await described({ 'SubnetId.1': subnet }))[0].mapPublicIpOnLaunch).toBe('true')
    await steps.instance({ SubnetId: subnet })
    const lent = await cloud.cloud.record.read((db) => db.selectFrom('address').selectAll().execute())
    expect(lent.length).toBe(1)
    await steps.done('ModifySubnetAttribute', { SubnetId: subnet, 'MapPublicIpOnLaunch.Value': false })
    expect((await described({ 'SubnetId.1': subnet }))[0].mapPublicIpOnLaunch).toBe('false')
  })

  test('what is so anyway may be said, and nothing else', async () => {
    const subnet = await steps.subnet(vpcId)
    const modify = async (parameters: Parameters) =>
      (await steps.call('ModifySubnetAttribute', { SubnetId: subnet, ...parameters })).code
    expect(await modify({ 'AssignIpv6AddressOnCreation.Value': false })).toBeUndefined()
    expect(await modify({ PrivateDnsHostnameTypeOnLaunch: 'ip-name' })).toBeUndefined()
    expect(await modify({ 'AssignIpv6AddressOnCreation.Value': true })).toBe('UnsupportedOperation')
    expect(await modify({ 'EnableDns64.Value': true })).toBe('UnsupportedOperation')
    expect(await modify({ PrivateDnsHostnameTypeOnLaunch: 'resource-name' })).toBe('UnsupportedOperation')
    expect(await modify({ EnableLniAtDeviceIndex: 1 })).toBe('UnsupportedOperation')
    expect(await modify({})).toBe('MissingParameter')
    expect(await modify({ 'MapPublicIpOnLaunch.Value': true, 'EnableDns64.Value': false })).toBe(
      'InvalidParameterCombination',
    )
  })

  test('IPv6 blocks are refused by name', async () => {
    const own = { SubnetId: await steps.subnet(vpcId) }
    const answer = await steps.call('AssociateSubnetCidrBlock', { ...own, Ipv6CidrBlock: 'fd00::/64' })
    expect([answer.code, answer.message]).toEqual([
      'UnsupportedOperation',
      'The parameter Ipv6CidrBlock is not supported by this cloud.',
    ])
    expect(await steps.refused('AssociateSubnetCidrBlock', own)).toBe('UnsupportedOperation')
    expect(
      await steps.refused('DisassociateSubnetCidrBlock', { AssociationId: 'subnet-cidr-assoc-12345678' }),
    ).toBe('InvalidSubnetCidrBlockAssociationID.NotFound')
  })
})
