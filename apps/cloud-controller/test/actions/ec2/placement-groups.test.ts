import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let image: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  image = await cloud.plantImage(cloud.admin.accountId)
})
afterEach(() => cloud.stop())

type Parameters = Record<string, string | number | boolean>

const create = (name: string, strategy: string, more: Parameters = {}) =>
  cloud.call('CreatePlacementGroup', { GroupName: name, Strategy: strategy, ...more })

const run = (count: number, placement: Parameters, more: Parameters = {}) =>
  cloud.call('RunInstances', {
    ImageId: image,
    MinCount: count,
    MaxCount: count,
    ...Object.fromEntries(Object.entries(placement).map(([name, value]) => [`Placement.${name}`, value])),
    ...more,
  })

/** Where the instances are that are not terminated. */
async function places() {
  return cloud.cloud.record.read((db) =>
    db
      .selectFrom('instance')
      .select(['id', 'node_id', 'availability_zone', 'partition_number'])
      .where('state', '<>', 'terminated')
      .orderBy('launched_at')
      .orderBy('launch_index')
      .execute(),
  )
}

async function explain(instanceId: string) {
  const answer = await cloud.cloud.adminDoor.inject({
    method: 'GET',
    url: `/admin/v1/decisions/${instanceId}`,
  })
  return answer.json() as {
    record: { group: { members: number } }
    now: { nodeId: string; refusals: string[] }[]
  }
}

describe('groups', () => {
  test('each strategy says what it is', async () => {
    await create('near', 'cluster')
    const apart = await create('apart', 'spread', {
      'TagSpecification.1.ResourceType': 'placement-group',
      'TagSpecification.1.Tag.1.Key': 'k',
      'TagSpecification.1.Tag.1.Value': 'v',
    })
    await create('parts', 'partition', { PartitionCount: 5 })
    await create('two-parts', 'partition')
    const group = apart.xml.placementGroup
    expect(group).toMatchObject({
      groupName: 'apart',
      groupArn: `arn:aws:ec2:us-east-1:${cloud.admin.accountId}:placement-group/apart`,
      state: 'available',
      strategy: 'spread',
      spreadLevel: 'host',
      tagSet: { item: [{ key: 'k', value: 'v' }] },
    })
    expect(group.groupId).toMatch(/^pg-[0-9a-f]{17}$/)
    const all = await cloud.call('DescribePlacementGroups')
    expect(
      all.xml.placementGroupSet.item.map((item: { groupName: string; partitionCount?: string }) => [
        item.groupName,
        item.partitionCount,
      ]),
    ).toEqual([
      ['apart', undefined],
      ['near', undefined],
      ['parts', '5'],
      ['two-parts', '2'],
    ])
    for (const parameters of [
      { 'GroupName.1': 'apart' },
      { 'GroupId.1': group.groupId as string },
      { 'Filter.1.Name': 'strategy', 'Filter.1.Value.1': 'spread' },
      { 'Filter.1.Name': 'spread-level', 'Filter.1.Value.1': 'host' },
      { 'Filter.1.Name': 'group-arn', 'Filter.1.Value.1': group.groupArn as string },
      { 'Filter.1.Name': 'tag:k', 'Filter.1.Value.1': 'v' },
    ]) {
      const found = await cloud.call('DescribePlacementGroups', parameters)
      expect(found.xml.placementGroupSet.item).toEqual([group])
    }
  })

  test.each<[Parameters, string]>([
    [{ Strategy: 'cluster' }, 'MissingParameter'],
    [{ GroupName: 'x' }, 'MissingParameter'],
    [{ GroupName: 'taken', Strategy: 'cluster' }, 'InvalidPlacementGroup.Duplicate'],
    [{ GroupName: 'x', Strategy: 'spread', SpreadLevel: 'rack' }, 'UnsupportedOperation'],
    [{ GroupName: 'x', Strategy: 'cluster', SpreadLevel: 'host' }, 'InvalidParameterCombination'],
    [{ GroupName: 'x', Strategy: 'cluster', PartitionCount: 2 }, 'InvalidParameterCombination'],
    [{ GroupName: 'x', Strategy: 'partition', PartitionCount: 8 }, 'InvalidParameterValue'],
    [{ GroupName: 'x', Strategy: 'partition', PartitionCount: 0 }, 'InvalidParameterValue'],
    [{ GroupName: 'x', Strategy: 'precision-time' }, 'UnsupportedOperation'],
    [{ GroupName: 'x', Strategy: 'cluster', DryRun: true }, 'DryRunOperation'],
  ])('CreatePlacementGroup with %o is refused', async (parameters, code) => {
    await create('taken', 'cluster')
    expect((await cloud.call('CreatePlacementGroup', parameters)).code).toBe(code)
    expect((await cloud.call('DescribePlacementGroups')).xml.placementGroupSet.item.length).toBe(1)
  })

  test('another account has neither it nor its name; the quota', async () => {
    const made = await create('mine', 'cluster')
    const other = await cloud.createAccount('other')
    const as = { as: other }
    expect((await cloud.call('DescribePlacementGroups', { 'GroupName.1': 'mine' }, as)).code).toBe(
      'InvalidPlacementGroup.Unknown',
    )
    const byId = { 'GroupId.1': made.xml.placementGroup.groupId as string }
    expect((await cloud.call('DescribePlacementGroups', byId, as)).code).toBe('InvalidPlacementGroup.Unknown')
    expect((await cloud.call('DescribePlacementGroups', { 'GroupId.1': 'pg-x' })).code).toBe(
      'InvalidPlacementGroupId.Malformed',
    )
    expect((await cloud.call('DeletePlacementGroup', { GroupName: 'mine' }, as)).code).toBe(
      'InvalidPlacementGroup.Unknown',
    )
    const same = { GroupName: 'mine', Strategy: 'spread' }
    expect((await cloud.call('CreatePlacementGroup', same, as)).status).toBe(200)
    await cloud.cloud.record.transaction('action', async (tx) => {
      await tx.db.updateTable('quota').set({ value: 1 }).where('name', '=', 'placement-groups').execute()
    })
    expect((await create('second', 'cluster')).code).toBe('PlacementGroupLimitExceeded')
  })

  test('a group with instances stays; terminated ones do not hold it', async () => {
    const node = await cloud.addNode('one')
    await create('g', 'cluster')
    const launched = await run(1, { GroupName: 'g' })
    const id = launched.xml.instancesSet.item[0].instanceId as string
    await cloud.settled()
    expect((await cloud.call('DeletePlacementGroup', { GroupName: 'g' })).code).toBe(
      'InvalidPlacementGroup.InUse',
    )
    await cloud.call('TerminateInstances', { 'InstanceId.1': id })
    await cloud.settled()
    expect((await cloud.call('DeletePlacementGroup', { GroupName: 'g' })).code).toBe(
      'InvalidPlacementGroup.InUse',
    )
    await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
    expect((await cloud.call('DeletePlacementGroup', { GroupName: 'g' })).status).toBe(200)
    const gone = await cloud.call('DescribeInstances', { 'InstanceId.1': id })
    expect(gone.xml.reservationSet.item[0].instancesSet.item[0].placement.groupName).toBe('')
  })
})

describe('launching into one', () => {
  test('spread: two launches at once never share a node, and a full group says why', async () => {
    await cloud.addNode('one')
    await cloud.addNode('two')
    await create('g', 'spread')
    const answers = await Promise.all(Array.from({ length: 4 }, () => run(1, { GroupName: 'g' })))
    expect(answers.map((answer) => answer.code ?? 'launched').toSorted()).toEqual([
      'InsufficientInstanceCapacity',
      'InsufficientInstanceCapacity',
      'launched',
      'launched',
    ])
    expect(answers.find((answer) => answer.code)!.message).toContain('2 by placement-group')
    const placed = await places()
    expect(new Set(placed.map((row) => row.node_id)).size).toBe(2)
    const explained = await Promise.all(placed.map((row) => explain(row.id)))
    expect(explained.map(({ record }) => record.group.members).toSorted()).toEqual([0, 1]) // one saw the other
    const { now } = explained[1]!
    const other = now.find((node) => node.nodeId === placed[0]!.node_id)!
    expect(other.refusals).toEqual(['placement-group'])
    expect(now.find((node) => node !== other)!.refusals).toEqual([])
  })

  test('cluster: one node where they fit, and no other zone', async () => {
    await cloud.addNode('one')
    await cloud.addNode('two')
    await cloud.addNode('far', {}, 'us-east-1b')
    await create('g', 'cluster')
    await run(2, { GroupName: 'g' })
    await run(2, { GroupName: 'g' })
    const [first] = await places()
    expect(new Set((await places()).map((row) => row.node_id))).toEqual(new Set([first!.node_id]))
    const elsewhere = ['us-east-1a', 'us-east-1b'].find((zone) => zone !== first!.availability_zone)!
    const refused = await run(1, { GroupName: 'g', AvailabilityZone: elsewhere })
    expect(refused.code).toBe('InvalidPlacementGroup.InUse')
    expect(refused.message).toContain(`in use in another availability zone: ${first!.availability_zone}`)
  })

  test('partition: numbers spread over the nodes, are seen, filtered and asked for', async () => {
    for (const name of ['one', 'two', 'three']) await cloud.addNode(name)
    const made = await create('g', 'partition', { PartitionCount: 3 })
    const groupId = made.xml.placementGroup.groupId as string
    await run(3, { GroupId: groupId })
    await run(2, { GroupName: 'g', PartitionNumber: 2 })
    const placed = await places()
    expect(placed.map((row) => row.partition_number).toSorted()).toEqual([1, 2, 2, 2, 3])
    expect(new Set(placed.filter((row) => row.partition_number === 2).map((row) => row.node_id)).size).toBe(1)
    expect(new Set(placed.map((row) => row.node_id)).size).toBe(3)
    const found = await cloud.call('DescribeInstances', {
      'Filter.1.Name': 'placement-group-name',
      'Filter.1.Value.1': 'g',
      'Filter.2.Name': 'placement-partition-number',
      'Filter.2.Value.1': '3',
    })
    const [reservation] = found.xml.reservationSet.item
    expect(found.xml.reservationSet.item.length).toBe(1)
    expect(reservation.instancesSet.item.length).toBe(1)
    expect(reservation.instancesSet.item[0].placement).toMatchObject({
      groupName: 'g',
      groupId,
      partitionNumber: '3',
    })
  })

  test('its guest is told its group; one without a group is told nothing new', async () => {
    const node = await cloud.addNode('one')
    await create('g', 'partition')
    await run(1, { GroupName: 'g', PartitionNumber: 2 })
    await run(1, {})
    await cloud.settled()
    const items = (await cloud.desired('node', node)).bodies.filter((item) => item.kind === 'domain')
    const groups = items.map((item) => (item.body as { placementGroup?: unknown }).placementGroup)
    expect(groups).toHaveLength(2)
    expect(groups).toContainEqual({ name: 'g', partition: 2 })
    expect(groups).toContain(undefined)
  })

  test('partition: with every node another’s, a partition has no room', async () => {
    await cloud.addNode('one')
    await create('g', 'partition')
    await run(1, { GroupName: 'g', PartitionNumber: 1 })
    const refused = await run(1, { GroupName: 'g', PartitionNumber: 2 })
    expect(refused.code).toBe('InsufficientInstanceCapacity')
    expect(refused.message).toContain('placement-group')
  })

  test.each<[string, Parameters, string]>([
    ['an unknown name', { GroupName: 'none' }, 'InvalidPlacementGroup.Unknown'],
    ['an unknown id', { GroupId: 'pg-00000000000000000' }, 'InvalidPlacementGroup.Unknown'],
    ['a malformed id', { GroupId: 'pg-x' }, 'InvalidPlacementGroupId.Malformed'],
    ['name and id', { GroupId: 'pg-00000000000000000', GroupName: 'parts' }, 'InvalidParameterCombination'],
    ['a number too high', { GroupName: 'parts', PartitionNumber: 3 }, 'InvalidParameterValue'],
    ['a number in a cluster', { GroupName: 'near', PartitionNumber: 1 }, 'InvalidParameterCombination'],
    ['a number without a group', { PartitionNumber: 1 }, 'InvalidParameterCombination'],
    ['a dedicated host', { HostId: 'h-1' }, 'UnsupportedOperation'],
  ])('%s is refused', async (_what, placement, code) => {
    await cloud.addNode('one')
    await create('parts', 'partition')
    await create('near', 'cluster')
    expect((await run(1, placement)).code).toBe(code)
    expect(await places()).toEqual([])
  })

  test('an empty name is no group, and the same token launches once', async () => {
    await cloud.addNode('one')
    await create('g', 'spread')
    const none = await run(1, { GroupName: '' })
    expect(none.xml.instancesSet.item[0].placement.groupName).toBe('')
    const first = await run(1, { GroupName: 'g' }, { ClientToken: 't' })
    const again = await run(1, { GroupName: 'g' }, { ClientToken: 't' })
    expect(again.xml.instancesSet.item[0].instanceId).toBe(first.xml.instancesSet.item[0].instanceId)
    expect((await run(1, { GroupName: '' }, { ClientToken: 't' })).code).toBe('IdempotentParameterMismatch')
  })

  test('a group named by the request replaces the one that a template names', async () => {
    await cloud.addNode('one')
    await create('theirs', 'cluster')
    const made = await create('mine', 'cluster')
    await cloud.call('CreateLaunchTemplate', {
      LaunchTemplateName: 'web',
      'LaunchTemplateData.Placement.GroupName': 'theirs',
    })
    const named = { 'LaunchTemplate.LaunchTemplateName': 'web' }
    const launched = await run(1, { GroupId: made.xml.placementGroup.groupId as string }, named)
    expect(launched.xml.instancesSet.item[0].placement.groupName).toBe('mine')
    expect((await run(1, {}, named)).xml.instancesSet.item[0].placement.groupName).toBe('theirs')
    expect((await run(1, { GroupName: '' }, named)).xml.instancesSet.item[0].placement.groupName).toBe('')
  })
})

test('ModifyInstancePlacement checks what it is asked and refuses for the state', async () => {
  await cloud.addNode('one')
  await create('g', 'cluster')
  const launched = await run(1, {})
  const InstanceId = launched.xml.instancesSet.item[0].instanceId as string
  const modify = async (parameters: Parameters) =>
    (await cloud.call('ModifyInstancePlacement', { InstanceId, ...parameters })).code
  expect(await modify({ GroupName: 'g' })).toBe('IncorrectInstanceState')
  expect(await modify({ GroupName: '' })).toBe('IncorrectInstanceState')
  expect(await modify({ GroupName: 'none' })).toBe('InvalidPlacementGroup.Unknown')
  expect(await modify({})).toBe('MissingParameter')
  expect(await modify({ Tenancy: 'host' })).toBe('UnsupportedOperation')
  expect(await modify({ InstanceId: 'i-00000000000000000', GroupName: 'g' })).toBe(
    'InvalidInstanceID.NotFound',
  )
})
