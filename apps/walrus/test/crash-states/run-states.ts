import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { seededRandom } from '@mallee/base'
import { checkState } from './check-state.ts'
import { writeState, type Luck } from './disk-state.ts'
import type { Recording } from './recording.ts'
import type { Call } from './recorder.ts'

export interface Tally {
  states: number
  lost: number
  damaged: number
  orphans: number
  /** The first few states that were not well. */
  readonly examples: string[]
}

export const emptyTally = (): Tally => ({ states: 0, lost: 0, damaged: 0, orphans: 0, examples: [] })

const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** States of the moments of a recording, spread over all of them; both extremes of each moment come first. */
export async function runStates(
  recording: Recording,
  options: { seed: number; states: number },
  tally: Tally,
): Promise<void> {
  const random = seededRandom(options.seed)
  const root = mkdtempSync(path.join(memory, 'mallee-states-'))
  try {
    const dir = path.join(root, 'agent')
    mkdirSync(dir)
    writeFileSync(path.join(dir, 'sse-keys.json'), recording.keys)
    const perMoment = options.states / recording.moments
    for (let number = 0; number < options.states; number += 1) {
      const moment = Math.floor(number / perMoment)
      const ofMoment = number - Math.ceil(moment * perMoment)
      const luck: Luck = (['nothing', 'everything'] as const)[ofMoment] ?? 'chance'
      const dataDir = path.join(root, 'data')
      mkdirSync(dataDir)
      writeState(dataDir, recording, moment, luck, random)
      const verdict = await checkState({ dataDir, dir }, recording, moment)
      rmSync(dataDir, { recursive: true })
      tally.states += 1
      for (const what of ['lost', 'damaged', 'orphans'] as const) {
        tally[what] += verdict[what].length
        if (verdict[what].length > 0 && tally.examples.length < 5)
          tally.examples.push(
            `seed ${options.seed}, moment ${moment}, ${luck}: ${what} ${verdict[what].join(', ')}`,
          )
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** The recording of a walrus that does not wait for something to be on the disk; such a walrus must be found out. */
export function without(recording: Recording, kind: 'sync' | 'sync-folder' | 'commit'): Recording {
  const last = Number.POSITIVE_INFINITY
  const calls =
    kind === 'commit'
      ? recording.calls.map((call): Call => (call.kind === 'commit' ? { ...call, end: last } : call))
      : recording.calls.filter((call) => call.kind !== kind)
  return { ...recording, calls }
}
