import {
  GetSnapshotBlockCommand,
  ListChangedBlocksCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
} from '@aws-sdk/client-ebs'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { signRequest } from '@mallee/aws-protocol'
import { silentLog, systemClock, type Clock } from '@mallee/base'
import { blockBytes, decodeBlock, parseStagedKey } from '@mallee/volume-snapshots'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { changeOf, KnownSnapshots } from '../src/ebs/known-snapshots.ts'
import { block, EbsWorld, sha256, type Blocks } from './ebs-world.ts'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

let walrus: WalrusUnderTest
let world: EbsWorld
let aheadMs = 0
const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs }

beforeAll(async () => {
  walrus = await WalrusUnderTest.start(silentLog, {}, clock)
  world = new EbsWorld(walrus)
})
afterAll(() => walrus.stop())

interface Refusal {
  readonly name: string
  readonly Reason?: string
  readonly $metadata: { readonly httpStatusCode: number }
}

const refusal = (sent: Promise<unknown>) =>
  sent.then(
    () => ['success'],
    ({ name, Reason, $metadata }: Refusal) => [$metadata.httpStatusCode, name, Reason],
  )

const notFound = [404, 'ResourceNotFoundException', 'SNAPSHOT_NOT_FOUND']
const denied = [403, 'AccessDeniedException', 'UNAUTHORIZED_ACCOUNT']
const invalid = (reason: string) => [400, 'ValidationException', reason]

const list = (SnapshotId: string, more: object = {}, as = alice) =>
  world.sdk(as).send(new ListSnapshotBlocksCommand({ SnapshotId, ...more }))
const changed = (FirstSnapshotId: string, SecondSnapshotId: string, more: object = {}) =>
  world.sdk().send(new ListChangedBlocksCommand({ FirstSnapshotId, SecondSnapshotId, ...more }))
const get = (SnapshotId: string, BlockIndex: number, BlockToken: string, as = alice) =>
  world.sdk(as).send(new GetSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockToken }))

function put(SnapshotId: string, BlockIndex: number, bytes: Buffer, more: object = {}, as = alice) {
  const whole = { DataLength: bytes.length, Checksum: sha256(bytes), ChecksumAlgorithm: 'SHA256' as const }
  return world
    .sdk(as)
    .send(new PutSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockData: bytes, ...whole, ...more }))
}

/** One more than the smallest page has. */
const many: Blocks = Object.fromEntries(
  Array.from({ length: 101 }, (_value, at) => [at, Buffer.alloc(blockBytes, 1)]),
)

async function tokenOf(id: string, number: number, as = alice): Promise<string> {
  const { Blocks: blocks } = await list(id, { StartingBlockIndex: number }, as)
  expect(blocks![0]!.BlockIndex).toBe(number)
  return blocks![0]!.BlockToken!
}

test('a snapshot is read block by block, and only what was written is listed', async () => {
  const blocks: Blocks = { 0: block(), 7: block(), 2047: block() }
  const id = await world.plant(blocks)
  const listed = await list(id)
  expect(listed).toMatchObject({ VolumeSize: 1, BlockSize: blockBytes })
  const days = (listed.ExpiryTime!.getTime() - Date.now()) / 86_400_000
  expect(days).toBeGreaterThan(6.9)
  expect(listed.NextToken).toBeUndefined()
  expect(listed.Blocks!.map(({ BlockIndex }) => BlockIndex)).toEqual([0, 7, 2047])
  for (const { BlockIndex, BlockToken } of listed.Blocks!) {
    const answer = await get(id, BlockIndex!, BlockToken!)
    const bytes = Buffer.from(await answer.BlockData!.transformToByteArray())
    expect(bytes.equals(blocks[BlockIndex!]!)).toBe(true)
    expect(answer).toMatchObject({
      DataLength: blockBytes,
      Checksum: sha256(bytes),
      ChecksumAlgorithm: 'SHA256',
    })
  }
})

test('long lists come in pages, from where one likes', async () => {
  const same = block()
  const blocks = Object.fromEntries(Array.from({ length: 250 }, (_value, at) => [at * 3, same]))
  const id = await world.plant(blocks)
  const seen: number[] = []
  let token: string | undefined
  do {
    const page = await list(id, {
      MaxResults: 100,
      StartingBlockIndex: 600,
      ...(token ? { NextToken: token } : {}),
    })
    seen.push(...page.Blocks!.map(({ BlockIndex }) => BlockIndex!))
    token = page.NextToken
  } while (token)
  expect(seen).toEqual(Array.from({ length: 50 }, (_value, at) => 600 + at * 3))
  const first = await list(id, { MaxResults: 100 })
  expect(first.Blocks).toHaveLength(100)
  const second = await list(id, { NextToken: first.NextToken, StartingBlockIndex: 0, MaxResults: 200 })
  expect(second.Blocks!.map(({ BlockIndex }) => BlockIndex)).toEqual(
    Array.from({ length: 150 }, (_value, at) => 300 + at * 3),
  )
  expect((await list(id, { StartingBlockIndex: 2047 })).Blocks).toEqual([])
  expect(await refusal(list(id, { StartingBlockIndex: 2048 }))).toEqual(invalid('INVALID_BLOCK'))
})

test('what changed between two snapshots is listed, with tokens of both; what became zeros reads as zeros', async () => {
  const [a, b, c, d] = [block(), block(), block(), block()]
  const first = await world.plant({ 0: a, 1: b, 5: c })
  const second = await world.plant({ 0: a, 1: d, 9: b })
  const answer = await changed(first, second)
  expect(answer).toMatchObject({ VolumeSize: 1, BlockSize: blockBytes })
  expect(
    answer.ChangedBlocks!.map(({ BlockIndex, FirstBlockToken }) => [
      BlockIndex,
      FirstBlockToken !== undefined,
    ]),
  ).toEqual([
    [1, true],
    [5, true],
    [9, false],
  ])
  const read = async (id: string, number: number, token: string) =>
    Buffer.from(await (await get(id, number, token)).BlockData!.transformToByteArray())
  const [one, five, nine] = answer.ChangedBlocks!
  expect((await read(first, 1, one!.FirstBlockToken!)).equals(b)).toBe(true)
  expect((await read(second, 1, one!.SecondBlockToken!)).equals(d)).toBe(true)
  expect((await read(second, 5, five!.SecondBlockToken!)).equals(Buffer.alloc(blockBytes))).toBe(true)
  expect((await read(second, 9, nine!.SecondBlockToken!)).equals(b)).toBe(true)
  expect((await changed(second, second)).ChangedBlocks).toEqual([])
  const rest = await changed(first, second, { StartingBlockIndex: 2 })
  expect(rest.ChangedBlocks!.map(({ BlockIndex }) => BlockIndex)).toEqual([5, 9])
  const other = await world.plant({ 0: a }, { lineage: 'vol-2' })
  expect(await refusal(changed(first, other))).toEqual(invalid('UNRELATED_SNAPSHOTS'))
  const alone = world.sdk().send(new ListChangedBlocksCommand({ SecondSnapshotId: first }))
  expect(await refusal(alone)).toEqual(invalid('INVALID_SNAPSHOT_ID'))
})

test('changed blocks come in pages too', async () => {
  const [a, b] = [block(), block()]
  const of = (bytes: Buffer) => Object.fromEntries(Array.from({ length: 150 }, (_value, at) => [at, bytes]))
  const [first, second] = [await world.plant(of(a)), await world.plant(of(b))]
  const page = await changed(first, second, { MaxResults: 100 })
  const next = await changed(first, second, { MaxResults: 100, NextToken: page.NextToken })
  const numbers = [...page.ChangedBlocks!, ...next.ChangedBlocks!].map(({ BlockIndex }) => BlockIndex)
  expect(numbers).toEqual(Array.from({ length: 150 }, (_value, at) => at))
  expect(next.NextToken).toBeUndefined()
  expect(await refusal(changed(second, first, { NextToken: page.NextToken }))).toEqual(
    invalid('INVALID_PAGE_TOKEN'),
  )
})

test('of an encrypted snapshot plain blocks are given, with the checksum of what is given', async () => {
  const snapshotKey = { id: 'key-1', secret: Buffer.alloc(32, 7).toString('base64') }
  const [a, b] = [block(), block()]
  const id = await world.plant({ 3: a, 9: b }, { snapshotKey })
  const listed = await list(id)
  expect(listed.Blocks?.map(({ BlockIndex }) => BlockIndex)).toEqual([3, 9])
  const answer = await get(id, 3, listed.Blocks![0]!.BlockToken!)
  expect(answer.Checksum).toBe(sha256(a))
  expect(Buffer.from(await answer.BlockData!.transformToByteArray()).equals(a)).toBe(true)
})

test('a token fits one block of one snapshot, for its time', async () => {
  const [id, other] = [await world.plant({ 3: block(), 4: block() }), await world.plant({ 3: block() })]
  const token = await tokenOf(id, 3)
  const wrong = invalid('INVALID_BLOCK_TOKEN')
  expect(await refusal(get(id, 4, token))).toEqual(wrong)
  expect(await refusal(get(other, 3, token))).toEqual(wrong)
  for (const garbled of [`${token.slice(0, -2)}AA`, 'AAAA', token.slice(4), `${token}AAAA`, 'x'])
    expect([garbled, await refusal(get(id, 3, garbled))]).toEqual([garbled, wrong])
  expect(await refusal(get(id, 2048, token))).toEqual(invalid('INVALID_BLOCK'))
  const page = (await list(await world.plant(many), { MaxResults: 100 })).NextToken!
  expect(await refusal(list(id, { NextToken: page }))).toEqual(invalid('INVALID_PAGE_TOKEN'))
  expect(await refusal(get(id, 3, page))).toEqual(wrong)
  expect(await refusal(list(id, { NextToken: token }))).toEqual(invalid('INVALID_PAGE_TOKEN'))
})

/** By hand, for a time of one's own. */
async function signedAhead(path: string) {
  const answer = await walrus.signed({ path, service: 'ebs', now: new Date(clock.now()) })
  return [answer.status, (JSON.parse(answer.text) as { Reason?: string }).Reason]
}

test('tokens expire: of pages after an hour, of blocks after a week; new ones are good', async () => {
  const id = await world.plant(many)
  const token = encodeURIComponent(await tokenOf(id, 0))
  const page = encodeURIComponent((await list(id, { MaxResults: 100 })).NextToken!)
  try {
    aheadMs = 59 * 60_000
    expect(
      (
        await walrus.signed({
          path: `/snapshots/${id}/blocks?pageToken=${page}`,
          service: 'ebs',
          now: new Date(clock.now()),
        })
      ).status,
    ).toBe(200)
    aheadMs = 61 * 60_000
    expect(await signedAhead(`/snapshots/${id}/blocks?pageToken=${page}`)).toEqual([
      400,
      'INVALID_PAGE_TOKEN',
    ])
    aheadMs = 8 * 86_400_000
    expect(await signedAhead(`/snapshots/${id}/blocks/0?blockToken=${token}`)).toEqual([
      400,
      'INVALID_BLOCK_TOKEN',
    ])
  } finally {
    aheadMs = 0
  }
  const answer = await walrus.signed({
    path: `/snapshots/${id}/blocks/0?blockToken=${token}`,
    service: 'ebs',
  })
  expect([answer.status, answer.body.length]).toEqual([200, blockBytes])
})

test('others read what is shared with them, and not what is public, or nothing of theirs', async () => {
  const blocks = { 1: block() }
  const own = await world.plant(blocks)
  const token = await tokenOf(own, 1)
  expect(await refusal(list(own, {}, mallory))).toEqual(notFound)
  expect(await refusal(get(own, 1, token, mallory))).toEqual(notFound)
  expect(await refusal(list('snap-fffffffffffffffff'))).toEqual(notFound)
  const shared = await world.plant(blocks, { sharedWith: [mallory.accountId] })
  const answer = await get(shared, 1, await tokenOf(shared, 1, mallory), mallory)
  expect(Buffer.from(await answer.BlockData!.transformToByteArray()).equals(blocks[1])).toBe(true)
  const everybodys = await world.plant(blocks, { isPublic: true })
  expect(await refusal(list(everybodys, {}, mallory))).toEqual(denied)
  expect((await list(everybodys)).Blocks).toHaveLength(1)
  const pending = await world.open()
  expect(await refusal(list(pending))).toEqual(invalid('INVALID_SNAPSHOT_ID'))
  expect(await refusal(list('snap-1'))).toEqual(notFound)
})

test('what walrus is about to hear of is waited for', async () => {
  const id = world.newId()
  const sent = put(id, 0, block())
  world.say(id, { staging: 'open' })
  expect((await sent).ChecksumAlgorithm).toBe('SHA256')
})

test('blocks are written, overwritten, and kept as other blocks are', async () => {
  const id = await world.open()
  const [a, b] = [block(), block()]
  expect(await put(id, 5, a, { Progress: 10 })).toMatchObject({
    Checksum: sha256(a),
    ChecksumAlgorithm: 'SHA256',
  })
  await put(id, 5, b, { Progress: 30 })
  await put(id, 6, b)
  await put(id, 2047, Buffer.alloc(blockBytes))
  const keys = await world.staged(id)
  expect(keys.map((key) => parseStagedKey(key)!.number)).toEqual([5, 6, 2047])
  const { body } = await walrus.asAgent(`/mallee-ebs/${keys[0]!}`)
  expect((await decodeBlock(body, parseStagedKey(keys[0]!)!.digest)).equals(b)).toBe(true)
  world.say(id, { staging: 'open', sharedWith: [mallory.accountId] }) // a new generation is a new look
  await eventually(() => world.factsOf(id)?.progress === 30)
  expect(world.factsOf(id)!.lastWrittenAtMs).toBeGreaterThan(Date.now() - 60_000)
})

test('a body that is signed and whose hash no header says is judged by its own bytes', async () => {
  const id = await world.open()
  const bytes = block()
  const headers = {
    ...{ 'x-amz-data-length': String(blockBytes), 'x-amz-checksum-algorithm': 'SHA256' },
    'x-amz-checksum': sha256(bytes),
  }
  const request = { method: 'PUT', path: `/snapshots/${id}/blocks/3`, service: 'ebs' }
  const told = async (sent: ReturnType<WalrusUnderTest['signed']>) => {
    const { status, headers: answered } = await sent
    return [status, answered['x-amzn-errortype']]
  }
  expect(await told(walrus.signed({ ...request, headers, body: bytes }))).toEqual([201, undefined])
  const wrong = [
    { body: block(), headers },
    { body: bytes, headers: { ...headers, 'x-amz-checksum': 'short' } },
    { body: Buffer.concat([bytes, bytes]), headers },
  ]
  for (const sent of wrong)
    expect(await told(walrus.signed({ ...request, ...sent }))).toEqual([400, 'ValidationException'])
  const whole = { ...headers, host: new URL(walrus.url).host, 'content-length': String(bytes.length) }
  const added = signRequest(
    { ...{ method: 'PUT', rawPath: request.path, rawQuery: '' }, headers: whole, body: bytes },
    { credentials: alice, region: 'us-east-1', service: 'ebs', now: new Date() },
  )
  const other = walrus.send({ ...request, headers: { ...whole, ...added }, body: block() })
  expect(await told(other)).toEqual([403, 'InvalidSignatureException'])
})

test('a block that is not as it is said leaves nothing', async () => {
  const id = await world.open()
  const bytes = block()
  const cases: [() => Promise<unknown>, string][] = [
    [() => put(id, 0, bytes, { Checksum: sha256(block()) }), 'INVALID_PARAMETER_VALUE'],
    [() => put(id, 0, bytes, { Checksum: 'AAAA' }), 'INVALID_PARAMETER_VALUE'],
    [() => put(id, 0, bytes, { ChecksumAlgorithm: 'MD5' }), 'INVALID_PARAMETER_VALUE'],
    [() => put(id, 0, bytes, { DataLength: 4096 }), 'INVALID_PARAMETER_VALUE'],
    [() => put(id, 0, bytes, { Progress: 101 }), 'INVALID_PARAMETER_VALUE'],
    [() => put(id, 0, bytes.subarray(1), { DataLength: blockBytes }), 'INVALID_PARAMETER_VALUE'],
    [() => put(id, 0, Buffer.concat([bytes, bytes]), { DataLength: blockBytes }), 'INVALID_PARAMETER_VALUE'],
    [() => put(id, 2048, bytes), 'INVALID_BLOCK'],
  ]
  for (const [at, [sent, reason]] of cases.entries())
    expect([at, await refusal(sent())]).toEqual([at, invalid(reason)])
  expect(await world.staged(id)).toEqual([])
})

test('others write nothing, and nobody writes what is complete', async () => {
  const id = await world.open()
  expect(await refusal(put(id, 0, block(), {}, mallory))).toEqual(notFound)
  const shared = await world.open({ sharedWith: [mallory.accountId] })
  expect(await refusal(put(shared, 0, block(), {}, mallory))).toEqual(denied)
  const complete = await world.plant({ 0: block() })
  expect(await refusal(put(complete, 0, block()))).toEqual(invalid('INVALID_SNAPSHOT_ID'))
  expect(await world.staged(shared)).toEqual([])
})

test('sealed, a snapshot takes nothing; then what was written goes, and walrus says so', async () => {
  const id = await world.open()
  const before = (await walrus.files()).length
  for (const number of [0, 1, 2]) await put(id, number, block())
  world.say(id, { staging: 'sealed' })
  await eventually(() => world.stagingOf(id) === 'sealed')
  expect(await refusal(put(id, 3, block()))).toEqual(invalid('INVALID_SNAPSHOT_ID'))
  expect(await world.staged(id)).toHaveLength(3)
  world.say(id, { staging: 'remove' })
  await eventually(() => world.stagingOf(id) === 'gone')
  expect(await refusal(put(id, 3, block()))).toEqual(notFound)
  expect(await world.staged(id)).toEqual([])
  expect((await walrus.files()).length).toBe(before)
})

test('no block that was answered comes after the seal: it is said when the last write ended', async () => {
  const items = (staging: 'open' | 'sealed') => [
    {
      kind: 'readable-snapshot' as const,
      id: 's',
      generation: staging === 'open' ? 1 : 2,
      digest: '',
      body: { staging } as never,
    },
  ]
  const known = new KnownSnapshots(systemClock)
  known.replace(items('open'))
  const writing = Promise.withResolvers<string>()
  const written = known.write('s', () => writing.promise)
  known.apply(changeOf(items('open'), items('sealed')))
  let settled = false
  const done = known.settled().then(() => (settled = true))
  expect(await known.write('s', () => Promise.resolve('late'))).toBeNull()
  expect(settled).toBe(false)
  writing.resolve('kept')
  await done
  expect(await written).toBe('kept')
})

test('blocks of a snapshot that no set names are found, and removed on request', async () => {
  const id = await world.open()
  await put(id, 0, block())
  const kept = await world.open()
  await put(kept, 0, block())
  walrus.cloud.drop('readable-snapshot', id)
  const inventory = async (count: number, removals: object[] = []) => {
    walrus.cloud.askInventory({ count, removals: removals as never })
    await eventually(() => walrus.cloud.lastInventory?.count === count)
    const { entries, removals: done } = walrus.cloud.lastInventory!
    return { entries: entries.filter(({ kind }) => kind === 'staged-snapshot'), done }
  }
  const found = (await inventory(1)).entries
  expect(found.find((entry) => entry.id === id)).toMatchObject({ owner: null })
  expect(found.find((entry) => entry.id === kept)).toMatchObject({ owner: kept })
  const removed = await inventory(2, [
    { kind: 'staged-snapshot', id },
    { kind: 'staged-snapshot', id: kept },
  ])
  expect(removed.done.map(({ done }) => done)).toEqual([true, false])
  expect([await world.staged(id), (await world.staged(kept)).length]).toEqual([[], 1])
})

test('the scope of the signature decides: a bucket may be named as the paths are', async () => {
  const s3 = walrus.sdk()
  const id = await world.plant({ 0: block() })
  await s3.send(new CreateBucketCommand({ Bucket: 'snapshots' }))
  await s3.send(new PutObjectCommand({ Bucket: 'snapshots', Key: `${id}/blocks`, Body: 'of a bucket' }))
  const object = await s3.send(new GetObjectCommand({ Bucket: 'snapshots', Key: `${id}/blocks` }))
  expect(await object.Body!.transformToString()).toBe('of a bucket')
  expect((await list(id)).Blocks).toHaveLength(1)
  expect((await walrus.send({ path: `/snapshots/${id}/blocks` })).code).toBe('AccessDenied')
})

test('bad signatures and other operations are answered in the words of this service', async () => {
  const id = await world.plant({ 0: block() })
  const path = `/snapshots/${id}/blocks`
  const of = async (sent: ReturnType<typeof walrus.signed>) => {
    const { status, headers } = await sent
    return [status, headers['x-amzn-errortype']]
  }
  const signed = (more: object) => of(walrus.signed({ path, service: 'ebs', ...more }))
  expect(await signed({})).toEqual([200, undefined])
  expect(await signed({ as: { ...alice, secretAccessKey: 'other' } })).toEqual([
    403,
    'InvalidSignatureException',
  ])
  expect(await signed({ as: { ...alice, accessKeyId: 'AKIAUNKNOWN' } })).toEqual([
    403,
    'UnrecognizedClientException',
  ])
  expect(await signed({ now: new Date(Date.now() - 3_600_000) })).toEqual([403, 'InvalidSignatureException'])
  expect(await signed({ path: '/snapshots' })).toEqual([404, 'UnknownOperationException'])
  expect(await signed({ method: 'DELETE' })).toEqual([404, 'UnknownOperationException'])
  const start = world.sdk().send(new StartSnapshotCommand({ VolumeSize: 1 }))
  expect((await refusal(start))[0]).toBe(404)
  const unsigned = { method: 'PUT', path: `${path}/0`, body: block() }
  expect(await signed({ ...unsigned, payloadHash: 'UNSIGNED-PAYLOAD' })).toEqual([400, 'ValidationException'])
  expect(await signed({ payloadHash: 'UNSIGNED-PAYLOAD' })).toEqual([403, 'IncompleteSignatureException'])
})

test('an account that asks for too much at once is throttled, and others are not', async () => {
  const waiting = { path: '/snapshots/snap-eeeeeeeeeeeeeeeee/blocks', service: 'ebs' }
  const sent = Array.from({ length: 140 }, () => walrus.signed(waiting))
  const id = await world.plant({ 0: block() }, { sharedWith: [mallory.accountId] })
  expect((await list(id, {}, mallory)).Blocks).toHaveLength(1)
  const answers = (await Promise.all(sent)).map(({ headers }) => headers['x-amzn-errortype'])
  expect(new Set(answers)).toEqual(new Set(['ResourceNotFoundException', 'RequestThrottledException']))
  expect(answers.filter((name) => name === 'RequestThrottledException').length).toBeGreaterThanOrEqual(12)
})

test('a damaged block is our fault, and is not given out', async () => {
  const bytes = block()
  const id = await world.plant({ 0: bytes })
  const token = await tokenOf(id, 0)
  await walrus.walrus.index.transaction('action', (tx) =>
    tx.db
      .deleteFrom('object')
      .where('key', 'like', `%${Buffer.from(sha256(bytes), 'base64').toString('hex')}`)
      .execute(),
  )
  expect(await refusal(get(id, 0, token))).toEqual([500, 'InternalServerException', undefined])
})
