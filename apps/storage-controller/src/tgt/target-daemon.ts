import type { TgtTarget } from './read-targets.ts'
import type { TgtRequest } from './tgt-request.ts'

/** What can be asked of a target daemon. */
export interface Targets {
  targets(): Promise<TgtTarget[]>
  /** Names of all CHAP users. */
  accounts(): Promise<string[]>
  /** One request; answers the text. */
  call(request: TgtRequest): Promise<string>
}

/** A target daemon, as the keeper of exports needs it: there, and answering. */
export interface TargetDaemon {
  readonly client: Targets
  /** Resolves when it answers; whether it was started anew, and knows nothing. */
  ensure(): Promise<{ started: boolean }>
  /** Of a process that sees files as it does; null while there is none. */
  pid(): Promise<number | null>
}
