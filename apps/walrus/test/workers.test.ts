import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLog } from '@mallee/base'
import { presignRequest } from '@mallee/aws-protocol'
import { block, EbsWorld, sha256 } from './ebs-world.ts'
import { alice, eventually, mallory, WalrusUnderTest, type Reply } from './walrus-under-test.ts'

/** Walrus with two workers: processes of their own, which the test tells apart by what each says that it answered. */
let walrus: WalrusUnderTest
/** One connection to each. */
let one: Agent
let other: Agent

const both = () => [one, other]
const agent = () => new Agent({ keepAlive: true, maxSockets: 1 })

type Options = Omit<Parameters<WalrusUnderTest['signed']>[0], 'agent'>
const through = (by: Agent, options: Options): Promise<Reply> => walrus.signed({ ...options, agent: by })

async function put(by: Agent, path: string, body: Uint8Array | string, headers = {}): Promise<Reply> {
  return through(by, { method: 'PUT', path, body, headers })
}

async function figure(pattern: RegExp): Promise<number> {
  const lines = (await walrus.walrus.metrics.text()).split('\n').filter((line) => pattern.test(line))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

const answeredBy = (worker: number) =>
  figure(new RegExp(`^mallee_s3_worker_requests_total.*worker="${worker}"`))

/** Which worker serves a connection. */
async function workerOf(by: Agent): Promise<number> {
  const before = await answeredBy(1)
  await through(by, { path: '/' })
  return (await answeredBy(1)) > before ? 1 : 2
}

/** Connections to both workers, of which one may be new. */
async function connect(): Promise<void> {
  await eventually(async () => (await walrus.walrus.ready())['workers'] === null)
  await eventually(async () => {
    one = agent()
    other = agent()
    return (await workerOf(one)) !== (await workerOf(other))
  })
}

/** What the webhook was told. */
const told: string[] = []
const webhook = createServer((incoming, answer) => {
  void text(incoming).then((body) => {
    told.push(body)
    answer.end()
  })
})

beforeAll(async () => {
  webhook.listen(0, '127.0.0.1')
  await once(webhook, 'listening')
  const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`
  walrus = await WalrusUnderTest.start(silentLog, {
    ...{ workers: 2, logLevel: 'error' },
    webhooks: { ops: { url } },
  })
  await connect()
  expect((await through(one, { method: 'PUT', path: '/shared' })).status).toBe(200)
})
afterAll(async () => {
  await walrus.stop()
  webhook.close()
})

describe('two workers', () => {
  it('show at once what the other one took, and count as one', async () => {
    const before = await figure(/^mallee_s3_request_duration_seconds_count.*PutObject.*Success/)
    for (const [index, by] of [one, other, one, other].entries()) {
      const reader = by === one ? other : one
      const key = `/shared/seen-${index}`
      for (const body of [`small ${index}`, randomBytes(100_000)]) {
        expect((await put(by, key, body)).status).toBe(200)
        expect((await through(reader, { path: key })).body).toEqual(Buffer.from(body as string))
        expect((await through(reader, { path: '/shared?list-type=2' })).text).toContain(`seen-${index}`)
      }
      expect((await through(by, { method: 'DELETE', path: key })).status).toBe(204)
      expect((await through(reader, { path: key })).status).toBe(404)
    }
    expect(await figure(/^mallee_s3_request_duration_seconds_count.*PutObject.*Success/)).toBe(before + 8)
    expect(await answeredBy(1)).toBeGreaterThan(0)
    expect(await answeredBy(2)).toBeGreaterThan(0)
  })

  it('know at once what was set of a bucket', async () => {
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: {
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: 'arn:aws:s3:::shared/*',
      },
    })
    await put(one, '/shared/open', 'open')
    for (const [by, reader] of [both(), both().toReversed()] as [Agent, Agent][]) {
      expect((await through(reader, { path: '/shared/open', as: mallory })).status).toBe(403)
      expect((await put(by, '/shared?policy', policy)).status).toBe(200)
      expect((await through(reader, { path: '/shared/open', as: mallory })).status).toBe(200)
      expect((await through(by, { method: 'DELETE', path: '/shared?policy' })).status).toBe(204)
    }
  })

  it('let one of those win who all write where nothing is', async () => {
    for (let round = 0; round < 20; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_value, index) =>
          put(index % 2 ? one : other, `/shared/only-${round}`, `by ${index}`, { 'if-none-match': '*' }),
        ),
      )
      const winners = answers.flatMap(({ status }, index) => (status === 200 ? [index] : []))
      expect(winners.length, answers.map(({ status }) => status).join()).toBe(1)
      for (const by of both())
        expect((await through(by, { path: `/shared/only-${round}` })).text).toBe(`by ${winners[0]}`)
    }
  })

  it('keep every version that both write', async () => {
    await through(one, { method: 'PUT', path: '/versions' })
    const on = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
    expect((await put(other, '/versions?versioning', on)).status).toBe(200)
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_value, index) =>
        put(index % 2 ? one : other, '/versions/key', `${index}`),
      ),
    )
    const ids = answers.map(({ headers }) => headers['x-amz-version-id'] as string)
    expect(new Set(ids).size).toBe(60)
    const listed = (await through(one, { path: '/versions?versions' })).text
    expect(listed.match(/<Version>/g)?.length).toBe(60)
    expect(listed.match(/<IsLatest>true/g)?.length).toBe(1)
    for (const [index, id] of ids.entries())
      expect((await through(other, { path: `/versions/key?versionId=${id}` })).text).toBe(`${index}`)
  })

  it('have the first process told of events, which sends them at once', async () => {
    const topic = `arn:aws:sns:us-east-1:${alice.accountId}:ops`
    const events = `<TopicConfiguration><Topic>${topic}</Topic><Event>s3:ObjectCreated:*</Event></TopicConfiguration>`
    const body = `<NotificationConfiguration>${events}</NotificationConfiguration>`
    expect((await put(one, '/shared?notification', body)).status).toBe(200)
    for (const [index, by] of both().entries()) {
      expect((await put(by, `/shared/event-${index}`, 'x')).status).toBe(200)
      await eventually(() => told.some((event) => event.includes(`event-${index}`)))
    }
    await put(one, '/shared?notification', '<NotificationConfiguration/>')
  })

  it('make one object of parts that both took', async () => {
    const parts = [randomBytes(5 * 1024 ** 2), randomBytes(5 * 1024 ** 2), randomBytes(1000)]
    await makeOfParts('parts', parts)
    for (const by of both())
      expect((await through(by, { path: '/shared/parts' })).body.equals(Buffer.concat(parts))).toBe(true)
  })

  it('give all bytes of an object that was deleted through the other meanwhile, and then its room', async () => {
    const parts = [randomBytes(12 * 1024 ** 2), randomBytes(12 * 1024 ** 2), randomBytes(12 * 1024 ** 2)]
    await makeOfParts('doomed', parts)
    const before = await walrus.files()
    const download = await beginDownload('/shared/doomed', one)
    expect((await through(other, { method: 'DELETE', path: '/shared/doomed' })).status).toBe(204)
    expect((await through(other, { path: '/shared/doomed' })).status).toBe(404)
    expect((await download.rest()).equals(Buffer.concat(parts))).toBe(true)
    await eventually(async () => (await walrus.files()).length === before.length - parts.length)
  })

  it('act both by what the cloud says of keys before it is told that they do', async () => {
    const key = { ...mallory, accessKeyId: 'AKIAPASSINGPASSING00', secretAccessKey: 'passing' }
    for (const [generation, enabled] of [true, false, true, false].entries()) {
      walrus.cloud.putKey({ ...key, enabled })
      await eventually(
        () => walrus.cloud.observed('access-key', key.accessKeyId)?.generation === generation + 1,
      )
      for (const by of both())
        expect((await through(by, { path: '/', as: key })).status).toBe(enabled ? 200 : 403)
    }
    walrus.cloud.putKey({ ...key, enabled: true })
    await eventually(async () => (await through(one, { path: '/', as: key })).status === 200)
    walrus.cloud.drop('access-key', key.accessKeyId)
    for (const by of both())
      await eventually(async () => (await through(by, { path: '/', as: key })).status === 403)
  })
})

describe('a worker that is killed', () => {
  it('loses nothing that it acknowledged, leaves nothing, and is started again', async () => {
    await through(one, { method: 'PUT', path: '/killed' })
    for (let round = 0; round < 4; round += 1) await killOne(round)
  })

  it('lets go of what it was reading', async () => {
    await makeOfParts('held', [randomBytes(12 * 1024 ** 2), randomBytes(6 * 1024 ** 2)])
    const before = await walrus.files()
    const download = await beginDownload('/shared/held', one)
    const reader = 3 - (await workerOf(other))
    expect((await through(other, { method: 'DELETE', path: '/shared/held' })).status).toBe(204)
    const cut = download.rest().catch(() => null)
    kill(reader)
    await cut
    await eventually(async () => (await walrus.files()).length === before.length - 2)
    await connect()
  })
})

/** Kills one of the workers with SIGKILL while both take objects, small and large. */
async function killOne(round: number): Promise<void> {
  await connect()
  const agents = Array.from({ length: 8 }, agent)
  const acknowledged = new Map<string, Buffer>()
  let killed = false
  const writing = agents.map(async (by, writer) => {
    for (let index = 0; !killed || index < 3; index += 1) {
      const path = `/killed/${round}-${writer}-${index}`
      const body = randomBytes(index % 2 ? 300_000 : 3000)
      const answer = await put(by, path, body).catch(() => null)
      if (answer?.status === 200) acknowledged.set(path, body)
    }
  })
  await eventually(() => acknowledged.size >= 30)
  kill(1 + (round % 2))
  killed = true
  await Promise.all(writing)
  await connect()
  for (const [path, body] of acknowledged)
    expect((await through(round % 2 ? one : other, { path })).body.equals(body), path).toBe(true)
  // A file for each row, a row for each file, and nothing that somebody had begun.
  const named = await walrus.walrus.index.read((db) => db.selectFrom('blob').select('id').execute())
  await eventually(async () => {
    const found = await walrus.files()
    return (
      found.toSorted().join() ===
      named
        .map(({ id }) => id)
        .toSorted()
        .join()
    )
  })
}

const kill = (number: number): boolean =>
  process.kill(walrus.walrus.workerPids().get(number) as number, 'SIGKILL')

async function makeOfParts(key: string, parts: readonly Buffer[]): Promise<void> {
  const begun = await through(one, { method: 'POST', path: `/shared/${key}?uploads` })
  const id = /<UploadId>([^<]+)/.exec(begun.text)?.[1]
  const etags = await Promise.all(
    parts.map(async (bytes, index) => {
      const path = `/shared/${key}?partNumber=${index + 1}&uploadId=${id}`
      return (await put(index % 2 ? one : other, path, bytes)).headers.etag
    }),
  )
  const listed = etags.map(
    (etag, index) => `<Part><ETag>${etag}</ETag><PartNumber>${index + 1}</PartNumber></Part>`,
  )
  const body = `<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`
  const made = await through(other, { method: 'POST', path: `/shared/${key}?uploadId=${id}`, body })
  expect(made.status, made.text).toBe(200)
}

/** A download of which nobody has read more than its head. */
function beginDownload(rawPath: string, by: Agent): Promise<{ rest(): Promise<Buffer> }> {
  const { host, hostname, port } = new URL(walrus.url)
  const query = presignRequest(
    { method: 'GET', rawPath, headers: { host } },
    { credentials: alice, region: 'us-east-1', service: 's3', now: new Date(), expiresSeconds: 600 },
  )
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, path: `${rawPath}?${query}`, agent: by }, (incoming) => {
      expect(incoming.statusCode).toBe(200)
      resolve({ rest: () => buffer(incoming) })
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

describe('the blocks of snapshots', () => {
  const ebs = (by: Agent, path: string, body?: Buffer) => {
    const stated = { 'x-amz-data-length': '524288', 'x-amz-checksum-algorithm': 'SHA256' }
    const sent = body && { method: 'PUT', body, headers: { ...stated, 'x-amz-checksum': sha256(body) } }
    return through(by, { path, service: 'ebs', ...sent, ...(body && { payloadHash: 'UNSIGNED-PAYLOAD' }) })
  }

  it('are given out and taken by every worker, and taken by none when the seal is said', async () => {
    const world = new EbsWorld(walrus)
    const bytes = block()
    const read = await world.plant({ 4: bytes })
    await eventually(async () => (await ebs(other, `/snapshots/${read}/blocks`)).status === 200)
    const { Blocks: blocks } = JSON.parse((await ebs(one, `/snapshots/${read}/blocks`)).text) as {
      Blocks: { BlockToken: string }[]
    }
    const token = encodeURIComponent(blocks[0]!.BlockToken)
    expect((await ebs(other, `/snapshots/${read}/blocks/4?blockToken=${token}`)).body.equals(bytes)).toBe(
      true,
    )
    const written = await world.open()
    for (const [at, by] of both().entries())
      expect((await ebs(by, `/snapshots/${written}/blocks/${at}`, block())).status).toBe(201)
    world.say(written, { staging: 'sealed' })
    await eventually(() => world.stagingOf(written) === 'sealed')
    for (const by of both())
      expect((await ebs(by, `/snapshots/${written}/blocks/7`, block())).status).toBe(400)
    expect(await world.staged(written)).toHaveLength(2)
    world.say(written, { staging: 'remove' })
    await eventually(() => world.stagingOf(written) === 'gone')
    expect(await world.staged(written)).toEqual([])
  })
})
