import { expect, test } from 'vitest'
import { manyCases } from './many-cases.ts'
import { decorated } from './random-policies.ts'

test('two evaluators agree on 20,000 cases, and every outcome and operator decided some', () => {
  const tally = manyCases({ seed: 1, count: 20_000, enough: 3 })
  expect(tally.disagreements.slice(0, 3)).toEqual([])
  for (const outcome of ['allow', 'explicitDeny', 'implicitDeny'])
    expect(tally.outcomes.get(outcome), outcome).toBeGreaterThan(2000)
  expect(decorated.filter((operator) => (tally.decided.get(operator) ?? 0) < 3)).toEqual([])
})
