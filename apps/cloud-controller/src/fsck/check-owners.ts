import { minuteMs } from '@mallee/base'
import { instanceLifecycle } from '@mallee/lifecycles'
import type { InstanceTable } from '../store/tables.ts'
import { finding, type Finding } from './finding.ts'
import type { CheckContext, RecordRows } from './record-rows.ts'

/** A node bears trouble that may pass for ten minutes; what takes longer than this has no owner that acts. */
const overdueMs = 15 * minuteMs
const imageOverdueMs = 60 * minuteMs

/** I1: whatever is under way has somebody whose work it is, and a time by which it is done. */
export function checkOwners(rows: RecordRows, ctx: CheckContext): Finding[] {
  const live = new Map(rows.agents.filter((agent) => agent.state !== 'forgotten').map((row) => [row.id, row]))
  const items = new Set(rows.items.map((item) => `${item.agent_id} ${item.kind} ${item.id}`))
  const walruses = rows.agents.filter((agent) => agent.kind === 'walrus' && agent.state !== 'forgotten')
  return [
    ...rows.instances.flatMap((instance) => ofInstance(instance, { live, items, ctx })),
    ...rows.images
      .filter((image) => image.state === 'pending' && ctx.nowMs - image.created_at > ctx.graceMs)
      .flatMap((image) => {
        const given = walruses.filter((agent) => items.has(`${agent.id} image-object ${image.id}`))
        if (walruses.length > 0 && given.length === 0) {
          const what = 'is pending, and no walrus was told to look at it'
          return [finding('I1.image-without-owner', image.id, what, 'Restart the cloud controller.')]
        }
        const heard = given.some((agent) => agent.silent_since === null)
        if (!heard || ctx.nowMs - image.created_at < imageOverdueMs) return []
        const what = 'has been pending for an hour although walrus answers'
        return [finding('I1.image-overdue', image.id, what, 'See log/walrus.log for this image.')]
      }),
  ]
}

function ofInstance(
  instance: InstanceTable,
  known: {
    live: ReadonlyMap<string, { silent_since: number | null }>
    items: ReadonlySet<string>
    ctx: CheckContext
  },
): Finding[] {
  const { live, items, ctx } = known
  if (instanceLifecycle.isTerminal(instance.state)) return []
  if (ctx.nowMs - instance.launched_at < ctx.graceMs) return []
  // Nothing of it is left on a node: it will be on another.
  if (instance.state === 'stopped' && instance.node_id === null) return []
  const is = `is ${instance.state}`
  const node = instance.node_id === null ? undefined : live.get(instance.node_id)
  if (!node) {
    const remedy = 'Terminate it: aws ec2 terminate-instances.'
    return [finding('I1.instance-without-node', instance.id, `${is} on a node that there is not`, remedy)]
  }
  const found: Finding[] = []
  if (!items.has(`${instance.node_id} domain ${instance.id}/${instance.incarnation}`)) {
    const what = `${is}, and nothing of it is in its node's set`
    found.push(finding('I1.instance-without-item', instance.id, what, 'Restart the cloud controller.'))
  }
  const passing = ['pending', 'stopping', 'shutting-down'].includes(instance.state)
  if (passing && node.silent_since === null && ctx.nowMs - instance.state_changed_at > overdueMs) {
    const minutes = Math.floor((ctx.nowMs - instance.state_changed_at) / minuteMs)
    const what = `has been ${instance.state} for ${minutes} minutes although its node answers`
    found.push(finding('I1.instance-overdue', instance.id, what, 'See log/node-controller.log for its id.'))
  }
  return found
}
