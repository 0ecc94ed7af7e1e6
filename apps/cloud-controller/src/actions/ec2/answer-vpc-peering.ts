import {
  invalidParameterCombination,
  invalidStateTransition,
  operationNotPermitted,
  peeringDnsHostnamesDisabled,
  vpcPeeringConnectionsPerVpcLimitExceeded,
  type Ec2Input,
} from '@mallee/ec2-api'
import { wakeVpc } from '../../store/network-reach.ts'
import { openPeeringsOf, peeringStatus } from '../../store/peering-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { VpcPeeringTable } from '../../store/routing-tables.ts'
import { optionsView } from '../../views/peering-view.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requirePeering } from '../require-peering.ts'
import { viewOf } from './vpc-peering.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AcceptVpcPeeringConnection.html */
export const acceptVpcPeeringConnection = defineEc2Action('AcceptVpcPeeringConnection', {
  honours: ['VpcPeeringConnectionId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requirePeering(ctx, tx.db, input.VpcPeeringConnectionId)
      checkAnswer(ctx, row, 'accept')
      const open = await openPeeringsOf(tx.db, row.accepter_vpc_id, ctx.nowMs)
      await requireQuota(
        tx.db,
        ctx.caller,
        'vpc-peerings-per-vpc',
        open.filter((other) => other.status === 'active').length,
        () => vpcPeeringConnectionsPerVpcLimitExceeded(row.accepter_vpc_id),
      )
      const active = { status: 'active', message: 'Active', expires_at: null } as const
      const moved = await change(ctx, tx, row, active)
      return { VpcPeeringConnection: await viewOf(ctx, tx.db, moved) }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RejectVpcPeeringConnection.html */
export const rejectVpcPeeringConnection = defineEc2Action('RejectVpcPeeringConnection', {
  honours: ['VpcPeeringConnectionId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requirePeering(ctx, tx.db, input.VpcPeeringConnectionId)
      checkAnswer(ctx, row, 'reject')
      await change(ctx, tx, row, ended(ctx, 'rejected', 'Rejected'))
      return { Return: true }
    })
  },
})

/** By either side; the one that is asked rejects before it has accepted. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcPeeringConnection.html */
export const deleteVpcPeeringConnection = defineEc2Action('DeleteVpcPeeringConnection', {
  honours: ['VpcPeeringConnectionId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requirePeering(ctx, tx.db, input.VpcPeeringConnectionId)
      const status = peeringStatus(row, ctx.nowMs)
      const isRequester = row.account_id === ctx.caller.accountId
      if (status !== 'active' && !(status === 'pending-acceptance' && isRequester))
        throw wrongState(row, status, 'deleted')
      await change(ctx, tx, row, ended(ctx, 'deleted', 'Deleted'))
      return { Return: true }
    })
  },
})

function ended(ctx: ActionContext, status: 'rejected' | 'deleted', done: string) {
  return { status, message: `${done} by ${ctx.caller.accountId}`, ended_at: ctx.nowMs, expires_at: null }
}

/** Only the side that was asked answers, and only once. */
function checkAnswer(ctx: ActionContext, row: VpcPeeringTable, verb: 'accept' | 'reject'): void {
  const { accountId } = ctx.caller
  if (row.accepter_account_id !== accountId)
    throw operationNotPermitted(`User ${accountId} cannot ${verb} peering ${row.id}`)
  const status = peeringStatus(row, ctx.nowMs)
  if (status !== 'pending-acceptance')
    throw wrongState(row, status, verb === 'accept' ? 'active' : 'rejected')
}

function wrongState(row: VpcPeeringTable, from: string, to: string) {
  return invalidStateTransition(
    `Invalid state transition for ${row.id}, attempted to transition from ${from} to ${to}`,
  )
}

async function change(
  ctx: ActionContext,
  tx: ActionTransaction,
  row: VpcPeeringTable,
  changes: Partial<VpcPeeringTable>,
): Promise<VpcPeeringTable> {
  await tx.db.updateTable('vpc_peering').set(changes).where('id', '=', row.id).execute()
  tx.touch(row.id)
  await wakeVpc(tx, ctx.wakes, row.requester_vpc_id)
  await wakeVpc(tx, ctx.wakes, row.accepter_vpc_id)
  return { ...row, ...changes }
}

type Options = Ec2Input<'ModifyVpcPeeringConnectionOptions'>['RequesterPeeringConnectionOptions']

/** Each side says whether the other's guests are told its private addresses. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcPeeringConnectionOptions.html */
export const modifyVpcPeeringConnectionOptions = defineEc2Action('ModifyVpcPeeringConnectionOptions', {
  honours: [
    'VpcPeeringConnectionId',
    'AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc',
    'RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc',
  ],
  only: {
    'AccepterPeeringConnectionOptions.AllowEgressFromLocalClassicLinkToRemoteVpc': [false],
    'AccepterPeeringConnectionOptions.AllowEgressFromLocalVpcToRemoteClassicLink': [false],
    'RequesterPeeringConnectionOptions.AllowEgressFromLocalClassicLinkToRemoteVpc': [false],
    'RequesterPeeringConnectionOptions.AllowEgressFromLocalVpcToRemoteClassicLink': [false],
  },
  run(ctx, input) {
    const { AccepterPeeringConnectionOptions: accepter, RequesterPeeringConnectionOptions: requester } = input
    const [accepterDns, requesterDns] = [dnsOf(accepter), dnsOf(requester)]
    if (accepter === undefined && requester === undefined)
      throw invalidParameterCombination('No peering connection options specified.')
    return ctx.transaction(async (tx) => {
      const row = await requirePeering(ctx, tx.db, input.VpcPeeringConnectionId)
      if (peeringStatus(row, ctx.nowMs) !== 'active')
        throw operationNotPermitted(
          `Peering ${row.id} is not active. Peering options can be added only to active peerings.`,
        )
      if (accepter) await checkSide(ctx, tx, row, 'accepter', accepterDns)
      if (requester) await checkSide(ctx, tx, row, 'requester', requesterDns)
      const moved = await change(ctx, tx, row, {
        accepter_dns: accepterDns ?? row.accepter_dns,
        requester_dns: requesterDns ?? row.requester_dns,
      })
      return {
        ...(accepter ? { AccepterPeeringConnectionOptions: optionsView(moved.accepter_dns) } : {}),
        ...(requester ? { RequesterPeeringConnectionOptions: optionsView(moved.requester_dns) } : {}),
      }
    })
  },
})

function dnsOf(options: Options): 0 | 1 | undefined {
  const value = options?.AllowDnsResolutionFromRemoteVpc
  return value === undefined ? undefined : value ? 1 : 0
}

async function checkSide(
  ctx: ActionContext,
  tx: ActionTransaction,
  row: VpcPeeringTable,
  side: 'accepter' | 'requester',
  dns: 0 | 1 | undefined,
): Promise<void> {
  const { accountId } = ctx.caller
  const [owner, vpcId] =
    side === 'accepter'
      ? [row.accepter_account_id, row.accepter_vpc_id]
      : [row.account_id, row.requester_vpc_id]
  if (owner !== accountId)
    throw operationNotPermitted(`User ${accountId} cannot modify ${side} peering options of ${row.id}`)
  if (dns !== 1) return
  const vpc = await tx.db.selectFrom('vpc').select('dns_hostnames').where('id', '=', vpcId).executeTakeFirst()
  if (vpc?.dns_hostnames !== 1) throw peeringDnsHostnamesDisabled(vpcId)
}
