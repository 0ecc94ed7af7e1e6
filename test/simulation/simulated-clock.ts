import type { Clock } from '@mallee/base'

/** Time that passes when the simulation says so, and never by itself. */
export class SimulatedClock implements Clock {
  private nowMs = Date.UTC(2026, 0, 1)

  now(): number {
    return this.nowMs
  }

  advance(ms: number): void {
    this.nowMs += ms
  }

  after(): () => void {
    return () => {} // the simulation calls loops itself; nothing waits for a timer
  }

  sleep(): Promise<void> {
    return Promise.resolve()
  }
}

/** The clock of one machine: the true time and an error that may jump, both ways. */
export class MachineClock implements Clock {
  errorMs = 0
  private readonly truth: SimulatedClock

  constructor(truth: SimulatedClock) {
    this.truth = truth
  }

  now(): number {
    return this.truth.now() + this.errorMs
  }

  after(): () => void {
    return this.truth.after()
  }

  sleep(): Promise<void> {
    return this.truth.sleep()
  }
}
