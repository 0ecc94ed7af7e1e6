import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FsckResult } from '../../src/fsck/run-fsck.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'
import { AnsweringAgent } from './answering-agent.ts'

let cloud: CloudUnderTest
let nodeId: string
let image: string
let node: AnsweringAgent
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  nodeId = await cloud.addNode('one')
  image = await cloud.plantImage(cloud.admin.accountId)
  node = new AnsweringAgent(cloud, nodeId)
})
afterEach(async () => {
  await node.stop()
  await cloud.stop()
})

async function fsck(payload: Record<string, unknown> = {}): Promise<FsckResult> {
  const response = await cloud.cloud.adminDoor.inject({
    method: 'POST',
    url: '/admin/v1/fsck',
    payload: { graceSeconds: 0, ...payload },
  })
  expect(response.statusCode, response.body).toBe(200)
  return response.json() as FsckResult
}
const codes = (result: FsckResult) =>
  result.findings.map((entry) => `${entry.code} ${entry.subject}`).toSorted()

async function launch(): Promise<string> {
  const run = await cloud.call('RunInstances', {
    ImageId: image,
    MinCount: 1,
    MaxCount: 1,
    InstanceType: 't3.micro',
  })
  const id = run.xml.instancesSet.item[0].instanceId as string
  await cloud.settled()
  await cloud.reportDomain(nodeId, `${id}/1`, { state: 'running', startedAtMs: 5 })
  return id
}

test('a cloud with a running guest has no findings, and its agents were asked', async () => {
  const id = await launch()
  node.has('domain', id, { owner: id, state: 'running' })
  node.has('instance-files', `000000000001/${id}`, { owner: id })
  const result = await fsck()
  expect(result.findings).toEqual([])
  expect(result.asked).toEqual(['one'])
})

test('an instance that is stopped is on no node, and nobody misses it there', async () => {
  const id = await launch()
  await cloud.cloud.record.transaction('report', (tx) =>
    tx.db
      .updateTable('instance')
      .set({ root_device_type: 'ebs', state: 'stopped', desired: 'stopped', node_id: null })
      .where('id', '=', id)
      .execute(),
  )
  const { findings } = await fsck()
  expect(findings.filter(({ code }) => code.startsWith('I1.'))).toEqual([])
})

test('orphans on a node are found and removed, but a guest that runs only at an administrator’s word', async () => {
  node.has('domain', 'i-00000000000000001', { state: 'shutoff' })
  node.has('domain', 'i-00000000000000002', { state: 'running' })
  node.has('instance-files', '000000000001/i-00000000000000003', { changedAtMs: 5 })
  node.has('instance-files', '000000000001/i-00000000000000002', { changedAtMs: 5 })
  node.has('tap', 'vn0123456789ab')
  node.has('temporary-file', 'images/a.part', { changedAtMs: 5 })
  const found = await fsck()
  expect(codes(found)).toEqual([
    'I3.leftover-file node one: temporary-file images/a.part',
    'I3.orphan-files node one: instance-files 000000000001/i-00000000000000002',
    'I3.orphan-files node one: instance-files 000000000001/i-00000000000000003',
    'I3.stray-tap node one: tap vn0123456789ab',
    'I4.orphan-domain node one: domain i-00000000000000001',
    'I4.orphan-domain node one: domain i-00000000000000002',
  ])
  expect(node.removed).toEqual([])
  const repaired = await fsck({ repair: true })
  expect(node.removed.toSorted()).toEqual([
    'domain i-00000000000000001',
    'instance-files 000000000001/i-00000000000000003',
    'tap vn0123456789ab',
    'temporary-file images/a.part',
  ])
  expect(codes(repaired)).toEqual([
    'I3.orphan-files node one: instance-files 000000000001/i-00000000000000002',
    'I4.orphan-domain node one: domain i-00000000000000002',
  ])
  await fsck({ repair: true, orphans: ['i-00000000000000002'] })
  expect(node.removed).toContain('domain i-00000000000000002')
  expect((await fsck({ repair: true })).findings).toEqual([])
})

test('what is young is taken to be under way', async () => {
  node.has('temporary-file', 'images/a.part', { changedAtMs: Date.now() })
  node.has('instance-files', 'i-00000000000000003', { changedAtMs: Date.now() })
  expect((await fsck({ graceSeconds: 3600 })).findings).toEqual([])
})

test('a guest that is said to run and is not there, one on two hosts, and one on another’s host', async () => {
  const id = await launch()
  const otherId = await cloud.addNode('two', { healthy: false })
  const other = new AnsweringAgent(cloud, otherId)
  expect(codes(await fsck())).toEqual([`I11.not-there ${id}`])
  node.has('domain', id, { owner: id, state: 'running' })
  other.has('domain', id, { state: 'running' })
  expect(codes(await fsck({ repair: true }))).toEqual([
    `I3.domain-twice ${id}`,
    `I4.domain-elsewhere node two: domain ${id}`,
  ])
  expect(other.removed).toEqual([])
  await other.stop()
})

test('the record’s own faults: leaked addresses, stale items, lost launches, secrets that do not open', async () => {
  const id = await launch()
  node.has('domain', id, { owner: id, state: 'running' })
  await cloud.call('EnableEbsEncryptionByDefault')
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.updateTable('ebs_encryption').set({ sealed_secret: 'k9:AAAA' }).execute()
    await tx.db
      .insertInto('address')
      .values({
        public_ip: 1,
        account_id: cloud.admin.accountId,
        interface_id: null,
        allocation_id: null,
        association_id: null,
        created_at: 1,
      })
      .execute()
    await tx.db
      .insertInto('desired_item')
      .values({
        agent_id: nodeId,
        kind: 'vpc',
        id: 'vpc-0',
        generation: 1,
        digest: 'x',
        body: '{}',
        revision: 1,
      })
      .execute()
    await tx.db.updateTable('access_key').set({ sealed_secret: 'k9:AAAA' }).execute()
    await tx.db
      .updateTable('event')
      .set({ resources: JSON.stringify([id, 'i-0000000000000dead']) })
      .where('action', '=', 'RunInstances')
      .execute()
  })
  const result = await fsck({ repair: true })
  expect(codes(result)).toEqual(
    [
      'I2.address-leaked 0.0.0.1',
      'I6.launch-lost i-0000000000000dead',
      `S.sealed-for-ever ${cloud.admin.accessKeyId}`,
      `S.sealed-for-ever ${cloud.admin.accountId}`,
    ].toSorted(),
  )
  expect(result.removed.map((entry) => entry.subject)).toEqual(['node one: vpc vpc-0'])
})

test('an agent that does not answer is said to be so, and what it could not look at too', async () => {
  const silentId = await cloud.addNode('two')
  await cloud.cloud.record.transaction('report', (tx) =>
    tx.db.updateTable('agent').set({ silent_since: 1 }).where('id', '=', silentId).execute(),
  )
  node.problems = ['libvirtd: away']
  const found = codes(await fsck())
  expect(found).toContain('A.not-asked node two')
  expect(found).toContain('A.could-not-look node one: libvirtd: away')
})

test('rows without bytes in walrus are a loss that nothing repairs; bytes without rows go', async () => {
  const walrusId = await cloud.registerAgent('walrus', 'walrus')
  const walrus = new AnsweringAgent(cloud, walrusId, 'walrus')
  await cloud.report('walrus', walrusId, [], { healthy: true })
  walrus.has('blob', 'a', { changedAtMs: 5 })
  walrus.has('blob-row', 'b')
  // Blocks of a snapshot that no set names: the cloud was restored from an older backup.
  walrus.has('staged-snapshot', 'snap-00000000000000001')
  walrus.has('staged-snapshot', 'snap-00000000000000002', { owner: 'snap-00000000000000002' })
  const result = await fsck({ repair: true })
  expect(result.removed.map((entry) => entry.code)).toEqual(['I3.orphan-blob', 'I3.stray-staged-snapshot'])
  expect(codes(result)).toEqual(['I6.bytes-lost walrus walrus: blob-row b'])
  await walrus.stop()
})

test('a line that is missing from the audit is found', async () => {
  await cloud.call('DescribeRegions')
  expect(codes(await fsck())).not.toContain('I8.audit-gap audit')
  await cloud.cloud.record.transaction('action', (tx) => tx.db.deleteFrom('api_call').execute())
  expect(codes(await fsck())).toContain('I8.audit-gap audit')
})

test('a request that does not fit is refused', async () => {
  const response = await cloud.cloud.adminDoor.inject({
    method: 'POST',
    url: '/admin/v1/fsck',
    payload: { repair: 'yes' },
  })
  expect(response.statusCode).toBe(400)
})
