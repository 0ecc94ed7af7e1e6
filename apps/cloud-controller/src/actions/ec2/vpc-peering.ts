import { newId } from '@mallee/base'
import {
  invalidParameterValue,
  invalidVpcPeeringConnectionIdNotFound,
  missingParameter,
  unsupportedParameter,
  vpcPeeringConnectionAlreadyExists,
  vpcPeeringConnectionsPerVpcLimitExceeded,
} from '@mallee/ec2-api'
import {
  isPeeringVisible,
  openPeeringsOf,
  peeringExpiryMs,
  peeringStatus,
  vpcsOverlap,
} from '../../store/peering-store.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { VpcPeeringTable } from '../../store/routing-tables.ts'
import { putTags, readTags } from '../../store/tag-store.ts'
import { readVpcCidrs } from '../../store/vpc-cidr-store.ts'
import { peeringView, type PeeringRows } from '../../views/peering-view.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { requireOwned } from '../owned-networks.ts'
import { requirePeering } from '../require-peering.ts'
import { tagRows } from '../tag-specifications.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcPeeringConnection.html */
export const createVpcPeeringConnection = defineEc2Action('CreateVpcPeeringConnection', {
  honours: ['VpcId', 'PeerVpcId', 'PeerOwnerId', 'PeerRegion', 'TagSpecifications'],
  creates: ['vpc-peering-connection'],
  run(ctx, input) {
    const { PeerVpcId: peerVpcId, PeerRegion: region } = input
    const { accountId } = ctx.caller
    const peerOwner = input.PeerOwnerId ?? accountId
    if (peerVpcId === undefined) throw missingParameter('PeerVpcId')
    if (region !== undefined && region !== ctx.settings.region) throw unsupportedParameter('PeerRegion')
    if (!/^\d{12}$/.test(peerOwner))
      throw invalidParameterValue(`Value (${peerOwner.slice(0, 60)}) for parameter peerOwnerId is invalid.`)
    return ctx.transaction(async (tx) => {
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      if (peerOwner === accountId) await requireOwned(ctx, tx.db, 'vpc', peerVpcId)
      const open = await openPeeringsOf(tx.db, vpc.id, ctx.nowMs)
      const same = open.find((row) => [row.requester_vpc_id, row.accepter_vpc_id].includes(peerVpcId))
      if (same && peerVpcId !== vpc.id) throw vpcPeeringConnectionAlreadyExists(same.id)
      await requireQuota(tx.db, ctx.caller, 'vpc-peerings-per-vpc', open.length, () =>
        vpcPeeringConnectionsPerVpcLimitExceeded(vpc.id),
      )
      const sides = { requester_vpc_id: vpc.id, accepter_vpc_id: peerVpcId, accepter_account_id: peerOwner }
      const row = newPeering(ctx, sides, await canPeer(tx.db, sides))
      await tx.db.insertInto('vpc_peering').values(row).execute()
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'vpc-peering-connection', [row.id]))
      tx.touch(row.id, vpc.id)
      return { VpcPeeringConnection: await viewOf(ctx, tx.db, row) }
    })
  },
})

type Sides = Pick<VpcPeeringTable, 'requester_vpc_id' | 'accepter_vpc_id' | 'accepter_account_id'>

/**
 * What cannot be is made all the same and has failed, and one text stands for every reason: nobody learns by it what
 * another account has.
 */
function newPeering(ctx: ActionContext, sides: Sides, isPossible: boolean): VpcPeeringTable {
  const made = {
    id: newId('vpcPeeringConnection', ctx.random),
    account_id: ctx.caller.accountId,
    ...sides,
    requester_dns: 0 as const,
    accepter_dns: 0 as const,
    created_at: ctx.nowMs,
  }
  return isPossible
    ? {
        ...made,
        status: 'pending-acceptance',
        message: `Pending Acceptance by ${sides.accepter_account_id}`,
        expires_at: ctx.nowMs + peeringExpiryMs,
        ended_at: null,
      }
    : {
        ...made,
        status: 'failed',
        message: 'Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range',
        expires_at: null,
        ended_at: ctx.nowMs,
      }
}

async function canPeer(db: Reader, sides: Sides): Promise<boolean> {
  const peer = await db
    .selectFrom('vpc')
    .select('id')
    .where('id', '=', sides.accepter_vpc_id)
    .where('account_id', '=', sides.accepter_account_id)
    .executeTakeFirst()
  return peer !== undefined && !(await vpcsOverlap(db, sides.requester_vpc_id, sides.accepter_vpc_id))
}

/** As the caller sees it, with the caller's own tags. */
export async function viewOf(ctx: ActionContext, db: Reader, row: VpcPeeringTable) {
  const [rows] = await readPeerings(ctx, db, [row])
  return peeringView(rows!, (await readTags(db, ctx.caller.accountId, [row.id])).get(row.id) ?? [])
}

const fields: FilterFields<PeeringRows> = {
  'accepter-vpc-info.cidr-block': (rows) => [peeringView(rows, []).AccepterVpcInfo?.CidrBlock],
  'accepter-vpc-info.owner-id': ({ peering }) => [peering.accepter_account_id],
  'accepter-vpc-info.vpc-id': ({ peering }) => [peering.accepter_vpc_id],
  'expiration-time': (rows) => [peeringView(rows, []).ExpirationTime?.toISOString()],
  'requester-vpc-info.cidr-block': ({ requesterCidrs }) => requesterCidrs,
  'requester-vpc-info.owner-id': ({ peering }) => [peering.account_id],
  'requester-vpc-info.vpc-id': ({ peering }) => [peering.requester_vpc_id],
  'status-code': ({ status }) => [status],
  'status-message': (rows) => [peeringView(rows, []).Status?.Message],
  'vpc-peering-connection-id': ({ peering }) => [peering.id],
}

/** Both sides see it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcPeeringConnections.html */
export const describeVpcPeeringConnections = defineEc2Action('DescribeVpcPeeringConnections', {
  honours: ['VpcPeeringConnectionIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['VpcPeeringConnectionIds'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const ids = input.VpcPeeringConnectionIds ?? []
      const all = ids.length === 0 ? await peeringsOf(db, ctx.scope) : await named(ctx, db, ids)
      const seen = all.filter((row) => isPeeringVisible(row, ctx.nowMs, ctx.scope))
      const missing = ids.filter((id) => !seen.some((row) => row.id === id))
      if (missing.length > 0) throw invalidVpcPeeringConnectionIdNotFound(missing)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: await readPeerings(ctx, db, seen),
        idOf: ({ peering }) => peering.id,
        fields,
        exclusiveIds: ids.length > 0,
        view: peeringView,
      })
      return { VpcPeeringConnections: views, NextToken: nextToken }
    })
  },
})

async function named(ctx: ActionContext, db: Reader, ids: readonly string[]): Promise<VpcPeeringTable[]> {
  const found: VpcPeeringTable[] = []
  for (const id of new Set(ids)) found.push(await requirePeering(ctx, db, id))
  return found
}

function peeringsOf(db: Reader, accountId: string | null): Promise<VpcPeeringTable[]> {
  return db
    .selectFrom('vpc_peering')
    .selectAll()
    .$if(accountId !== null, (query) =>
      query.where((eb) =>
        eb.or([eb('account_id', '=', accountId!), eb('accepter_account_id', '=', accountId!)]),
      ),
    )
    .execute()
}

async function readPeerings(
  ctx: ActionContext,
  db: Reader,
  rows: readonly VpcPeeringTable[],
): Promise<PeeringRows[]> {
  const ids = new Set(rows.flatMap((row) => [row.requester_vpc_id, row.accepter_vpc_id]))
  const cidrs = await readVpcCidrs(db, [...ids])
  const of = (vpcId: string) => (cidrs.get(vpcId) ?? []).map((row) => row.cidr)
  return rows.map((peering) => ({
    peering,
    status: peeringStatus(peering, ctx.nowMs),
    requesterCidrs: of(peering.requester_vpc_id),
    accepterCidrs: of(peering.accepter_vpc_id),
    region: ctx.settings.region,
  }))
}
