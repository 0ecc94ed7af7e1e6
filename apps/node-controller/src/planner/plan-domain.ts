import type { DomainFacts, DomainItem } from '@mallee/agent-contract'
import type { EndReason, LiveDomain } from '../drivers/hypervisor/driver.ts'

/**
 * From what should be and what is, to the next step for one domain item: pure, so that the simulation, the crash tests
 * and the unit tests run the very plan that the node runs. A domain is started at most once under one item: the intent
 * is noted, durably, before the start; a note without a live domain means that it was started and is no more.
 */
export interface DomainNote {
  /** Set before the one start; unset where the hypervisor itself says that nothing ran. */
  readonly startIntentAtMs?: number
  readonly startedAtMs?: number
  readonly rebootCount?: number
  /** Set when the guest was asked to shut down for its removal. */
  readonly shutdownAskedAtMs?: number
  readonly endReason?: EndReason
  /** Why it cannot be started; final. */
  readonly failure?: string
  /** First time that preparing it failed for a reason that may pass. */
  readonly troubleSinceMs?: number
  readonly released?: boolean
  /** Everything of the instance was removed. */
  readonly removed?: boolean
}

export type DomainStep =
  | { readonly step: 'prepare-and-start' }
  | {
      readonly step: 'observe'
      readonly facts: Partial<DomainFacts> & { readonly state: DomainFacts['state'] }
    }
  | { readonly step: 'note-end' }
  | { readonly step: 'reboot' }
  | { readonly step: 'shutdown' }
  | { readonly step: 'wait'; readonly againMs: number }
  | { readonly step: 'destroy' }
  | { readonly step: 'release' }
  | { readonly step: 'remove' }

export function planDomain(options: {
  item: DomainItem
  note: DomainNote
  live: LiveDomain | undefined
  nowMs: number
}): DomainStep {
  const { item, note, live, nowMs } = options
  switch (item.intent) {
    case 'run':
      return planRun(item, note, live)
    case 'release':
      if (live) return planRelease(item, note, live, nowMs)
      return note.released ? { step: 'observe', facts: ended('gone', note) } : { step: 'release' }
    case 'remove':
      if (live) return planEnd(item, note, live, nowMs)
      return note.removed ? { step: 'observe', facts: ended('gone', note) } : { step: 'remove' }
  }
}

function planRun(item: DomainItem, note: DomainNote, live: LiveDomain | undefined): DomainStep {
  if (note.failure !== undefined)
    return { step: 'observe', facts: { state: 'failed', message: note.failure } }
  if (live && note.startIntentAtMs !== undefined && note.endReason === undefined) {
    if (live.state === 'ending') return { step: 'wait', againMs: 200 }
    if (item.rebootCount > (note.rebootCount ?? item.rebootCount)) return { step: 'reboot' }
    return {
      step: 'observe',
      facts: { state: 'running', startedAtMs: note.startedAtMs ?? note.startIntentAtMs },
    }
  }
  // A domain of this name that this item did not start: an earlier incarnation that should have been released.
  if (live) return { step: 'destroy' }
  if (note.startIntentAtMs === undefined) return { step: 'prepare-and-start' }
  return note.endReason === undefined
    ? { step: 'note-end' }
    : { step: 'observe', facts: ended('ended', note) }
}

/** A guest that is to come back from its disk is asked first where there is time for that. */
function planRelease(item: DomainItem, note: DomainNote, live: LiveDomain, nowMs: number): DomainStep {
  const { releaseGraceMs: graceMs } = item
  return graceMs === undefined ? { step: 'destroy' } : planEnd({ ...item, graceMs }, note, live, nowMs)
}

/** The guest is asked first and has its grace; then it is ended. */
function planEnd(item: DomainItem, note: DomainNote, live: LiveDomain, nowMs: number): DomainStep {
  if (live.state !== 'running' || item.graceMs === 0) return { step: 'destroy' }
  if (note.shutdownAskedAtMs === undefined) return { step: 'shutdown' }
  const leftMs = note.shutdownAskedAtMs + item.graceMs - nowMs
  // More than the whole grace is left only where the clock was set back, and a clock prolongs nobody's end.
  const asked = leftMs > 0 && leftMs <= item.graceMs
  return asked ? { step: 'wait', againMs: Math.min(leftMs, 500) } : { step: 'destroy' }
}

function ended(
  state: 'ended' | 'gone',
  note: DomainNote,
): Partial<DomainFacts> & { state: DomainFacts['state'] } {
  return {
    state,
    endReason: note.endReason ?? null,
    startedAtMs: note.startedAtMs ?? note.startIntentAtMs ?? null,
  }
}
