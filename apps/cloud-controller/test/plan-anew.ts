import type { NodeSnapshot, Placement } from '../src/scheduler/judge-node.ts'
import { PlacementTable } from '../src/scheduler/placement-table.ts'

/** What a table decides that saw these nodes and nothing before them. */
export function planAnew(
  options: Parameters<PlacementTable['plan']>[0] & { nodes: readonly NodeSnapshot[] },
): Placement {
  const table = new PlacementTable()
  for (const node of options.nodes) table.set(node)
  return table.plan(options)
}
