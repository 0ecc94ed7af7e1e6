/** Polls that wait for a newer set: woken by agent, in memory; a lost wake costs one poll's length. */
export class PollWaiters {
  private readonly waiting = new Map<string, Set<() => void>>()

  wake(agentId: string): void {
    for (const callback of this.waiting.get(agentId) ?? []) callback()
  }

  wakeAll(): void {
    for (const agentId of this.waiting.keys()) this.wake(agentId)
  }

  /** Resolves when woken, when `timeoutMs` has passed or when the signal aborts. */
  wait(agentId: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const set = this.waiting.get(agentId) ?? new Set()
      this.waiting.set(agentId, set)
      const done = () => {
        clearTimeout(timer)
        set.delete(done)
        if (set.size === 0 && this.waiting.get(agentId) === set) this.waiting.delete(agentId)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      signal.addEventListener('abort', done, { once: true })
      set.add(done)
    })
  }
}
