import { afterAll, beforeAll, expect, test } from 'vitest'
import { hourMs, systemClock, type Clock } from '@mallee/base'
import { AnsweringStorage } from '../answering-storage.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let storage: AnsweringStorage
let other: Credentials
let node: string
/** Noon, so that hours of a test are in one day. */
let nowMs = Date.UTC(2030, 5, 10, 12)
const clock: Clock = { ...systemClock, now: () => nowMs }

beforeAll(async () => {
  cloud = await CloudUnderTest.start({}, clock)
  other = await cloud.createAccount('other')
  node = await cloud.addNode('roomy')
  storage = await AnsweringStorage.join(cloud, [node])
  await cloud.plantImage(other.accountId)
})
afterAll(() => cloud.stop())

const call = (action: string, parameters: Record<string, string | number> = {}) =>
  cloud.call(action, parameters, { as: other, now: new Date(nowMs) })
const open = (resourceId: string) =>
  cloud.cloud.record.read((db) =>
    db
      .selectFrom('usage_interval')
      .selectAll()
      .where('resource_id', '=', resourceId)
      .orderBy('started_at')
      .execute(),
  )
const spans = async (id: string) => {
  const rows = await open(id)
  return rows.map(({ variety, quantity, started_at, ended_at }) => [
    variety,
    quantity,
    ended_at === null ? 'open' : (ended_at - started_at) / hourMs,
  ])
}
const admin = (url: string) => cloud.cloud.adminDoor.inject({ method: 'GET', url })
const report = async (query: string) =>
  // oxlint-disable-next-line typescript/no-explicit-any -- as in answers of actions
  (await admin(`/admin/v1/usage?from=2030-06-01&to=2030-06-30&${query}`)).json().lines as any[]

async function running(): Promise<string> {
  const run = await call('RunInstances', {
    ...{ ImageId: 'ami-0123456789abcdef0', MinCount: 1, MaxCount: 1, InstanceType: 't3.micro' },
    'TagSpecification.1.ResourceType': 'instance',
    'TagSpecification.1.Tag.1.Key': 'team',
    'TagSpecification.1.Tag.1.Value': 'red',
  })
  const id = run.xml.instancesSet.item[0].instanceId as string
  await cloud.settled()
  await cloud.reportDomain(node, `${id}/1`, { state: 'running', startedAtMs: nowMs })
  return id
}

test('an instance is used while it runs, by whom launched it, with the tags it had', async () => {
  const id = await running()
  expect(await spans(id)).toEqual([['t3.micro', 1, 'open']])
  nowMs += 2 * hourMs
  expect((await call('StopInstances', { 'InstanceId.1': id })).code).toBe('UnsupportedOperation') // an instance store
  await call('TerminateInstances', { 'InstanceId.1': id })
  nowMs += hourMs
  expect(await spans(id)).toEqual([['t3.micro', 1, 2]])
  const [row] = await open(id)
  expect(row).toMatchObject({ account_id: other.accountId, tags: '{"team":"red"}', kind: 'instance' })
  expect(row!.user_id).toMatch(/^AIDA/)
})

test('a volume is used from when it is asked for, anew when it grows, until it is deleted', async () => {
  const id = (await call('CreateVolume', { Size: 5, AvailabilityZone: 'us-east-1a', VolumeType: 'gp3' })).xml
    .volumeId as string
  await storage.settle()
  nowMs += hourMs
  await call('ModifyVolume', { VolumeId: id, Size: 8 })
  await storage.settle()
  nowMs += hourMs
  await call('DeleteVolume', { VolumeId: id })
  await storage.settle()
  expect(await spans(id)).toEqual([
    ['gp3', 5, 1],
    ['gp3', 8, 1],
  ])
})

test('a volume that could not be made was never used', async () => {
  const id = (await call('CreateVolume', { Size: 5, AvailabilityZone: 'us-east-1a' })).xml.volumeId as string
  storage.refuses.add(id)
  await storage.settle()
  expect(await spans(id)).toEqual([])
})

test('a snapshot and an address, until they go', async () => {
  const volume = (await call('CreateVolume', { Size: 3, AvailabilityZone: 'us-east-1a' })).xml
    .volumeId as string
  await storage.settle()
  const snapshot = (await call('CreateSnapshot', { VolumeId: volume })).xml.snapshotId as string
  await storage.settle()
  const address = (await call('AllocateAddress')).xml.allocationId as string
  expect([await spans(snapshot), await spans(address)]).toEqual([
    [['standard', 3, 'open']],
    [['elastic', 1, 'open']],
  ])
  nowMs += hourMs
  await call('DeleteSnapshot', { SnapshotId: snapshot })
  await call('ReleaseAddress', { AllocationId: address })
  expect([await spans(snapshot), await spans(address)]).toEqual([[['standard', 3, 1]], [['elastic', 1, 1]]])
})

test('what is refused is not used', async () => {
  const before = await cloud.cloud.record.read((db) => db.selectFrom('usage_interval').selectAll().execute())
  await call('CreateVolume', { Size: 1, AvailabilityZone: 'nowhere' })
  await call('AllocateAddress', { Address: '192.0.2.1' })
  const after = await cloud.cloud.record.read((db) => db.selectFrom('usage_interval').selectAll().execute())
  expect(after).toEqual(before)
})

test('bytes of guests are counted once, whatever is sent again', async () => {
  const id = await running()
  const send = () =>
    cloud.cloud.agentDoor.inject({
      method: 'PUT',
      url: '/agent/v1/blobs/samples',
      headers: { 'x-test-peer': `node/${node}` },
      payload: {
        samples: [
          {
            ...{ instanceId: id, atMs: nowMs, periodSeconds: 60, cpuPercent: 1, diskReadBytes: 0 },
            ...{ diskWriteBytes: 0, networkInBytes: 0, networkOutBytes: 2 ** 30 },
          },
        ],
      },
    })
  await send()
  await send()
  const lines = await report(`by=resource&account=${other.accountId}`)
  expect(lines.filter((line) => line.of === id && line.kind.startsWith('network'))).toMatchObject([
    { usageType: 'DataTransfer-Out-Bytes', amount: 1, unit: 'GB' },
  ])
})

test('reports and the bill say what it costs by the prices of the administrator', async () => {
  const set = await cloud.cloud.adminDoor.inject({
    method: 'PUT',
    url: '/admin/v1/prices',
    payload: { currency: 'EUR', prices: { instance: { 't3.micro': 0.5 } } },
  })
  expect(set.statusCode).toBe(200)
  const [mine] = (await report('by=tag:team')).filter((line) => line.of === 'red')
  expect(mine).toMatchObject({ usageType: 'BoxUsage:t3.micro', unit: 'Hrs', amount: 2, cost: 1 })
  expect((await report('by=account')).every((line) => line.of === other.accountId)).toBe(true)
  const bill = await admin('/admin/v1/cost-and-usage?from=2030-06-01&to=2030-06-30&tags=team')
  const [head, ...lines] = bill.body.trim().split('\r\n')
  expect(head).toContain('lineItem/UsageAccountId')
  expect(head).toContain('resourceTags/user:team')
  const line = lines.find((entry) => entry.includes('BoxUsage:t3.micro') && entry.includes(',1,'))
  expect(line).toContain(`,EUR,0.5,1,`)
  expect(line!.endsWith(',Hrs,red')).toBe(true)
})

test.each(['by=moons', 'from=june', 'from=2030-06-02&to=2030-06-01'])('refused: %s', async (query) => {
  expect((await admin(`/admin/v1/usage?${query}`)).statusCode).toBe(400)
})
