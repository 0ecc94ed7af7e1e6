import type { InventoryKind } from '@mallee/agent-contract'

/**
 * One thing that is not as it must be. The code names the invariant first: I1 everything that is under way has an
 * owner, I2 allocations are the sum of records, I3 everything has one owner or none, I4 nothing runs without a record,
 * I6 what was acknowledged is there, I8 what was done has its event, I11 what is said is not old; R references, S secrets,
 * A agents.
 */
export interface Finding {
  readonly code: string
  /** What it is about: a resource's id, or an agent's name and the name that the thing has there. */
  readonly subject: string
  readonly what: string
  /** What an administrator can do about it. */
  readonly remedy: string
  /** What `--repair` does about it; null where that is nobody's to decide but a person's. */
  readonly repair: Repair | null
}

export type Repair =
  | { readonly do: 'remove'; readonly agentId: string; readonly kind: InventoryKind; readonly id: string }
  | { readonly do: 'drop-item'; readonly agentId: string; readonly kind: string; readonly id: string }

export const repairIt = './mallee fsck --repair removes it.'

export const finding = (
  code: string,
  subject: string,
  what: string,
  remedy: string,
  repair: Repair | null = null,
): Finding => ({ code, subject, what, remedy, repair })

/** The findings that both looks had: what was under way in the first is over in the second. */
export function inBoth(first: readonly Finding[], second: readonly Finding[]): Finding[] {
  const keys = new Set(first.map(keyOf))
  return second.filter((entry) => keys.has(keyOf(entry)))
}

export const keyOf = (entry: Finding): string => `${entry.code} ${entry.subject}`
