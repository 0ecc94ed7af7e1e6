import { afterEach, beforeEach, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
})
afterEach(() => cloud.stop())

async function launch(count: number, parameters: Record<string, string | number> = {}): Promise<string[]> {
  await cloud.addNode(`node${Math.random()}`)
  const image = await cloud.plantImage(cloud.admin.accountId)
  const run = await cloud.call('RunInstances', {
    ImageId: image,
    MinCount: count,
    MaxCount: count,
    ...parameters,
  })
  return run.xml.instancesSet.item.map((item: { instanceId: string }) => item.instanceId)
}

test('pages are whole, in order and without repetition; a token is not to be forged', async () => {
  const ids = await launch(12)
  const seen: string[] = []
  let token: string | undefined
  do {
    const answer = await cloud.call('DescribeInstances', {
      MaxResults: 5,
      ...(token ? { NextToken: token } : {}),
    })
    for (const reservation of answer.xml.reservationSet.item)
      for (const item of reservation.instancesSet.item) seen.push(item.instanceId)
    token = answer.xml.nextToken as string | undefined
  } while (token)
  expect(seen.toSorted()).toEqual(ids.toSorted())
  expect(new Set(seen).size).toBe(12)
  expect((await cloud.call('DescribeInstances', { NextToken: 'aW5qZWN0ZWQ.AAAA' })).code).toBe(
    'InvalidParameterValue',
  )
  expect((await cloud.call('DescribeInstances', { MaxResults: 2 })).code).toBe('InvalidParameterValue')
  expect((await cloud.call('DescribeInstances', { MaxResults: 5, 'InstanceId.1': ids[0]! })).code).toBe(
    'InvalidParameterCombination',
  )
})

test('filters with wildcards and tags; an unknown one is refused by name', async () => {
  const [first] = await launch(3, {
    'TagSpecification.1.ResourceType': 'instance',
    'TagSpecification.1.Tag.1.Key': 'role',
    'TagSpecification.1.Tag.1.Value': 'web-1',
  })
  const count = async (name: string, value: string) => {
    const answer = await cloud.call('DescribeInstances', { 'Filter.1.Name': name, 'Filter.1.Value.1': value })
    return (answer.xml.reservationSet.item ?? []).flatMap(
      (entry: { instancesSet: { item: unknown[] } }) => entry.instancesSet.item,
    ).length as number
  }
  expect(await count('tag:role', 'web-*')).toBe(3)
  expect(await count('tag:role', 'web-?')).toBe(3)
  expect(await count('tag:role', 'web')).toBe(0)
  expect(await count('tag-key', 'role')).toBe(3)
  expect(await count('instance-id', first!)).toBe(1)
  expect(await count('instance-state-name', 'running')).toBe(0)
  const unknown = await cloud.call('DescribeInstances', {
    'Filter.1.Name': 'colour',
    'Filter.1.Value.1': 'red',
  })
  expect(unknown.code).toBe('InvalidParameterValue')
  expect(unknown.message).toContain('colour')
})

test('every missing id is named, malformed ones first', async () => {
  const answer = await cloud.call('DescribeInstances', {
    'InstanceId.1': 'i-00000000000000001',
    'InstanceId.2': 'i-00000000000000002',
  })
  expect(answer.code).toBe('InvalidInstanceID.NotFound')
  expect(answer.message).toContain('i-00000000000000001')
  expect(answer.message).toContain('i-00000000000000002')
  expect((await cloud.call('DescribeInstances', { 'InstanceId.1': 'i-xyz' })).code).toBe(
    'InvalidInstanceID.Malformed',
  )
})

test('a new account has its default VPC, a subnet for each zone, its group and its quotas', async () => {
  const account = await cloud.createAccount('fresh')
  const as = { as: account }
  const vpc = (await cloud.call('DescribeVpcs', {}, as)).xml.vpcSet.item
  expect(vpc.length).toBe(1)
  expect(vpc[0].isDefault).toBe('true')
  const subnets = (
    await cloud.call('DescribeSubnets', { 'Filter.1.Name': 'default-for-az', 'Filter.1.Value.1': 'true' }, as)
  ).xml.subnetSet.item
  expect(subnets.map((subnet: { availabilityZone: string }) => subnet.availabilityZone)).toEqual([
    'us-east-1a',
    'us-east-1b',
  ])
  expect(
    subnets.map((subnet: { availableIpAddressCount: string }) => subnet.availableIpAddressCount),
  ).toEqual(['4091', '4091'])
  expect((await cloud.call('DescribeSecurityGroups', {}, as)).xml.securityGroupInfo.item[0].groupName).toBe(
    'default',
  )
  const attributes = await cloud.call('DescribeAccountAttributes', { 'AttributeName.1': 'max-instances' }, as)
  expect(attributes.body).toContain('<attributeValue>100</attributeValue>')
  const admins = (await cloud.call('DescribeVpcs')).xml.vpcSet.item
  expect(admins[0].vpcId).not.toBe(vpc[0].vpcId)
})

test('zones, regions and types are this cloud’s own', async () => {
  expect((await cloud.call('DescribeRegions')).xml.regionInfo.item[0].regionName).toBe('us-east-1')
  const zones = (await cloud.call('DescribeAvailabilityZones')).xml.availabilityZoneInfo.item
  expect(zones.map((zone: { zoneName: string }) => zone.zoneName)).toEqual(['us-east-1a', 'us-east-1b'])
  expect((await cloud.call('DescribeAvailabilityZones', { 'ZoneName.1': 'nowhere' })).code).toBe(
    'InvalidParameterValue',
  )
  const types = await cloud.call('DescribeInstanceTypes', { 'InstanceType.1': 't3.micro' })
  expect(types.xml.instanceTypeSet.item[0].memoryInfo.sizeInMiB).toBe('1024')
  expect((await cloud.call('DescribeInstanceTypes', { 'InstanceType.1': 'z9.huge' })).code).toBe(
    'InvalidInstanceType',
  )
})

test('tags: set, overwritten, described, removed by value or by key; reserved and foreign ones refused', async () => {
  const other = await cloud.createAccount('other')
  const [id] = (await launch(1)) as [string]
  expect(
    (await cloud.call('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'a', 'Tag.1.Value': '1' })).status,
  ).toBe(200)
  await cloud.call('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'a', 'Tag.1.Value': '2' })
  const tags = (await cloud.call('DescribeTags', { 'Filter.1.Name': 'resource-id', 'Filter.1.Value.1': id }))
    .xml.tagSet.item
  expect(tags).toEqual([{ resourceId: id, resourceType: 'instance', key: 'a', value: '2' }])
  await cloud.call('DeleteTags', { 'ResourceId.1': id, 'Tag.1.Key': 'a', 'Tag.1.Value': 'other' })
  expect((await cloud.call('DescribeTags')).xml.tagSet.item.length).toBe(1)
  await cloud.call('DeleteTags', { 'ResourceId.1': id, 'Tag.1.Key': 'a' })
  expect((await cloud.call('DescribeTags')).xml.tagSet).toBe('')
  expect(
    (await cloud.call('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'aws:x', 'Tag.1.Value': '1' })).code,
  ).toBe('InvalidParameterValue')
  const foreign = await cloud.call(
    'CreateTags',
    { 'ResourceId.1': id, 'Tag.1.Key': 'a', 'Tag.1.Value': '1' },
    { as: other },
  )
  expect(foreign.status).toBe(400)
  const many = Object.fromEntries(
    Array.from({ length: 51 }, (_, index) => [
      [`Tag.${index + 1}.Key`, `k${index}`],
      [`Tag.${index + 1}.Value`, 'v'],
    ]).flat(),
  )
  expect((await cloud.call('CreateTags', { 'ResourceId.1': id, ...many })).code).toBe('TagLimitExceeded')
})

test('interfaces and lent addresses of an instance are described while it lives', async () => {
  const [id] = await launch(1)
  const interfaces = (
    await cloud.call('DescribeNetworkInterfaces', {
      'Filter.1.Name': 'attachment.instance-id',
      'Filter.1.Value.1': id!,
    })
  ).xml.networkInterfaceSet.item
  expect(interfaces.length).toBe(1)
  expect(interfaces[0].association.publicIp).toMatch(/^198\.18\.0\./)
  expect(interfaces[0].privateIpAddress).toBe('172.31.0.4')
  expect((await cloud.call('DescribeAddresses')).xml.addressesSet).toBe('')
})

test('an agent that fell silent makes its instances impaired, not gone', async () => {
  const [id] = (await launch(1)) as [string]
  const node = (
    await cloud.cloud.record.read((db) => db.selectFrom('agent').selectAll().executeTakeFirstOrThrow())
  ).id
  await cloud.settled()
  await cloud.reportDomain(node, `${id}/1`, { state: 'running' })
  const status = async () =>
    (await cloud.call('DescribeInstanceStatus', { 'InstanceId.1': id })).xml.instanceStatusSet.item[0]
  expect((await status()).systemStatus.status).toBe('ok')
  await cloud.cloud.record.transaction('reconcile', (tx) =>
    tx.db.updateTable('agent').set({ silent_since: 1 }).execute(),
  )
  expect((await status()).systemStatus.status).toBe('impaired')
  expect((await status()).instanceState.name).toBe('running')
})

test('a guest whose domain died is impaired, then initializing, then ok again, and says why', async () => {
  const [id] = (await launch(1)) as [string]
  const node = (
    await cloud.cloud.record.read((db) => db.selectFrom('agent').selectAll().executeTakeFirstOrThrow())
  ).id
  await cloud.settled()
  await cloud.reportDomain(node, `${id}/1`, { state: 'running' })
  const status = async () =>
    (await cloud.call('DescribeInstanceStatus', { 'InstanceId.1': id })).xml.instanceStatusSet.item[0]
  await cloud.reportDomain(node, `${id}/1`, { state: 'ended', endReason: 'failed' })
  const ended = await status()
  expect([ended.instanceStatus.status, ended.systemStatus.status]).toEqual(['impaired', 'ok'])
  expect(ended.instanceStatus.details.item[0].impairedSince).toMatch(/^20/)
  expect(ended.instanceState.name).toBe('running')
  const filter = { 'Filter.1.Name': 'instance-status.status', 'Filter.1.Value.1': 'impaired' }
  expect((await cloud.call('DescribeInstanceStatus', filter)).body).toContain(id)
  await cloud.reportDomain(node, `${id}/1`, { state: 'gone', endReason: 'failed' })
  expect((await status()).instanceStatus.status).toBe('initializing')
  await cloud.reportDomain(node, `${id}/2`, { state: 'running' })
  expect((await status()).instanceStatus.status).toBe('ok')
  const described = await cloud.call('DescribeInstances', { 'InstanceId.1': id })
  expect(described.body).toContain('<code>Server.InstanceRestarted</code>')
  expect(described.body).toContain('(failed)')
})
