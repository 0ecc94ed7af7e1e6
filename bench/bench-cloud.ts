import { mkdtemp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { newId, silentLog, systemRandom } from '@mallee/base'
import { signRequest } from '@mallee/aws-protocol'
import type { NodeFingerprint } from '@mallee/agent-contract'
import {
  buildCloudController,
  type CloudController,
  type CloudControllerConfig,
} from '@mallee/cloud-controller'

export interface BenchCredentials {
  readonly accountId: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export const benchImage = 'ami-0123456789abcdef0'

/** A cloud controller on a record of its own on this disk, with nodes and an image that exist as rows only. */
export class BenchCloud {
  readonly cloud: CloudController
  readonly dir: string
  readonly credentials: BenchCredentials

  private constructor(cloud: CloudController, dir: string, credentials: BenchCredentials) {
    this.cloud = cloud
    this.dir = dir
    this.credentials = credentials
  }

  static async open(options: {
    loops: boolean
    nodes: number
    zones?: number
    audit?: CloudControllerConfig['audit']
  }): Promise<BenchCloud> {
    const dir = await mkdtemp('/tmp/mallee-bench-')
    const config: CloudControllerConfig = {
      stateDir: dir,
      database: { engine: 'sqlite', file: path.join(dir, 'record.db') },
      door: { socket: path.join(dir, 'door.sock') },
      agents: { host: '127.0.0.1', port: 0 },
      admin: { host: '127.0.0.1', port: 0 },
      adminSocket: path.join(dir, 'admin.sock'),
      region: 'us-east-1',
      availabilityZones: ['us-east-1a', 'us-east-1b', 'us-east-1c'].slice(0, options.zones ?? 1),
      publicPool: '10.0.0.0/16',
      placementPolicy: 'round-robin',
      endpoint: 'http://127.0.0.1:8773',
      pollSeconds: 60,
      terminatedVisibleMs: 3_600_000,
      requestLimits: 'none',
      audit: options.audit ?? 'every-call',
      metadataTokensRequired: true,
      logLevel: 'error',
    }
    const cloud = await buildCloudController(config, { log: silentLog, agentPeer: nodePeer })
    if (options.loops) cloud.start()
    const text = await readFile(path.join(dir, 'credentials.json'), 'utf8')
    const bench = new BenchCloud(cloud, dir, JSON.parse(text) as BenchCredentials)
    await bench.plant(options.nodes, options.zones ?? 1)
    return bench
  }

  private async plant(nodes: number, zones: number): Promise<void> {
    const { accountId } = this.credentials
    await this.cloud.record.transaction('action', async (tx) => {
      await tx.db.updateTable('quota').set({ value: 1_000_000 }).execute()
      await tx.db
        .insertInto('image')
        .values({
          id: benchImage,
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
          request_id: null,
          trace_parent: null,
        })
        .execute()
      for (let index = 0; index < nodes; index += 1)
        await tx.db.insertInto('agent').values(nodeRow(index, zones)).execute()
    })
  }

  /** The head and body of a signed EC2 query. */
  sign(
    action: string,
    parameters: Record<string, string | number> = {},
    credentials = this.credentials,
    { service, version } = { service: 'ec2', version: '2016-11-15' },
  ) {
    const form = new URLSearchParams({ Action: action, Version: version })
    for (const [name, value] of Object.entries(parameters)) form.append(name, String(value))
    const payload = Buffer.from(form.toString())
    const headers = { host: 'bench', 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
    const signed = signRequest(
      { method: 'POST', rawPath: '/', headers, body: payload },
      { credentials, region: 'us-east-1', service, now: new Date() },
    )
    return { method: 'POST' as const, url: '/', headers: { ...headers, ...signed }, payload }
  }

  /** Another account, without quotas worth the name, that may use the image. */
  async createAccount(name: string): Promise<BenchCredentials> {
    const made = await this.cloud.adminDoor.inject({
      method: 'POST',
      url: '/admin/v1/accounts',
      payload: { name },
    })
    if (made.statusCode !== 200) throw new Error(made.body)
    await this.cloud.record.transaction('action', async (tx) => {
      await tx.db.updateTable('quota').set({ value: 1_000_000 }).execute()
      await tx.db.updateTable('image').set({ is_public: 1 }).execute()
    })
    return made.json()
  }

  /** The planted nodes. */
  async nodes(): Promise<{ id: string; fingerprint: NodeFingerprint }[]> {
    const rows = await this.cloud.record.read((db) =>
      db.selectFrom('agent').select(['id', 'fingerprint']).where('kind', '=', 'node').execute(),
    )
    return rows.map(({ id, fingerprint }) => ({
      id,
      fingerprint: JSON.parse(fingerprint!) as NodeFingerprint,
    }))
  }

  /** The answer's text of a call of IAM by the root. */
  async iam(action: string, parameters: Record<string, string>): Promise<string> {
    const of = { service: 'iam', version: '2010-05-08' }
    const answer = await this.cloud.door.inject(this.sign(action, parameters, this.credentials, of))
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return answer.body
  }

  /** The answer's text; throws where it is not a success. */
  async call(
    action: string,
    parameters: Record<string, string | number> = {},
    credentials = this.credentials,
  ): Promise<string> {
    const answer = await this.cloud.door.inject(this.sign(action, parameters, credentials))
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return answer.body
  }

  async close(): Promise<void> {
    await this.cloud.close()
    await rm(this.dir, { recursive: true, force: true })
  }
}

/** A request of a node in this process, see bench-agent.ts. */
function nodePeer(request: { headers: Record<string, unknown> }) {
  const agentId = request.headers['x-bench-node']
  return typeof agentId === 'string' ? { kind: 'node', agentId } : null
}

function nodeRow(index: number, zones: number) {
  const fingerprint = {
    vcpus: 10_000,
    memoryMiB: 10_000_000,
    diskGiB: 10_000_000,
    architecture: 'x86_64',
    accelerator: 'simulated',
    acceleratorReason: 'a benchmark',
    hypervisor: 'simulated',
    network: 'simulated',
    address: null,
    hostname: `node-${index}`,
    healthy: true,
    problems: [],
  }
  return {
    id: newId('agent', systemRandom),
    kind: 'node' as const,
    name: `node-${index}`,
    availability_zone: `us-east-1${'abc'[index % zones]}`,
    state: 'enabled' as const,
    revision: 1,
    sent_revision: 1,
    sequence: 1,
    fingerprint: JSON.stringify(fingerprint),
    undeclared: '[]',
    silent_since: null,
    joined_at: Date.now(),
    draining_since: null,
    usage_revision: 0,
  }
}

/** Runs `count` pieces of work, `width` at a time; answers the seconds it took. */
export async function inParallel(
  count: number,
  width: number,
  work: (index: number) => Promise<void>,
): Promise<number> {
  let next = 0
  const beganMs = performance.now()
  const client = async () => {
    while (next < count) {
      const index = next
      next += 1
      await work(index)
    }
  }
  await Promise.all(Array.from({ length: width }, client))
  return (performance.now() - beganMs) / 1000
}
