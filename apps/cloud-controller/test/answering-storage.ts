import type {
  ConnectionItem,
  DesiredResponse,
  DomainItem,
  ExportItem,
  Observation,
  SnapshotItem,
  VolumeItem,
} from '@mallee/agent-contract'
import { roomyStorage, type CloudUnderTest } from './cloud-under-test.ts'

/** A storage controller and a node that do at once, when told to look, what their sets say. */
export class AnsweringStorage {
  readonly storageId: string
  readonly nodes: string[]
  private readonly cloud: CloudUnderTest
  /** Volumes that cannot be made. */
  readonly refuses = new Set<string>()

  private constructor(cloud: CloudUnderTest, storageId: string, nodes: string[]) {
    this.cloud = cloud
    this.storageId = storageId
    this.nodes = nodes
  }

  static async join(cloud: CloudUnderTest, nodes: string[], zone = 'us-east-1a'): Promise<AnsweringStorage> {
    return new AnsweringStorage(cloud, await cloud.addStorage('storage', zone), nodes)
  }

  /** Looks at every set, says what it would have done, and again until nothing is left to do. */
  async settle(): Promise<void> {
    let before = ''
    for (let rounds = 0; rounds < 30; rounds += 1) {
      await this.cloud.settled()
      await this.lookAtStorage()
      for (const nodeId of this.nodes) await this.lookAtNode(nodeId)
      await this.cloud.settled()
      const now = await this.revisions()
      if (now === before) return
      before = now
    }
    throw new Error('it never settled')
  }

  async lookAtStorage(): Promise<void> {
    const { bodies } = await this.set('storage', this.storageId)
    await this.cloud.report(
      'storage',
      this.storageId,
      bodies.flatMap((item) => this.answer(item)),
      roomyStorage,
    )
    await this.cloud.settled()
  }

  /** Domains run as their items say, with the volumes that they name, or are gone. */
  async lookAtNode(nodeId: string): Promise<void> {
    const { bodies } = await this.set('node', nodeId)
    const observations = bodies.flatMap(({ kind, id, generation, body }): Observation[] => {
      if (kind !== 'domain') return []
      const item = body as DomainItem
      const ends = item.intent !== 'run'
      const volumes = (item.volumes ?? []).map(({ attachmentId, sizeBytes }) => ({
        ...{ attachmentId, sizeBytes, state: 'attached' as const, message: null },
      }))
      const facts = {
        ...{ state: ends ? ('gone' as const) : ('running' as const), endReason: null, message: null },
        ...{ startedAtMs: 1, diskLost: false, rebootCount: 0, accelerator: null },
        ...(ends ? {} : { volumes }),
      }
      return [{ kind: 'domain', id, generation, facts }]
    })
    await this.cloud.report('node', nodeId, observations)
    await this.cloud.settled()
  }

  async items<K extends 'volume' | 'export' | 'snapshot'>(kind: K) {
    const { bodies } = await this.set('storage', this.storageId)
    return bodies.filter((item) => item.kind === kind)
  }

  async connections(nodeId: string): Promise<ConnectionItem[]> {
    const { bodies } = await this.set('node', nodeId)
    return bodies.filter((item) => item.kind === 'connection').map((item) => item.body as ConnectionItem)
  }

  async domains(nodeId: string): Promise<DomainItem[]> {
    const { bodies } = await this.set('node', nodeId)
    return bodies.filter((item) => item.kind === 'domain').map((item) => item.body as DomainItem)
  }

  private answer({ kind, id, generation, body }: DesiredResponse['bodies'][number]): Observation[] {
    switch (kind) {
      case 'volume': {
        const { remove, sizeBytes } = body as VolumeItem
        const state = remove ? 'gone' : this.refuses.has(id) ? 'failed' : 'available'
        const message = state === 'failed' ? 'The backend is full.' : null
        return [{ kind, id, generation, facts: { state, message, sizeBytes, hydratedPercent: 100 } }]
      }
      case 'export': {
        const { withdraw } = body as ExportItem
        const portal = { host: null, port: 3260 }
        const facts = withdraw
          ? { state: 'gone' as const, message: null, portal: null }
          : { state: 'ready' as const, message: null, portal }
        return [{ kind, id, generation, facts }]
      }
      case 'snapshot': {
        const { remove } = body as SnapshotItem
        const index = { bucket: 'mallee-ebs', key: `index/${id}`, sha256: 'b'.repeat(64), sizeBytes: 10 }
        const facts = remove
          ? { state: 'gone' as const, taken: true, progress: 100, index: null }
          : { state: 'completed' as const, taken: true, progress: 100, index }
        return [{ kind, id, generation, facts: { ...facts, message: null, storedBytes: 0 } }]
      }
      default:
        return []
    }
  }

  private async set(kind: 'node' | 'storage', agentId: string): Promise<DesiredResponse> {
    const response = await this.cloud.cloud.agentDoor.inject({
      method: 'GET',
      url: '/agent/v1/desired?revision=0&wait=0',
      headers: { 'x-test-peer': `${kind}/${agentId}` },
    })
    if (response.statusCode === 204) return { revision: 0, index: [], bodies: [], pollSeconds: 1 }
    return response.json() as DesiredResponse
  }

  private async revisions(): Promise<string> {
    const rows = await this.cloud.cloud.record.read((db) =>
      db.selectFrom('agent').select(['id', 'revision']).orderBy('id').execute(),
    )
    return JSON.stringify(rows)
  }
}
