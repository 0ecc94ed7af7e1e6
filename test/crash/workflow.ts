import type { CrashCloud } from './crash-cloud.ts'
import type { Daemon } from './daemon.ts'

/** One run of a workflow: what is asked, when it is over, and what must be true afterwards, whatever died meanwhile. */
export interface Run {
  /** Asks once; what was not acknowledged is remembered. */
  act(): Promise<void>
  /** Whether the workflow came to its end. */
  isDone(): Promise<boolean>
  /** Every daemon lives again: asks anew what was not acknowledged, waits, checks, and clears away. */
  settle(): Promise<void>
}

export interface Workflow {
  readonly name: string
  /** Whose points are counted. */
  readonly daemons: readonly ('cloud' | 'walrus' | 'node' | 'joiner')[]
  /** Points count from the first line of the process, not from the moment that the workflow begins. */
  readonly fromStart: boolean
  prepare(world: CrashCloud): Promise<Run & { readonly joiner?: Daemon }>
}

let counter = 0

/** A name that no other run of this process has. */
export function newName(prefix: string): string {
  counter += 1
  return `${prefix}-${process.pid}-${counter}`
}
