import { World, type Happenings } from './world.ts'
import type { Guards } from './guards.ts'

/** One process that lives worlds: seeds come by message, and what became of them goes back. */
export interface WorkOrder {
  readonly template: string
  readonly nodeIds: readonly string[]
  readonly guards: Partial<Guards>
  readonly seeds: readonly number[]
}

export interface WorkDone {
  readonly failures: readonly { seed: number; message: string }[]
  readonly happenings: Happenings
  readonly seeds: number
  readonly simulatedMs: number
}

process.on('message', (order: WorkOrder) => {
  void live(order).then((done) => process.send!(done))
})
process.on('disconnect', () => process.exit(0)) // whoever ordered is gone

async function live(order: WorkOrder): Promise<WorkDone> {
  const failures: { seed: number; message: string }[] = []
  const happenings: Happenings = {}
  let simulatedMs = 0
  for (const seed of order.seeds) {
    const world = new World({ ...order, seed })
    const beganMs = world.truth.now()
    try {
      await world.live()
    } catch (error) {
      failures.push({ seed, message: (error as Error).message })
    }
    simulatedMs += world.truth.now() - beganMs
    for (const [what, count] of Object.entries(world.happenings))
      happenings[what] = (happenings[what] ?? 0) + count
  }
  return { failures, happenings, seeds: order.seeds.length, simulatedMs }
}
