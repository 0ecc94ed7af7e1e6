import { checkSettled } from './check-settled.ts'
import type { CrashCloud } from './crash-cloud.ts'
import type { CrashPlan } from './crash-points.ts'
import type { Daemon } from './daemon.ts'
import { until } from './until.ts'
import type { Run, Workflow } from './workflow.ts'

export interface Point {
  readonly workflow: string
  readonly daemon: Workflow['daemons'][number]
  readonly label: string
  readonly occurrence: number
  readonly when: 'before' | 'after'
}

/** What comes after the end of a workflow belongs to it still: last reports, and commits that follow them. */
const trailMs = 300

export const nameOf = (point: Point): string =>
  `${point.workflow}/${point.daemon}/${point.when} ${point.label} #${point.occurrence}`

/** The labels that a daemon passes in one undisturbed run, in their order. */
export async function recordLabels(
  world: CrashCloud,
  workflow: Workflow,
  which: Point['daemon'],
): Promise<string[]> {
  const run = await workflow.prepare(world)
  const daemon = which === 'joiner' ? run.joiner! : world[which]
  await begin(world, workflow, run, daemon, { mode: 'record' })
  await run.act()
  await until(`${workflow.name}, recorded`, () => run.isDone())
  await pause(trailMs)
  const labels = await daemon.collect()
  await daemon.arm({ mode: 'off' })
  await run.settle()
  await checkSettled(world)
  return labels
}

/** Runs the workflow with one death in it; answers whether the point was reached. Throws what is not as it should be. */
export async function runPoint(world: CrashCloud, workflow: Workflow, point: Point): Promise<boolean> {
  const run = await workflow.prepare(world)
  const daemon = point.daemon === 'joiner' ? run.joiner! : world[point.daemon]
  const { label, occurrence, when } = point
  await begin(world, workflow, run, daemon, { mode: 'kill', label, occurrence, when })
  await run.act()
  await until(`${workflow.name} or a death`, async () => !daemon.alive || (await run.isDone()))
  if (daemon.alive) await Promise.race([daemon.untilEnded(), pause(trailMs)])
  const died = await daemon.revive()
  if (!died) await daemon.arm({ mode: 'off' })
  await run.settle()
  await checkSettled(world)
  return died
}

async function begin(
  world: CrashCloud,
  workflow: Workflow,
  run: Run & { joiner?: Daemon },
  daemon: Daemon,
  plan: CrashPlan,
): Promise<void> {
  const restarts = workflow.fromStart && daemon !== world.cloud
  if (!restarts) await daemon.arm(plan)
  else {
    if (daemon.alive) await daemon.kill()
    daemon.start(plan)
  }
  if (run.joiner && run.joiner !== daemon) run.joiner.start()
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
