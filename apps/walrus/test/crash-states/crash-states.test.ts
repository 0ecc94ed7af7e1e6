import { beforeAll, expect, it } from 'vitest'
import { record, type Recording } from './recording.ts'
import { emptyTally, runStates, without } from './run-states.ts'

let recording: Recording
beforeAll(async () => {
  recording = await record(1)
})

it('whatever a power cut leaves, what was acknowledged is whole and nothing is left over', async () => {
  const tally = emptyTally()
  await runStates(recording, { seed: 1, states: 130 }, tally)
  expect(tally).toEqual({ states: 130, lost: 0, damaged: 0, orphans: 0, examples: [] })
})

it.each(['sync', 'sync-folder', 'commit'] as const)(
  'a walrus that does not wait for %s is found out',
  async (kind) => {
    const tally = emptyTally()
    await runStates(without(recording, kind), { seed: 1, states: 40 }, tally)
    expect(tally.lost + tally.damaged).toBeGreaterThan(0)
  },
)
