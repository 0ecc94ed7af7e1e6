import type { InventoryBlob, InventoryEntry, InventoryItem } from '@mallee/agent-contract'
import type { CloudUnderTest } from '../cloud-under-test.ts'

/** An agent that answers every inventory request with what the test says is on its host. */
export class AnsweringAgent {
  entries: InventoryEntry[] = []
  problems: string[] = []
  readonly removed: string[] = []
  private answered = 0
  private stopped = false
  private readonly running: Promise<void>

  private readonly id: string
  private readonly kind: string

  constructor(cloud: CloudUnderTest, id: string, kind = 'node') {
    this.id = id
    this.kind = kind
    this.running = this.run(cloud)
  }

  has(kind: InventoryEntry['kind'], id: string, more: Partial<InventoryEntry> = {}): void {
    this.entries.push({ kind, id, owner: null, state: null, changedAtMs: null, ...more })
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.running
  }

  private async run(cloud: CloudUnderTest): Promise<void> {
    while (!this.stopped) {
      const set = await cloud.desired(this.kind, this.id)
      const item = set.bodies.find((body) => body.kind === 'inventory')?.body as InventoryItem | undefined
      if (item && item.count !== this.answered) await this.answer(cloud, item)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  private async answer(cloud: CloudUnderTest, item: InventoryItem): Promise<void> {
    this.answered = item.count
    for (const removal of item.removals) {
      this.entries = this.entries.filter((entry) => entry.kind !== removal.kind || entry.id !== removal.id)
      this.removed.push(`${removal.kind} ${removal.id}`)
    }
    const payload: InventoryBlob = {
      count: item.count,
      takenAtMs: Date.now(),
      entries: this.entries,
      removals: item.removals.map((removal) => ({ ...removal, done: true, reason: null })),
      problems: this.problems,
    }
    const response = await cloud.cloud.agentDoor.inject({
      method: 'PUT',
      url: '/agent/v1/blobs/inventory',
      headers: { 'x-test-peer': `${this.kind}/${this.id}` },
      payload,
    })
    if (response.statusCode !== 204) throw new Error(response.body)
  }
}
