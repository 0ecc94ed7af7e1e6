import { afterEach, beforeEach, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
})
afterEach(() => cloud.stop())

test('every type has long ids, and its deadline is past', async () => {
  const all = await cloud.call('DescribeAggregateIdFormat')
  expect(all.xml.useLongIdsAggregated).toBe('true')
  const statuses = all.xml.statusSet.item as { resource: string; useLongIds: string; deadline: string }[]
  expect(statuses.length).toBe(31)
  expect(new Set(statuses.map((status) => status.useLongIds))).toEqual(new Set(['true']))
  expect(statuses.every((status) => Date.parse(status.deadline) < Date.now())).toBe(true)
  expect((await cloud.call('DescribeIdFormat')).xml.statusSet.item).toEqual(statuses)
  const one = await cloud.call('DescribeIdFormat', { Resource: 'instance' })
  expect(one.xml.statusSet.item.length).toBe(1)
  const principals = await cloud.call('DescribePrincipalIdFormat', { 'Resource.1': 'vpc' })
  expect(principals.xml.principalSet.item).toMatchObject([
    { arn: `arn:aws:iam::${cloud.admin.accountId}:root`, statusSet: { item: [{ resource: 'vpc' }] } },
  ])
})

test('short ids are refused, long ones are what there is', async () => {
  const arn = `arn:aws:iam::${cloud.admin.accountId}:root`
  const other = await cloud.createAccount('other')
  const code = async (action: string, parameters: Record<string, string | boolean>) => {
    const answer = await cloud.call(action, { Resource: 'instance', ...parameters })
    return answer.code ?? answer.status
  }
  expect(await code('ModifyIdFormat', { UseLongIds: true })).toBe(200)
  expect(await code('ModifyIdFormat', { UseLongIds: false })).toBe('OperationNotPermitted')
  expect(await code('ModifyIdFormat', { Resource: 'car', UseLongIds: true })).toBe(
    'InvalidResourceType.Unknown',
  )
  expect(await code('DescribeIdFormat', { Resource: 'car' })).toBe('InvalidResourceType.Unknown')
  const identity = (PrincipalArn: string, isLong = true) =>
    code('ModifyIdentityIdFormat', { PrincipalArn, UseLongIds: isLong })
  expect(await identity(arn)).toBe(200)
  expect(await identity('all')).toBe(200)
  expect(await identity(arn, false)).toBe('OperationNotPermitted')
  expect(await identity(`arn:aws:iam::${other.accountId}:root`)).toBe('InvalidTargetArn.Unknown')
  expect(await code('DescribeIdentityIdFormat', { PrincipalArn: arn })).toBe(200)
  expect(await code('DescribeIdentityIdFormat', { PrincipalArn: 'arn:x' })).toBe('InvalidTargetArn.Unknown')
})

test('every instance type is offered in every zone', async () => {
  const types = (await cloud.call('DescribeInstanceTypes')).xml.instanceTypeSet.item.length as number
  const offered = async (parameters: Record<string, string>) => {
    const answer = await cloud.call('DescribeInstanceTypeOfferings', parameters)
    return (answer.xml.instanceTypeOfferingSet.item ?? []) as Record<string, string>[]
  }
  expect((await offered({})).map((entry) => entry['location'])).toEqual(
    Array.from({ length: types }, () => 'us-east-1'),
  )
  expect((await offered({ LocationType: 'availability-zone' })).length).toBe(2 * types)
  expect((await offered({ LocationType: 'outpost' })).length).toBe(0)
  expect(
    await offered({
      LocationType: 'availability-zone-id',
      'Filter.1.Name': 'location',
      'Filter.1.Value.1': 'use1-az2',
      'Filter.2.Name': 'instance-type',
      'Filter.2.Value.1': 'm1.small',
    }),
  ).toEqual([{ instanceType: 'm1.small', location: 'use1-az2', locationType: 'availability-zone-id' }])
  const page = await cloud.call('DescribeInstanceTypeOfferings', { MaxResults: '5' })
  expect(page.xml.instanceTypeOfferingSet.item.length).toBe(5)
  expect(page.xml.nextToken).toBeDefined()
})
