import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { VpcItem } from '@mallee/agent-contract'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
let groupId: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  steps = new NetworkSteps(cloud)
  groupId = (await steps.done('CreateSecurityGroup', { GroupName: 'web', GroupDescription: 'the web' }))
    .groupId
})
afterEach(() => cloud.stop())

const port = (number: number, cidr = '10.0.0.0/8', extra: Parameters = {}): Parameters => ({
  ...{ GroupId: groupId, 'IpPermissions.1.IpProtocol': 'tcp' },
  ...{ 'IpPermissions.1.FromPort': number, 'IpPermissions.1.ToPort': number },
  ...(cidr === '' ? {} : { 'IpPermissions.1.IpRanges.1.CidrIp': cidr }),
  ...extra,
})
const allow = async (parameters: Parameters, side = 'Ingress'): Promise<string> =>
  (await steps.done(`AuthorizeSecurityGroup${side}`, parameters)).securityGroupRuleSet.item[0]
    .securityGroupRuleId
const rule = async (id: string) =>
  items(
    (await steps.done('DescribeSecurityGroupRules', { 'SecurityGroupRuleId.1': id })).securityGroupRuleSet,
  )[0]
const change = (id: string, to: Parameters, at = 1): Parameters => ({
  GroupId: groupId,
  [`SecurityGroupRule.${at}.SecurityGroupRuleId`]: id,
  ...Object.fromEntries(
    Object.entries(to).map(([name, value]) => [`SecurityGroupRule.${at}.SecurityGroupRule.${name}`, value]),
  ),
})
const prefixList = async (most = 3, who = steps): Promise<string> =>
  (
    await who.done('CreateManagedPrefixList', {
      ...{
        PrefixListName: 'offices',
        MaxEntries: most,
        AddressFamily: 'IPv4',
        'Entry.1.Cidr': '10.1.0.0/16',
      },
    })
  ).prefixList.prefixListId
async function groupOnNode(node: string) {
  await cloud.settled()
  const item = (await cloud.desired('node', node)).bodies.find((body) => body.kind === 'vpc')!.body as VpcItem
  return item.securityGroups.find((group) => group.groupId === groupId)!
}

describe('ModifySecurityGroupRules', () => {
  test('a rule becomes another and keeps its id, and its node hears of it', async () => {
    const node = await cloud.addNode('one')
    await steps.instance({ 'SecurityGroupId.1': groupId })
    const id = await allow(port(22, '10.0.0.0/8', { 'IpPermissions.1.IpRanges.1.Description': 'ssh' }))
    const to = { IpProtocol: 'udp', FromPort: 53, ToPort: 54, CidrIpv4: '10.9.1.1/16' }
    await steps.done('ModifySecurityGroupRules', change(id, { ...to, Description: 'names' }))
    expect(await rule(id)).toMatchObject({
      ...{ ipProtocol: 'udp', fromPort: '53', toPort: '54', cidrIpv4: '10.9.0.0/16', description: 'names' },
      securityGroupRuleArn: `arn:aws:ec2:us-east-1:${cloud.admin.accountId}:security-group-rule/${id}`,
    })
    expect((await groupOnNode(node)).ingress).toMatchObject([
      { protocol: '17', fromPort: 53, toPort: 54, cidr: '10.9.0.0/16' },
    ])
    await steps.done('ModifySecurityGroupRules', change(id, to))
    expect((await rule(id)).description).toBeUndefined()
  })

  test('two rules change places in one request, of either direction', async () => {
    const [one, two] = [await allow(port(22)), await allow(port(80))]
    const out = await allow(port(22), 'Egress')
    const of = (number: number) => ({
      ...{ IpProtocol: 'tcp', FromPort: number, ToPort: number, CidrIpv4: '10.0.0.0/8' },
    })
    await steps.done('ModifySecurityGroupRules', {
      ...change(one, of(80)),
      ...change(two, of(22), 2),
      ...change(out, of(80), 3),
    })
    expect([(await rule(one)).fromPort, (await rule(two)).fromPort, (await rule(out)).fromPort]).toEqual([
      ...['80', '22', '80'],
    ])
    expect(await steps.refused('ModifySecurityGroupRules', change(one, of(22)))).toBe(
      'InvalidPermission.Duplicate',
    )
  })

  test('by group and by prefix list, of which the room counts', async () => {
    const list = await prefixList()
    const bySelf = await allow(port(1, '', { 'IpPermissions.1.Groups.1.GroupId': groupId }))
    const byList = await allow(port(2, '', { 'IpPermissions.1.PrefixListIds.1.PrefixListId': list }))
    const peer = (await steps.done('CreateSecurityGroup', { GroupName: 'db', GroupDescription: 'x' })).groupId
    const all = { IpProtocol: '-1' }
    await steps.done('ModifySecurityGroupRules', change(bySelf, { ...all, ReferencedGroupId: peer }))
    expect((await rule(bySelf)).referencedGroupInfo).toEqual({ groupId: peer, userId: cloud.admin.accountId })
    await steps.done('ModifySecurityGroupRules', change(byList, { ...all, PrefixListId: list }))
    expect(await rule(byList)).toMatchObject({ ipProtocol: '-1', prefixListId: list })
    await steps.setQuota('rules-per-group', 6)
    const larger = await prefixList(6)
    expect(
      await steps.refused('ModifySecurityGroupRules', change(byList, { ...all, PrefixListId: larger })),
    ).toBe('RulesPerSecurityGroupLimitExceeded')
    await steps.setQuota('rules-per-group', 1)
    await steps.done(
      'ModifySecurityGroupRules',
      change(byList, { ...all, PrefixListId: list, Description: 'x' }),
    )
  })

  test.each<[string, Parameters, string]>([
    [
      'another kind of source',
      { IpProtocol: '-1', ReferencedGroupId: 'sg-12345678' },
      'InvalidParameterValue',
    ],
    ['a list instead', { IpProtocol: '-1', PrefixListId: 'pl-12345678' }, 'InvalidParameterValue'],
    ['no source', { IpProtocol: '-1' }, 'MissingParameter'],
    [
      'two sources',
      { IpProtocol: '-1', CidrIpv4: '10.0.0.0/8', PrefixListId: 'pl-1' },
      'InvalidParameterCombination',
    ],
    ['no protocol', { CidrIpv4: '10.0.0.0/8' }, 'MissingParameter'],
    ['no ports', { IpProtocol: 'tcp', CidrIpv4: '10.0.0.0/8' }, 'MissingParameter'],
    ['IPv6', { IpProtocol: '-1', CidrIpv6: '::/0' }, 'UnsupportedOperation'],
  ])('%s is refused', async (_what, to, code) => {
    const id = await allow(port(22))
    const before = await rule(id)
    expect(await steps.refused('ModifySecurityGroupRules', change(id, to))).toBe(code)
    expect(await rule(id)).toEqual(before)
  })

  test('what another account has is answered like what nobody has', async () => {
    const other = await steps.other()
    const far = (await other.done('CreateSecurityGroup', { GroupName: 'x', GroupDescription: 'x' })).groupId
    const theirs = await prefixList(3, other)
    const byGroup = await allow(port(1, '', { 'IpPermissions.1.Groups.1.GroupId': groupId }))
    const byList = await allow(
      port(2, '', { 'IpPermissions.1.PrefixListIds.1.PrefixListId': await prefixList() }),
    )
    const answers = async (id: string, name: string, values: readonly string[]) =>
      Promise.all(
        values.map(async (value) => {
          const to = { IpProtocol: '-1', [name]: value }
          const answer = await steps.call('ModifySecurityGroupRules', change(id, to))
          return [answer.code, answer.message!.replace(value, 'ID')]
        }),
      )
    const groups = await answers(byGroup, 'ReferencedGroupId', [far, 'sg-12345678'])
    expect(groups[0]).toEqual(groups[1])
    expect(groups[0]![0]).toBe('InvalidGroup.NotFound')
    const lists = await answers(byList, 'PrefixListId', [theirs, 'pl-12345678'])
    expect(lists[0]).toEqual(lists[1])
    expect(lists[0]![0]).toBe('InvalidPrefixListID.NotFound')
  })

  test('rules that are not of the group, named twice, or of another account are refused', async () => {
    const id = await allow(port(22))
    const to = { IpProtocol: '-1', CidrIpv4: '10.0.0.0/8' }
    const twice = { ...change(id, to), ...change(id, to, 2) }
    expect(await steps.refused('ModifySecurityGroupRules', twice)).toBe('InvalidParameterValue')
    expect(await steps.refused('ModifySecurityGroupRules', change('sgr-12345678', to))).toBe(
      'InvalidSecurityGroupRuleId.NotFound',
    )
    expect(await steps.refused('ModifySecurityGroupRules', change('sgr-1', to))).toBe(
      'InvalidSecurityGroupRuleId.Malformed',
    )
    const other = await steps.other()
    expect(await other.refused('ModifySecurityGroupRules', change(id, to))).toBe('InvalidGroup.NotFound')
  })
})

describe('descriptions', () => {
  test('are set and taken away by permission and by rule id', async () => {
    const id = await allow(port(22))
    const described = { 'IpPermissions.1.IpRanges.1.Description': 'ssh' }
    await steps.done('UpdateSecurityGroupRuleDescriptionsIngress', port(22, '10.0.0.0/8', described))
    expect((await rule(id)).description).toBe('ssh')
    await steps.done('UpdateSecurityGroupRuleDescriptionsIngress', port(22))
    expect((await rule(id)).description).toBeUndefined()
    const out = await allow(port(22), 'Egress')
    const byId = { GroupId: groupId, 'SecurityGroupRuleDescription.1.SecurityGroupRuleId': out }
    await steps.done('UpdateSecurityGroupRuleDescriptionsEgress', {
      ...byId,
      'SecurityGroupRuleDescription.1.Description': 'out',
    })
    expect((await rule(out)).description).toBe('out')
    expect(await steps.refused('UpdateSecurityGroupRuleDescriptionsIngress', byId)).toBe(
      'InvalidSecurityGroupRuleId.NotFound',
    )
    expect(await steps.refused('UpdateSecurityGroupRuleDescriptionsIngress', port(23))).toBe(
      'InvalidPermission.NotFound',
    )
    expect(await steps.refused('UpdateSecurityGroupRuleDescriptionsEgress', { ...port(22), ...byId })).toBe(
      'InvalidParameterCombination',
    )
    expect(await steps.refused('UpdateSecurityGroupRuleDescriptionsEgress', { GroupId: groupId })).toBe(
      'MissingParameter',
    )
    expect(
      await steps.refused('UpdateSecurityGroupRuleDescriptionsEgress', {
        ...byId,
        'SecurityGroupRuleDescription.1.Description': 'ö',
      }),
    ).toBe('InvalidParameterValue')
    const other = await steps.other()
    expect(await other.refused('UpdateSecurityGroupRuleDescriptionsEgress', byId)).toBe(
      'InvalidGroup.NotFound',
    )
  })
})

describe('prefix lists in rules', () => {
  const byList = (list: string): Parameters =>
    port(443, '', {
      'IpPermissions.1.PrefixListIds.1.PrefixListId': list,
      'IpPermissions.1.PrefixListIds.1.Description': 'offices',
    })

  test('a rule by prefix list is shown, found, reaches the node and goes', async () => {
    const node = await cloud.addNode('one')
    await steps.instance({ 'SecurityGroupId.1': groupId })
    const list = await prefixList()
    const id = await allow({ ...byList(list), ...tagged('security-group-rule') })
    expect(await rule(id)).toMatchObject({ prefixListId: list, description: 'offices' })
    expect(
      items(
        (await steps.done('DescribeSecurityGroupRules', filter('tag:colour', 'red'))).securityGroupRuleSet,
      ).map((row) => row.securityGroupRuleId),
    ).toEqual([id])
    const [group] = items(
      (await steps.done('DescribeSecurityGroups', filter('ip-permission.prefix-list-id', list)))
        .securityGroupInfo,
    )
    expect(group.ipPermissions.item[0].prefixListIds.item).toEqual([
      { prefixListId: list, description: 'offices' },
    ])
    expect((await groupOnNode(node)).ingress).toMatchObject([{ cidr: null, cidrs: ['10.1.0.0/16'] }])
    expect(await steps.refused('AuthorizeSecurityGroupIngress', byList(list))).toBe(
      'InvalidPermission.Duplicate',
    )
    const revoked = await steps.done('RevokeSecurityGroupIngress', byList(list))
    expect(revoked.revokedSecurityGroupRuleSet.item).toEqual([
      {
        ...{ securityGroupRuleId: id, groupId, isEgress: 'false', ipProtocol: 'tcp' },
        ...{ fromPort: '443', toPort: '443', prefixListId: list, description: 'offices' },
      },
    ])
    expect((await groupOnNode(node)).ingress).toEqual([])
  })

  test('it counts for as many rules as the list may have entries', async () => {
    await steps.setQuota('rules-per-group', 4)
    await allow(byList(await prefixList(3)))
    await allow(port(22))
    expect(await steps.refused('AuthorizeSecurityGroupIngress', port(23))).toBe(
      'RulesPerSecurityGroupLimitExceeded',
    )
    expect(await steps.refused('AuthorizeSecurityGroupEgress', byList(await prefixList(4)))).toBe(
      'RulesPerSecurityGroupLimitExceeded',
    )
  })

  test("another account's list, none and a malformed id are refused", async () => {
    const other = await steps.other()
    const group = (await other.done('CreateSecurityGroup', { GroupName: 'x', GroupDescription: 'x' })).groupId
    const theirs = { ...byList(await prefixList()), GroupId: group }
    expect(await other.refused('AuthorizeSecurityGroupIngress', theirs)).toBe('InvalidPrefixListID.NotFound')
    expect(await steps.refused('AuthorizeSecurityGroupIngress', byList('pl-1'))).toBe(
      'InvalidPrefixListId.Malformed',
    )
  })
})

test('GetSecurityGroupsForVpc shows what interfaces of the VPC may have', async () => {
  const vpcId = await steps.vpc()
  const made = await steps.done('CreateSecurityGroup', {
    ...{ GroupName: 'db', GroupDescription: 'x', VpcId: vpcId },
    ...tagged('security-group'),
  })
  const of = async (parameters: Parameters) =>
    items(
      (await steps.done('GetSecurityGroupsForVpc', { VpcId: vpcId, ...parameters })).securityGroupForVpcSet,
    )
  expect((await of({})).map((group) => group.groupName).toSorted()).toEqual(['db', 'default'])
  for (const [name, value] of [
    ['group-id', made.groupId],
    ['group-name', 'db'],
    ['description', 'x'],
    ['tag:colour', 'red'],
  ])
    expect(await of(filter(name!, value!)), name).toEqual([
      {
        ...{ groupId: made.groupId, groupName: 'db', description: 'x', primaryVpcId: vpcId },
        ...{ ownerId: cloud.admin.accountId, tagSet: { item: [{ key: 'colour', value: 'red' }] } },
      },
    ])
  expect(await of(filter('primary-vpc-id', 'vpc-12345678'))).toEqual([])
  const other = await steps.other()
  expect(await other.refused('GetSecurityGroupsForVpc', { VpcId: vpcId })).toBe('InvalidVpcID.NotFound')
})
