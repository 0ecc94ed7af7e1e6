import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ImageObjectFacts, ImageObjectItem } from '@mallee/agent-contract'
import { AnsweringWalrus } from '../../answering-walrus.ts'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let walrus: AnsweringWalrus
let user: Credentials

beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  walrus = await AnsweringWalrus.join(cloud)
  user = await cloud.createAccount('user')
})
afterEach(async () => {
  await walrus.stop()
  await cloud.stop()
})

type Parameters = Record<string, string>
const disk = {
  'DiskContainer.1.Format': 'VMDK',
  'DiskContainer.1.UserBucket.S3Bucket': 'disks',
  'DiskContainer.1.UserBucket.S3Key': 'web.vmdk',
}
const start = async (more: Parameters = {}) => {
  const answer = await cloud.call('ImportImage', { ...disk, ...more }, { as: user })
  await cloud.settled()
  return answer
}
const tasks = (parameters: Parameters = {}, as = user) =>
  cloud.call('DescribeImportImageTasks', parameters, { as })
const task = async (id: string) => (await tasks({ 'ImportTaskId.1': id })).xml.importImageTaskSet.item[0]
const images = async () => (await cloud.call('DescribeImages', {}, { as: user })).xml.imagesSet.item ?? []
const items = async () =>
  (await cloud.desired('walrus', walrus.agentId)).bodies
    .filter(({ kind }) => kind === 'image-object')
    .map(({ body }) => body as ImageObjectItem)
const available: Partial<ImageObjectFacts> = {
  ...{ state: 'available', format: 'raw', sizeBytes: 1000, virtualSizeBytes: 2000, layout: 'disk' },
  sha256: 'b'.repeat(64),
}

test('a disk is imported: a task with progress, then an image that is launched', async () => {
  const answer = await start({
    Description: 'from Xen',
    'TagSpecification.1.ResourceType': 'import-image-task',
    'TagSpecification.1.Tag.1.Key': 'k',
    'TagSpecification.1.Tag.1.Value': 'v',
  })
  const id: string = answer.xml.importTaskId
  expect(id).toMatch(/^import-ami-[0-9a-f]{17}$/)
  expect(answer.xml).toMatchObject({ status: 'active', progress: '0', description: 'from Xen' })
  expect(await images()).toEqual([])
  const [item] = await items()
  expect(item).toMatchObject({
    madeFrom: { how: 'import', format: 'vmdk', bucket: 'disks', key: 'web.vmdk' },
    kind: 'machine',
  })
  await walrus.say(item!.imageId, { state: 'making', progress: 35 })
  expect(await task(id)).toMatchObject({
    ...{ status: 'active', progress: '35', statusMessage: 'converting' },
    snapshotDetailSet: { item: [{ format: 'VMDK', userBucket: { s3Bucket: 'disks', s3Key: 'web.vmdk' } }] },
    tagSet: { item: [{ key: 'k', value: 'v' }] },
  })
  expect(await task(id)).not.toHaveProperty('imageId')
  await walrus.say(item!.imageId, available)
  const done = await task(id)
  expect([done.status, done.progress, done.statusMessage]).toEqual(['completed', undefined, undefined])
  const [image] = await images()
  expect(image).toMatchObject({
    imageId: done.imageId,
    name: id,
    imageState: 'available',
    description: 'from Xen',
  })
  await cloud.addNode('one')
  const run = await cloud.call(
    'RunInstances',
    { ImageId: done.imageId, MinCount: 1, MaxCount: 1 },
    { as: user },
  )
  expect(run.status, run.body).toBe(200)
  const late = await cloud.call('CancelImportTask', { ImportTaskId: id }, { as: user })
  expect([late.code, late.message]).toEqual(['IncorrectState', expect.stringContaining('completed')])
})

test('one that fails leaves no image, says why, and does not count', async () => {
  const id: string = (await start()).xml.importTaskId
  const [item] = await items()
  await walrus.say(item!.imageId, {
    state: 'failed',
    message: 'The VMDK disk has a parent, which is not accepted.',
  })
  expect(await task(id)).toMatchObject({
    status: 'deleted',
    statusMessage: expect.stringContaining('has a parent'),
  })
  expect(await images()).toEqual([])
  const gone = await cloud.call('DescribeImages', { 'ImageId.1': item!.imageId }, { as: user })
  expect(gone.code).toBe('InvalidAMIID.NotFound')
  await walrus.say(item!.imageId, { state: 'gone' })
  expect(await items()).toEqual([])
})

test('one that is cancelled is removed by walrus, and then deleted', async () => {
  const id: string = (await start()).xml.importTaskId
  const [item] = await items()
  const cancel = await cloud.call(
    'CancelImportTask',
    { ImportTaskId: id, CancelReason: 'wrong disk' },
    { as: user },
  )
  await cloud.settled()
  expect(cancel.xml).toMatchObject({ importTaskId: id, previousState: 'active', state: 'deleting' })
  expect((await items())[0]).toMatchObject({ imageId: item!.imageId, remove: true })
  await walrus.say(item!.imageId, available) // it had been made when the word came
  expect(await images()).toEqual([])
  expect(await task(id)).toMatchObject({ status: 'deleting', statusMessage: 'wrong disk' })
  await walrus.say(item!.imageId, { state: 'gone' })
  expect((await task(id)).status).toBe('deleted')
  expect(await items()).toEqual([])
})

test('tasks are their account’s, filtered and paged, and a token gives the same one', async () => {
  const first: string = (await start({ ClientToken: 'once' })).xml.importTaskId
  expect((await start({ ClientToken: 'once' })).xml.importTaskId).toBe(first)
  const second: string = (await start()).xml.importTaskId
  await cloud.call('CancelImportTask', { ImportTaskId: second }, { as: user })
  const listed = (await tasks()).xml.importImageTaskSet.item as { importTaskId: string }[]
  expect(listed.map((one) => one.importTaskId).toSorted()).toEqual([first, second].toSorted())
  const active = await tasks({ 'Filters.1.Name': 'task-state', 'Filters.1.Value.1': 'active' })
  expect(active.xml.importImageTaskSet.item).toHaveLength(1)
  const page = await tasks({ MaxResults: '1' })
  expect([page.xml.importImageTaskSet.item.length, typeof page.xml.nextToken]).toEqual([1, 'string'])
  expect((await tasks({ 'ImportTaskId.1': first }, cloud.admin)).code).toBe('InvalidConversionTaskId')
  expect((await cloud.call('CancelImportTask', { ImportTaskId: first })).code).toBe('InvalidConversionTaskId')
  expect((await tasks({}, cloud.admin)).xml.importImageTaskSet).toBe('')
})

const without = (name: string) =>
  Object.fromEntries(Object.entries(disk).filter(([key]) => !key.endsWith(name)))
test.each<[string, Parameters, string, string]>([
  ['no disk', {}, 'MissingParameter', 'DiskContainers'],
  ['no format', without('Format'), 'MissingParameter', 'Format'],
  ['no bucket', without('S3Bucket'), 'MissingParameter', 'S3Bucket'],
  ['no key', without('S3Key'), 'MissingParameter', 'S3Key'],
  ['another format', { ...disk, 'DiskContainer.1.Format': 'ISO' }, 'InvalidParameterValue', 'ISO'],
  ['two disks', { ...disk, 'DiskContainer.2.Format': 'raw' }, 'InvalidParameterValue', 'one disk'],
  ['two places', { ...disk, 'DiskContainer.1.Url': 's3://a/b' }, 'InvalidParameterValue', 'Only one'],
  [
    'a URL of elsewhere',
    { 'DiskContainer.1.Format': 'raw', 'DiskContainer.1.Url': 'http://169.254.169.254/latest/meta-data/' },
    'InvalidParameterValue',
    's3://BUCKET/KEY',
  ],
  [
    'a snapshot',
    { ...disk, 'DiskContainer.1.SnapshotId': 'snap-12345678' },
    'UnsupportedOperation',
    'SnapshotId',
  ],
  ['another architecture', { ...disk, Architecture: 'vax' }, 'InvalidParameterValue', 'vax'],
  ['Windows', { ...disk, Platform: 'Windows' }, 'UnsupportedOperation', 'Platform'],
  ['encryption', { ...disk, Encrypted: 'true' }, 'UnsupportedOperation', 'Encrypted'],
])('with %s it is refused', async (_what, parameters, code, words) => {
  const answer = await cloud.call('ImportImage', parameters, { as: user })
  expect([answer.code, answer.message]).toEqual([code, expect.stringContaining(words)])
  expect((await tasks()).xml.importImageTaskSet).toBe('')
})

test('a URL may name the place', async () => {
  const answer = await cloud.call(
    'ImportImage',
    { 'DiskContainer.1.Format': 'ova', 'DiskContainer.1.Url': 's3://disks/a/b c.ova' },
    { as: user },
  )
  expect(answer.status, answer.body).toBe(200)
  await cloud.settled()
  expect((await items())[0]?.madeFrom).toMatchObject({ bucket: 'disks', key: 'a/b c.ova', format: 'ova' })
})
