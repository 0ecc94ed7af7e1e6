import { readFileSync } from 'node:fs'
import { adopt, launch, reboot, terminate } from './guest-workflows.ts'
import { importImage } from './image-workflow.ts'
import type { CrashCloud } from './crash-cloud.ts'
import { join } from './join-workflow.ts'
import { nameOf, recordLabels, type Point } from './run-point.ts'
import type { Workflow } from './workflow.ts'

export const workflows: readonly Workflow[] = [launch, reboot, adopt, terminate, importImage, join]

/** Two recordings of everything; what either passed is a point. */
const recordings = 2

/** Every point of every workflow, before and after. */
export async function enumeratePoints(world: CrashCloud): Promise<Point[]> {
  const points: Point[] = []
  for (const workflow of workflows) {
    for (const daemon of workflow.daemons) {
      const most = new Map<string, number>()
      for (let turn = 0; turn < recordings; turn += 1) {
        const counts = Map.groupBy(await recordLabels(world, workflow, daemon), (label) => label)
        for (const [label, { length }] of counts) most.set(label, Math.max(most.get(label) ?? 0, length))
      }
      for (const [label, count] of most)
        for (let occurrence = 1; occurrence <= count; occurrence += 1)
          for (const when of ['before', 'after'] as const)
            points.push({ workflow: workflow.name, daemon, label, occurrence, when })
    }
  }
  return points
}

const knownFile = new URL('./known-points.txt', import.meta.url)

/**
 * Labels that were there when a person looked last (MALLEE_CRASH_NOTE=1 writes them anew): a new one always runs,
 * whatever the share.
 */
export function knownLabels(): Set<string> {
  return new Set(readFileSync(knownFile, 'utf8').split('\n'))
}

export const labelOf = (point: Point): string => `${point.workflow}/${point.daemon}/${point.label}`

/** One of `of` shares of the points, the same for the same number, and every point whose label is new. */
export function shareOf(points: readonly Point[], share: { number: number; of: number }): Point[] {
  const known = knownLabels()
  return points.filter(
    (point) => hash(nameOf(point)) % share.of === share.number % share.of || !known.has(labelOf(point)),
  )
}

function hash(text: string): number {
  let value = 2_166_136_261
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 16_777_619) >>> 0
  return (value ^ (value >>> 13)) >>> 0
}
