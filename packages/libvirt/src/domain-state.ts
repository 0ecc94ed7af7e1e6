/** What state a domain is in and why, in words. */
import {
  blockedReasons,
  crashedReasons,
  domainStates,
  pausedReasons,
  runningReasons,
  shutdownReasons,
  shutoffReasons,
} from './generated/enums.ts'
import { nameOf } from './flags.ts'

/** 'running', 'paused', 'shutoff', …; 'unknown' for a state that a newer libvirt added. */
export type DomainStateName = (typeof domainStates)[number] | 'unknown'

type ReasonLists = {
  running: typeof runningReasons
  blocked: typeof blockedReasons
  paused: typeof pausedReasons
  shutdown: typeof shutdownReasons
  shutoff: typeof shutoffReasons
  crashed: typeof crashedReasons
}

/** A state with one of its own reasons: `shutoff` with 'destroyed', `paused` with 'ioerror'. */
export type DomainState =
  | {
      [State in keyof ReasonLists]: { state: State; reason: ReasonLists[State][number] | 'unknown' }
    }[keyof ReasonLists]
  | { state: 'nostate' | 'pmsuspended' | 'unknown'; reason: 'unknown' }

const reasonLists: Partial<Record<DomainStateName, readonly string[]>> = {
  running: runningReasons,
  blocked: blockedReasons,
  paused: pausedReasons,
  shutdown: shutdownReasons,
  shutoff: shutoffReasons,
  crashed: crashedReasons,
} satisfies ReasonLists

/** The state in words. */
export function stateName(state: number): DomainStateName {
  return nameOf(domainStates, state)
}

/** State and reason in words. */
export function domainState(state: number, reason: number): DomainState {
  const name = stateName(state)
  return { state: name, reason: nameOf(reasonLists[name] ?? [], reason) } as DomainState
}
