import type { Clock } from '@mallee/base'

/** Silent after three polls' time without a word; after two where its connection was cut, which a restart bridges. */
const silentPollMs = 3_000
const leftPollMs = 2_000

/**
 * When each agent was last heard, in memory only: heartbeats are not worth a write. After a restart every agent has
 * one full interval of grace, because not having listened is no evidence of silence.
 */
export class Presence {
  private readonly clock: Clock
  private readonly heardAtMs = new Map<string, number>()
  private readonly startedAtMs: number
  /** Polls that are held at this moment. */
  private readonly held = new Map<string, number>()
  /** When the last of an agent's polls ended by its connection, with nothing heard since. */
  private readonly leftAtMs = new Map<string, number>()

  constructor(clock: Clock) {
    this.clock = clock
    this.startedAtMs = clock.now()
  }

  heard(agentId: string): void {
    this.heardAtMs.set(agentId, this.clock.now())
    this.leftAtMs.delete(agentId)
  }

  /**
   * A poll is held; the returned function says how it ended. One that was cut off, and not by its agent's next poll, is
   * evidence that the agent is gone: better than waiting for what it does not say.
   */
  holds(agentId: string): (answered: boolean) => void {
    this.held.set(agentId, (this.held.get(agentId) ?? 0) + 1)
    let ended = false
    return (answered) => {
      if (ended) return
      ended = true
      const left = (this.held.get(agentId) ?? 1) - 1
      if (left > 0) return void this.held.set(agentId, left)
      this.held.delete(agentId)
      if (!answered) this.leftAtMs.set(agentId, this.clock.now())
    }
  }

  get heldPolls(): number {
    return [...this.held.values()].reduce((sum, count) => sum + count, 0)
  }

  /** From when on it counts as silent, if it says nothing more. */
  silentAtMs(agentId: string, pollSeconds: number): number {
    const quietMs = (this.heardAtMs.get(agentId) ?? this.startedAtMs) + pollSeconds * silentPollMs
    const leftMs = this.leftAtMs.get(agentId)
    return leftMs === undefined ? quietMs : Math.min(quietMs, leftMs + pollSeconds * leftPollMs)
  }

  /** Milliseconds since the agent was heard, or since we began to listen. */
  silenceMs(agentId: string): number {
    return this.clock.now() - (this.heardAtMs.get(agentId) ?? this.startedAtMs)
  }
}
