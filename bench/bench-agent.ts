import type { DesiredResponse, DomainItem, NodeFingerprint, Observation } from '@mallee/agent-contract'
import type { BenchCloud } from './bench-cloud.ts'

const domainFacts = {
  endReason: null,
  message: null,
  diskLost: false,
  rebootCount: 0,
  accelerator: 'simulated',
} as const

/** A node of the bench in this process: holds its poll, says of every guest at once that it runs or is gone. */
export class BenchAgent {
  private readonly bench: BenchCloud
  private readonly id: string
  private readonly fingerprint: NodeFingerprint
  private revision = 0
  private sequence = 1
  private ended = false

  constructor(bench: BenchCloud, id: string, fingerprint: NodeFingerprint) {
    this.bench = bench
    this.id = id
    this.fingerprint = fingerprint
  }

  stop(): void {
    this.ended = true
  }

  async run(): Promise<void> {
    while (!this.ended) {
      const answer = await this.bench.cloud.agentDoor.inject({
        method: 'GET',
        url: `/agent/v1/desired?revision=${this.revision}&wait=60`,
        headers: { 'x-bench-node': this.id },
      })
      if (this.ended || answer.statusCode === 503) return
      if (answer.statusCode === 204) continue
      if (answer.statusCode !== 200) throw new Error(answer.body)
      await this.carryOut(answer.json())
    }
  }

  private async carryOut(set: DesiredResponse): Promise<void> {
    this.revision = set.revision
    const observations = set.bodies.flatMap((item): Observation[] => {
      const { id, generation } = item
      if (item.kind === 'vpc')
        return [{ kind: 'vpc', id, generation, facts: { applied: true, message: null } }]
      if (item.kind !== 'domain') return []
      const state = (item.body as DomainItem).intent === 'run' ? 'running' : 'gone'
      const facts = { ...domainFacts, state, startedAtMs: Date.now() } as const
      return [{ kind: 'domain', id, generation, facts }]
    })
    if (observations.length === 0) return
    this.sequence += 1
    const { revision, sequence, fingerprint } = this
    await this.bench.cloud.agentDoor.inject({
      method: 'POST',
      url: '/agent/v1/observed',
      headers: { 'x-bench-node': this.id },
      payload: { sequence, revision, fingerprint, observations, undeclared: [] },
    })
  }
}
