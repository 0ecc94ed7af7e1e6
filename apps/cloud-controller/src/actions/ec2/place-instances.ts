import { insufficientInstanceCapacity } from '@mallee/ec2-api'
import type { PlacementGroupUse } from '../../scheduler/group-placement.ts'
import { decisionSentence, type PlacementRequest, type Placement } from '../../scheduler/judge-node.ts'
import type { CapacityNow } from '../../store/capacity.ts'
import { getSetting, setSetting } from '../../store/setting-store.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'

/** The setting in which round-robin remembers the node it took last. */
const cursorSetting = 'scheduler.cursor'

/**
 * Nodes for instances of one type, whether they are new or start again. Throws InsufficientInstanceCapacity, with the
 * reasons, where no node takes as many as are needed at least.
 */
export async function placeInstances(
  ctx: ActionContext,
  tx: ActionTransaction,
  asked: {
    readonly request: PlacementRequest
    readonly instanceType: string
    readonly capacity: CapacityNow
    readonly group: PlacementGroupUse | null
  },
): Promise<Placement> {
  const placement = asked.capacity.plan({
    request: asked.request,
    policy: ctx.settings.placementPolicy,
    cursor: await getSetting(tx.db, cursorSetting),
    group: asked.group,
  })
  if (placement.nodeIds.length === 0) {
    throw insufficientInstanceCapacity(
      `We currently do not have sufficient ${asked.instanceType} capacity: ${decisionSentence(placement.decision)}.`,
    )
  }
  await setSetting(tx, cursorSetting, placement.nodeIds.at(-1)!)
  return placement
}
