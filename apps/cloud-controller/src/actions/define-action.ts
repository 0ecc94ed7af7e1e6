import type { Log, Random } from '@mallee/base'
import type { Ec2Input, Ec2Output, Ec2TypedAction } from '@mallee/ec2-api'
import type { Caller } from '../identity/caller.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { Capacity } from '../store/capacity.ts'
import type { CloudSettings } from '../settings.ts'
import type { Reader, Tx } from '../store/record.ts'
import type { Wakes } from '../wakes.ts'

/** The one context of an action: who asks, when, and with what it may work. */
export interface ActionContext {
  readonly action: string
  readonly caller: Caller
  readonly requestId: string
  /** W3C trace context of the request; null where nobody traces. */
  readonly traceparent: string | null
  readonly log: Log
  readonly nowMs: number
  readonly random: Random
  readonly settings: CloudSettings
  readonly keyring: Keyring
  readonly capacity: Capacity
  readonly wakes: Wakes
  /** Reads what is committed. */
  read<T>(work: (db: Reader) => Promise<T>): Promise<T>
  /** The action's transaction; the event row that names the resources is written in it. */
  transaction<T>(work: (tx: ActionTransaction) => Promise<T>): Promise<T>
  /** Waits outside any transaction until the condition holds or `timeoutMs` passed; for synchronous reads only. */
  waitUntil(condition: (db: Reader) => Promise<boolean>, timeoutMs: number): Promise<boolean>
}

export interface ActionTransaction extends Tx {
  /** Names resources for the event row. */
  touch(...resourceIds: string[]): void
}

/**
 * One AWS action. `honours` lists the members of its input that it acts on; the door refuses any other that a caller
 * gives, by name, so that nothing is ignored in silence. `DryRun` is answered by the door, for reads too.
 */
export interface Ec2Action<N extends Ec2TypedAction> {
  readonly honours: readonly (keyof Ec2Input<N> & string)[]
  run(ctx: ActionContext, input: Ec2Input<N>): Promise<Ec2Output<N>>
}

export function defineEc2Action<N extends Ec2TypedAction>(_name: N, action: Ec2Action<N>): Ec2Action<N> {
  return action
}
