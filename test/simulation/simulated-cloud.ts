import { cp, mkdtemp, rm } from 'node:fs/promises'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { silentLog, type Random } from '@mallee/base'
import type { DesiredResponse, Report } from '@mallee/agent-contract'
import { signRequest } from '@mallee/aws-protocol'
import { buildCloudController, type CloudController } from '@mallee/cloud-controller'
import { createCertificateRequest } from '@mallee/pki'
import type { SimulatedClock } from './simulated-clock.ts'

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

function credentialsIn(dir: string): { accountId: string; accessKeyId: string; secretAccessKey: string } {
  return JSON.parse(readFileSync(path.join(dir, 'credentials.json'), 'utf8')) as never
}

function open(dir: string, clock: SimulatedClock, random: Random): Promise<CloudController> {
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
      metadataTokensRequired: true,
      logLevel: 'error',
    },
    {
      log: silentLog,
      clock,
      random,
      agentPeer: (request) => ({ kind: 'node', agentId: String(request.headers['x-test-peer']) }),
    },
  )
}

/** The real cloud controller, whose loops pass when the simulation says so. */
export class SimulatedCloud {
  readonly cloud: CloudController
  private readonly dir: string
  private readonly clock: SimulatedClock

  private constructor(cloud: CloudController, dir: string, clock: SimulatedClock) {
    this.cloud = cloud
    this.dir = dir
    this.clock = clock
  }

  static async start(template: string, clock: SimulatedClock, random: Random): Promise<SimulatedCloud> {
    const dir = await mkdtemp(path.join(fastDir, 'mallee-sim-'))
    await cp(template, dir, { recursive: true })
    return new SimulatedCloud(await open(dir, clock, random), dir, clock)
  }

  async stop(): Promise<void> {
    await this.cloud.close()
    await rm(this.dir, { recursive: true, force: true })
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
        credentials: credentialsIn(this.dir),
        region: 'us-east-1',
        service: 'ec2',
        now: new Date(this.clock.now()),
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

  run(count: number): Promise<{ status: number; body: string }> {
    return this.call('RunInstances', {
      ImageId: imageId,
      MinCount: 1,
      MaxCount: count,
      InstanceType: 't1.micro',
    })
  }

  async desired(nodeId: string, revision: number): Promise<DesiredResponse | null> {
    const answer = await this.cloud.agentDoor.inject({
      method: 'GET',
      url: `/agent/v1/desired?revision=${revision}&wait=0`,
      headers: { 'x-test-peer': nodeId },
    })
    if (answer.statusCode === 204) return null
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return answer.json() as DesiredResponse
  }

  async report(nodeId: string, report: Report): Promise<void> {
    const answer = await this.cloud.agentDoor.inject({
      method: 'POST',
      url: '/agent/v1/observed',
      headers: { 'x-test-peer': nodeId },
      payload: report,
    })
    if (answer.statusCode !== 200) throw new Error(answer.body)
  }

  /** One pass of one loop over one of its names. */
  async pass(random: Random): Promise<void> {
    const loop = this.cloud.loops[Math.floor(random.fraction() * this.cloud.loops.length)]!
    const names = (await loop.list()).toSorted()
    if (names.length > 0) await loop.reconcile(names[Math.floor(random.fraction() * names.length)]!)
  }

  /** Every loop over everything, as the regular scans do. */
  async scan(): Promise<void> {
    for (const loop of this.cloud.loops)
      for (const name of (await loop.list()).toSorted()) await loop.reconcile(name)
  }

  instances() {
    return this.cloud.record.read((db) => db.selectFrom('instance').selectAll().orderBy('id').execute())
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
