import { afterEach, beforeEach, expect, test } from 'vitest'
import { releaseInterfaces } from '../../../src/store/network-store.ts'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let node: string
let image: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  node = await cloud.addNode('one')
  image = await cloud.plantImage(cloud.admin.accountId)
})
afterEach(() => cloud.stop())

test('a launch becomes a domain item on a node, runs when the node says so, and ends with nothing left', async () => {
  const run = await cloud.call('RunInstances', {
    ImageId: image,
    MinCount: 1,
    MaxCount: 1,
    InstanceType: 't3.micro',
  })
  expect(run.body).toContain('<name>pending</name>')
  const id = run.xml.instancesSet.item[0].instanceId as string
  await cloud.settled()
  const set = await cloud.desired('node', node)
  expect(set.index.map((item) => `${item.kind} ${item.id}`)).toContain(`domain ${id}/1`)
  expect(set.bodies.filter((item) => item.kind === 'vpc').length).toBe(1)

  await cloud.reportDomain(node, `${id}/1`, { state: 'running', startedAtMs: 5 })
  const running = await cloud.call('DescribeInstances', { 'InstanceId.1': id })
  expect(running.xml.reservationSet.item[0].instancesSet.item[0].instanceState.name).toBe('running')

  const end = await cloud.call('TerminateInstances', { 'InstanceId.1': id })
  expect(end.xml.instancesSet.item[0].currentState.name).toBe('shutting-down')
  await cloud.settled()
  const ending = await cloud.desired('node', node)
  expect(ending.bodies.find((item) => item.kind === 'domain')?.body).toMatchObject({ intent: 'remove' })
  await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
  const gone = await cloud.call('DescribeInstances', { 'InstanceId.1': id })
  expect(gone.xml.reservationSet.item[0].instancesSet.item[0].instanceState.name).toBe('terminated')
  await cloud.settled()
  expect((await cloud.desired('node', node)).index).toEqual([])
  const left = await cloud.cloud.record.read(async (db) => [
    await db.selectFrom('network_interface').selectAll().execute(),
    await db.selectFrom('address').selectAll().execute(),
  ])
  expect(left).toEqual([[], []])
})

test('a guest that crashed gets a new incarnation on its node; one that shut itself down is terminated', async () => {
  const run = await cloud.call('RunInstances', { ImageId: image, MinCount: 2, MaxCount: 2 })
  const [crashed, quit] = run.xml.instancesSet.item.map(
    (item: { instanceId: string }) => item.instanceId,
  ) as [string, string]
  await cloud.settled()
  await cloud.reportDomain(node, `${crashed}/1`, { state: 'running' })
  await cloud.reportDomain(node, `${crashed}/1`, { state: 'ended', endReason: 'crashed' })
  await cloud.reportDomain(node, `${crashed}/1`, { state: 'gone', endReason: 'crashed' })
  const set = await cloud.desired('node', node)
  expect(set.index.filter((item) => item.id.startsWith(crashed)).map((item) => item.id)).toEqual([
    `${crashed}/2`,
  ])
  await cloud.reportDomain(node, `${quit}/1`, { state: 'ended', endReason: 'shutdown' })
  const states = await cloud.call('DescribeInstances', { 'InstanceId.1': quit })
  expect(states.body).toContain('Client.InstanceInitiatedShutdown')
  expect(states.body).toContain('<name>shutting-down</name>')
})

test('gone, said of an earlier intent, is no answer to the removal', async () => {
  const run = await cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 })
  const id = run.xml.instancesSet.item[0].instanceId as string
  await cloud.settled()
  await cloud.reportDomain(node, `${id}/1`, { state: 'ended', endReason: 'crashed' })
  const released = (await cloud.desired('node', node)).index.find((item) => item.id === `${id}/1`)!
  await cloud.call('TerminateInstances', { 'InstanceId.1': id })
  await cloud.settled()
  const facts = {
    state: 'gone' as const,
    endReason: null,
    message: null,
    startedAtMs: null,
    diskLost: false,
    rebootCount: 0,
    accelerator: null,
  }
  await cloud.report('node', node, [
    { kind: 'domain', id: `${id}/1`, generation: released.generation, facts },
  ])
  await cloud.settled()
  expect(
    (await cloud.desired('node', node)).bodies.find((item) => item.id === `${id}/1`)?.body,
  ).toMatchObject({ intent: 'remove' })
})

test('the same token answers the same instances; with other parameters it is refused', async () => {
  const parameters = { ImageId: image, MinCount: 1, MaxCount: 1, ClientToken: 'once' }
  const first = await cloud.call('RunInstances', parameters)
  const second = await cloud.call('RunInstances', parameters)
  expect(second.xml.instancesSet.item[0].instanceId).toBe(first.xml.instancesSet.item[0].instanceId)
  const other = await cloud.call('RunInstances', { ...parameters, MaxCount: 2 })
  expect(other.code).toBe('IdempotentParameterMismatch')
})

test('a repeated token says so when what it launched is forgotten', async () => {
  const parameters = { ImageId: image, MinCount: 1, MaxCount: 1, ClientToken: 'forgotten' }
  const first = await cloud.call('RunInstances', parameters)
  const id = first.xml.instancesSet.item[0].instanceId as string
  await cloud.cloud.record.transaction('reconcile', async (tx) => {
    await releaseInterfaces(tx, id)
    const changes = { state: 'terminated', node_id: null, state_changed_at: 0 } as const
    await tx.db.updateTable('instance').set(changes).where('id', '=', id).execute()
  })
  await cloud.cloud.loops.find((loop) => loop.name === 'terminated')!.reconcile(id)
  expect((await cloud.call('RunInstances', parameters)).code).toBe('IdempotentInstanceTerminated')
})

test.each([
  ['no image', { MinCount: 1, MaxCount: 1 }, 'MissingParameter'],
  ['an unknown image', { ImageId: 'ami-00000000000000001' }, 'InvalidAMIID.NotFound'],
  ['a malformed image', { ImageId: 'ami-x' }, 'InvalidAMIID.Malformed'],
  ['an unknown type', { InstanceType: 'z9.huge' }, 'InvalidParameterValue'],
  ['min above max', { MinCount: 2, MaxCount: 1 }, 'InvalidParameterCombination'],
  ['min zero', { MinCount: 0, MaxCount: 1 }, 'InvalidParameterValue'],
  ['an unknown key', { KeyName: 'nobody' }, 'InvalidKeyPair.NotFound'],
  ['an unknown group', { 'SecurityGroupId.1': 'sg-00000000000000001' }, 'InvalidGroup.NotFound'],
  ['user data that is no base64', { UserData: '%%%' }, 'InvalidUserData.Malformed'],
  ['too much user data', { UserData: Buffer.alloc(16_385).toString('base64') }, 'InvalidParameterValue'],
  [
    'more than fits',
    { MinCount: 90, MaxCount: 90, InstanceType: 't3.medium' },
    'InsufficientInstanceCapacity',
  ],
  ['more than the quota', { MinCount: 101, MaxCount: 101 }, 'InstanceLimitExceeded'],
  ['a parameter that nobody has', { Foo: 'x' }, 'UnknownParameter'],
  ['a dry run', { DryRun: true }, 'DryRunOperation'],
])('%s is refused', async (_what, changes, code) => {
  const base: Record<string, string | number> = {
    MinCount: 1,
    MaxCount: 1,
    ...(_what === 'no image' ? {} : { ImageId: image }),
  }
  const answer = await cloud.call('RunInstances', { ...base, ...changes } as Record<string, string>)
  expect(answer.code, answer.body).toBe(code)
  const rows = await cloud.cloud.record.read((db) => db.selectFrom('instance').selectAll().execute())
  expect(rows).toEqual([])
})

test('another account cannot launch, see or end what is not its own', async () => {
  const other = await cloud.createAccount('other')
  const run = await cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 })
  const id = run.xml.instancesSet.item[0].instanceId as string
  expect(
    (await cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 }, { as: other })).code,
  ).toBe('InvalidAMIID.NotFound')
  expect((await cloud.call('DescribeInstances', { 'InstanceId.1': id }, { as: other })).code).toBe(
    'InvalidInstanceID.NotFound',
  )
  expect((await cloud.call('TerminateInstances', { 'InstanceId.1': id }, { as: other })).code).toBe(
    'InvalidInstanceID.NotFound',
  )
})

test('MaxCount is cut to what the quota leaves, and never passes it', async () => {
  const tight = await CloudUnderTest.start()
  try {
    await tight.addNode('node-1')
    const image = await tight.plantImage(tight.admin.accountId)
    await tight.cloud.record.transaction('action', async (tx) => {
      await tx.db.updateTable('quota').set({ value: 3 }).where('name', '=', 'instances').execute()
    })
    const launch = (MinCount: number, MaxCount: number) =>
      tight.call('RunInstances', { ImageId: image, MinCount, MaxCount })
    expect((await launch(1, 50)).xml.instancesSet.item.length).toBe(3)
    expect((await launch(1, 1)).code).toBe('InstanceLimitExceeded')
  } finally {
    await tight.stop()
  }
})
