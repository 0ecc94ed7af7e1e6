import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BundleFacts, BundleItem, DomainItem } from '@mallee/agent-contract'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let node: string
let id: string

beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  node = await cloud.addNode('one')
  const image = await cloud.plantImage(cloud.admin.accountId)
  const run = await cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 })
  id = run.xml.instancesSet.item[0].instanceId
  await cloud.settled()
})
afterEach(() => cloud.stop())

const running = () => cloud.reportDomain(node, `${id}/1`, { state: 'running', startedAtMs: 5 })
const policy = Buffer.from(JSON.stringify({ expiration: '2033-01-01T00:00:00Z', conditions: [] }))
const storage = {
  'Storage.S3.Bucket': 'backups',
  'Storage.S3.Prefix': 'web/monday',
  'Storage.S3.AWSAccessKeyId': 'AKIDEXAMPLE',
  'Storage.S3.UploadPolicy': policy.toString('base64'),
  'Storage.S3.UploadPolicySignature': 'signed-by-the-owner',
}
const bundle = async (more: Record<string, string> = {}) => {
  const answer = await cloud.call('BundleInstance', { InstanceId: id, ...storage, ...more })
  await cloud.settled()
  return answer
}
const bodies = async <T>(kind: string) =>
  (await cloud.desired('node', node)).bodies
    .filter((item) => item.kind === kind)
    .map((item) => item.body as T)
const domain = async () => (await bodies<DomainItem>('domain'))[0]!
const say = async (taskId: string, facts: Partial<BundleFacts>) => {
  const whole = { state: 'bundling' as const, progress: 0, message: null, ...facts }
  await cloud.report('node', node, [{ kind: 'bundle', id: taskId, generation: 1, facts: whole }])
  await cloud.settled()
}
const task = async (parameters: Record<string, string> = {}) =>
  (await cloud.call('DescribeBundleTasks', parameters)).xml.bundleInstanceTasksSet.item?.[0]
const state = async () =>
  (await cloud.call('DescribeInstances', { 'InstanceId.1': id })).xml.reservationSet.item[0].instancesSet
    .item[0].instanceState.name

test('an instance is shut down, bundled by its node, and started again from its disk', async () => {
  await running()
  const answer = await bundle()
  expect(answer.xml.bundleInstanceTask).toMatchObject({
    ...{ instanceId: id, state: 'waiting-for-shutdown', progress: '0%' },
    storage: { S3: { bucket: 'backups', prefix: 'web/monday' } },
  })
  const taskId: string = answer.xml.bundleInstanceTask.bundleId
  expect(taskId).toMatch(/^bun-[0-9a-f]{17}$/)
  expect(await domain()).toMatchObject({ intent: 'release', releaseGraceMs: 120_000 })
  expect(await bodies('bundle')).toEqual([])
  expect((await bundle()).code).toBe('BundlingInProgress')
  await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
  expect(await bodies<BundleItem>('bundle')).toMatchObject([
    {
      ...{ instanceId: id, bucket: 'backups', prefix: 'web/monday', accessKeyId: 'AKIDEXAMPLE' },
      ...{ uploadPolicy: policy.toString('base64'), uploadPolicySignature: 'signed-by-the-owner' },
    },
  ])
  const rows = await cloud.cloud.record.read(async (db) => [
    await db.selectFrom('bundle_task').selectAll().execute(),
    await db.selectFrom('desired_item').selectAll().execute(),
  ])
  expect(JSON.stringify(rows)).not.toContain('signed-by-the-owner')
  expect((await domain()).incarnation).toBe(1)
  await say(taskId, { progress: 40 })
  expect(await task()).toMatchObject({ state: 'bundling', progress: '40%' })
  expect(await state()).toBe('running')
  await say(taskId, { state: 'complete', progress: 100 })
  expect(await task({ 'BundleId.1': taskId })).toMatchObject({ state: 'complete', progress: '100%' })
  expect(await bodies('bundle')).toEqual([])
  expect(await domain()).toMatchObject({ intent: 'run', incarnation: 2 })
})

test('one that fails says why, and the instance comes back', async () => {
  await running()
  const taskId: string = (await bundle()).xml.bundleInstanceTask.bundleId
  await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
  await say(taskId, { state: 'failed', message: 'AccessDenied: Access Denied' })
  expect(await task()).toMatchObject({
    state: 'failed',
    error: { code: 'Server.InternalError', message: 'AccessDenied: Access Denied' },
  })
  expect(await domain()).toMatchObject({ intent: 'run', incarnation: 2 })
  const filter = { 'Filter.1.Name': 'error-message', 'Filter.1.Value.1': 'AccessDenied*' }
  expect(await task(filter)).toMatchObject({ bundleId: taskId })
})

test.each(['before it is down', 'while it is bundled'])(
  'one that is cancelled %s lets the instance go on',
  async (when) => {
    await running()
    const taskId: string = (await bundle()).xml.bundleInstanceTask.bundleId
    if (when === 'while it is bundled') await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
    const cancelled = await cloud.call('CancelBundleTask', { BundleId: taskId })
    expect(cancelled.xml.bundleInstanceTask).toMatchObject({ bundleId: taskId, state: 'cancelling' })
    await cloud.settled()
    expect(await bodies('bundle')).toEqual([])
    if (when === 'before it is down') await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
    expect(await domain()).toMatchObject({ intent: 'run', incarnation: 2 })
    expect(await task()).toMatchObject({ state: 'failed', error: { code: 'Client.Cancelled' } })
    await say(taskId, { state: 'complete', progress: 100 }) // the node had not heard yet
    expect(await task()).toMatchObject({ state: 'failed' })
    expect((await cloud.call('CancelBundleTask', { BundleId: taskId })).code).toBe('InvalidBundleID.NotFound')
  },
)

test('an instance that is terminated meanwhile ends, and its task has failed', async () => {
  await running()
  const taskId: string = (await bundle()).xml.bundleInstanceTask.bundleId
  await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
  await cloud.call('TerminateInstances', { 'InstanceId.1': id })
  await cloud.settled()
  expect(await bodies('bundle')).toEqual([])
  expect(await domain()).toMatchObject({ intent: 'remove' })
  expect(await task({ 'BundleId.1': taskId })).toMatchObject({ error: { code: 'Client.InstanceNotRunning' } })
  await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
  expect(await state()).toBe('terminated')
})

test('another node, and another account, know nothing of it', async () => {
  await running()
  const other = await cloud.addNode('two')
  const stranger = await cloud.createAccount('stranger')
  const taskId: string = (await bundle()).xml.bundleInstanceTask.bundleId
  await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
  const facts = { state: 'complete' as const, progress: 100, message: null }
  await cloud.report('node', other, [{ kind: 'bundle', id: taskId, generation: 1, facts }])
  expect(await task()).toMatchObject({ state: 'bundling' })
  const as = { as: stranger }
  expect((await cloud.call('DescribeBundleTasks', {}, as)).xml.bundleInstanceTasksSet).toBe('')
  expect((await cloud.call('DescribeBundleTasks', { 'BundleId.1': taskId }, as)).code).toBe(
    'InvalidBundleID.NotFound',
  )
  expect((await cloud.call('CancelBundleTask', { BundleId: taskId }, as)).code).toBe(
    'InvalidBundleID.NotFound',
  )
  const theirs = await cloud.call('BundleInstance', { InstanceId: id, ...storage }, as)
  expect(theirs.code).toBe('InvalidInstanceID.NotFound')
})

test.each<[string, Record<string, string>, string]>([
  ['Bucket', { 'Storage.S3.Bucket': '' }, 'MissingParameter'],
  ['Bucket', { 'Storage.S3.Bucket': 'a/b' }, 'InvalidParameterValue'],
  ['Prefix', { 'Storage.S3.Prefix': '' }, 'MissingParameter'],
  ['Prefix', { 'Storage.S3.Prefix': 'folder/' }, 'InvalidParameterValue'],
  ['AWSAccessKeyId', { 'Storage.S3.AWSAccessKeyId': '' }, 'MissingParameter'],
  ['UploadPolicySignature', { 'Storage.S3.UploadPolicySignature': '' }, 'MissingParameter'],
  [
    'UploadPolicy',
    { 'Storage.S3.UploadPolicy': Buffer.from('[]').toString('base64') },
    'InvalidParameterValue',
  ],
])('without a good %s (%j) it is refused', async (name, more, code) => {
  await running()
  const answer = await bundle(more)
  expect([answer.code, answer.message]).toEqual([code, expect.stringContaining(name)])
  expect(await task()).toBeUndefined()
})

test('one that does not run yet is not bundled', async () => {
  expect((await bundle()).code).toBe('IncorrectInstanceState')
})
