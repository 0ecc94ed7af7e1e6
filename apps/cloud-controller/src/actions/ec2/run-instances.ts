import type { Ec2Input } from '@mallee/ec2-api'
import { idempotentInstanceTerminated } from '@mallee/ec2-api'
import { claimPublicAddresses } from '../../store/address-store.ts'
import { freeAddresses } from '../../store/free-addresses.ts'
import { associateProfile } from '../../store/profile-association-store.ts'
import { insertInterface } from '../../store/network-store.ts'
import { putTags } from '../../store/tag-store.ts'
import { wakeVpc } from '../../store/network-reach.ts'
import { insertAttachment } from '../../store/volume-store.ts'
import type { NetworkInterfaceTable } from '../../store/tables.ts'
import { newId } from '@mallee/base'
import { readInstanceRows, reservationViews } from '../../views/read-instances.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { recordDecision, insertInstance, templateTags, type NewInstance } from './insert-instance.ts'
import { launchCreates, launchMembers, launchOnly, withLaunchTemplate } from './launch-members.ts'
import { insertVolume } from './new-volume.ts'
import { isPlain, plugCards } from './launch-interfaces.ts'
import { placeInstances } from './place-instances.ts'
import { claimInstanceQuota, resolveLaunch } from './resolve-launch.ts'
import { resolvePlacementGroup } from './resolve-placement-group.ts'

type Input = Ec2Input<'RunInstances'>

/**
 * One transaction: the token, the quota, the capacity, the addresses and the instances, or nothing. The nodes learn of
 * it from the reconcilers. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
 */
export const runInstances = defineEc2Action('RunInstances', {
  honours: [
    ...launchMembers,
    'MinCount',
    'MaxCount',
    'RamdiskId',
    'SubnetId',
    'PrivateIpAddress',
    'AddressingType',
    'LaunchTemplate.LaunchTemplateId',
    'LaunchTemplate.LaunchTemplateName',
    'LaunchTemplate.Version',
  ],
  only: launchOnly,
  creates: launchCreates,

  async run(ctx, input) {
    const ids = await ctx.transaction(async (tx) => {
      const launched = await launch(ctx, tx, input)
      tx.touch(...launched)
      return launched
    })
    return ctx.read(async (db) => {
      const instances = await db.selectFrom('instance').selectAll().where('id', 'in', ids).execute()
      if (instances.length === 0) throw idempotentInstanceTerminated() // and forgotten since the first call
      const rows = await readInstanceRows(db, ctx.caller.accountId, instances)
      return reservationViews(rows, ctx.settings.region)[0]!
    })
  },
})

async function launch(ctx: ActionContext, tx: ActionTransaction, input: Input): Promise<string[]> {
  const { input: asked, template } = await withLaunchTemplate(ctx, tx.db, input)
  const launching = await resolveLaunch(ctx, tx.db, asked)
  const { availabilityZone } = launching.request
  const group = await resolvePlacementGroup(ctx, tx.db, asked.Placement, availabilityZone)
  const capacity = await ctx.capacity.at(tx)
  const maxCount = await claimInstanceQuota(ctx, tx, { request: launching.request, capacity })
  const placement = await placeInstances(ctx, tx, {
    request: { ...launching.request, maxCount },
    instanceType: launching.instanceType,
    ...{ capacity, group },
  })
  const subnet = launching.subnetIn(placement.availabilityZone!)
  const reservationId = newId('reservation', ctx.random)
  await tx.db
    .insertInto('reservation')
    .values({ id: reservationId, account_id: ctx.caller.accountId, created_at: ctx.nowMs })
    .execute()
  const plain = isPlain(launching.cards)
  const addresses = plain ? await freeAddresses(tx.db, subnet, placement.nodeIds.length) : []
  const ids: string[] = []
  const interfaces: NetworkInterfaceTable[] = []
  for (const [index, nodeId] of placement.nodeIds.entries()) {
    const id = newId('instance', ctx.random)
    const one = { id, index, nodeId, reservationId, launching, placement, group, template }
    await insertInstance(ctx, tx, one)
    await recordDecision(ctx, tx, one)
    const { cards } = launching
    const instance = { id, vpc_id: subnet.vpc_id, node_id: nodeId }
    if (!plain) interfaces.push(...(await plugCards(ctx, tx, { instance, cards, primarySubnet: subnet })))
    else
      interfaces.push(
        await insertInterface(tx, {
          subnet,
          privateIp: addresses[index]!,
          groupIds: launching.groupIds,
          description: cards[0]!.description,
          attachment: { instanceId: id, deviceIndex: 0 },
          deleteOnTermination: cards[0]!.deleteOnTermination,
          random: ctx.random,
          nowMs: ctx.nowMs,
        }),
      )
    await bringVolumes(ctx, tx, one)
    const { profile } = launching
    if (profile) await associateProfile(tx, ctx.wakes, { instanceId: id, profile, ...ctx })
    ids.push(id)
  }
  if (launching.wantsPublicIp(subnet)) {
    await claimPublicAddresses(tx, {
      pool: ctx.settings.publicPool,
      accountId: ctx.caller.accountId,
      interfaces,
      random: ctx.random,
      nowMs: ctx.nowMs,
    })
  }
  const before = new Set(launching.cards.map((card) => card.existing?.id))
  const interfaceIds = interfaces.map((entry) => entry.id).filter((id) => !before.has(id))
  await putTags(tx, [
    ...launching.tagsFor(ids, interfaceIds),
    ...ids.flatMap((id) => templateTags(ctx.caller.accountId, id, template)),
  ])
  await wakeVpc(tx, ctx.wakes, subnet.vpc_id)
  for (const id of ids) tx.afterCommit(() => ctx.wakes.instance(id))
  return ids
}

/** The volumes of one instance, made for it and attached to it before it starts. */
async function bringVolumes(
  ctx: ActionContext,
  tx: ActionTransaction,
  { id: instanceId, launching, placement }: NewInstance,
): Promise<void> {
  for (const { device, isRoot, deleteOnTermination, spec } of launching.volumes) {
    const volume = await insertVolume(ctx, tx, spec, placement.availabilityZone!)
    await insertAttachment(tx, ctx, { volume, instanceId, device, isRoot, deleteOnTermination })
    await putTags(tx, launching.volumeTagsFor(volume.id))
  }
}
