import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { request as httpRequest, type Agent, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { signRequest } from '@mallee/aws-protocol'
import { silentLog, systemClock, type Clock, type Log } from '@mallee/base'
import type { AccessKeyItem } from '@mallee/agent-contract'
import { saveIdentity } from '@mallee/agent-kit'
import { createAuthority, issueCertificate, walrusServerName, type KeyAndCertificate } from '@mallee/pki'
import { buildWalrus, type Walrus } from '../src/app.ts'
import type { WalrusConfig } from '../src/config.ts'
import type { BlobDriver } from '../src/drivers/blob-driver.ts'
import type { StorageDependencies } from '../src/open-storage.ts'
import { FakeCloud } from './fake-cloud.ts'

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  readonly code: string | undefined
}

export interface AgentRequest {
  readonly method?: string
  readonly body?: Buffer
  readonly headers?: Record<string, string>
  readonly kind?: string
  readonly authority?: KeyAndCertificate
}

const keyOf = (name: string, number: number): AccessKeyItem => ({
  accessKeyId: `AKIA${name.toUpperCase().padEnd(16, 'A')}`,
  secretAccessKey: `secret-of-${name}`,
  accountId: String(100_000_000_000 + number),
  canonicalId: String(number).padStart(64, '0'),
  accountName: name,
  userId: `AIDA${number}`,
  userName: 'admin',
  enabled: true,
})

export const alice = keyOf('alice', 1)
export const mallory = keyOf('mallory', 2)

/** Waits until the condition gives something; for things that happen by themselves. */
export async function eventually<T>(
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
): Promise<T> {
  const until = Date.now() + 20_000
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > until) throw new Error('it did not come')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A walrus on a port of its own, with a cloud that believes alice and mallory. */
export class WalrusUnderTest {
  readonly dir: string
  readonly cloud: FakeCloud
  readonly authority: KeyAndCertificate
  private readonly log: Log
  private readonly more: Partial<WalrusConfig>
  private readonly clock: Clock
  walrus!: Walrus
  faults: ((driver: BlobDriver) => BlobDriver) | null = null
  /** Faults of the index, and whom commits are told. */
  storage: Pick<StorageDependencies, 'indexFaults' | 'onCommit'> = {}
  url = ''

  private constructor(
    dir: string,
    authority: KeyAndCertificate,
    options: { log: Log; more: Partial<WalrusConfig>; clock: Clock },
  ) {
    this.dir = dir
    this.authority = authority
    this.log = options.log
    this.more = options.more
    this.clock = options.clock
    this.cloud = new FakeCloud()
  }

  /** `more` are settings that differ from the defaults. */
  static async start(
    log: Log = silentLog,
    more: Partial<WalrusConfig> = {},
    clock: Clock = systemClock,
  ): Promise<WalrusUnderTest> {
    const dir = await mkdtemp(path.join(tmpdir(), 'mallee-walrus-'))
    const authority = await createAuthority('test cloud', Date.now())
    const own = await issueCertificate({
      authority,
      commonName: 'agent-1',
      names: { uri: ['mallee://walrus/agent-1'], dns: [walrusServerName] },
      nowMs: Date.now(),
    })
    await saveIdentity(path.join(dir, 'agent'), {
      agentId: 'agent-1',
      kind: 'walrus',
      name: 'walrus',
      availabilityZone: 'us-east-1a',
      region: 'us-east-1',
      key: own.key,
      certificate: own.certificate,
      authority: authority.certificate,
      cloudUrl: 'https://127.0.0.1:1',
    })
    const test = new WalrusUnderTest(dir, authority, { log, more, clock })
    test.cloud.putKey(alice)
    test.cloud.putKey(mallory)
    await test.open()
    return test
  }

  get config(): WalrusConfig {
    return {
      dir: path.join(this.dir, 'agent'),
      dataDir: path.join(this.dir, 'data'),
      cloudUrl: 'https://127.0.0.1:1',
      joinTokenFile: path.join(this.dir, 'token'),
      name: 'walrus',
      listen: { host: '127.0.0.1', port: 0 },
      region: 'us-east-1',
      logLevel: 'info',
      ...this.more,
    }
  }

  async open(): Promise<void> {
    this.walrus = await buildWalrus(this.config, {
      log: this.log,
      clock: this.clock,
      cloud: this.cloud,
      ...(this.faults ? { faults: this.faults } : {}),
      ...this.storage,
    })
    this.url = await this.walrus.listener.listen(this.config.listen)
    await this.walrus.join()
    await eventually(async () => (await this.send({ path: '/readyz' })).status === 200)
  }

  async restart(): Promise<void> {
    await this.walrus.close()
    await this.open()
  }

  async stop(): Promise<void> {
    await this.walrus.close()
    await rm(this.dir, { recursive: true, force: true })
  }

  /** AWS's own client. */
  sdk(key: AccessKeyItem = alice): S3Client {
    return new S3Client({
      endpoint: this.url,
      region: 'us-east-1',
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey },
    })
  }

  /** A request as it stands, without a signature. */
  send(options: {
    method?: string
    path: string
    headers?: Record<string, string>
    body?: Uint8Array | string
    agent?: Agent
  }): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        `${this.url}${options.path}`,
        { method: options.method ?? 'GET', headers: options.headers ?? {}, agent: options.agent ?? false },
        (incoming) => {
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
          incoming.on('error', reject)
          incoming.on('end', () => {
            const body = Buffer.concat(chunks)
            const text = body.toString('utf8')
            resolve({
              status: incoming.statusCode ?? 0,
              headers: incoming.headers,
              body,
              text,
              code: /<Code>([^<]*)<\/Code>/.exec(text)?.[1],
            })
          })
        },
      )
      outgoing.on('error', reject)
      outgoing.end(options.body)
    })
  }

  /** By certificate and without a signature, as agents ask. */
  async asAgent(target: string, asked: AgentRequest = {}): Promise<{ status: number; body: Buffer }> {
    const { key, certificate } = await issueCertificate({
      authority: asked.authority ?? this.authority,
      commonName: 'agent-7',
      names: { uri: [`mallee://${asked.kind ?? 'storage'}/agent-7`] },
      nowMs: Date.now(),
    })
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(
        {
          ...{ host: '127.0.0.1', port: new URL(this.url).port, path: target, agent: false },
          ...{ method: asked.method ?? 'GET', headers: asked.headers ?? {} },
          ...{ servername: walrusServerName, ca: this.authority.certificate, key, cert: certificate },
        },
        (incoming) => {
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks) }))
        },
      )
      outgoing.on('error', reject)
      outgoing.end(asked.body)
    })
  }

  /** The same, signed. */
  signed(options: {
    method?: string
    path: string
    headers?: Record<string, string>
    body?: Uint8Array | string
    payloadHash?: string
    as?: AccessKeyItem
    service?: string
    now?: Date
    agent?: Agent
  }): Promise<Reply> {
    const [rawPath = '/', rawQuery = ''] = options.path.split('?', 2)
    const headers: Record<string, string> = {
      host: new URL(this.url).host,
      ...(options.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(options.body)) }),
      ...options.headers,
    }
    const added = signRequest(
      {
        method: options.method ?? 'GET',
        rawPath,
        rawQuery,
        headers,
        ...(options.body === undefined ? {} : { body: options.body }),
        ...(options.payloadHash === undefined ? {} : { payloadHash: options.payloadHash }),
      },
      {
        credentials: options.as ?? alice,
        region: 'us-east-1',
        service: options.service ?? 's3',
        now: options.now ?? new Date(),
      },
    )
    return this.send({ ...options, headers: { ...headers, ...added } })
  }

  /** Names of what holds bytes now: files, those still coming in, and rows of the index. */
  async files(): Promise<string[]> {
    await this.walrus.blobs.settled()
    const found = await readdir(path.join(this.dir, 'data'), { recursive: true, withFileTypes: true })
    const small = await this.walrus.index.read((db) =>
      db.selectFrom('blob').select('id').where('bytes', 'is not', null).execute(),
    )
    return [
      ...found
        .filter((entry) => entry.isFile() && !/^(?:index\.db|store\.json)/.test(entry.name))
        .map((entry) => entry.name),
      ...small.map((row) => row.id),
    ]
  }
}
