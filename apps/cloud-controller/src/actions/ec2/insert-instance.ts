import { newUuid } from '@mallee/base'
import type { PlacementGroupUse } from '../../scheduler/group-placement.ts'
import type { Placement } from '../../scheduler/judge-node.ts'
import { nextUsageRevision } from '../../store/instance-store.ts'
import type { TagTable } from '../../store/tables.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'
import type { TemplateUsed } from './launch-members.ts'
import type { Launch } from './resolve-launch.ts'

export interface NewInstance {
  readonly id: string
  readonly index: number
  readonly nodeId: string
  readonly reservationId: string
  readonly launching: Launch
  readonly placement: Placement
  readonly group: PlacementGroupUse | null
  readonly template: TemplateUsed | null
}

/** One instance of a launch, on its node; its reconciler does the rest. */
export async function insertInstance(
  ctx: ActionContext,
  tx: ActionTransaction,
  one: NewInstance,
): Promise<void> {
  const { launching, placement, group, template } = one
  const subnet = launching.subnetIn(placement.availabilityZone!)
  await tx.db
    .insertInto('instance')
    .values({
      id: one.id,
      account_id: ctx.caller.accountId,
      user_id: ctx.caller.userId,
      reservation_id: one.reservationId,
      launch_index: one.index,
      image_id: launching.imageId,
      kernel_id: launching.kernelId,
      ramdisk_id: launching.ramdiskId,
      instance_type: launching.instanceType,
      vcpus: launching.request.vcpus,
      memory_mib: launching.request.memoryMiB,
      disk_gib: launching.request.diskGiB,
      availability_zone: placement.availabilityZone!,
      vpc_id: subnet.vpc_id,
      subnet_id: subnet.id,
      key_name: launching.keyName,
      public_key: launching.publicKey,
      user_data: launching.userData,
      client_token: launching.clientToken,
      uuid: newUuid(ctx.random),
      metadata_options: JSON.stringify(launching.metadataOptions),
      monitoring: launching.monitoring ? 1 : 0,
      api_termination_disabled: launching.apiTerminationDisabled ? 1 : 0,
      api_stop_disabled: launching.apiStopDisabled ? 1 : 0,
      state: 'pending',
      state_reason_code: null,
      state_reason_message: null,
      state_changed_at: ctx.nowMs,
      desired: 'running',
      generation: 1,
      node_id: one.nodeId,
      incarnation: 0,
      restarts: 0,
      reboot_count: 0,
      console_count: 0,
      launched_at: ctx.nowMs,
      request_id: ctx.requestId,
      trace_parent: ctx.traceparent,
      usage_revision: nextUsageRevision,
      placement_group_id: group?.id ?? null,
      partition_number: placement.partitions[one.index] ?? null,
      launch_template_id: template?.id ?? null,
      launch_template_version: template?.version ?? null,
      root_device_type: launching.rootDeviceType,
      root_device_name: launching.rootDeviceName,
      ephemerals: launching.ephemerals.length === 0 ? null : JSON.stringify(launching.ephemerals),
      shutdown_behavior: launching.shutdownBehavior,
    })
    .execute()
}

/** Why it is where it is, for `explain`: of its latest start. */
export async function recordDecision(
  ctx: ActionContext,
  tx: ActionTransaction,
  { id, nodeId, placement }: Pick<NewInstance, 'id' | 'nodeId' | 'placement'>,
): Promise<void> {
  const row = { at: ctx.nowMs, record: JSON.stringify({ ...placement.decision, taken: nodeId }) }
  await tx.db
    .insertInto('decision')
    .values({ instance_id: id, ...row })
    .onConflict((conflict) => conflict.column('instance_id').doUpdateSet(row))
    .execute()
}

/** AWS's own tags, by which one finds what was launched from a template. */
export function templateTags(
  accountId: string,
  instanceId: string,
  template: TemplateUsed | null,
): TagTable[] {
  if (!template) return []
  const values = { id: template.id, version: String(template.version) }
  return Object.entries(values).map(([key, value]) => ({
    account_id: accountId,
    resource_id: instanceId,
    resource_type: 'instance',
    key: `aws:ec2launchtemplate:${key}`,
    value,
  }))
}
