import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { seededRandom, silentLog, type Random } from '@mallee/base'
import { WalrusUnderTest } from '../walrus-under-test.ts'
import { Recorder, type Call } from './recorder.ts'

/** What a client asked of one key, from before it asked until it was answered. */
export interface Request {
  readonly key: string
  readonly begin: number
  end: number
  /** SHA-256 of what the key holds afterwards; null: nothing. */
  readonly holds: string | null
}

export interface Recording {
  readonly calls: readonly Call[]
  readonly requests: readonly Request[]
  /** Moments of the recording are below this. */
  readonly moments: number
  /** The index before it began, and its log. */
  readonly index: Buffer
  readonly log: Buffer
  readonly store: Buffer
  /** Where the keys are that encrypted objects need. */
  readonly keys: Buffer
}

export const bucket = 'kept'
const clients = 3
const requestsPerClient = 9
/** In the index, a file of one piece, one of two blocks. */
const sizes = [1_000, 20_000, 50_000, 50_000, 1_100_000]

export const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** A few clients put, overwrite, copy, assemble and delete at the same time, through the door, on this machine's disk. */
export async function record(seed: number): Promise<Recording> {
  const recorder: { of: Recorder | null } = { of: null }
  const test = await WalrusUnderTest.start(silentLog, { scrubBytesPerSecond: 0 })
  try {
    test.storage = { onCommit: () => recorder.of?.onCommit() }
    await test.signed({ method: 'PUT', path: `/${bucket}` })
    await test.restart()
    await test.signed({ method: 'PUT', path: `/${bucket}/before`, body: 'before' })
    const data = path.join(test.dir, 'data')
    const base = {
      index: readFileSync(path.join(data, 'index.db')),
      log: readFileSync(path.join(data, 'index.db-wal')),
      store: readFileSync(path.join(data, 'store.json')),
      keys: readFileSync(path.join(test.dir, 'agent', 'sse-keys.json')),
    }
    const tape = new Recorder(data)
    recorder.of = tape
    const stop = tape.watch()
    const requests: Request[] = [
      { key: 'before', begin: -2, end: -1, holds: digestOf(Buffer.from('before')) },
    ]
    try {
      await Promise.all(
        Array.from({ length: clients }, (_value, number) =>
          new Client(test, tape, requests, `c${number}`, seededRandom(seed * 100 + number)).run(),
        ),
      )
      await test.walrus.blobs.settled()
    } finally {
      stop()
      recorder.of = null
    }
    return { ...base, calls: tape.calls, requests, moments: tape.now() }
  } finally {
    await test.stop()
  }
}

class Client {
  private readonly test: WalrusUnderTest
  private readonly tape: Recorder
  private readonly requests: Request[]
  private readonly name: string
  private readonly random: Random

  constructor(test: WalrusUnderTest, tape: Recorder, requests: Request[], name: string, random: Random) {
    this.test = test
    this.tape = tape
    this.requests = requests
    this.name = name
    this.random = random
  }

  async run(): Promise<void> {
    const held = new Map<string, Buffer>()
    for (let number = 0; number < requestsPerClient; number += 1) {
      const key = `${this.name}-${this.below(4)}`
      const kind = ['put', 'put', 'put', 'sealed', 'copy', 'assemble', 'delete'][this.below(7)]!
      const from = [...held.keys()][0]
      if (kind === 'delete') {
        await this.ask(key, null, { method: 'DELETE', path: `/${bucket}/${key}` })
        held.delete(key)
      } else if (kind === 'copy' && from !== undefined && from !== key) {
        const headers = { 'x-amz-copy-source': `${bucket}/${from}` }
        await this.ask(key, held.get(from)!, { method: 'PUT', path: `/${bucket}/${key}`, headers })
        held.set(key, held.get(from)!)
      } else {
        const body = Buffer.alloc(sizes[this.below(sizes.length)]!, Buffer.from(this.random.bytes(61)))
        const headers: Record<string, string> =
          kind === 'sealed' ? { 'x-amz-server-side-encryption': 'AES256' } : {}
        if (kind === 'assemble') await this.assemble(key, body)
        else await this.ask(key, body, { method: 'PUT', path: `/${bucket}/${key}`, headers, body })
        held.set(key, body)
      }
    }
  }

  private async assemble(key: string, body: Buffer): Promise<void> {
    const begun = await this.test.signed({ method: 'POST', path: `/${bucket}/${key}?uploads` })
    const id = /<UploadId>([^<]+)/.exec(begun.text)![1]!
    const part = await this.test.signed({
      method: 'PUT',
      path: `/${bucket}/${key}?partNumber=1&uploadId=${id}`,
      body,
    })
    await this.ask(key, body, {
      method: 'POST',
      path: `/${bucket}/${key}?uploadId=${id}`,
      body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers.etag}</ETag></Part></CompleteMultipartUpload>`,
    })
  }

  private async ask(
    key: string,
    holds: Buffer | null,
    request: Parameters<WalrusUnderTest['signed']>[0],
  ): Promise<void> {
    const asked: Request = {
      key,
      begin: this.tape.now(),
      end: Number.POSITIVE_INFINITY,
      holds: holds && digestOf(holds),
    }
    this.requests.push(asked)
    const answer = await this.test.signed(request)
    if (answer.status >= 300) throw new Error(`${request.method} ${key}: ${answer.text}`)
    asked.end = this.tape.now()
  }

  private below(count: number): number {
    return Math.floor(this.random.fraction() * count)
  }
}
