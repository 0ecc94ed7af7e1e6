import type { NodeSnapshot, Placement, PlacementPolicy, PlacementRequest } from './judge-node.ts'
import { PlacementTable } from './placement-table.ts'

/**
 * Placement, pure: a snapshot of the nodes and a request give the nodes taken, or none, and the record of why. It runs
 * inside the transaction that claims the capacity, so what it saw free is free. The record keeps counts per reason and
 * the ten best nodes; `explain` recomputes the rest (DECISIONS 28).
 */
export function planPlacement(options: {
  request: PlacementRequest
  nodes: readonly NodeSnapshot[]
  policy: PlacementPolicy
  cursor: string | null
}): Placement {
  const table = new PlacementTable()
  for (const node of options.nodes) table.set(node)
  return table.plan(options)
}
