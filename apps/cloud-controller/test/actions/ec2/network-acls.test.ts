import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
let vpcId: string
let acl: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  steps = new NetworkSteps(cloud)
  vpcId = await steps.vpc()
  acl = (await steps.done('CreateNetworkAcl', { VpcId: vpcId })).networkAcl.networkAclId
})
afterEach(() => cloud.stop())

const described = async (parameters: Parameters = {}) =>
  items((await steps.done('DescribeNetworkAcls', parameters)).networkAclSet)
const entriesOf = async (id: string) => items((await described({ 'NetworkAclId.1': id }))[0].entrySet)
const ssh = {
  ...{ RuleNumber: 100, Protocol: '6', RuleAction: 'allow', Egress: false, CidrBlock: '10.1.2.3/8' },
  ...{ 'PortRange.From': 22, 'PortRange.To': 23 },
}
const create = (parameters: Parameters = {}) =>
  steps.call('CreateNetworkAclEntry', { NetworkAclId: acl, ...ssh, ...parameters })
const last = (egress: boolean) => ({
  ...{ ruleNumber: '32767', protocol: '-1', ruleAction: 'deny', egress: String(egress) },
  cidrBlock: '0.0.0.0/0',
})

describe('ACLs', () => {
  test('a new one denies everything; the default one allows it', async () => {
    const token = { VpcId: vpcId, ClientToken: 'once', ...tagged('network-acl') }
    const { networkAcl } = await steps.done('CreateNetworkAcl', token)
    expect((await steps.done('CreateNetworkAcl', token)).networkAcl).toEqual(networkAcl)
    expect(networkAcl).toEqual({
      ...{ networkAclId: networkAcl.networkAclId, vpcId, ownerId: cloud.admin.accountId, default: 'false' },
      entrySet: { item: [last(true), last(false)] },
      associationSet: '',
      tagSet: { item: [{ key: 'colour', value: 'red' }] },
    })
    const [standard] = await described({
      ...filter('default', true),
      ...{ 'Filter.2.Name': 'vpc-id', 'Filter.2.Value.1': vpcId },
    })
    const open = (egress: boolean) => ({ ...last(egress), ruleNumber: '100', ruleAction: 'allow' })
    expect(standard.entrySet.item).toEqual([open(true), last(true), open(false), last(false)])
    expect(await steps.refused('DeleteNetworkAcl', { NetworkAclId: standard.networkAclId })).toBe(
      'InvalidParameterValue',
    )
    await steps.done('DeleteNetworkAcl', { NetworkAclId: networkAcl.networkAclId })
    expect(await steps.refused('DeleteNetworkAcl', { NetworkAclId: networkAcl.networkAclId })).toBe(
      'InvalidNetworkAclID.NotFound',
    )
    expect(await steps.refused('DeleteNetworkAcl', { NetworkAclId: 'acl-x' })).toBe(
      'InvalidNetworkAclId.Malformed',
    )
  })

  test('a subnet is given another, and that one is held by it', async () => {
    const subnet = await steps.subnet(vpcId)
    const [before] = await described(filter('association.subnet-id', subnet))
    const [link] = before.associationSet.item
    expect(link).toMatchObject({ networkAclId: before.networkAclId, subnetId: subnet })
    const replace = (association: string, id: string) =>
      steps.call('ReplaceNetworkAclAssociation', { AssociationId: association, NetworkAclId: id })
    const { newAssociationId } = (await replace(link.networkAclAssociationId, acl)).xml
    expect(newAssociationId).toMatch(/^aclassoc-/)
    const [after] = await described(filter('association.association-id', newAssociationId))
    expect(after.networkAclId).toBe(acl)
    expect((await described(filter('association.network-acl-id', acl))).length).toBe(1)
    expect((await replace(link.networkAclAssociationId, acl)).code).toBe('InvalidAssociationID.NotFound')
    expect((await replace('x', acl)).code).toBe('InvalidAssociationID.NotFound')
    expect(await steps.refused('DeleteNetworkAcl', { NetworkAclId: acl })).toBe('DependencyViolation')
    const elsewhere = (await steps.done('CreateNetworkAcl', { VpcId: await steps.vpc('10.9.0.0/16') }))
      .networkAcl.networkAclId
    expect((await replace(newAssociationId, elsewhere)).code).toBe('InvalidParameterValue')
    await steps.done('DeleteSubnet', { SubnetId: subnet })
    await steps.done('DeleteNetworkAcl', { NetworkAclId: acl })
  })

  test('the quota; another account', async () => {
    await steps.setQuota('network-acls-per-vpc', 2)
    expect(await steps.refused('CreateNetworkAcl', { VpcId: vpcId })).toBe('NetworkAclLimitExceeded')
    const other = await steps.other()
    const missing = 'InvalidNetworkAclID.NotFound'
    expect(await other.refused('DeleteNetworkAcl', { NetworkAclId: acl })).toBe(missing)
    expect(await other.refused('CreateNetworkAclEntry', { NetworkAclId: acl, ...ssh })).toBe(missing)
    expect(await other.refused('DescribeNetworkAcls', { 'NetworkAclId.1': acl })).toBe(missing)
  })
})

describe('entries', () => {
  test('they stand in the order of their numbers, each direction by itself', async () => {
    await create()
    await create({ RuleNumber: 90, Protocol: '1', 'Icmp.Type': 8, 'Icmp.Code': -1 })
    await create({ Egress: true, RuleAction: 'deny', Protocol: '-1' })
    await create({ RuleNumber: 95, Protocol: '47' })
    const tcp = {
      ruleNumber: '100',
      protocol: '6',
      ruleAction: 'allow',
      egress: 'false',
      cidrBlock: '10.0.0.0/8',
    }
    const plain = { ...tcp, egress: 'false' }
    expect(await entriesOf(acl)).toEqual([
      { ...plain, protocol: '-1', ruleAction: 'deny', egress: 'true' },
      last(true),
      { ...plain, ruleNumber: '90', protocol: '1', icmpTypeCode: { code: '-1', type: '8' } },
      { ...plain, ruleNumber: '95', protocol: '47' },
      { ...tcp, portRange: { from: '22', to: '23' } },
      last(false),
    ])
    for (const [name, value] of [
      ['entry.cidr', '10.0.0.0/8'],
      ['entry.icmp.type', 8],
      ['entry.port-range.from', 22],
      ['entry.port-range.to', 23],
      ['entry.protocol', 'icmp'],
      ['entry.rule-number', 95],
    ] as const)
      expect(
        (await described(filter(name, value))).map((row) => row.networkAclId),
        name,
      ).toEqual([acl])
    expect((await described(filter('entry.icmp.code', -1))).length).toBe(1)
    expect((await described(filter('entry.rule-action', 'deny'))).length).toBe(3)
    expect((await described(filter('entry.egress', true))).length).toBe(3)
  })

  test('they are replaced and deleted by number and direction', async () => {
    expect((await create()).status).toBe(200)
    expect((await create()).code).toBe('NetworkAclEntryAlreadyExists')
    const replace = (parameters: Parameters) =>
      steps.call('ReplaceNetworkAclEntry', { NetworkAclId: acl, ...ssh, ...parameters })
    expect((await replace({ Protocol: '17', RuleAction: 'deny' })).status).toBe(200)
    expect((await entriesOf(acl))[1]).toMatchObject({ protocol: '17', ruleAction: 'deny' })
    expect((await replace({ Egress: true })).code).toBe('InvalidNetworkAclEntry.NotFound')
    const remove = (egress: boolean) =>
      steps.call('DeleteNetworkAclEntry', { NetworkAclId: acl, RuleNumber: 100, Egress: egress })
    expect((await remove(true)).code).toBe('InvalidNetworkAclEntry.NotFound')
    expect((await remove(false)).status).toBe(200)
    expect((await entriesOf(acl)).length).toBe(2)
  })

  test.each<[Parameters, string]>([
    [{ RuleNumber: 0 }, 'InvalidParameterValue'],
    [{ RuleNumber: 32_767 }, 'InvalidParameterValue'],
    [{ Protocol: 'tcp' }, 'InvalidParameterValue'],
    [{ Protocol: '256' }, 'InvalidParameterValue'],
    [{ Protocol: '1' }, 'MissingParameter'],
    [{ Protocol: '1', 'Icmp.Type': 256, 'Icmp.Code': 0 }, 'InvalidParameterValue'],
    [{ 'PortRange.From': 80, 'PortRange.To': 22 }, 'InvalidParameterValue'],
    [{ 'PortRange.From': 1, 'PortRange.To': 65_536 }, 'InvalidParameterValue'],
    [{ CidrBlock: 'x' }, 'InvalidParameterValue'],
    [{ Ipv6CidrBlock: '::/0' }, 'UnsupportedOperation'],
    [{ RuleAction: 'perhaps' }, 'InvalidParameterValue'],
  ])('an entry with %o is refused', async (parameters, code) => {
    expect((await create(parameters)).code).toBe(code)
    expect((await entriesOf(acl)).length).toBe(2)
  })

  test('ports and a block must be said; the quota is of a direction', async () => {
    const { 'PortRange.From': _from, 'PortRange.To': _to, ...portless } = ssh
    const { CidrBlock: _cidr, ...blockless } = ssh
    for (const parameters of [portless, blockless])
      expect(await steps.refused('CreateNetworkAclEntry', { NetworkAclId: acl, ...parameters })).toBe(
        'MissingParameter',
      )
    await steps.setQuota('entries-per-acl', 1)
    await create()
    expect((await create({ RuleNumber: 101 })).code).toBe('NetworkAclEntryLimitExceeded')
    expect((await create({ RuleNumber: 101, Egress: true })).status).toBe(200)
  })
})
