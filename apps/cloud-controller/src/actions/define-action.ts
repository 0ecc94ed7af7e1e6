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
  /**
   * Whose resources a describe may show: the caller's account, or null for everyone's, when the cloud's admin named the
   * id `verbose` (Eucalyptus' way of asking for all accounts).
   */
  readonly scope: string | null
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
  /**
   * The action's one transaction; the event row that names the resources is written in it. Where the request carries a
   * ClientToken, a repeated request gets the first one's result without `work` being run again: what `work` answers
   * must survive JSON (ids, not dates).
   */
  transaction<T>(work: (tx: ActionTransaction) => Promise<T>): Promise<T>
  /** Waits outside any transaction until the condition holds or `timeoutMs` passed; for synchronous reads only. */
  waitUntil(condition: (db: Reader) => Promise<boolean>, timeoutMs: number): Promise<boolean>
}

export interface ActionTransaction extends Tx {
  /** Names resources for the event row. */
  touch(...resourceIds: string[]): void
}

type MemberPath<Input> = (keyof Input & string) | `${keyof Input & string}.${string}`

/**
 * One AWS action, and what of its input it acts on. Everything else that a caller gives is refused by the door, by its
 * name on the wire, so that nothing is ignored in silence; the coverage report is made of these very lists, and a test
 * finds the member that is listed and not read. `DryRun` and `ClientToken` are the door's own.
 */
export interface Ec2Action<N extends Ec2TypedAction> {
  /** Members acted on: `Placement.AvailabilityZone`, or `Placement` for all that is in it. List indices are left out. */
  readonly honours: readonly MemberPath<Ec2Input<N>>[]
  /** Members that may only say what is so anyway: `EbsOptimized: [false]`. Any other value is refused by name. */
  readonly only?: { readonly [P in MemberPath<Ec2Input<N>>]?: readonly (string | number | boolean)[] }
  /** The filter names that it honours, `tag:KEY` among them where tags count. */
  readonly filters?: readonly string[]
  /** The id lists in which the cloud's admin may say `verbose`. */
  readonly ids?: readonly (keyof Ec2Input<N> & string)[]
  /** The resource types that its TagSpecifications may name: what it creates. */
  readonly creates?: readonly string[]
  run(ctx: ActionContext, input: Ec2Input<N>): Promise<Ec2Output<N>>
}

export function defineEc2Action<N extends Ec2TypedAction>(_name: N, action: Ec2Action<N>): Ec2Action<N> {
  return action
}

/** An action as the door and the report see it: by name, with the types that the decoder vouches for. */
export interface AnyAction {
  readonly honours: readonly string[]
  readonly only?: Readonly<Record<string, readonly (string | number | boolean)[]>>
  readonly filters?: readonly string[]
  readonly ids?: readonly string[]
  readonly creates?: readonly string[]
  run(ctx: ActionContext, input: Record<string, unknown>): Promise<Record<string, unknown>>
}
