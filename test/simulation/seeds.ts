import { rm } from 'node:fs/promises'
import { afterAll, beforeAll } from 'vitest'
import { seededRandom } from '@mallee/base'
import { SimulatedClock } from './simulated-clock.ts'
import type { Guards } from './simulated-node.ts'
import { makeTemplate } from './simulated-cloud.ts'
import { World } from './world.ts'

const steps = 150

/** All seeds of one run; two files share them, so that both processors have something to do. */
export const seeds = Number(process.env['MALLEE_SEEDS'] ?? 500)
export const firstSeed = Number(process.env['MALLEE_SEED'] ?? 1)

export interface Failure {
  readonly seed: number
  readonly message: string
}

/** Gives a test file the means to live whole worlds; their template is made and removed around its tests. */
export function useWorlds(): (
  from: number,
  count: number,
  guards?: Partial<Guards>,
) => Promise<Failure | null> {
  let template: { dir: string; nodeIds: string[] }
  beforeAll(async () => {
    template = await makeTemplate(new SimulatedClock(), seededRandom(0), 3)
  })
  afterAll(() => rm(template.dir, { recursive: true, force: true }))
  return async (from, count, guards = {}) => {
    for (let seed = from; seed < from + count; seed += 1) {
      try {
        await new World({ seed, template: template.dir, nodeIds: template.nodeIds, steps, guards }).live()
      } catch (error) {
        // To see it again: MALLEE_SEED=N MALLEE_SEEDS=1 npx vitest run test/simulation
        return { seed, message: (error as Error).message }
      }
    }
    return null
  }
}
