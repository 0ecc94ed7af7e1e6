import { afterEach, beforeEach, expect, test } from 'vitest'
import { sql } from 'kysely'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

let under: WalrusUnderTest
const start = async (more: Parameters<typeof WalrusUnderTest.start>[1] = {}) => {
  under = await WalrusUnderTest.start(undefined, more)
}
beforeEach(() => start())
afterEach(() => under.stop())

const journal = () =>
  under.walrus.index.read((db) => db.selectFrom('audit_line').selectAll().orderBy('sequence').execute())
/** All that was ever written down, wherever it is now. */
const known = async () => {
  const left = (await journal()).map(({ body }) => JSON.parse(body) as { eventName: string; eventId: string })
  const ids = new Set(under.cloud.lines.map((line) => line.eventId))
  return [...under.cloud.lines, ...left.filter((line) => !ids.has(line.eventId))].map(
    (line) => line.eventName,
  )
}
const put = (path: string, as = alice) => under.signed({ method: 'PUT', path, as, body: '' })

test('what is about buckets is written down before it is answered, and comes to the cloud once', async () => {
  under.cloud.away = true
  await put('/photos')
  expect(await known()).toEqual(['CreateBucket'])
  await under.signed({ path: '/photos?acl' })
  await put('/photos/key')
  await under.signed({ path: '/photos/key' })
  expect(await known()).toEqual(['CreateBucket', 'GetBucketAcl'])
  under.cloud.away = false
  await eventually(async () => (await journal()).length === 0)
  expect(under.cloud.lines.map((line) => line.sequence)).toEqual([1, 2])
  expect(under.cloud.lines[0]).toMatchObject({
    eventName: 'CreateBucket',
    accountId: alice.accountId,
    principal: { type: 'Root', id: alice.accountId, arn: `arn:aws:iam::${alice.accountId}:root` },
    accessKeyId: alice.accessKeyId,
    sourceIp: '127.0.0.1',
    readOnly: false,
    management: true,
    errorCode: null,
    resources: ['arn:aws:s3:::photos'],
  })
})

test('whoever is turned away is written down, whatever it was about', async () => {
  under.cloud.away = true
  await put('/photos')
  expect((await under.signed({ path: '/photos/key', as: mallory })).status).toBe(403)
  expect((await under.send({ path: '/photos/key' })).status).toBe(403)
  const wrong = { ...alice, secretAccessKey: 'wrong' }
  expect((await under.signed({ path: '/photos/key', as: wrong })).status).toBe(403)
  expect((await under.signed({ path: '/photos/none' })).status).toBe(404)
  const lines = (await journal()).map(({ body }) => JSON.parse(body) as Record<string, unknown>)
  expect(lines.slice(1).map((line) => [line['eventName'], line['errorCode'], line['accountId']])).toEqual([
    ['GetObject', 'AccessDenied', mallory.accountId],
    ['GetObject', 'AccessDenied', null],
    ['unknown', 'SignatureDoesNotMatch', null],
  ])
  expect(lines[3]).toMatchObject({ accessKeyId: alice.accessKeyId, resources: ['arn:aws:s3:::photos'] })
  expect(JSON.stringify(lines)).not.toContain('secret-of')
})

test('nothing is lost and nothing comes twice over a restart and an answer that never came', async () => {
  under.cloud.answersAreLost = true
  await put('/one')
  await eventually(() => under.cloud.lines.length === 1)
  await under.walrus.close()
  under.cloud.away = true
  under.cloud.answersAreLost = false
  await under.open()
  await put('/two')
  under.cloud.away = false
  await eventually(async () => (await journal()).length === 0)
  expect(under.cloud.lines.map((line) => line.sequence)).toEqual([1, 2])
})

test('the cloud is told what buckets hold, for the bill', async () => {
  await put('/photos')
  await under.signed({ method: 'PUT', path: '/photos/key', body: 'a'.repeat(1000) })
  await under.restart()
  await eventually(() => under.cloud.buckets.length > 0)
  expect(under.cloud.buckets).toEqual([{ bucket: 'photos', accountId: alice.accountId, bytes: 1000 }])
})

test("files of trails are written into their account's bucket, and into no other's", async () => {
  await put('/logs')
  const file = { accountId: alice.accountId, bucket: 'logs', content: Buffer.from('file').toString('base64') }
  under.cloud.files = [
    { ...file, id: 'good', key: 'AWSLogs/a.json.gz' },
    { ...file, id: 'foreign', key: 'AWSLogs/b.json.gz', accountId: mallory.accountId },
    { ...file, id: 'missing', key: 'AWSLogs/c.json.gz', bucket: 'none' },
  ]
  await under.restart()
  await eventually(() => under.cloud.written.length === 3)
  expect(under.cloud.written).toEqual([
    { id: 'good', error: null },
    { id: 'foreign', error: 'AccessDenied' },
    { id: 'missing', error: 'AccessDenied' },
  ])
  expect((await under.signed({ path: '/logs/AWSLogs/a.json.gz' })).text).toBe('file')
  expect((await under.signed({ path: '/logs/AWSLogs/b.json.gz' })).status).toBe(404)
})

test('an index from a backup goes on after what the cloud has', async () => {
  await under.walrus.close()
  under.cloud.kept = 40
  await under.open()
  await put('/one')
  await eventually(() => under.cloud.lines.length === 1)
  expect(under.cloud.lines[0]!.sequence).toBeGreaterThan(40)
})

test('reads and writes of objects are written down where the administrator wants it', async () => {
  await under.stop()
  await start({ auditDataEvents: true })
  under.cloud.away = true
  await put('/photos')
  await put('/photos/key')
  await under.signed({ path: '/photos/key' })
  await under.signed({ path: '/photos/none' })
  expect(await known()).toEqual(['CreateBucket', 'PutObject', 'GetObject', 'GetObject'])
})

test('where it cannot be written down, what was done is not answered', async () => {
  under.cloud.away = true
  await under.walrus.index.transaction('action', (tx) => sql`drop table audit_line`.execute(tx.db))
  expect((await put('/photos')).status).toBe(503)
  expect((await under.signed({ path: '/photos/none' })).status).toBe(404)
})
