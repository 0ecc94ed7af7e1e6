import { afterEach, beforeEach, expect, test } from 'vitest'
import { AnsweringStorage } from '../../answering-storage.ts'
import { CloudUnderTest, type Answer, type Credentials } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let storage: AnsweringStorage
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  storage = await AnsweringStorage.join(cloud, [])
})
afterEach(() => cloud.stop())

type Parameters = Record<string, string | number | boolean>

async function ok(action: string, parameters: Parameters = {}, as?: Credentials): Promise<Answer['xml']> {
  const answer = await cloud.call(action, parameters, as ? { as } : {})
  expect(answer.message, `${action} ${answer.body}`).toBeUndefined()
  return answer.xml
}

async function snapshot(): Promise<string> {
  const { volumeId } = await ok('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: 2 })
  await storage.settle()
  const made = await ok('CreateSnapshot', { VolumeId: volumeId, Description: 'words' })
  expect(made).toMatchObject({ status: 'pending', volumeSize: '2', description: 'words' })
  await storage.settle()
  return made.snapshotId as string
}

/** Whether its storage controller is to remove it; undefined where it is to know nothing of it. */
async function removal(id: string): Promise<boolean | undefined> {
  const item = (await storage.items('snapshot')).find((entry) => entry.id === id)
  return (item?.body as { remove: boolean } | undefined)?.remove
}

const copyOf = (id: string) => ({ SourceRegion: 'us-east-1', SourceSnapshotId: id })

test('a snapshot outlives its volume, and is described until it is deleted', async () => {
  const id = await snapshot()
  const [found] = (await ok('DescribeSnapshots', { 'SnapshotId.1': id })).snapshotSet.item
  expect(found).toMatchObject({ status: 'completed', progress: '100%', encrypted: 'false' })
  await ok('DeleteVolume', { VolumeId: found.volumeId })
  await storage.settle()
  expect(await removal(id)).toBe(false)
  await ok('DeleteSnapshot', { SnapshotId: id })
  expect((await cloud.call('DescribeSnapshots', { 'SnapshotId.1': id })).code).toBe(
    'InvalidSnapshot.NotFound',
  )
  await storage.settle()
  expect(await removal(id)).toBeUndefined()
})

test('a snapshot is kept while a copy is made of it, and goes then; the copy stays', async () => {
  const id = await snapshot()
  const { snapshotId: copy } = await ok('CopySnapshot', copyOf(id))
  await ok('DeleteSnapshot', { SnapshotId: id })
  await cloud.settled()
  expect(await removal(id)).toBe(false)
  await storage.settle()
  expect([await removal(id), await removal(copy)]).toEqual([undefined, false])
  await ok('CopySnapshot', copyOf(copy))
})

test('a snapshot is kept while a volume is filled from it, and goes then', async () => {
  const id = await snapshot()
  const made = await ok('CreateVolume', { AvailabilityZone: 'us-east-1a', SnapshotId: id })
  expect(made).toMatchObject({ size: '2', snapshotId: id })
  await ok('DeleteSnapshot', { SnapshotId: id })
  await cloud.settled()
  expect(await removal(id)).toBe(false)
  await storage.settle()
  expect(await removal(id)).toBeUndefined()
})

test('a snapshot is used by whom its owner lets, and changed by its owner alone', async () => {
  const id = await snapshot()
  const friend = await cloud.createAccount('friend')
  const use = { AvailabilityZone: 'us-east-1a', SnapshotId: id }
  expect((await cloud.call('CreateVolume', use, { as: friend })).code).toBe('InvalidSnapshot.NotFound')
  await ok('ModifySnapshotAttribute', {
    SnapshotId: id,
    'CreateVolumePermission.Add.1.UserId': friend.accountId,
  })
  await ok('CreateVolume', use, friend)
  await ok('CopySnapshot', copyOf(id), friend)
  const seen = await ok('DescribeSnapshots', { 'RestorableBy.1': 'self' }, friend)
  expect(seen.snapshotSet.item.map((entry: { snapshotId: string }) => entry.snapshotId)).toContain(id)
  for (const action of ['DeleteSnapshot', 'ModifySnapshotAttribute', 'ResetSnapshotAttribute']) {
    const parameters = {
      SnapshotId: id,
      ...(action === 'ModifySnapshotAttribute' ? { 'CreateVolumePermission.Add.1.Group': 'all' } : {}),
      ...(action === 'ResetSnapshotAttribute' ? { Attribute: 'createVolumePermission' } : {}),
    }
    expect((await cloud.call(action, parameters, { as: friend })).code, action).toBe('AuthFailure')
  }
  await ok('ResetSnapshotAttribute', { SnapshotId: id, Attribute: 'createVolumePermission' })
  expect((await cloud.call('CreateVolume', use, { as: friend })).code).toBe('InvalidSnapshot.NotFound')
})
