import { GiB } from '@mallee/base'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AnsweringStorage } from '../../answering-storage.ts'
import { AnsweringWalrus } from '../../answering-walrus.ts'
import { CloudUnderTest, type Answer } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let storage: AnsweringStorage
let walrus: AnsweringWalrus

beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  storage = await AnsweringStorage.join(cloud, [])
  walrus = await AnsweringWalrus.join(cloud)
})
afterEach(async () => {
  await walrus.stop()
  await cloud.stop()
})

type Parameters = Record<string, string | number>

async function ok(action: string, parameters: Parameters = {}): Promise<Answer['xml']> {
  const answer = await cloud.call(action, parameters)
  expect(answer.message, answer.body).toBeUndefined()
  await cloud.settled()
  return answer.xml
}

const refusal = async (action: string, parameters: Parameters = {}) => {
  const { code, message } = await cloud.call(action, parameters)
  return [code, message]
}

/** Both agents do what they are told, until nothing is left to do. */
async function settle(): Promise<void> {
  for (let round = 0; round < 6; round += 1) {
    await storage.settle()
    await walrus.look()
  }
}

const snapshots = async () =>
  ((await ok('DescribeSnapshots', { 'Owner.1': 'self' })).snapshotSet.item ?? []) as Answer['xml'][]
const volumes = async () => ((await ok('DescribeVolumes')).volumeSet.item ?? []) as Answer['xml'][]
const staged = { state: 'staged', progress: 100, diskBytes: 3 * GiB + 512, blocks: 7 } as const

describe('ImportSnapshot', () => {
  const disk = {
    'DiskContainer.Format': 'VMDK',
    'DiskContainer.UserBucket.S3Bucket': 'disks',
    'DiskContainer.UserBucket.S3Key': 'web.vmdk',
  }
  const task = async (id: string) =>
    (await ok('DescribeImportSnapshotTasks', { 'ImportTaskId.1': id })).importSnapshotTaskSet.item[0]

  test('makes a snapshot of a disk: a task with progress, and then it is there', async () => {
    const made = await ok('ImportSnapshot', {
      ...disk,
      Description: 'from Xen',
      'TagSpecification.1.ResourceType': 'import-snapshot-task',
      'TagSpecification.1.Tag.1.Key': 'k',
      'TagSpecification.1.Tag.1.Value': 'v',
    })
    const id = made.importTaskId as string
    expect(id).toMatch(/^import-snap-[0-9a-f]{17}$/)
    const [item] = await walrus.imports()
    expect(item).toMatchObject({
      bucket: 'disks',
      key: 'web.vmdk',
      format: 'vmdk',
      inParts: false,
      remove: false,
    })
    await walrus.sayOfImport(id, { progress: 50 })
    expect(await task(id)).toMatchObject({
      description: 'from Xen',
      snapshotTaskDetail: {
        ...{ status: 'active', progress: '45', statusMessage: 'converting', format: 'VMDK' },
        userBucket: { s3Bucket: 'disks', s3Key: 'web.vmdk' },
      },
      tagSet: { item: [{ key: 'k', value: 'v' }] },
    })
    await walrus.sayOfImport(id, staged)
    await settle()
    const { snapshotTaskDetail: done } = await task(id)
    expect(done).toMatchObject({ status: 'completed', diskImageSize: String(3 * GiB + 512) })
    expect(await snapshots()).toMatchObject([
      { snapshotId: done.snapshotId, status: 'completed', volumeSize: '4', description: 'from Xen' },
    ])
    const [kept] = await storage.items('snapshot')
    expect(kept!.body).toMatchObject({ written: { changedBlocksCount: 7, checksum: null, parent: null } })
    expect(await walrus.imports()).toEqual([])
    const listed = await ok('DescribeImportSnapshotTasks', {
      'Filters.1.Name': 'task-state',
      'Filters.1.Value.1': 'active',
    })
    expect(listed.importSnapshotTaskSet).toBe('')
    expect((await refusal('CancelImportTask', { ImportTaskId: id }))[0]).toBe('IncorrectState')
  })

  test('of a disk that cannot be used fails, says why, and leaves no blocks', async () => {
    const { importTaskId: id } = await ok('ImportSnapshot', disk)
    await walrus.sayOfImport(id as string, { state: 'failed', message: 'The VMDK disk has a parent.' })
    expect((await walrus.imports())[0]).toMatchObject({ remove: true })
    await walrus.sayOfImport(id as string, { state: 'gone' })
    await settle()
    expect((await task(id as string)).snapshotTaskDetail).toMatchObject({
      status: 'deleted',
      statusMessage: 'ClientError: The VMDK disk has a parent.',
    })
    expect(await snapshots()).toMatchObject([
      { status: 'error', statusMessage: 'The VMDK disk has a parent.' },
    ])
    expect(await walrus.imports()).toEqual([])
  })

  test.each(['while it is converted', 'while it is gathered'])(
    'that is cancelled %s leaves nothing',
    async (when) => {
      const { importTaskId: id } = await ok('ImportSnapshot', disk)
      if (when === 'while it is gathered') await walrus.sayOfImport(id as string, staged)
      await ok('CancelImportTask', { ImportTaskId: id as string, CancelReason: 'wrong disk' })
      await walrus.sayOfImport(id as string, { state: 'gone' })
      await settle()
      expect((await task(id as string)).snapshotTaskDetail).toMatchObject({
        status: 'deleted',
        statusMessage: 'wrong disk',
      })
      expect(await snapshots()).toEqual([])
      expect(await walrus.imports()).toEqual([])
      expect(await walrus.readable()).toEqual(new Map())
      expect(await storage.items('snapshot')).toEqual([])
    },
  )

  test('whose snapshot is deleted meanwhile ends', async () => {
    const { importTaskId: id } = await ok('ImportSnapshot', disk)
    const [snapshot] = await snapshots()
    await ok('DeleteSnapshot', { SnapshotId: snapshot!.snapshotId as string })
    await cloud.settled()
    expect((await walrus.imports())[0]).toMatchObject({ remove: true })
    await walrus.sayOfImport(id as string, { state: 'gone' })
    expect((await task(id as string)).snapshotTaskDetail.status).toBe('deleted')
  })

  test.each<[string, Parameters, string, string]>([
    ['no disk', {}, 'MissingParameter', 'DiskContainer'],
    ['another format', { ...disk, 'DiskContainer.Format': 'ISO' }, 'InvalidParameterValue', 'ISO'],
    ['two places', { ...disk, 'DiskContainer.Url': 's3://a/b' }, 'InvalidParameterValue', 'Only one'],
    ['another role', { ...disk, RoleName: 'root' }, 'UnsupportedOperation', 'RoleName'],
  ])('with %s is refused', async (_what, parameters, code, words) => {
    expect(await refusal('ImportSnapshot', parameters)).toEqual([code, expect.stringContaining(words)])
    expect(await snapshots()).toEqual([])
  })

  test('is its account’s', async () => {
    const { importTaskId: id } = await ok('ImportSnapshot', disk)
    const as = await cloud.createAccount('other')
    const asked = await cloud.call('DescribeImportSnapshotTasks', { 'ImportTaskId.1': id as string }, { as })
    expect(asked.code).toBe('InvalidConversionTaskId')
    const cancel = await cloud.call('CancelImportTask', { ImportTaskId: id as string }, { as })
    expect(cancel.code).toBe('InvalidConversionTaskId')
  })
})

describe('ImportVolume', () => {
  const url =
    'http://127.0.0.1:8773/services/objectstorage/disks/web/manifest.xml?AWSAccessKeyId=A&Signature=hunter2'
  const disk = {
    AvailabilityZone: 'us-east-1a',
    'Image.Format': 'RAW',
    'Image.Bytes': 1000,
    'Image.ImportManifestUrl': url,
    'Volume.Size': 4,
  }
  const task = async (id: string) =>
    (await ok('DescribeConversionTasks', { 'ConversionTaskId.1': id })).conversionTasks.item[0]

  test('makes a volume of a disk in parts, and the snapshot on its way goes', async () => {
    const { conversionTask } = await ok('ImportVolume', disk)
    const id = conversionTask.conversionTaskId as string
    expect(conversionTask).toMatchObject({
      state: 'active',
      importVolume: { image: { format: 'RAW', size: '1000', importManifestUrl: url }, volume: { size: '4' } },
    })
    expect((await walrus.imports())[0]).toMatchObject({
      ...{ bucket: 'disks', key: 'web/manifest.xml', inParts: true },
    })
    await settle()
    expect(await volumes()).toMatchObject([{ status: 'creating' }])
    expect(await storage.items('volume')).toEqual([]) // not before there is something to fill it with
    await walrus.sayOfImport(id, staged)
    await settle()
    const [volume] = await volumes()
    expect(volume).toMatchObject({ status: 'available', size: '4' })
    expect(await task(id)).toMatchObject({
      state: 'completed',
      importVolume: { bytesConverted: '1000', volume: { id: volume!.volumeId } },
    })
    expect(await snapshots()).toEqual([])
    expect(await storage.items('snapshot')).toEqual([])
    const events = await cloud.cloud.record.read((db) => db.selectFrom('disk_import').selectAll().execute())
    expect(JSON.stringify(events)).not.toContain('hunter2')
  })

  test('of a disk that is larger than its volume fails, and the volume goes', async () => {
    const { conversionTask } = await ok('ImportVolume', { ...disk, 'Volume.Size': 2 })
    const id = conversionTask.conversionTaskId as string
    await walrus.sayOfImport(id, staged)
    await walrus.sayOfImport(id, { state: 'gone' })
    await settle()
    expect(await task(id)).toMatchObject({
      state: 'cancelled',
      statusMessage: 'ClientError: The disk has 4 GiB, and the volume 2 GiB.',
    })
    expect([await volumes(), await snapshots()]).toEqual([[], []])
  })

  test('that is cancelled leaves nothing', async () => {
    const { conversionTask } = await ok('ImportVolume', disk)
    const id = conversionTask.conversionTaskId as string
    await ok('CancelConversionTask', { ConversionTaskId: id, ReasonMessage: 'enough' })
    expect((await task(id)).state).toBe('cancelling')
    await walrus.sayOfImport(id, { state: 'gone' })
    await settle()
    expect(await task(id)).toMatchObject({ state: 'cancelled', statusMessage: 'enough' })
    expect([await volumes(), await snapshots()]).toEqual([[], []])
  })

  test('whose snapshot is deleted meanwhile ends, and its volume is never made of nothing', async () => {
    const { conversionTask } = await ok('ImportVolume', disk)
    const [snapshot] = await snapshots()
    await ok('DeleteSnapshot', { SnapshotId: snapshot!.snapshotId as string })
    for (const { body } of await storage.items('volume')) expect(body).toMatchObject({ remove: true })
    await walrus.sayOfImport(conversionTask.conversionTaskId as string, { state: 'gone' })
    await settle()
    expect((await task(conversionTask.conversionTaskId as string)).state).toBe('cancelled')
    expect([await volumes(), await snapshots()]).toEqual([[], []])
  })

  test('whose volume is deleted meanwhile ends', async () => {
    const { conversionTask } = await ok('ImportVolume', disk)
    const [volume] = await volumes()
    await ok('DeleteVolume', { VolumeId: volume!.volumeId as string })
    await cloud.settled()
    await walrus.sayOfImport(conversionTask.conversionTaskId as string, { state: 'gone' })
    await settle()
    expect((await task(conversionTask.conversionTaskId as string)).state).toBe('cancelled')
    expect([await volumes(), await snapshots()]).toEqual([[], []])
  })

  test.each<[string, Parameters, string, string]>([
    ['another zone', { AvailabilityZone: 'us-east-1z' }, 'InvalidParameterValue', 'us-east-1z'],
    [
      'a URL of a file',
      { 'Image.ImportManifestUrl': 'file:///etc/passwd' },
      'InvalidParameterValue',
      'bucket',
    ],
    ['no URL', { 'Image.ImportManifestUrl': 'manifest' }, 'InvalidParameterValue', 'bucket'],
    ['no size', { 'Volume.Size': 0 }, 'InvalidParameterValue', 'smaller'],
  ])('with %s is refused', async (_what, parameters, code, words) => {
    expect(await refusal('ImportVolume', { ...disk, ...parameters })).toEqual([
      code,
      expect.stringContaining(words),
    ])
    expect([await volumes(), await snapshots()]).toEqual([[], []])
  })
})
