/**
 * A lifecycle as data: states, and the events that lead from one to another. The one table is read by the store (which
 * alone writes state columns), by actions ("may this instance be terminated now?"), by the SQL CHECK, by EC2's numeric
 * codes, by the documentation and by the tests. Events are of two families: *asked*, raised only by actions, and
 * *observed*, raised only by reconcilers out of recorded facts. Reports are levels and not edges: whatever a missed
 * observation can skip must have an edge of its own here.
 */
export interface StateSpec {
  /** What is true of a thing in this state. */
  readonly doc: string
  /** EC2's numeric code, where it has one. */
  readonly code?: number
  /** No event leaves a terminal state. */
  readonly terminal?: boolean
}

export interface EventSpec<S extends string> {
  readonly family: 'asked' | 'observed'
  readonly doc: string
  readonly from: readonly S[]
  readonly to: NoInfer<S>
  /** States in which the event is success and changes nothing. */
  readonly already?: readonly S[]
}

export interface Lifecycle<S extends string, E extends string> {
  readonly name: string
  readonly initial: S
  readonly states: Readonly<Record<S, StateSpec>>
  readonly events: Readonly<Record<E, EventSpec<S>>>
  /** Whether the event leads somewhere from this state. */
  can(state: S, event: E): boolean
  /** The state after the event; equal to `state` where the event is `already` true; null where it is illegal. */
  next(state: S, event: E): S | null
  stateNames(): S[]
  isTerminal(state: S): boolean
}

export type StateOf<L> = L extends Lifecycle<infer S, string> ? S : never
export type EventOf<L> = L extends Lifecycle<string, infer E> ? E : never

export function defineLifecycle<const S extends string, const E extends string>(spec: {
  name: string
  initial: NoInfer<S>
  states: Record<S, StateSpec>
  events: Record<E, EventSpec<NoInfer<S>>>
}): Lifecycle<S, E> {
  const next = (state: S, event: E): S | null => {
    const rule: EventSpec<S> = spec.events[event]
    if (rule.already?.includes(state)) return state
    return rule.from.includes(state) ? rule.to : null
  }
  return {
    ...spec,
    next,
    can: (state, event) => next(state, event) !== null,
    stateNames: () => Object.keys(spec.states) as S[],
    isTerminal: (state) => spec.states[state].terminal === true,
  }
}

/** The lifecycle as Mermaid text, for docs/lifecycles.md. */
export function lifecycleDiagram(lifecycle: Lifecycle<string, string>): string {
  const lines = ['stateDiagram-v2', `  [*] --> ${quoted(lifecycle.initial)}`]
  for (const [event, rule] of Object.entries(lifecycle.events)) {
    for (const from of rule.from) lines.push(`  ${quoted(from)} --> ${quoted(rule.to)}: ${event}`)
  }
  for (const state of lifecycle.stateNames())
    if (lifecycle.isTerminal(state)) lines.push(`  ${quoted(state)} --> [*]`)
  return lines.join('\n')
}

function quoted(state: string): string {
  return state.replaceAll('-', '_')
}
