import { afterEach, beforeEach, expect, test } from 'vitest'
import type { VpcItem } from '@mallee/agent-contract'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let groupId: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  groupId = (await cloud.call('CreateSecurityGroup', { GroupName: 'web', GroupDescription: 'the web' })).xml
    .groupId
})
afterEach(() => cloud.stop())

const tcp = (port: number, cidr = '10.0.0.0/8') => ({
  GroupId: groupId,
  'IpPermissions.1.IpProtocol': 'tcp',
  'IpPermissions.1.FromPort': port,
  'IpPermissions.1.ToPort': port,
  'IpPermissions.1.IpRanges.1.CidrIp': cidr,
})

test('a rule appears with its id, once, and goes by permission or by id', async () => {
  const first = await cloud.call('AuthorizeSecurityGroupIngress', tcp(22))
  const ruleId = first.xml.securityGroupRuleSet.item[0].securityGroupRuleId as string
  expect(ruleId).toMatch(/^sgr-[0-9a-f]{17}$/)
  expect((await cloud.call('AuthorizeSecurityGroupIngress', tcp(22))).code).toBe(
    'InvalidPermission.Duplicate',
  )
  expect((await cloud.call('AuthorizeSecurityGroupIngress', tcp(22, '10.1.2.3/8'))).code).toBe(
    'InvalidPermission.Duplicate',
  )
  await cloud.call('AuthorizeSecurityGroupIngress', tcp(80))
  const group = (await cloud.call('DescribeSecurityGroups', { 'GroupId.1': groupId })).xml.securityGroupInfo
    .item[0]
  expect(group.ipPermissions.item.map((entry: { fromPort: string }) => entry.fromPort)).toEqual(['22', '80'])
  expect(group.ipPermissionsEgress.item[0].ipProtocol).toBe('-1')
  expect(
    (await cloud.call('RevokeSecurityGroupIngress', { GroupId: groupId, 'SecurityGroupRuleId.1': ruleId }))
      .status,
  ).toBe(200)
  expect((await cloud.call('RevokeSecurityGroupIngress', tcp(80))).status).toBe(200)
  expect((await cloud.call('RevokeSecurityGroupIngress', tcp(80))).code).toBe('InvalidPermission.NotFound')
  const rules = await cloud.call('DescribeSecurityGroupRules', {
    'Filter.1.Name': 'group-id',
    'Filter.1.Value.1': groupId,
  })
  expect(rules.xml.securityGroupRuleSet.item.map((rule: { isEgress: string }) => rule.isEgress)).toEqual([
    'true',
  ])
})

test.each([
  ['a CIDR that is none', { 'IpPermissions.1.IpRanges.1.CidrIp': '10.0.0.0/99' }, 'InvalidParameterValue'],
  ['a port range upside down', { 'IpPermissions.1.FromPort': 90 }, 'InvalidParameterValue'],
  ['an unknown protocol', { 'IpPermissions.1.IpProtocol': 'quux' }, 'InvalidPermission.Malformed'],
  [
    'an unknown peer',
    { 'IpPermissions.1.Groups.1.GroupId': 'sg-00000000000000001' },
    'InvalidGroup.NotFound',
  ],
  ['IPv6', { 'IpPermissions.1.Ipv6Ranges.1.CidrIpv6': '::/0' }, 'UnsupportedOperation'],
  ['an unknown group', { GroupId: 'sg-00000000000000001' }, 'InvalidGroup.NotFound'],
  ['a malformed group', { GroupId: 'sg-1' }, 'InvalidGroupId.Malformed'],
])('%s is refused and nothing is kept', async (_what, changes, code) => {
  const before = await cloud.cloud.record.read((db) =>
    db.selectFrom('security_group_rule').selectAll().execute(),
  )
  const parameters: Record<string, unknown> = { ...tcp(80), ...changes }
  const answer = await cloud.call('AuthorizeSecurityGroupIngress', parameters as Record<string, string>)
  expect(answer.code, answer.body).toBe(code)
  expect(
    await cloud.cloud.record.read((db) => db.selectFrom('security_group_rule').selectAll().execute()),
  ).toEqual(before)
})

test('a group in use stays; an unused one goes; default stays', async () => {
  const node = await cloud.addNode('one')
  const image = await cloud.plantImage(cloud.admin.accountId)
  await cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1, 'SecurityGroupId.1': groupId })
  expect((await cloud.call('DeleteSecurityGroup', { GroupId: groupId })).code).toBe('DependencyViolation')
  expect((await cloud.call('DeleteSecurityGroup', { GroupName: 'default' })).code).toBe('CannotDelete')
  const spare = (await cloud.call('CreateSecurityGroup', { GroupName: 'spare', GroupDescription: 'x' })).xml
    .groupId
  expect((await cloud.call('DeleteSecurityGroup', { GroupId: spare })).status).toBe(200)
  await cloud.settled()
  const vpc = (await cloud.desired('node', node)).bodies.find((item) => item.kind === 'vpc')!.body as VpcItem
  expect(vpc.securityGroups.map((group) => group.groupId)).toEqual([groupId])
})

test('a changed rule reaches the nodes that host the group, peers with their addresses', async () => {
  const node = await cloud.addNode('one')
  const image = await cloud.plantImage(cloud.admin.accountId)
  const run = await cloud.call('RunInstances', {
    ImageId: image,
    MinCount: 1,
    MaxCount: 1,
    'SecurityGroupId.1': groupId,
  })
  await cloud.call('AuthorizeSecurityGroupIngress', {
    GroupId: groupId,
    'IpPermissions.1.IpProtocol': '-1',
    'IpPermissions.1.Groups.1.GroupId': groupId,
  })
  await cloud.settled()
  const vpc = (await cloud.desired('node', node)).bodies.find((item) => item.kind === 'vpc')!.body as VpcItem
  expect(vpc.securityGroups[0]!.ingress).toEqual([
    { protocol: '-1', fromPort: -1, toPort: -1, cidr: null, peerGroupId: groupId },
  ])
  expect(vpc.peerAddresses).toEqual({ [groupId]: [run.xml.instancesSet.item[0].privateIpAddress] })
})

test('the number of rules is bounded by the quota', async () => {
  for (let port = 1; port <= 60; port += 1)
    expect((await cloud.call('AuthorizeSecurityGroupIngress', tcp(port))).status).toBe(200)
  expect((await cloud.call('AuthorizeSecurityGroupIngress', tcp(61))).code).toBe(
    'RulesPerSecurityGroupLimitExceeded',
  )
})
