import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { XMLParser } from 'fast-xml-parser'
import pg from 'pg'
import { silentLog, type Clock } from '@mallee/base'
import { signRequest } from '@mallee/aws-protocol'
import type {
  DesiredResponse,
  DomainFacts,
  NodeFingerprint,
  Observation,
  StorageFingerprint,
} from '@mallee/agent-contract'
import { createCertificateRequest } from '@mallee/pki'
import { buildCloudController, type CloudController } from '../src/app.ts'
import type { CloudControllerConfig } from '../src/config.ts'
import type { ActionWatch } from '../src/http/visit.ts'
import { openRecord } from '../src/store/record.ts'
import { makeSigningKey } from './signing-keys.ts'

export interface Credentials {
  readonly accountId: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of temporary credentials. */
  readonly sessionToken?: string
}

export interface Answer {
  readonly status: number
  readonly body: string
  readonly requestId: string
  /** The response element's members; lists of `item` are arrays. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read into answers of every action
  readonly xml: any
  readonly code: string | undefined
  readonly message: string | undefined
}

const parser = new XMLParser({ isArray: (name) => name === 'item', parseTagValue: false })

/** A cloud controller on a real record in a folder of its own; requests are signed and injected, agents are simulated. */
export class CloudUnderTest {
  readonly cloud: CloudController
  readonly dir: string
  readonly admin: Credentials
  private readonly sequences = new Map<string, number>()

  private constructor(cloud: CloudController, dir: string, admin: Credentials) {
    this.cloud = cloud
    this.dir = dir
    this.admin = admin
  }

  static async start(
    changes: Partial<CloudControllerConfig> = {},
    clock?: Clock,
    watch?: ActionWatch,
  ): Promise<CloudUnderTest> {
    const dir = await mkdtemp(path.join(tmpdir(), 'mallee-cloud-'))
    const config: CloudControllerConfig = {
      stateDir: dir,
      database: await testDatabase(dir),
      door: { socket: path.join(dir, 'door.sock') },
      agents: { host: '127.0.0.1', port: 0 },
      admin: { host: '127.0.0.1', port: 0 },
      adminSocket: path.join(dir, 'admin.sock'),
      region: 'us-east-1',
      availabilityZones: ['us-east-1a', 'us-east-1b'],
      publicPool: '198.18.0.0/24',
      placementPolicy: 'round-robin',
      endpoint: 'http://127.0.0.1:8773',
      pollSeconds: 1,
      terminatedVisibleMs: 3_600_000,
      metadataTokensRequired: true,
      logLevel: 'error',
      ...changes,
    }
    const cloud = await buildCloudController(config, {
      log: silentLog,
      makeSigningKey,
      ...(clock ? { clock } : {}),
      ...(watch ? { watch } : {}),
      agentPeer: (request) => {
        const [kind, agentId] = String(request.headers['x-test-peer'] ?? '').split('/')
        return kind && agentId ? { kind, agentId } : null
      },
    })
    cloud.start()
    const admin = JSON.parse(await readFile(path.join(dir, 'credentials.json'), 'utf8')) as Credentials
    return new CloudUnderTest(cloud, dir, admin)
  }

  async stop(): Promise<void> {
    await this.cloud.close()
    await rm(this.dir, { recursive: true, force: true })
  }

  /** A signed EC2 (or other) query. Parameters as on the wire: `{ 'InstanceId.1': 'i-…' }`. */
  async call(
    action: string,
    parameters: Record<string, string | number | boolean> = {},
    options: {
      as?: Credentials
      service?: string
      version?: string
      now?: Date
      /** Sent unsigned, as clients send traceparent. */
      headers?: Record<string, string>
    } = {},
  ): Promise<Answer> {
    const form = new URLSearchParams({ Action: action, Version: options.version ?? '2016-11-15' })
    for (const [name, value] of Object.entries(parameters)) form.append(name, String(value))
    const body = Buffer.from(form.toString())
    const headers = {
      host: '127.0.0.1:8773',
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    }
    const signed = signRequest(
      { method: 'POST', rawPath: '/', headers, body },
      {
        credentials: options.as ?? this.admin,
        region: 'us-east-1',
        service: options.service ?? 'ec2',
        now: options.now ?? new Date(),
      },
    )
    const response = await this.cloud.door.inject({
      method: 'POST',
      url: '/',
      headers: { ...headers, ...signed, ...options.headers },
      payload: body,
    })
    return answerOf(response)
  }

  /** A signed request of the EBS direct APIs, or any other with a JSON body. */
  async ebs(
    method: string,
    url: string,
    options: {
      as?: Credentials
      body?: object | string
      headers?: Record<string, string>
      service?: string
      secret?: string
      now?: Date
    } = {},
  ): Promise<{ status: number; type: string | undefined; json: Record<string, unknown> }> {
    const { as = this.admin, body = '', service = 'ebs' } = options
    const payload = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const [rawPath = '/', rawQuery = ''] = url.split('?', 2)
    const given = { host: '127.0.0.1:8773', 'content-type': 'application/json', ...options.headers }
    const headers = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]),
    )
    const signed = signRequest(
      { method, rawPath, rawQuery, headers, body: payload },
      {
        credentials: { ...as, ...(options.secret === undefined ? {} : { secretAccessKey: options.secret }) },
        ...{ region: 'us-east-1', service, now: options.now ?? new Date() },
      },
    )
    const response = await this.cloud.door.inject({
      ...{ method: method as 'POST', url, headers: { ...headers, ...signed }, payload },
    })
    return {
      status: response.statusCode,
      type: response.headers['x-amzn-errortype'] as string | undefined,
      json: JSON.parse(response.body) as Record<string, unknown>,
    }
  }

  async createAccount(name: string): Promise<Credentials> {
    const response = await this.cloud.adminDoor.inject({
      method: 'POST',
      url: '/admin/v1/accounts',
      payload: { name },
    })
    if (response.statusCode !== 200) throw new Error(response.body)
    return response.json() as Credentials
  }

  /** Registers an agent by token, as a real one does; answers its id. */
  async registerAgent(
    kind: 'node' | 'walrus' | 'storage',
    name: string,
    zone = 'us-east-1a',
  ): Promise<string> {
    const token = await this.cloud.adminDoor.inject({
      method: 'POST',
      url: '/admin/v1/tokens',
      payload: { kind, availabilityZone: zone },
    })
    const { request } = await createCertificateRequest(name)
    const response = await this.cloud.agentDoor.inject({
      method: 'POST',
      url: '/agent/v1/register',
      payload: { kind, name, token: (token.json() as { token: string }).token, certificateRequest: request },
    })
    if (response.statusCode !== 200) throw new Error(response.body)
    return (response.json() as { agentId: string }).agentId
  }

  async addNode(name: string, changes: Partial<NodeFingerprint> = {}, zone = 'us-east-1a'): Promise<string> {
    const id = await this.registerAgent('node', name, zone)
    await this.report('node', id, [], { ...roomyNode, hostname: name, ...changes })
    return id
  }

  async addStorage(name = 'storage', zone = 'us-east-1a'): Promise<string> {
    const id = await this.registerAgent('storage', name, zone)
    await this.report('storage', id, [], roomyStorage)
    return id
  }

  async desired(kind: string, agentId: string): Promise<DesiredResponse> {
    const response = await this.cloud.agentDoor.inject({
      method: 'GET',
      url: '/agent/v1/desired?revision=0&wait=0',
      headers: { 'x-test-peer': `${kind}/${agentId}` },
    })
    if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${response.body}`)
    return response.json() as DesiredResponse
  }

  async report(kind: string, agentId: string, observations: Observation[], fingerprint: object = roomyNode) {
    const sequence = (this.sequences.get(agentId) ?? 0) + 1
    this.sequences.set(agentId, sequence)
    const response = await this.cloud.agentDoor.inject({
      method: 'POST',
      url: '/agent/v1/observed',
      headers: { 'x-test-peer': `${kind}/${agentId}` },
      payload: { sequence, revision: 0, fingerprint, observations, undeclared: [] },
    })
    if (response.statusCode !== 200) throw new Error(response.body)
    // Its loop would see a while later that an agent speaks again which had fallen silent.
    this.cloud.reconcilers['agents']?.wake(agentId)
    return response.json() as { accepted: boolean }
  }

  /** Says of an instance's current incarnation what a node would say. */
  async reportDomain(nodeId: string, domainId: string, facts: Partial<DomainFacts>): Promise<void> {
    const item = (await this.desired('node', nodeId)).index.find((entry) => entry.id === domainId)
    const generation = item?.generation ?? 1
    await this.report('node', nodeId, [
      { kind: 'domain', id: domainId, generation, facts: { ...nothingYet, ...facts } },
    ])
    await this.settled()
  }

  /** Resolves when no reconciler has anything queued for now. */
  async settled(): Promise<void> {
    for (let rounds = 0; rounds < 3; rounds += 1) {
      for (const queue of Object.values(this.cloud.reconcilers)) await queue.idle()
    }
  }

  /** A usable machine image without any walrus: registered by rows, as if walrus had inspected it. */
  async plantImage(accountId: string, id = 'ami-0123456789abcdef0'): Promise<string> {
    await this.cloud.record.transaction('action', async (tx) => {
      await tx.db
        .insertInto('image')
        .values({
          id,
          account_id: accountId,
          kind: 'machine',
          name: 'planted',
          description: null,
          bucket: 'images',
          object_key: 'planted.img',
          state: 'available',
          state_reason: null,
          architecture: 'x86_64',
          root_device_name: '/dev/sda1',
          kernel_id: null,
          ramdisk_id: null,
          is_public: 0,
          format: 'raw',
          size_bytes: 1024,
          virtual_size_bytes: 1024,
          sha256: 'a'.repeat(64),
          created_at: 1,
        })
        .execute()
    })
    return id
  }
}

/** SQLite, or on request a new database of the PostgreSQL that the test run started. */
async function testDatabase(dir: string): Promise<CloudControllerConfig['database']> {
  const server = process.env['MALLEE_TEST_POSTGRES']
  if (server === undefined) {
    const file = path.join(dir, 'record.db')
    emptyFile ??= migratedFile()
    await writeFile(file, await emptyFile)
    return { engine: 'sqlite', file }
  }
  emptyDatabase ??= migratedDatabase(server)
  return { engine: 'postgres', url: urlOf(server, await newDatabase(server, await emptyDatabase)) }
}

/** Migrations take longer than the rest of a start: each file of tests goes through them once, and copies what comes of it. */
let emptyFile: Promise<Buffer> | null = null
let emptyDatabase: Promise<string> | null = null

async function migratedFile(): Promise<Buffer> {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-record-'))
  const file = path.join(dir, 'record.db')
  await (await openRecord({ engine: 'sqlite', file })).close()
  const database = new Database(file)
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
  const bytes = await readFile(file)
  await rm(dir, { recursive: true })
  return bytes
}

async function migratedDatabase(server: string): Promise<string> {
  const name = await newDatabase(server, 'template1')
  await (await openRecord({ engine: 'postgres', url: urlOf(server, name) })).close()
  return name
}

async function newDatabase(server: string, template: string): Promise<string> {
  const name = `t${randomUUID().replaceAll('-', '')}`
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(`create database ${name} template ${template}`)
  await client.end()
  return name
}

const urlOf = (server: string, name: string) => server.replace('/postgres?', `/${name}?`)

export const roomyNode: NodeFingerprint = {
  vcpus: 64,
  memoryMiB: 65_536,
  diskGiB: 1000,
  architecture: 'x86_64',
  accelerator: 'simulated',
  acceleratorReason: 'a test',
  hypervisor: 'simulated',
  network: 'simulated',
  hostname: 'test',
  address: null,
  healthy: true,
  problems: [],
}

export const roomyStorage: StorageFingerprint = {
  driver: 'simulated',
  totalBytes: 1e13,
  freeBytes: 1e13,
  healthy: true,
  problems: [],
  encrypts: true,
}

const nothingYet: DomainFacts = {
  state: 'preparing',
  endReason: null,
  message: null,
  startedAtMs: null,
  diskLost: false,
  rebootCount: 0,
  accelerator: null,
}

function answerOf(response: { statusCode: number; body: string; headers: Record<string, unknown> }): Answer {
  const document = parser.parse(response.body) as Record<string, Record<string, unknown>>
  const root = Object.entries(document).find(([name]) => !name.startsWith('?'))?.[1] ?? {}
  const error = /<Code>([^<]*)<\/Code>\s*<Message>([^<]*)<\/Message>/.exec(response.body)
  return {
    status: response.statusCode,
    body: response.body,
    requestId: String(response.headers['x-amzn-requestid'] ?? ''),
    xml: root,
    code: response.statusCode >= 300 ? error?.[1] : undefined,
    message: error?.[2],
  }
}
