import { digestOf } from '@mallee/base'
import type {
  AccessKeyItem,
  AuditBlob,
  AuditLine,
  AuditResponse,
  DesiredResponse,
  InventoryBlob,
  InventoryItem,
  ImageObjectItem,
  Observation,
  Report,
  ReportResponse,
  TrailFile,
  TrailFilesRequest,
  TrailFilesResponse,
} from '@mallee/agent-contract'
import type { Cloud } from '@mallee/agent-kit'

type Item = { kind: string; id: string; generation: number; digest: string; body: unknown }

/** The agents' door of a cloud, without a socket: gives a desired set, remembers what is reported, can be away. */
export class FakeCloud implements Cloud {
  private readonly items = new Map<string, Item>()
  private readonly observations = new Map<string, Observation>()
  private revision = 1
  private wakes: (() => void)[] = []
  lastReport: Report | null = null
  /** Every observation in the order in which it came. */
  readonly said: Observation[] = []
  away = false
  lastInventory: InventoryBlob | null = null

  putKey(body: AccessKeyItem): void {
    this.put('access-key', body.accessKeyId, body)
  }

  putImage(body: ImageObjectItem): void {
    this.put('image-object', body.imageId, body)
  }

  putItem(kind: string, id: string, body: unknown): void {
    this.put(kind, id, body)
  }

  askInventory(body: InventoryItem): void {
    this.put('inventory', 'host', body)
  }

  inventory(blob: InventoryBlob): Promise<void> {
    this.lastInventory = blob
    return Promise.resolve()
  }

  /** Lines that it keeps, as the cloud controller does: none twice. */
  readonly lines: AuditLine[] = []
  /** What buckets were last said to hold. */
  buckets: AuditBlob['buckets'] = []
  kept = 0
  /** Keeps what comes, and its answer never arrives. */
  answersAreLost = false

  /** Files of trails that are to be written, and what was said of them. */
  files: TrailFile[] = []
  readonly written: TrailFilesRequest['done'] = []

  trailFiles({ done }: TrailFilesRequest): Promise<TrailFilesResponse> {
    if (this.away) return Promise.reject(new Error('the cloud is away'))
    this.written.push(...done)
    this.files = this.files.filter(({ id }) => done.every((one) => one.id !== id))
    return Promise.resolve({ files: this.files })
  }

  audit(blob: AuditBlob): Promise<AuditResponse> {
    if (this.away) return Promise.reject(new Error('the cloud is away'))
    const later = blob.lines.filter((line) => line.sequence > this.kept)
    this.lines.push(...later.filter((line) => this.lines.every((own) => own.eventId !== line.eventId)))
    this.kept = later.at(-1)?.sequence ?? this.kept
    if (blob.buckets.length > 0) this.buckets = blob.buckets
    if (this.answersAreLost) return Promise.reject(new Error('the answer was lost'))
    return Promise.resolve({ sequence: this.kept })
  }

  drop(kind: string, id: string): void {
    this.items.delete(`${kind} ${id}`)
    this.changed()
  }

  observed(report: Report): Promise<ReportResponse>
  observed(kind: string, id: string): Observation | undefined
  observed(first: Report | string, id?: string): Promise<ReportResponse> | Observation | undefined {
    if (typeof first === 'string') return this.observations.get(`${first} ${id}`)
    if (this.away) return Promise.reject(new Error('the cloud is away'))
    this.lastReport = first
    for (const observation of first.observations) this.said.push(observation as Observation)
    for (const observation of first.observations)
      this.observations.set(`${observation.kind} ${observation.id}`, observation as Observation)
    return Promise.resolve({ accepted: true, sequence: first.sequence })
  }

  async desired(revision: number, waitSeconds: number, signal: AbortSignal): Promise<DesiredResponse | null> {
    if (this.away) throw new Error('the cloud is away')
    if (revision >= this.revision) await this.news(waitSeconds * 1000, signal)
    if (revision >= this.revision) return null
    const items = [...this.items.values()]
    return {
      revision: this.revision,
      pollSeconds: 1,
      index: items.map(({ kind, id, generation, digest }) => ({ kind, id, generation, digest })),
      bodies: items,
    }
  }

  private put(kind: string, id: string, body: unknown): void {
    const key = `${kind} ${id}`
    const generation = (this.items.get(key)?.generation ?? 0) + 1
    this.items.set(key, { kind, id, generation, digest: digestOf(body), body })
    this.changed()
  }

  private changed(): void {
    this.revision += 1
    for (const wake of this.wakes.splice(0)) wake()
  }

  private news(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      const done = () => {
        clearTimeout(timer)
        resolve()
      }
      this.wakes.push(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }
}
