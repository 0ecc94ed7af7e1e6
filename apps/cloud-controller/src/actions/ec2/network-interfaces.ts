import {
  invalidNetworkInterfaceInUse,
  invalidParameterValue,
  networkInterfaceLimitExceeded,
} from '@mallee/ec2-api'
import {
  addPrivateAddresses,
  deleteInterfaces,
  insertInterface,
  readInterfaces,
} from '../../store/network-store.ts'
import { wakeVpc } from '../../store/network-reach.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'
import { tagRows } from '../tag-specifications.ts'
import { interfaceView } from './describe-network-interfaces.ts'
import { chooseAddresses } from './private-addresses.ts'
import { requireOwnInterface } from './require-interfaces.ts'
import { resolveGroups } from './resolve-groups.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInterface.html */
export const createNetworkInterface = defineEc2Action('CreateNetworkInterface', {
  honours: [
    'SubnetId',
    'Description',
    'Groups',
    'PrivateIpAddress',
    'PrivateIpAddresses.Primary',
    'PrivateIpAddresses.PrivateIpAddress',
    'SecondaryPrivateIpAddressCount',
    'TagSpecifications',
    'ClientToken',
  ],
  only: { InterfaceType: ['interface'] },
  creates: ['network-interface'],
  async run(ctx, input) {
    const id = await ctx.transaction(async (tx) => {
      const subnet = await requireOwned(ctx, tx.db, 'subnet', input.SubnetId)
      await requireRoom(ctx, tx.db)
      const groupIds = await resolveGroups(ctx, tx.db, {
        vpcId: subnet.vpc_id,
        ids: input.Groups ?? [],
        names: [],
      })
      const { primary, secondary } = await chooseAddresses(ctx, tx, subnet, input)
      const entry = await insertInterface(tx, {
        subnet,
        privateIp: primary,
        groupIds,
        description: descriptionOf(input.Description),
        random: ctx.random,
        nowMs: ctx.nowMs,
      })
      await addPrivateAddresses(tx, entry, secondary)
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'network-interface', [entry.id]))
      tx.touch(entry.id)
      return entry.id
    })
    return ctx.read(async (db) => {
      const [entry] = await readInterfaces(db, { interfaceIds: [id] })
      const tags = (await readTags(db, ctx.caller.accountId, [id])).get(id) ?? []
      return {
        ...(entry ? { NetworkInterface: interfaceView(entry, ctx.settings.region, tags) } : {}),
        ...(input.ClientToken === undefined ? {} : { ClientToken: input.ClientToken }),
      }
    })
  },
})

export function descriptionOf(text: string | undefined): string {
  if (text !== undefined && text.length > 255)
    throw invalidParameterValue('The description of a network interface has at most 255 characters.')
  return text ?? ''
}

async function requireRoom(ctx: ActionContext, db: Reader): Promise<void> {
  const { count } = await db
    .selectFrom('network_interface')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('account_id', '=', ctx.caller.accountId)
    .executeTakeFirstOrThrow()
  await requireQuota(db, ctx.caller, 'network-interfaces', Number(count), networkInterfaceLimitExceeded)
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNetworkInterface.html */
export const deleteNetworkInterface = defineEc2Action('DeleteNetworkInterface', {
  honours: ['NetworkInterfaceId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const entry = await requireOwnInterface(ctx, tx.db, input.NetworkInterfaceId)
      if (entry.instance_id !== null) throw invalidNetworkInterfaceInUse(entry.id)
      await deleteInterfaces(tx, [entry.id])
      await wakeVpc(tx, ctx.wakes, entry.vpc_id)
      tx.touch(entry.id)
      return {}
    })
  },
})
