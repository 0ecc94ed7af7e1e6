import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLog } from '@mallee/base'
import { WalrusUnderTest, type Reply } from '../walrus-under-test.ts'
import { callNames, FaultPlan, type CallName, type Fault } from './fault-plan.ts'

const bucket = 'kept'
const old = Buffer.alloc(100_000, 'old')
const small = Buffer.alloc(5_000, 'small')
const large = Buffer.alloc(150_000, 'large')
const blocks = Buffer.alloc(1_200_000, 'blocks')
const writing = ['open', 'writev', 'datasync', 'close', 'rename', 'sync']
const sealed = { 'x-amz-server-side-encryption': 'AES256' }
/** An fsync is begun after 8 MiB. */
const huge = Buffer.alloc(8_500_000, 'huge')
const key = `/${bucket}/key`

let test: WalrusUnderTest
let plan: FaultPlan
let stop: () => void

beforeAll(async () => {
  test = await WalrusUnderTest.start(silentLog, { scrubBytesPerSecond: 0 })
  plan = new FaultPlan(`${test.dir}/data`)
  test.storage = { indexFaults: plan.index }
  await test.restart()
  stop = plan.watch()
  await test.signed({ method: 'PUT', path: `/${bucket}` })
  await put(`/${bucket}/source`, large)
})
afterAll(async () => {
  stop()
  await test.stop()
})

async function put(path: string, body: Buffer): Promise<void> {
  expect((await test.signed({ method: 'PUT', path, body })).status).toBe(200)
}

async function begun(): Promise<string> {
  const answer = await test.signed({ method: 'POST', path: `${key}?uploads` })
  return /<UploadId>([^<]+)/.exec(answer.text)![1]!
}

interface Scenario {
  readonly what: string
  /** Calls on files that it is known to make. */
  readonly files?: readonly string[]
  /** What the key holds if it is done; null for nothing. */
  readonly after: Buffer | null
  /** Where only these calls are of interest. */
  readonly only?: readonly CallName[]
  /** Its bytes are another object's too. */
  readonly shares?: boolean
  /** Makes ready, without faults; answers what the request needs. */
  readonly prepare?: () => Promise<string>
  readonly ask: (prepared: string) => Promise<Reply>
  /** Clears away what was made ready. */
  readonly clear?: (prepared: string) => Promise<unknown>
}

const abort = (id: string) => test.signed({ method: 'DELETE', path: `${key}?uploadId=${id}` })
const putPart = (id: string) =>
  test.signed({ method: 'PUT', path: `${key}?partNumber=1&uploadId=${id}`, body: large })

const scenarios: readonly Scenario[] = [
  {
    what: 'PutObject, small',
    after: small,
    ask: () => test.signed({ method: 'PUT', path: key, body: small }),
  },
  {
    what: 'PutObject, large',
    files: writing,
    after: blocks,
    ask: () => test.signed({ method: 'PUT', path: key, body: blocks }),
  },
  {
    what: 'PutObject that is synced while it comes',
    only: ['datasync', 'unlink'],
    files: ['datasync', 'datasync', 'unlink'],
    after: huge,
    ask: () => test.signed({ method: 'PUT', path: key, body: huge }),
  },
  {
    what: 'PutObject, encrypted',
    after: large,
    ask: () => test.signed({ method: 'PUT', path: key, body: large, headers: sealed }),
  },
  {
    what: 'CopyObject by its rows',
    shares: true,
    after: large,
    ask: () =>
      test.signed({ method: 'PUT', path: key, headers: { 'x-amz-copy-source': `${bucket}/source` } }),
  },
  {
    what: 'CopyObject that encrypts',
    files: ['read', ...writing],
    after: large,
    ask: () =>
      test.signed({
        method: 'PUT',
        path: key,
        headers: { 'x-amz-copy-source': `${bucket}/source`, ...sealed },
      }),
  },
  { what: 'UploadPart', after: old, prepare: begun, ask: putPart, clear: abort },
  {
    what: 'CompleteMultipartUpload',
    after: large,
    prepare: async () => {
      const id = await begun()
      return `${id} ${(await putPart(id)).headers.etag}`
    },
    ask: (prepared) => {
      const [id, etag] = prepared.split(' ')
      return test.signed({
        method: 'POST',
        path: `${key}?uploadId=${id}`,
        body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`,
      })
    },
    clear: (prepared) => abort(prepared.split(' ')[0]!),
  },
  { what: 'DeleteObject', after: null, ask: () => test.signed({ method: 'DELETE', path: key }) },
  {
    what: 'DeleteObjects',
    after: null,
    ask: () =>
      test.signed({
        method: 'POST',
        path: `/${bucket}?delete`,
        body: '<Delete><Object><Key>key</Key></Object></Delete>',
        headers: { 'content-md5': 'VUxjCEXWiErKatrg6+J0xA==' },
      }),
  },
]

/** Answers whether the call failed; else the request made fewer of them, and was done without a fault. */
async function run(scenario: Scenario, call: CallName, at: number, fault: Fault): Promise<boolean> {
  const label = `${scenario.what}: ${call} ${at}: ${fault}`
  await put(key, old)
  const before = await test.files()
  const prepared = (await scenario.prepare?.()) ?? ''
  plan.arm(call, at, fault)
  const answer = await scenario.ask(prepared)
  await test.walrus.blobs.settled()
  plan.disarm()
  const { failed } = plan
  const refusedInside = scenario.what === 'DeleteObjects' && answer.text.includes('<Error>')
  const done = answer.status < 300 && !refusedInside
  if (!done && !refusedInside) {
    const expected = fault === 'ENOSPC' ? [507, 'InsufficientStorage'] : [500, 'InternalError']
    expect([label, answer.status, answer.code]).toEqual([label, ...expected])
  }
  const holds = await test.signed({ path: key })
  const wanted = done ? scenario.after : old
  expect([label, holds.status]).toEqual([label, wanted ? 200 : 404])
  if (wanted) expect([label, holds.body.equals(wanted)]).toEqual([label, true])
  await scenario.clear?.(prepared)
  // Bytes that could not be removed are removed by the next start.
  if (call === 'unlink') await test.restart()
  const added = (await test.files()).length - before.length
  const fewer = !wanted || (done && scenario.shares)
  expect([label, added]).toEqual([label, fewer ? -1 : 0])
  return failed
}

describe.each(scenarios)('$what', (scenario) => {
  it.each(['ENOSPC', 'EIO'] as const)(
    'with %s at every call says so, loses nothing and leaves nothing',
    async (fault) => {
      const failed: string[] = []
      await run(scenario, 'commit', Number.POSITIVE_INFINITY, fault) // nothing fails: to see which calls there are
      const seen = callNames.filter((call) => plan.seen.has(call))
      for (const call of scenario.only ?? seen)
        for (let at = 1; await run(scenario, call, at, fault); at += 1) failed.push(call)
      if (!scenario.only) expect(failed).toContain('commit')
      if (scenario.files) expect(failed).toEqual(expect.arrayContaining([...scenario.files]))
    },
  )
})
