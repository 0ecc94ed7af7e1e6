import { expect, test } from 'vitest'
import { firstSeed, seeds, useWorlds } from './seeds.ts'

const firstFailure = useWorlds()
const half = Math.ceil(seeds / 2)

test(`${seeds - half} more seeds settle under faults`, { timeout: 900_000 }, async () => {
  expect(await firstFailure(firstSeed + half, seeds - half)).toBeNull()
})

test(
  'a node that starts without a note beforehand is caught starting twice',
  { timeout: 900_000 },
  async () => {
    const failure = await firstFailure(1, 60, { noteBeforeStart: false })
    expect(failure?.message).toMatch(/started \d+ times|runs twice/)
  },
)
