import { errorMessage, type Log } from '@mallee/base'
import type { DesiredItem, Sample } from '@mallee/agent-contract'
import type { GuestCounters } from '../drivers/hypervisor/driver.ts'

/** Unmonitored guests are measured at every fifth look, as AWS's basic monitoring is every five minutes. */
const basicEvery = 5
/** What could not be sent waits for the next look, the newest of it. */
const mostWaiting = 1000

interface Reading extends GuestCounters {
  readonly atMs: number
  readonly incarnation: number
}

/**
 * Measures guests from outside: each look reads the hypervisor's counters, and what grew since the reading before is
 * one sample. A guest's first reading begins its first period; counters that shrank belong to another incarnation.
 */
export class SampleKeeper {
  private readonly deps: {
    readonly counters: () => Promise<readonly GuestCounters[]>
    readonly items: () => readonly DesiredItem<'domain'>[]
    readonly send: (samples: Sample[]) => Promise<void>
    readonly log: Log
  }
  private readonly before = new Map<string, Reading>()
  private readonly skipped = new Map<string, number>()
  private waiting: Sample[] = []

  constructor(deps: SampleKeeper['deps']) {
    this.deps = deps
  }

  /** One look, at this time. */
  async look(nowMs: number): Promise<void> {
    const { counters, items, send, log } = this.deps
    try {
      const readings = new Map((await counters()).map((entry) => [entry.name, entry]))
      for (const id of this.before.keys()) if (!readings.has(id)) this.forget(id)
      for (const { body } of items()) {
        const now = readings.get(body.instanceId)
        if (now && body.intent === 'run')
          this.take({ ...now, atMs: nowMs, incarnation: body.incarnation }, body)
      }
      this.waiting = this.waiting.slice(-mostWaiting)
      if (this.waiting.length === 0) return
      await send(this.waiting)
      this.waiting = []
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, 'guests were not measured')
    }
  }

  private take(now: Reading, body: DesiredItem<'domain'>['body']): void {
    const last = this.before.get(now.name)
    const looks = (this.skipped.get(now.name) ?? 0) + 1
    const due = !last || body.monitoring === true || looks >= basicEvery
    this.skipped.set(now.name, due ? 0 : looks)
    if (!due) return
    this.before.set(now.name, now)
    const sample = last && last.incarnation === now.incarnation ? sampleOf(last, now, body.vcpus) : null
    if (sample) this.waiting.push(sample)
  }

  private forget(id: string): void {
    this.before.delete(id)
    this.skipped.delete(id)
  }
}

function sampleOf(last: Reading, now: Reading, vcpus: number): Sample | null {
  const seconds = (now.atMs - last.atMs) / 1000
  const grown = {
    cpuNs: now.cpuNs - last.cpuNs,
    diskReadBytes: now.diskReadBytes - last.diskReadBytes,
    diskWriteBytes: now.diskWriteBytes - last.diskWriteBytes,
    networkInBytes: now.networkInBytes - last.networkInBytes,
    networkOutBytes: now.networkOutBytes - last.networkOutBytes,
  }
  if (seconds < 1 || seconds > 3600 || Object.values(grown).some((value) => value < 0)) return null
  const { cpuNs, ...bytes } = grown
  return {
    instanceId: now.name,
    atMs: now.atMs,
    periodSeconds: Math.round(seconds),
    cpuPercent: Math.min(100, (cpuNs / 1e9 / seconds / vcpus) * 100),
    ...bytes,
  }
}
