import { expect, test } from 'vitest'
import { firstSeed, seeds, useWorlds } from './seeds.ts'

const firstFailure = useWorlds()
const half = Math.ceil(seeds / 2)

test(`${half} seeds settle under faults`, { timeout: 900_000 }, async () => {
  expect(await firstFailure(firstSeed, half)).toBeNull()
})
