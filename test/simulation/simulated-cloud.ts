import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { silentLog, type Clock, type Random } from '@mallee/base'
import type { DesiredResponse, Report } from '@mallee/agent-contract'
import { signRequest } from '@mallee/aws-protocol'
import { buildCloudController, type CloudController } from '@mallee/cloud-controller'
import { createCertificateRequest } from '@mallee/pki'
import type { Guards } from './guards.ts'
import { MachineClock, SimulatedClock } from './simulated-clock.ts'
import { StoreFaults } from './store-faults.ts'

export const nodeFingerprint = {
  vcpus: 32,
  memoryMiB: 32_768,
  diskGiB: 500,
  architecture: 'x86_64',
  accelerator: 'simulated',
  acceleratorReason: 'simulation',
  hypervisor: 'simulated',
  network: 'simulated',
  hostname: 'simulated',
  healthy: true,
  problems: [],
}

/** fsync costs nothing there, and durability across our own crash is not what this proves. */
const fastDir = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const imageId = 'ami-0123456789abcdef0'

/** A state folder after its first start with three nodes joined, copied for every seed. */
export async function makeTemplate(
  clock: SimulatedClock,
  random: Random,
  nodes: number,
): Promise<{ dir: string; nodeIds: string[] }> {
  const dir = await mkdtemp(path.join(fastDir, 'mallee-sim-template-'))
  const cloud = await open(dir, clock, random)
  const nodeIds: string[] = []
  for (let index = 0; index < nodes; index += 1) {
    const token = await cloud.adminDoor.inject({
      method: 'POST',
      url: '/admin/v1/tokens',
      payload: { kind: 'node', availabilityZone: 'us-east-1a' },
    })
    const { request } = await createCertificateRequest('node')
    const answer = await cloud.agentDoor.inject({
      method: 'POST',
      url: '/agent/v1/register',
      payload: {
        kind: 'node',
        name: `n${index}`,
        token: (token.json() as { token: string }).token,
        certificateRequest: request,
      },
    })
    nodeIds.push((answer.json() as { agentId: string }).agentId)
  }
  const { accountId } = credentialsIn(dir)
  await cloud.record.transaction('action', (tx) =>
    tx.db.insertInto('image').values(plantedImage(accountId)).execute(),
  )
  await cloud.close()
  return { dir, nodeIds }
}

interface Credentials {
  readonly accountId: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

function credentialsIn(dir: string): Credentials {
  return JSON.parse(readFileSync(path.join(dir, 'credentials.json'), 'utf8')) as Credentials
}

function open(dir: string, clock: Clock, random: Random, guards?: Guards): Promise<CloudController> {
  return buildCloudController(
    {
      stateDir: dir,
      database: { engine: 'sqlite', file: path.join(dir, 'record.db') },
      door: { socket: 'none' },
      agents: { host: '127.0.0.1', port: 0 },
      admin: { host: '127.0.0.1', port: 0 },
      adminSocket: 'none',
      region: 'us-east-1',
      availabilityZones: ['us-east-1a'],
      publicPool: '198.18.0.0/26',
      placementPolicy: 'round-robin',
      endpoint: 'http://127.0.0.1:8773',
      pollSeconds: 3,
      terminatedVisibleMs: 3_600_000,
      requestLimits: 'none',
      metadataTokensRequired: true,
      logLevel: 'error',
    },
    {
      log: silentLog,
      clock,
      random,
      agentPeer: (request) => {
        const claim = guards?.identityByCertificate === false && request.headers['x-test-claim']
        return { kind: 'node', agentId: String(claim || request.headers['x-test-peer']) }
      },
    },
  )
}

/** The real cloud controller, whose loops pass when the simulation says so. */
export class SimulatedCloud {
  readonly clock: MachineClock
  readonly faults: StoreFaults
  cloud!: CloudController
  private readonly dir: string
  private readonly credentials: Credentials
  private readonly truth: SimulatedClock
  private readonly random: Random
  private readonly guards: Guards

  private constructor(options: { dir: string; truth: SimulatedClock; random: Random; guards: Guards }) {
    this.dir = options.dir
    this.truth = options.truth
    this.random = options.random
    this.guards = options.guards
    this.clock = new MachineClock(options.truth)
    this.credentials = credentialsIn(options.dir)
    this.faults = new StoreFaults({ answerBeforeCommit: !options.guards.answerAfterCommit })
  }

  static async start(
    template: string,
    options: { truth: SimulatedClock; random: Random; guards: Guards },
  ): Promise<SimulatedCloud> {
    const dir = mkdtempSync(path.join(fastDir, 'mallee-sim-'))
    copyFolder(template, dir)
    const cloud = new SimulatedCloud({ ...options, dir })
    await cloud.open()
    return cloud
  }

  async open(): Promise<void> {
    this.cloud = await open(this.dir, this.clock, this.random, this.guards)
    this.faults.strike(this.cloud.record)
  }

  /** Ends the process, as it were: what is not in the record is forgotten. */
  async close(): Promise<void> {
    await this.cloud.close()
  }

  async stop(): Promise<void> {
    await this.cloud.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  async call(
    action: string,
    parameters: Record<string, string | number>,
  ): Promise<{ status: number; body: string }> {
    const form = new URLSearchParams({ Action: action, Version: '2016-11-15' })
    for (const [name, value] of Object.entries(parameters)) form.append(name, String(value))
    const body = Buffer.from(form.toString())
    const headers = { host: 'cloud', 'content-type': 'application/x-www-form-urlencoded' }
    const signed = signRequest(
      { method: 'POST', rawPath: '/', headers, body },
      {
        credentials: this.credentials,
        region: 'us-east-1',
        service: 'ec2',
        now: new Date(this.truth.now()),
      },
    )
    const answer = await this.cloud.door.inject({
      method: 'POST',
      url: '/',
      headers: { ...headers, ...signed },
      payload: body,
    })
    return { status: answer.statusCode, body: answer.body }
  }

  run(count: number, clientToken: string): Promise<{ status: number; body: string }> {
    return this.call('RunInstances', {
      ImageId: imageId,
      MinCount: count,
      MaxCount: count,
      InstanceType: 't1.micro',
      ClientToken: clientToken,
    })
  }

  async desired(nodeId: string, revision: number): Promise<DesiredResponse | null> {
    const answer = await this.cloud.agentDoor.inject({
      method: 'GET',
      url: `/agent/v1/desired?revision=${revision}&wait=0`,
      headers: { 'x-test-peer': nodeId },
    })
    if (answer.statusCode === 204) return null
    if (answer.statusCode !== 200 && answer.body.includes('InternalError')) return null // a failing store
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return answer.json() as DesiredResponse
  }

  /** What an agent says; `claim` is who it says it is, which a cloud with its guards does not even read. */
  async report(nodeId: string, report: Report, claim?: string): Promise<void> {
    const answer = await this.cloud.agentDoor.inject({
      method: 'POST',
      url: '/agent/v1/observed',
      headers: { 'x-test-peer': nodeId, ...(claim ? { 'x-test-claim': claim } : {}) },
      payload: report,
    })
    if (answer.statusCode !== 200 && !answer.body.includes('InternalError')) throw new Error(answer.body)
  }

  /** The newest revision of every agent's set. */
  async revisions(): Promise<Map<string, number>> {
    const rows = await this.cloud.record.read((db) =>
      db.selectFrom('agent').select(['id', 'revision']).execute(),
    )
    return new Map(rows.map((row) => [row.id, row.revision]))
  }

  /** One pass of one loop over one of its names; the loop of instances, which all hangs on, is the most frequent. */
  async pass(random: Random): Promise<void> {
    const often = random.fraction() < 0.6
    const any = this.cloud.loops[Math.floor(random.fraction() * this.cloud.loops.length)]!
    const loop = often ? this.cloud.loops.find((one) => one.name === 'instances')! : any
    const names = (await loop.list()).toSorted()
    if (names.length === 0) return
    // A pass that fails is tried again later, by the queue that runs it.
    await loop.reconcile(names[Math.floor(random.fraction() * names.length)]!).catch(ofSimulation)
  }

  /** Every loop over everything, as the regular scans do. */
  async scan(): Promise<void> {
    for (const loop of this.cloud.loops)
      for (const name of (await loop.list()).toSorted()) await loop.reconcile(name)
  }
}

/** A fault that the simulation made is borne; any other is a finding. */
function ofSimulation(error: unknown): void {
  if (!(error instanceof Error && error.message.startsWith('simulated: '))) throw error
}

/** Files and folders, without the sockets and side files that a closed cloud does not need. */
function copyFolder(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isFile()) copyFileSync(path.join(from, entry.name), path.join(to, entry.name))
    if (!entry.isDirectory()) continue
    mkdirSync(path.join(to, entry.name))
    copyFolder(path.join(from, entry.name), path.join(to, entry.name))
  }
}

function plantedImage(accountId: string) {
  return {
    id: imageId,
    account_id: accountId,
    kind: 'machine' as const,
    name: 'planted',
    description: null,
    bucket: 'images',
    object_key: 'planted.img',
    state: 'available' as const,
    state_reason: null,
    architecture: 'x86_64' as const,
    root_device_name: '/dev/sda1',
    kernel_id: null,
    ramdisk_id: null,
    is_public: 0 as const,
    format: 'raw' as const,
    size_bytes: 1024,
    virtual_size_bytes: 1024,
    sha256: 'a'.repeat(64),
    created_at: 1,
  }
}
