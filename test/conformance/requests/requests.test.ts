/** A short run of `npm run long requests`: what botocore signs and serialises, our verifier and decoder read the same. */
import { expect, it } from 'vitest'
import { hasBotocore } from '../botocore/oracle.ts'
import { runRequests, tallyLine } from './run-requests.ts'

it('verifies and decodes random requests of botocore, and refuses those that were tampered with', async (ctx) => {
  if (!hasBotocore()) {
    console.warn('SKIPPED: /usr/bin/python3 has no botocore; no signature of its making was verified')
    ctx.skip()
  }
  const seed = Number(process.env['MALLEE_SEED'] ?? 1)
  const tally = await runRequests({ seed, count: 5000, shards: 2, processes: 2 })
  console.log(`seed ${seed}: ${tallyLine(tally)}`)
  expect(tally.examples).toEqual([])
  expect(tally.disagreements).toBe(0)
  expect(tally.requests).toBe(5000)
  expect(tally.spoilt).toBeGreaterThan(100)
  expect(tally.operations.size).toBeGreaterThan(500)
  expect(tally.mutations.size).toBe(13)
})
