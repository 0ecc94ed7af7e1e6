import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { VpcItem } from '@mallee/agent-contract'
import type { FsckResult } from '../../../src/fsck/run-fsck.ts'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let mine: NetworkSteps
let other: NetworkSteps
let vpcs: { mine: string; theirs: string }
let groups: { mine: string; theirs: string }
let peering: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  mine = new NetworkSteps(cloud)
  other = await mine.other()
  vpcs = { mine: await mine.vpc('10.1.0.0/16'), theirs: await other.vpc('10.2.0.0/16') }
  groups = { mine: await group(mine, vpcs.mine), theirs: await group(other, vpcs.theirs) }
  peering = await peer()
})
afterEach(() => cloud.stop())

async function group(steps: NetworkSteps, vpcId: string, name = 'web'): Promise<string> {
  const asked = { GroupName: name, GroupDescription: 'x', VpcId: vpcId }
  return (await steps.done('CreateSecurityGroup', asked)).groupId
}

async function peer(): Promise<string> {
  const asked = { VpcId: vpcs.mine, PeerVpcId: vpcs.theirs, PeerOwnerId: other.as.accountId }
  const made = (await mine.done('CreateVpcPeeringConnection', asked)).vpcPeeringConnection
  await other.done('AcceptVpcPeeringConnection', { VpcPeeringConnectionId: made.vpcPeeringConnectionId })
  return made.vpcPeeringConnectionId
}

const pair = (more: Parameters = {}): Parameters => ({
  ...{ GroupId: groups.mine, 'IpPermissions.1.IpProtocol': '-1' },
  ...{ 'IpPermissions.1.Groups.1.GroupId': groups.theirs },
  'IpPermissions.1.Groups.1.UserId': other.as.accountId,
  ...Object.fromEntries(
    Object.entries(more).map(([name, value]) => [`IpPermissions.1.Groups.1.${name}`, value]),
  ),
})
const authorize = (more: Parameters = {}, side = 'Ingress') =>
  mine.call(`AuthorizeSecurityGroup${side}`, pair(more))
const way = (status = 'active', id = peering) => ({
  ...{ groupId: groups.theirs, userId: other.as.accountId, vpcId: vpcs.theirs },
  ...{ vpcPeeringConnectionId: id, peeringStatus: status },
})
const endPeering = () => other.done('DeleteVpcPeeringConnection', { VpcPeeringConnectionId: peering })
const stale = async () =>
  items((await mine.done('DescribeStaleSecurityGroups', { VpcId: vpcs.mine })).staleSecurityGroupSet)
const references = async (steps: NetworkSteps, id: string) =>
  items((await steps.done('DescribeSecurityGroupReferences', { 'GroupId.1': id })).securityGroupReferenceSet)

test('a group of a peered VPC is named, shown with the way there, and found', async () => {
  const made = await authorize()
  expect(made.code, made.message).toBeUndefined()
  expect(made.xml.securityGroupRuleSet.item[0].referencedGroupInfo).toEqual(way())
  const found = async (name: string, value: string) =>
    items((await mine.done('DescribeSecurityGroups', filter(name, value))).securityGroupInfo)
  const [shown] = await found('ip-permission.user-id', other.as.accountId)
  expect(shown.ipPermissions.item[0].groups.item).toEqual([way()])
  expect((await found('ip-permission.group-id', groups.theirs)).length).toBe(1)
  expect((await authorize()).code).toBe('InvalidPermission.Duplicate')
  expect((await authorize({}, 'Egress')).status).toBe(200)
  expect(await references(other, groups.theirs)).toEqual([
    { groupId: groups.theirs, referencingVpcId: vpcs.mine, vpcPeeringConnectionId: peering },
  ])
  expect(await references(mine, groups.mine)).toEqual([])
  expect(await stale()).toEqual([])
  expect(
    (await mine.call('RevokeSecurityGroupIngress', pair({ VpcId: vpcs.theirs, PeeringStatus: 'active' })))
      .code,
  ).toBeUndefined()
})

test.each<[string, () => Parameters, string]>([
  ['the right way', () => ({ VpcId: vpcs.theirs, VpcPeeringConnectionId: peering }), ''],
  ['another VPC', () => ({ VpcId: vpcs.mine }), 'InvalidGroup.NotFound'],
  [
    'another peering',
    () => ({ VpcPeeringConnectionId: 'pcx-12345678' }),
    'InvalidVpcPeeringConnectionID.NotFound',
  ],
  ['no peering', () => ({ VpcPeeringConnectionId: 'x' }), 'InvalidVpcPeeringConnectionId.Malformed'],
  ['another status', () => ({ PeeringStatus: 'deleted' }), 'InvalidParameterValue'],
  ['another owner', () => ({ UserId: cloud.admin.accountId }), 'InvalidGroup.NotFound'],
  ['no such group', () => ({ GroupId: 'sg-12345678' }), 'InvalidGroup.NotFound'],
  ['a malformed group', () => ({ GroupId: 'sg-1' }), 'InvalidGroupId.Malformed'],
])('what is said of the peering has to be so: %s', async (_what, more, code) => {
  expect((await authorize(more())).code ?? '').toBe(code)
})

test('without an active peering nothing of another VPC can be named', async () => {
  const second = await mine.vpc('10.3.0.0/16')
  const far = await group(mine, second)
  const own = { GroupId: far, UserId: cloud.admin.accountId }
  const refused = await authorize(own)
  expect([refused.code, refused.message]).toEqual([
    ...['InvalidGroup.NotFound', 'You have specified two resources that belong to different networks.'],
  ])
  const asked = (await mine.done('CreateVpcPeeringConnection', { VpcId: vpcs.mine, PeerVpcId: second }))
    .vpcPeeringConnection
  expect((await authorize(own)).code).toBe('InvalidGroup.NotFound')
  await mine.done('AcceptVpcPeeringConnection', { VpcPeeringConnectionId: asked.vpcPeeringConnectionId })
  expect((await authorize(own)).status).toBe(200)
  await endPeering()
  const foreign = await authorize()
  expect([foreign.code, foreign.message]).toEqual([
    ...['InvalidGroup.NotFound', `The security group '${groups.theirs}' does not exist`],
  ])
})

test('a rule of a peer group is modified, its group too, by whoever has it', async () => {
  const id = (await authorize()).xml.securityGroupRuleSet.item[0].securityGroupRuleId
  const further = await group(other, vpcs.theirs, 'db')
  const to = (groupId: string) => ({
    ...{ GroupId: groups.mine, 'SecurityGroupRule.1.SecurityGroupRuleId': id },
    ...{ 'SecurityGroupRule.1.SecurityGroupRule.IpProtocol': '-1' },
    'SecurityGroupRule.1.SecurityGroupRule.ReferencedGroupId': groupId,
  })
  await mine.done('ModifySecurityGroupRules', to(further))
  const [row] = items(
    (await mine.done('DescribeSecurityGroupRules', { 'SecurityGroupRuleId.1': id })).securityGroupRuleSet,
  )
  expect(row.referencedGroupInfo).toEqual({ ...way(), groupId: further })
  await endPeering()
  // As it is, but for its description: the group that it names is out of reach.
  await mine.done('ModifySecurityGroupRules', {
    ...to(further),
    'SecurityGroupRule.1.SecurityGroupRule.Description': 'was a peer',
  })
  expect(await mine.refused('ModifySecurityGroupRules', to(groups.theirs))).toBe('InvalidGroup.NotFound')
})

describe('stale rules', () => {
  test('a peer keeps the group while the peering stands, and not longer', async () => {
    await authorize({ Description: 'their web' })
    const goes = { GroupId: groups.theirs }
    expect(await other.refused('DeleteSecurityGroup', goes)).toBe('DependencyViolation')
    await endPeering()
    expect(await references(other, groups.theirs)).toEqual([])
    expect(await stale()).toEqual([
      {
        ...{ groupId: groups.mine, groupName: 'web', description: 'x', vpcId: vpcs.mine },
        staleIpPermissions: {
          item: [
            {
              ...{ ipProtocol: '-1', ipRanges: '', prefixListIds: '' },
              groups: { item: [{ ...way('deleted'), description: 'their web' }] },
            },
          ],
        },
        staleIpPermissionsEgress: '',
      },
    ])
    await other.done('DeleteSecurityGroup', goes)
    const [entry] = await stale()
    const { userId: _gone, ...left } = way('deleted')
    expect(entry.staleIpPermissions.item[0].groups.item).toEqual([{ ...left, description: 'their web' }])
    await peer()
    expect((await stale()).length).toBe(1)
    const [shown] = items(
      (await mine.done('DescribeSecurityGroups', { 'GroupId.1': groups.mine })).securityGroupInfo,
    )
    expect(shown.ipPermissions.item[0].groups.item[0].userId).toBeUndefined()
    await mine.done('RevokeSecurityGroupIngress', {
      ...{ GroupId: groups.mine, 'IpPermissions.1.IpProtocol': '-1' },
      'IpPermissions.1.Groups.1.GroupId': groups.theirs,
    })
    expect(await stale()).toEqual([])
  })

  test('VPCs that are peered anew make a rule good again', async () => {
    await authorize()
    await endPeering()
    expect((await stale()).length).toBe(1)
    const anew = await peer()
    expect(await stale()).toEqual([])
    const [shown] = items(
      (await mine.done('DescribeSecurityGroups', { 'GroupId.1': groups.mine })).securityGroupInfo,
    )
    expect(shown.ipPermissions.item[0].groups.item).toEqual([way('active', anew)])
  })

  test('a VPC is kept by a rule of a peer, until the peering ends; fsck knows what is stale', async () => {
    const [theirDefault] = items(
      (await other.done('DescribeSecurityGroups', { ...filter('vpc-id', vpcs.theirs) })).securityGroupInfo,
    ).filter((found) => found.groupName === 'default')
    await authorize({ GroupId: theirDefault.groupId })
    await other.done('DeleteSecurityGroup', { GroupId: groups.theirs })
    expect(await other.refused('DeleteVpc', { VpcId: vpcs.theirs })).toBe('DependencyViolation')
    await endPeering()
    await other.done('DeleteVpc', { VpcId: vpcs.theirs })
    expect((await stale()).length).toBe(1)
    expect(await findings()).toEqual([])
    await cloud.cloud.record.transaction('action', (tx) =>
      tx.db
        .updateTable('security_group_rule')
        .set({ peering_id: null })
        .where('peer_vpc_id', 'is not', null)
        .execute(),
    )
    expect(await findings()).toEqual([expect.stringMatching(/^R\.dangling sgr-/)])
  })

  test('only of VPCs and groups of one’s own', async () => {
    expect(await other.refused('DescribeStaleSecurityGroups', { VpcId: vpcs.mine })).toBe(
      'InvalidVpcID.NotFound',
    )
    expect(await other.refused('DescribeSecurityGroupReferences', { 'GroupId.1': groups.mine })).toBe(
      'InvalidGroup.NotFound',
    )
    expect(await mine.refused('DescribeSecurityGroupReferences', { 'GroupId.1': 'sg-1' })).toBe(
      'InvalidGroupId.Malformed',
    )
  })
})

async function findings(): Promise<string[]> {
  const response = await cloud.cloud.adminDoor.inject({
    ...{ method: 'POST', url: '/admin/v1/fsck', payload: { graceSeconds: 0 } },
  })
  return (response.json() as FsckResult).findings.map((entry) => `${entry.code} ${entry.subject}`)
}

test('the node is told the addresses of the peer group while the peering stands', async () => {
  const node = await cloud.addNode('one')
  const subnets = {
    mine: await mine.subnet(vpcs.mine, '10.1.1.0/24'),
    theirs: await other.subnet(vpcs.theirs, '10.2.1.0/24'),
  }
  await mine.instance({ SubnetId: subnets.mine, 'SecurityGroupId.1': groups.mine })
  await other.instance({ SubnetId: subnets.theirs, 'SecurityGroupId.1': groups.theirs })
  const peersAt = async () => {
    await cloud.settled()
    const bodies = (await cloud.desired('node', node)).bodies.filter((item) => item.kind === 'vpc')
    return bodies.map((item) => item.body as VpcItem).find((item) => item.vpcId === vpcs.mine)!.peerAddresses
  }
  await authorize()
  expect(await peersAt()).toEqual({ [groups.theirs]: [expect.stringMatching(/^10\.2\.1\./)] })
  await endPeering()
  expect(await peersAt()).toEqual({ [groups.theirs]: [] })
})
