import path from 'node:path'
import type { ExportItem } from '@mallee/agent-contract'
import type { TgtTarget } from '../tgt/read-targets.ts'

/** One export as it should be. */
export interface WantedExport {
  readonly id: string
  readonly item: ExportItem
  /** Size of the volume's file; null where it is not there (yet). */
  readonly volumeBytes: number | null
  /** What the target daemon is to open. */
  readonly path: string
  /** Nobody may have it open just now; who is logged in waits for the target to come back. */
  readonly isPaused: boolean
}

export type ExportStep =
  | { readonly step: 'ready'; readonly id: string }
  | { readonly step: 'gone'; readonly id: string }
  | { readonly step: 'wait'; readonly id: string; readonly why: string }
  | { readonly step: 'make'; readonly id: string }
  /** Gone for a moment that its initiator waits through, without a word. */
  | { readonly step: 'pause'; readonly id: string; readonly tid: number }
  | { readonly step: 'hold'; readonly id: string }
  /** Not as it should be, or of a volume that has grown: it is made anew, and its initiator waits for it. */
  | { readonly step: 'remake'; readonly id: string; readonly tid: number }
  | { readonly step: 'remove'; readonly id: string; readonly tid: number }

/**
 * From what should be exported and what is, to one step for each export. A volume has at most one target, or it would have
 * two writers: the next is made when the one before is gone, and not when it was asked to go; of two that are asked for at
 * once the first has it.
 */
export function planExports(
  wanted: readonly WantedExport[],
  targets: readonly TgtTarget[],
  /** Bytes of each exported volume when its target was made, by target name. */
  madeBytes: ReadonlyMap<string, number>,
): ExportStep[] {
  const byName = new Map(targets.map((target) => [target.iqn, target]))
  /** Names of the target that each volume has, or is about to have. */
  const holders = new Map<string, string>()
  for (const { iqn, units } of targets)
    for (const { path: served } of units)
      if (served !== null && !holders.has(volumeOfPath(served))) holders.set(volumeOfPath(served), iqn)
  return wanted.map((entry): ExportStep => {
    const { id, item, volumeBytes } = entry
    const target = byName.get(item.iqn)
    if (item.withdraw) return target ? { step: 'remove', id, tid: target.tid } : { step: 'gone', id }
    if (volumeBytes === null) return { step: 'wait', id, why: 'The volume is not there yet.' }
    const holder = holders.get(item.volumeId) ?? item.iqn
    holders.set(item.volumeId, holder)
    if (holder !== item.iqn)
      return target
        ? { step: 'remove', id, tid: target.tid }
        : { step: 'wait', id, why: 'The volume is still exported to somebody else.' }
    if (entry.isPaused) return target ? { step: 'pause', id, tid: target.tid } : { step: 'hold', id }
    if (!target) return { step: 'make', id }
    const whole =
      target.units.some(({ lun, path: served }) => lun === 1 && served === entry.path) &&
      target.accounts.includes(item.chapUser) &&
      target.initiators.includes(item.initiatorIqn)
    const grown = (madeBytes.get(item.iqn) ?? 0) < volumeBytes
    return whole && !grown ? { step: 'ready', id } : { step: 'remake', id, tid: target.tid }
  })
}

/** A volume is served from one file or another of its own, each with its name. */
export function volumeOfPath(file: string): string {
  return path.basename(file).split('.')[0]!
}
