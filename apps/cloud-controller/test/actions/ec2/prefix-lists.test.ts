import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { VpcItem } from '@mallee/agent-contract'
import type { FsckResult } from '../../../src/fsck/run-fsck.ts'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { filter, items, NetworkSteps, tagged, type Parameters } from './network-steps.ts'

let cloud: CloudUnderTest
let steps: NetworkSteps
beforeEach(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  steps = new NetworkSteps(cloud)
})
afterEach(() => cloud.stop())

const wanted = { PrefixListName: 'offices', MaxEntries: 4, AddressFamily: 'IPv4' }
const entries = {
  'Entry.1.Cidr': '10.1.2.3/16',
  'Entry.1.Description': 'here',
  'Entry.2.Cidr': '10.9.0.0/24',
}
const create = async (parameters: Parameters = entries) =>
  (await steps.done('CreateManagedPrefixList', { ...wanted, ...parameters })).prefixList
const made = async (parameters: Parameters = entries): Promise<string> =>
  (await create(parameters)).prefixListId
const modify = async (id: string, parameters: Parameters) =>
  (await steps.done('ModifyManagedPrefixList', { PrefixListId: id, ...parameters })).prefixList
const described = async (parameters: Parameters = {}, who = steps) =>
  items((await who.done('DescribeManagedPrefixLists', parameters)).prefixListSet)
const entriesOf = async (id: string, parameters: Parameters = {}) =>
  items((await steps.done('GetManagedPrefixListEntries', { PrefixListId: id, ...parameters })).entrySet)
const cidrsOf = async (id: string, parameters: Parameters = {}) =>
  (await entriesOf(id, parameters)).map((entry) => entry.cidr)

describe('a list of its own', () => {
  test('is made, found by every filter, and goes', async () => {
    const asked = { ...entries, ...tagged('prefix-list') }
    const list = await create({ ...asked, ClientToken: 'once' })
    const { accountId } = cloud.admin
    expect(list).toEqual({
      prefixListId: expect.stringMatching(/^pl-[0-9a-f]{17}$/),
      ...{ addressFamily: 'IPv4', state: 'create-complete', prefixListName: 'offices' },
      ...{ maxEntries: '4', version: '1', ownerId: accountId },
      prefixListArn: `arn:aws:ec2:us-east-1:${accountId}:prefix-list/${list.prefixListId}`,
      tagSet: { item: [{ key: 'colour', value: 'red' }] },
    })
    expect(await create({ ...asked, ClientToken: 'once' })).toEqual(list)
    for (const [name, value] of [
      ['owner-id', accountId],
      ['prefix-list-id', list.prefixListId],
      ['prefix-list-name', 'offices'],
      ['tag:colour', 'red'],
    ])
      expect(await described(filter(name!, value!)), name).toEqual([list])
    expect(await described(filter('prefix-list-name', 'others'))).toEqual([])
    expect(await entriesOf(list.prefixListId)).toEqual([
      { cidr: '10.1.0.0/16', description: 'here' },
      { cidr: '10.9.0.0/24' },
    ])
    const goes = { PrefixListId: list.prefixListId }
    expect((await steps.done('DeleteManagedPrefixList', goes)).prefixList).toEqual({
      ...{ ...list, state: 'delete-complete' },
    })
    expect(await steps.refused('DeleteManagedPrefixList', goes)).toBe('InvalidPrefixListID.NotFound')
    expect(items((await steps.done('DescribeTags', filter('resource-type', 'prefix-list'))).tagSet)).toEqual(
      [],
    )
    expect(
      await cloud.cloud.record.read((db) => db.selectFrom('prefix_list_entry').selectAll().execute()),
    ).toEqual([])
  })

  test('pages of lists and of entries', async () => {
    const [one, two] = [await made(), await made()].toSorted()
    const first = await steps.done('DescribeManagedPrefixLists', { MaxResults: 1 })
    expect(items(first.prefixListSet)[0].prefixListId).toBe(one)
    const rest = await described({ MaxResults: 1, NextToken: first.nextToken })
    expect(rest.map((list) => list.prefixListId)).toEqual([two])
    const page = await steps.done('GetManagedPrefixListEntries', { PrefixListId: one!, MaxResults: 1 })
    expect(await cidrsOf(one!, { NextToken: page.nextToken })).toEqual(['10.9.0.0/24'])
    expect(await steps.refused('GetManagedPrefixListEntries', { PrefixListId: one!, MaxResults: 101 })).toBe(
      'InvalidParameterValue',
    )
  })

  test.each<[string, Parameters, string]>([
    ['IPv6', { AddressFamily: 'IPv6' }, 'UnsupportedOperation'],
    ['a name of AWS', { PrefixListName: 'com.amazonaws.us-east-1.s3' }, 'InvalidParameterValue'],
    ['a long name', { PrefixListName: 'x'.repeat(256) }, 'InvalidParameterValue'],
    ['no room', { MaxEntries: 0 }, 'InvalidParameterValue'],
    ['too much room', { MaxEntries: 1001 }, 'InvalidParameterValue'],
    ['more entries than room', { ...entries, MaxEntries: 1 }, 'PrefixListMaxEntriesExceeded'],
    ['a block that is none', { 'Entry.1.Cidr': '10.0.0.0/33' }, 'InvalidParameterValue'],
    ['a block of IPv6', { 'Entry.1.Cidr': 'fd00::/8' }, 'InvalidParameterValue'],
    [
      'a block twice',
      { 'Entry.1.Cidr': '10.0.0.0/8', 'Entry.2.Cidr': '10.1.0.0/8' },
      'InvalidParameterValue',
    ],
    ['no block', { 'Entry.1.Description': 'x' }, 'MissingParameter'],
    [
      'a long description',
      { 'Entry.1.Cidr': '10.0.0.0/8', 'Entry.1.Description': 'x'.repeat(256) },
      'InvalidParameterValue',
    ],
    [
      'too many at once',
      Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`Entry.${at + 1}.Cidr`, `10.0.${at}.0/24`])),
      'InvalidParameterValue',
    ],
  ])('%s is refused, and nothing is kept', async (_what, parameters, code) => {
    expect(await steps.refused('CreateManagedPrefixList', { ...wanted, ...parameters })).toBe(code)
    expect(await described()).toEqual([])
  })

  test('quotas of lists and of entries', async () => {
    await steps.setQuota('entries-per-prefix-list', 3)
    expect(await steps.refused('CreateManagedPrefixList', wanted)).toBe('InvalidParameterValue')
    await steps.setQuota('entries-per-prefix-list', 4)
    await steps.setQuota('prefix-lists', 1)
    const id = await made()
    expect(await steps.refused('CreateManagedPrefixList', wanted)).toBe('ResourceLimitExceeded')
    expect(await steps.refused('ModifyManagedPrefixList', { PrefixListId: id, MaxEntries: 5 })).toBe(
      'InvalidParameterValue',
    )
  })

  test('is nobody else’s', async () => {
    const id = await made()
    const other = await steps.other()
    expect(await described({}, other)).toEqual([])
    const own = { PrefixListId: id }
    for (const [action, parameters] of [
      ['ModifyManagedPrefixList', { ...own, PrefixListName: 'x' }],
      ['DeleteManagedPrefixList', own],
      ['GetManagedPrefixListEntries', own],
      ['GetManagedPrefixListAssociations', own],
      ['RestoreManagedPrefixListVersion', { ...own, PreviousVersion: 1, CurrentVersion: 1 }],
      ['DescribeManagedPrefixLists', { 'PrefixListId.1': id }],
    ] as const)
      expect(await other.refused(action, parameters), action).toBe('InvalidPrefixListID.NotFound')
    expect(await steps.refused('DeleteManagedPrefixList', { PrefixListId: 'pl-1' })).toBe(
      'InvalidPrefixListId.Malformed',
    )
  })
})

describe('versions', () => {
  test('entries come and go in a new version; the old ones are kept, and restored as a further one', async () => {
    const id = await made()
    const changed = await modify(id, {
      ...{ CurrentVersion: 1, 'AddEntry.1.Cidr': '10.5.0.0/16', 'RemoveEntry.1.Cidr': '10.9.0.0/24' },
    })
    expect(changed).toMatchObject({ version: '2', state: 'modify-complete' })
    expect(await cidrsOf(id)).toEqual(['10.1.0.0/16', '10.5.0.0/16'])
    expect(await cidrsOf(id, { TargetVersion: 1 })).toEqual(['10.1.0.0/16', '10.9.0.0/24'])
    await modify(id, {
      CurrentVersion: 2,
      'AddEntry.1.Cidr': '10.1.0.0/16',
      'AddEntry.1.Description': 'there',
    })
    expect((await entriesOf(id))[0]).toEqual({ cidr: '10.1.0.0/16', description: 'there' })
    const restore = { PrefixListId: id, PreviousVersion: 1 }
    expect(await steps.refused('RestoreManagedPrefixListVersion', { ...restore, CurrentVersion: 2 })).toBe(
      'PrefixListVersionMismatch',
    )
    const restored = (await steps.done('RestoreManagedPrefixListVersion', { ...restore, CurrentVersion: 3 }))
      .prefixList
    expect(restored).toMatchObject({ version: '4', state: 'restore-complete' })
    expect(await entriesOf(id)).toEqual(await entriesOf(id, { TargetVersion: 1 }))
    for (const PreviousVersion of [0, 4, 5])
      expect(
        await steps.refused('RestoreManagedPrefixListVersion', {
          ...{ PrefixListId: id, PreviousVersion, CurrentVersion: 4 },
        }),
      ).toBe('InvalidParameterValue')
    expect(await steps.refused('GetManagedPrefixListEntries', { PrefixListId: id, TargetVersion: 9 })).toBe(
      'InvalidParameterValue',
    )
  })

  test('a name is no version; the size goes not below what is in it, nor a restored one above', async () => {
    const id = await made()
    expect(await modify(id, { PrefixListName: 'sites' })).toMatchObject({
      ...{ prefixListName: 'sites', version: '1', state: 'create-complete' },
    })
    expect(await steps.refused('ModifyManagedPrefixList', { PrefixListId: id, MaxEntries: 1 })).toBe(
      'PrefixListMaxEntriesExceeded',
    )
    await modify(id, { 'RemoveEntry.1.Cidr': '10.1.0.0/16' })
    expect(await modify(id, { MaxEntries: 1 })).toMatchObject({ maxEntries: '1', version: '2' })
    expect(
      await steps.refused('RestoreManagedPrefixListVersion', {
        ...{ PrefixListId: id, PreviousVersion: 1, CurrentVersion: 2 },
      }),
    ).toBe('PrefixListMaxEntriesExceeded')
  })

  test.each<[string, Parameters, string]>([
    ['nothing', {}, 'InvalidRequest'],
    ['another version', { CurrentVersion: 2, 'AddEntry.1.Cidr': '10.2.0.0/16' }, 'PrefixListVersionMismatch'],
    ['entries and size', { 'AddEntry.1.Cidr': '10.2.0.0/16', MaxEntries: 9 }, 'InvalidParameterCombination'],
    [
      'a block both ways',
      { 'AddEntry.1.Cidr': '10.1.0.0/16', 'RemoveEntry.1.Cidr': '10.1.0.0/16' },
      'InvalidParameterValue',
    ],
    ['what is not in it', { 'RemoveEntry.1.Cidr': '10.2.0.0/16' }, 'InvalidPrefixListModification'],
    ['what is in it', { 'AddEntry.1.Cidr': '10.9.0.0/24' }, 'InvalidPrefixListModification'],
    [
      'too many',
      {
        'AddEntry.1.Cidr': '10.2.0.0/16',
        'AddEntry.2.Cidr': '10.3.0.0/16',
        'AddEntry.3.Cidr': '10.4.0.0/16',
      },
      'PrefixListMaxEntriesExceeded',
    ],
    ['a name of AWS', { PrefixListName: 'com.amazonaws.x' }, 'InvalidParameterValue'],
  ])('%s is refused, and the list stays as it is', async (_what, parameters, code) => {
    const list = await create()
    const id = list.prefixListId
    expect(await steps.refused('ModifyManagedPrefixList', { PrefixListId: id, ...parameters })).toBe(code)
    expect(await described()).toEqual([list])
    expect(await cidrsOf(id)).toEqual(['10.1.0.0/16', '10.9.0.0/24'])
  })

  test('a thousand are kept: with a further one the oldest goes', async () => {
    const id = await made()
    await cloud.cloud.record.transaction('action', async (tx) => {
      await tx.db.updateTable('prefix_list').set({ version: 1000 }).execute()
      await tx.db
        .insertInto('prefix_list_entry')
        .values({ prefix_list_id: id, version: 1000, cidr: '10.1.0.0/16', description: null })
        .execute()
    })
    expect((await cidrsOf(id, { TargetVersion: 1 })).length).toBe(2)
    await modify(id, { 'AddEntry.1.Cidr': '10.2.0.0/16' })
    expect(await steps.refused('GetManagedPrefixListEntries', { PrefixListId: id, TargetVersion: 1 })).toBe(
      'InvalidParameterValue',
    )
    const kept = await cloud.cloud.record.read((db) =>
      db.selectFrom('prefix_list_entry').select('version').distinct().orderBy('version').execute(),
    )
    expect(kept.map((row) => row.version)).toEqual([1000, 1001])
  })
})

describe('a list in use', () => {
  let id: string
  let groupId: string
  let tableId: string
  let vpcId: string
  beforeEach(async () => {
    id = await made()
    vpcId = await steps.vpc()
    const group = { GroupName: 'web', GroupDescription: 'x', VpcId: vpcId }
    groupId = (await steps.done('CreateSecurityGroup', group)).groupId
    await steps.done('AuthorizeSecurityGroupIngress', {
      ...{ GroupId: groupId, 'IpPermissions.1.IpProtocol': '-1' },
      'IpPermissions.1.PrefixListIds.1.PrefixListId': id,
    })
    const gateway = await steps.gateway(vpcId)
    tableId = (await steps.done('DescribeRouteTables', { ...filter('vpc-id', vpcId) })).routeTableSet.item[0]
      .routeTableId
    await steps.done('CreateRoute', {
      ...{ RouteTableId: tableId, DestinationPrefixListId: id, GatewayId: gateway },
    })
  })

  test('says by whom, and stays', async () => {
    const uses = (await steps.done('GetManagedPrefixListAssociations', { PrefixListId: id }))
      .prefixListAssociationSet
    const owner = { resourceOwner: cloud.admin.accountId }
    expect(items(uses)).toEqual([
      { resourceId: tableId, ...owner },
      { resourceId: groupId, ...owner },
    ])
    const page = await steps.done('GetManagedPrefixListAssociations', { PrefixListId: id, MaxResults: 5 })
    expect(items(page.prefixListAssociationSet).length).toBe(2)
    expect(await steps.refused('DeleteManagedPrefixList', { PrefixListId: id })).toBe('DependencyViolation')
    await steps.done('DeleteRoute', { RouteTableId: tableId, DestinationPrefixListId: id })
    expect(await steps.refused('DeleteManagedPrefixList', { PrefixListId: id })).toBe('DependencyViolation')
    await steps.done('DeleteSecurityGroup', { GroupId: groupId })
    await steps.done('DeleteManagedPrefixList', { PrefixListId: id })
  })

  test('its nodes feel every change, in rules and in routes', async () => {
    const node = await cloud.addNode('one')
    const subnet = await steps.subnet(vpcId)
    await steps.instance({ SubnetId: subnet, 'SecurityGroupId.1': groupId })
    const onNode = async () => {
      await cloud.settled()
      const { bodies } = await cloud.desired('node', node)
      const item = bodies.find((body) => body.kind === 'vpc')!.body as VpcItem
      return {
        rule: item.securityGroups[0]!.ingress[0]!.cidrs,
        routes: item.routeTables![0]!.routes.map((route) => route.destination),
      }
    }
    const both = (cidrs: string[]) => ({ rule: cidrs, routes: cidrs })
    expect(await onNode()).toEqual(both(['10.1.0.0/16', '10.9.0.0/24']))
    await modify(id, { 'AddEntry.1.Cidr': '10.5.0.0/16', 'RemoveEntry.1.Cidr': '10.9.0.0/24' })
    expect(await onNode()).toEqual(both(['10.1.0.0/16', '10.5.0.0/16']))
    await steps.done('RestoreManagedPrefixListVersion', {
      ...{ PrefixListId: id, PreviousVersion: 1, CurrentVersion: 2 },
    })
    expect(await onNode()).toEqual(both(['10.1.0.0/16', '10.9.0.0/24']))
  })

  test('grows no further than what names it can bear, and says who cannot', async () => {
    await steps.setQuota('rules-per-group', 5)
    await steps.setQuota('routes-per-table', 6)
    expect(await modify(id, { MaxEntries: 5 })).toMatchObject({ maxEntries: '5', state: 'modify-complete' })
    const failed = await modify(id, { MaxEntries: 6 })
    expect(failed).toMatchObject({ maxEntries: '5', state: 'modify-failed' })
    expect(failed.stateMessage).toContain(groupId)
    expect(failed.stateMessage).not.toContain(tableId)
    expect((await modify(id, { MaxEntries: 7 })).stateMessage).toContain(tableId)
    expect((await described())[0]).toMatchObject({ maxEntries: '5', state: 'modify-failed' })
    expect((await modify(id, { MaxEntries: 4 })).stateMessage).toBeUndefined()
  })
})

test('AWS’s own lists are none here', async () => {
  const id = await made()
  expect((await steps.done('DescribePrefixLists')).prefixListSet).toBe('')
  expect((await steps.done('DescribePrefixLists', filter('prefix-list-name', '*'))).prefixListSet).toBe('')
  expect(await steps.refused('DescribePrefixLists', { 'PrefixListId.1': id })).toBe(
    'InvalidPrefixListID.NotFound',
  )
  expect(await steps.refused('DescribePrefixLists', { 'PrefixListId.1': 'pl-1' })).toBe(
    'InvalidPrefixListId.Malformed',
  )
  expect(await steps.refused('DescribePrefixLists', filter('owner-id', 'x'))).toBe('InvalidParameterValue')
})

test('fsck finds lists with more in them than they may have, and entries of no version', async () => {
  const [full, ahead] = [await made(), await made()]
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.updateTable('prefix_list').set({ max_entries: 1 }).where('id', '=', full).execute()
    await tx.db
      .insertInto('prefix_list_entry')
      .values({ prefix_list_id: ahead, version: 2, cidr: '10.0.0.0/8', description: null })
      .execute()
  })
  const response = await cloud.cloud.adminDoor.inject({
    ...{ method: 'POST', url: '/admin/v1/fsck', payload: { graceSeconds: 0 } },
  })
  const found = (response.json() as FsckResult).findings.map((entry) => `${entry.code} ${entry.subject}`)
  expect(found.toSorted()).toEqual([`R.prefix-list ${full}`, `R.prefix-list ${ahead}`].toSorted())
})
