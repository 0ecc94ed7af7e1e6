import type { Clock } from '@mallee/base'

/**
 * When each agent was last heard, in memory only: heartbeats are not worth a write. After a restart every agent has
 * one full interval of grace, because not having listened is no evidence of silence.
 */
export class Presence {
  private readonly clock: Clock
  private readonly heardAtMs = new Map<string, number>()
  private readonly startedAtMs: number

  constructor(clock: Clock) {
    this.clock = clock
    this.startedAtMs = clock.now()
  }

  heard(agentId: string): void {
    this.heardAtMs.set(agentId, this.clock.now())
  }

  /** Whether it spoke lately; one that we never heard since our start did not. */
  heardWithin(agentId: string, limitMs: number): boolean {
    const at = this.heardAtMs.get(agentId)
    return at !== undefined && this.clock.now() - at <= limitMs
  }

  /** Milliseconds since the agent was heard, or since we began to listen. */
  silenceMs(agentId: string): number {
    return this.clock.now() - (this.heardAtMs.get(agentId) ?? this.startedAtMs)
  }
}
