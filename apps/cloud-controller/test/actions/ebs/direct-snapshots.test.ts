import { setTimeout as pause } from 'node:timers/promises'
import type { SnapshotItem } from '@mallee/agent-contract'
import { systemClock, type Clock } from '@mallee/base'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AnsweringStorage } from '../../answering-storage.ts'
import { AnsweringWalrus } from '../../answering-walrus.ts'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let storage: AnsweringStorage
let walrus: AnsweringWalrus
let aheadMs = 0
/** Real, and as far ahead as a test says. */
const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs }

beforeEach(async () => {
  aheadMs = 0
  cloud = await CloudUnderTest.start({}, clock)
  storage = await AnsweringStorage.join(cloud, [])
  walrus = await AnsweringWalrus.join(cloud)
})
afterEach(async () => {
  await walrus.stop()
  await cloud.stop()
})

type Sent = Awaited<ReturnType<CloudUnderTest['ebs']>>
const start = (body: object, as?: Credentials) =>
  cloud.ebs('POST', '/snapshots', { body, now: new Date(clock.now()), ...(as ? { as } : {}) })
const complete = (id: string, headers: Record<string, string> = {}, as?: Credentials) =>
  cloud.ebs('POST', `/snapshots/completion/${id}`, {
    headers: { 'x-amz-ChangedBlocksCount': '1', ...headers },
    now: new Date(clock.now()),
    ...(as ? { as } : {}),
  })
const refusal = ({ status, type, json }: Sent) => [status, type, json['Reason']]
const idOf = ({ json }: Sent) => json['SnapshotId'] as string

async function started(body: object = {}): Promise<string> {
  const sent = await start({ VolumeSize: 2, ...body })
  expect(sent.status, JSON.stringify(sent.json)).toBe(201)
  return idOf(sent)
}

/** Both agents do what they are told until the answer is there. */
async function whileAnswering<T>(sent: Promise<T>): Promise<T> {
  let done = false
  const answer = sent.finally(() => (done = true))
  while (!done) {
    await storage.lookAtStorage()
    await pause(5)
  }
  return answer
}

async function completed(body: object = {}): Promise<string> {
  const id = await started(body)
  expect((await whileAnswering(complete(id))).json).toEqual({ Status: 'completed' })
  await settled(id)
  return id
}

const rowOf = (id: string) =>
  cloud.cloud.record.read((db) =>
    db.selectFrom('snapshot').selectAll().where('id', '=', id).executeTakeFirst(),
  )

async function settled(id: string): Promise<void> {
  await expect
    .poll(async () => ['gone', undefined].includes((await rowOf(id))?.staging ?? undefined))
    .toBe(true)
  await storage.settle()
}

async function described(id: string, as?: Credentials) {
  const { xml, code } = await cloud.call(
    'DescribeSnapshots',
    { 'SnapshotId.1': id },
    { now: new Date(clock.now()), ...(as ? { as } : {}) },
  )
  return code ?? xml.snapshotSet.item[0]
}

const itemAtStorage = async (id: string) =>
  (await storage.items('snapshot')).find((item) => item.id === id)?.body as SnapshotItem | undefined

test('a snapshot is started, written, sealed, gathered, and is one like any other', async () => {
  const sent = await start({
    ...{ VolumeSize: 3, Description: 'from afar', Timeout: 20, ClientToken: 'once' },
    Tags: [{ Key: 'name', Value: 'x' }],
  })
  const id = idOf(sent)
  expect([sent.status, sent.json]).toEqual([
    201,
    {
      ...{
        SnapshotId: id,
        OwnerId: cloud.admin.accountId,
        Status: 'pending',
        VolumeSize: 3,
        BlockSize: 524_288,
      },
      ...{ Description: 'from afar', StartTime: expect.any(Number), Tags: [{ Key: 'name', Value: 'x' }] },
    },
  ])
  expect(await described(id)).toMatchObject({ status: 'pending', volumeId: 'vol-ffffffff', volumeSize: '3' })
  await walrus.sayWritten(id, { progress: 40, lastWrittenAtMs: clock.now() })
  expect(await described(id)).toMatchObject({ progress: '40%' })
  expect((await walrus.readable()).get(id)).toMatchObject({ staging: 'open', index: null, lineage: id })
  expect(await itemAtStorage(id)).toBeUndefined()

  const checksum = Buffer.alloc(32, 1).toString('base64')
  const done = complete(id, { 'x-amz-ChangedBlocksCount': '2', 'x-amz-Checksum': checksum })
  await expect
    .poll(() => itemAtStorage(id))
    .toMatchObject({
      written: { prefix: `direct/${id}/`, parent: null, changedBlocksCount: 2, checksum },
    })
  expect(await whileAnswering(done)).toMatchObject({ status: 202, json: { Status: 'completed' } })
  await settled(id)
  expect(await described(id)).toMatchObject({ status: 'completed', progress: '100%' })
  expect((await walrus.readable()).get(id)).toMatchObject({ staging: null, index: { key: `index/${id}` } })
  const made = await cloud.call('CreateVolume', { AvailabilityZone: 'us-east-1a', SnapshotId: id })
  expect(made.xml).toMatchObject({ size: '3', snapshotId: id })
  const events = await cloud.cloud.record.read((db) =>
    db.selectFrom('event').selectAll().where('action', 'in', ['StartSnapshot', 'CompleteSnapshot']).execute(),
  )
  expect(events).toHaveLength(2)
})

test('the same client token is the same snapshot, and with other parameters a conflict', async () => {
  const wish = { VolumeSize: 2, ClientToken: 'token' }
  const first = await start(wish)
  expect(idOf(await start(wish))).toBe(idOf(first))
  expect(refusal(await start({ ...wish, VolumeSize: 3 }))).toEqual([409, 'ConflictException', undefined])
  expect(idOf(await start({ ...wish, ClientToken: 'other' }))).not.toBe(idOf(first))
})

test('nothing is gathered before walrus says that nothing more is taken', async () => {
  const id = await started()
  walrus.hears = false
  const done = complete(id)
  await expect.poll(async () => (await rowOf(id))?.staging).toBe('sealed')
  await cloud.settled()
  expect((await walrus.readable()).get(id)).toMatchObject({ staging: 'sealed' })
  expect(await itemAtStorage(id)).toBeUndefined()
  walrus.hears = true
  expect((await whileAnswering(done)).json).toEqual({ Status: 'completed' })
})

test('only one of two completions is done, and none where there is nothing to complete', async () => {
  const id = await started()
  const both = await whileAnswering(Promise.all([complete(id), complete(id)]))
  expect(both.map(({ status }) => status).toSorted()).toEqual([202, 400])
  const invalid = [400, 'ValidationException', 'INVALID_SNAPSHOT_ID']
  expect(refusal(both.find(({ status }) => status === 400)!)).toEqual(invalid)
  expect(refusal(await complete(id))).toEqual(invalid)
  const missing = await complete('snap-00000000000000000')
  expect(refusal(missing)).toEqual([404, 'ResourceNotFoundException', 'SNAPSHOT_NOT_FOUND'])
  const { volumeId } = (await cloud.call('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: 1 })).xml
  await storage.settle()
  const taken = (await cloud.call('CreateSnapshot', { VolumeId: volumeId })).xml.snapshotId as string
  expect(refusal(await complete(taken))).toEqual(invalid)
})

test('what is not as its client said is refused, and in error', async () => {
  const id = await started()
  const done = complete(id, { 'x-amz-ChangedBlocksCount': '7' })
  await expect.poll(() => itemAtStorage(id)).toBeDefined()
  const message = 'ChangedBlocksCount is 7, and 1 blocks were written.'
  await cloud.report('storage', storage.storageId, [
    {
      ...{ kind: 'snapshot', id, generation: 1 },
      facts: { state: 'failed', taken: true, progress: 0, message, index: null, storedBytes: 0 },
    },
  ])
  const answer = await done
  expect([...refusal(answer), answer.json['Message']]).toEqual([
    ...[400, 'ValidationException', 'INVALID_PARAMETER_VALUE', message],
  ])
  expect(await described(id)).toMatchObject({ status: 'error', statusMessage: message })
  await settled(id)
  expect(await itemAtStorage(id)).toBeUndefined()
  expect((await walrus.readable()).has(id)).toBe(false)
})

test('a parent must be there, complete, the caller’s or shared, and no larger', async () => {
  const parent = await completed({ VolumeSize: 4 })
  const child = await start({ VolumeSize: 4, ParentSnapshotId: parent })
  expect(child.json['ParentSnapshotId']).toBe(parent)
  expect((await walrus.readable()).get(idOf(child))).toMatchObject({ lineage: parent })
  const cases: [object, unknown[]][] = [
    [
      { ParentSnapshotId: 'snap-00000000000000000' },
      [404, 'ResourceNotFoundException', 'SNAPSHOT_NOT_FOUND'],
    ],
    [{ ParentSnapshotId: idOf(child) }, [400, 'ValidationException', 'INVALID_SNAPSHOT_ID']],
    [{ ParentSnapshotId: parent, VolumeSize: 3 }, [400, 'ValidationException', 'INVALID_VOLUME_SIZE']],
    [{ ParentSnapshotId: 'snap-12' }, [400, 'ValidationException', 'INVALID_SNAPSHOT_ID']],
  ]
  for (const [wish, expected] of cases)
    expect(refusal(await start({ VolumeSize: 4, ...wish }))).toEqual(expected)
  const friend = await cloud.createAccount('friend')
  const theirs = { VolumeSize: 4, ParentSnapshotId: parent }
  expect(refusal(await start(theirs, friend))[0]).toBe(404)
  const share = (kind: string) =>
    cloud.call('ModifySnapshotAttribute', { SnapshotId: parent, ...perm(kind, friend) })
  await share('Group')
  expect(refusal(await start(theirs, friend))).toEqual([403, 'AccessDeniedException', 'UNAUTHORIZED_ACCOUNT'])
  await share('UserId')
  expect((await start(theirs, friend)).status).toBe(201)
  expect((await walrus.readable()).get(parent)).toMatchObject({
    sharedWith: [friend.accountId],
    isPublic: true,
  })
})

const perm = (kind: string, { accountId }: Credentials) => ({
  [`CreateVolumePermission.Add.1.${kind}`]: kind === 'Group' ? 'all' : accountId,
})

test('a parent stays while something is made on top of it, and goes then', async () => {
  const parent = await completed()
  const child = await started({ ParentSnapshotId: parent })
  await cloud.call('DeleteSnapshot', { SnapshotId: parent })
  await cloud.settled()
  expect((await itemAtStorage(parent))?.remove).toBe(false)
  expect((await walrus.readable()).has(parent)).toBe(false)
  await whileAnswering(complete(child))
  await settled(child)
  expect(await rowOf(parent)).toBeUndefined()
  expect(await itemAtStorage(child)).toMatchObject({ written: { parent: { key: `index/${parent}` } } })
})

test('one that nobody writes to is given up after its time-out, counted from the last block', async () => {
  const id = await started({ Timeout: 10 })
  aheadMs = 9 * 60_000
  await walrus.sayWritten(id, { progress: 1, lastWrittenAtMs: clock.now() })
  aheadMs = 15 * 60_000
  cloud.cloud.reconcilers['snapshots']!.wake(id)
  await cloud.settled()
  expect(await described(id)).toMatchObject({ status: 'pending' })
  aheadMs = 22 * 60_000
  cloud.cloud.reconcilers['snapshots']!.wake(id)
  await cloud.settled()
  expect(await described(id)).toMatchObject({ status: 'error' })
  await settled(id)
  expect((await walrus.readable()).has(id)).toBe(false)
  expect(refusal(await complete(id))[2]).toBe('INVALID_SNAPSHOT_ID')
})

test('deleted while it is written, it leaves nothing with anybody', async () => {
  const id = await started()
  walrus.hears = false
  await cloud.call('DeleteSnapshot', { SnapshotId: id })
  await storage.settle()
  expect((await walrus.readable()).get(id)).toMatchObject({ staging: 'remove' })
  expect(await rowOf(id)).toBeDefined()
  walrus.hears = true
  await expect.poll(() => rowOf(id)).toBeUndefined()
  expect((await walrus.readable()).has(id)).toBe(false)
  expect(await itemAtStorage(id)).toBeUndefined()
})

const someKey = 'arn:aws:kms:us-east-1:000000000001:key/1'

test('an encrypted one is encrypted, as is what is on top of it; its key goes to walrus and its storage controller', async () => {
  const asked = await start({ VolumeSize: 2, Encrypted: true })
  const keyArn = asked.json['KmsKeyArn'] as string
  expect([asked.status, keyArn]).toEqual([201, expect.stringMatching(/^arn:aws:kms:us-east-1:\d{12}:key\//)])
  const parent = idOf(asked)
  const secret = (await walrus.readable()).get(parent)!.snapshotKey!.secret
  expect(Buffer.from(secret, 'base64')).toHaveLength(32)
  expect(JSON.stringify(await rowOf(parent))).not.toContain(secret)
  expect((await whileAnswering(complete(parent))).json).toEqual({ Status: 'completed' })
  const [kept] = await storage.items('snapshot')
  expect(kept!.body).toMatchObject({ snapshotKey: { secret }, written: { changedBlocksCount: 1 } })
  const child = await start({ VolumeSize: 2, ParentSnapshotId: parent })
  expect(child.json['KmsKeyArn']).toBe(keyArn)
  const plain = await start({ VolumeSize: 2 })
  expect(plain.json).not.toHaveProperty('KmsKeyArn')
  expect((await walrus.readable()).get(idOf(plain))).not.toHaveProperty('snapshotKey')
  expect(refusal(await start({ VolumeSize: 2, ParentSnapshotId: parent, Encrypted: true }))[2]).toBe(
    'INVALID_PARAMETER_VALUE',
  )
})

test('an account that encrypts by default writes nothing plain, and nothing on top of what is', async () => {
  const plain = await completed()
  await cloud.call('EnableEbsEncryptionByDefault')
  expect((await start({ VolumeSize: 2 })).json).toHaveProperty('KmsKeyArn')
  for (const wish of [{ ParentSnapshotId: plain }, { Encrypted: false }])
    expect(refusal(await start({ VolumeSize: 2, ...wish }))[2]).toBe('INVALID_PARAMETER_VALUE')
})

test('what does not fit is refused by AWS’s errors', async () => {
  const cases: [object, string][] = [
    [{ VolumeSize: 65_537 }, 'INVALID_VOLUME_SIZE'],
    [{ VolumeSize: 1, Timeout: 4321 }, 'INVALID_PARAMETER_VALUE'],
    [{ VolumeSize: 1, KmsKeyArn: someKey }, 'INVALID_PARAMETER_VALUE'],
    [{ VolumeSize: 1, Encrypted: true, KmsKeyArn: someKey }, 'INVALID_CUSTOMER_KEY'],
    [{ VolumeSize: 1, Tags: [{ Key: 'aws:x', Value: '' }] }, 'INVALID_TAG'],
    [{ VolumeSize: 1, Tags: [{ Key: 'a' }, { Key: 'a' }] }, 'INVALID_TAG'],
    [{ VolumeSize: 1, Tags: Array.from({ length: 51 }, (_value, at) => ({ Key: `k${at}` })) }, 'INVALID_TAG'],
  ]
  for (const [wish, reason] of cases)
    expect([wish, refusal(await start(wish))]).toEqual([wish, [400, 'ValidationException', reason]])
  expect((await start({ VolumeSize: 1, Encrypted: false })).status).toBe(201)
  const id = await started()
  expect(refusal(await complete(id, { 'x-amz-Checksum': 'AAAA' }))[2]).toBe('INVALID_PARAMETER_VALUE')
  expect(refusal(await complete(id, { 'x-amz-ChangedBlocksCount': '-1' }))[2]).toBe('INVALID_PARAMETER_VALUE')
  expect((await rowOf(id))?.staging).toBe('open')
})

test('other accounts do not complete it, and learn of it only where it is shared', async () => {
  const id = await started()
  const friend = await cloud.createAccount('friend')
  expect(refusal(await complete(id, {}, friend))[0]).toBe(404)
  await cloud.call('ModifySnapshotAttribute', { SnapshotId: id, ...perm('UserId', friend) })
  expect(refusal(await complete(id, {}, friend))).toEqual([
    403,
    'AccessDeniedException',
    'UNAUTHORIZED_ACCOUNT',
  ])
  expect((await rowOf(id))?.staging).toBe('open')
})

test('signatures that are none, or of another service, are refused in the words of this one', async () => {
  const body = { VolumeSize: 1 }
  const wrong = await cloud.ebs('POST', '/snapshots', { body, secret: 'wrong' })
  expect(refusal(wrong)).toEqual([403, 'InvalidSignatureException', undefined])
  const stranger = { ...cloud.admin, accessKeyId: 'AKIAAAAAAAAAAAAAAAAA' }
  expect(refusal(await start(body, stranger))).toEqual([403, 'UnrecognizedClientException', undefined])
  for (const service of ['s3', 'kms']) {
    const sent = await cloud.ebs('POST', '/snapshots', { body, service, headers: { host: 'ebs.cloud' } })
    expect([service, sent.type]).toEqual([service, 'InvalidSignatureException'])
  }
  const unknown = await cloud.ebs('GET', '/snapshots/snap-00000000000000000/blocks')
  expect(refusal(unknown)).toEqual([404, 'UnknownOperationException', undefined])
  const rows = await cloud.cloud.record.read((db) => db.selectFrom('snapshot').select('id').execute())
  expect(rows).toEqual([])
})

test('quotas hold: of snapshots, and of those that are written at once', async () => {
  const account = await cloud.createAccount('small')
  await cloud.cloud.record.transaction('action', (tx) =>
    tx.db
      .updateTable('quota')
      .set({ value: 1 })
      .where('account_id', '=', account.accountId)
      .where('name', '=', 'snapshots')
      .execute(),
  )
  expect((await start({ VolumeSize: 1 }, account)).status).toBe(201)
  expect(refusal(await start({ VolumeSize: 1 }, account))).toEqual([
    ...[402, 'ServiceQuotaExceededException', 'DEPENDENCY_SERVICE_QUOTA_EXCEEDED'],
  ])
  const row = (await rowOf(await started()))!
  const others = Array.from({ length: 99 }, (_value, at) => ({
    ...row,
    id: `snap-${String(at).padStart(17, '0')}`,
    staging_observed: 'open' as const,
  }))
  await cloud.cloud.record.transaction('action', (tx) =>
    tx.db.insertInto('snapshot').values(others).execute(),
  )
  expect(refusal(await start({ VolumeSize: 1 }))).toEqual([
    400,
    'ConcurrentLimitExceededException',
    undefined,
  ])
})
