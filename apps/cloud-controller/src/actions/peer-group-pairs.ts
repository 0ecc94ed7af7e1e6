import { isWellFormedId } from '@mallee/base'
import {
  groupOfOtherNetwork,
  invalidGroupIdMalformed,
  invalidGroupNotFound,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  type Ec2,
} from '@mallee/ec2-api'
import { activePeering, readPeerGroups } from '../store/peer-groups.ts'
import type { Reader } from '../store/record.ts'
import type { PeerPlace } from '../store/security-group-store.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from '../store/tables.ts'
import type { ActionContext } from './define-action.ts'
import { requirePeering } from './require-peering.ts'

interface Peer {
  readonly id: string
  /** Null for one of the same VPC. */
  readonly place: PeerPlace | null
}

/**
 * The group that a pair means: of the same VPC by id or name, or by id of a VPC that is peered with it now, be it of the
 * caller or of the account that `UserId` names. What is said of the peering beside has to be so. A group that a present
 * rule names may be gone, or out of reach.
 */
export async function peerGroup(
  ctx: ActionContext,
  db: Reader,
  at: { readonly group: SecurityGroupTable; readonly present: readonly SecurityGroupRuleTable[] },
  pair: Ec2.UserIdGroupPair,
): Promise<Peer> {
  if (pair.GroupId !== undefined && pair.GroupName !== undefined)
    throw invalidParameterCombination('A group is named either by its id or by its name, not by both.')
  const wanted = pair.GroupId ?? pair.GroupName
  if (wanted === undefined) throw missingParameter('groupId')
  if (pair.GroupId !== undefined && !isWellFormedId('securityGroup', pair.GroupId))
    throw invalidGroupIdMalformed(pair.GroupId)
  const known = at.present.find((rule) => rule.peer_vpc_id !== null && rule.peer_group_id === pair.GroupId)
  if (known) return knownPeer(db, known, pair)
  const owner = pair.UserId ?? ctx.caller.accountId
  const found = await db
    .selectFrom('security_group')
    .selectAll()
    .where('account_id', '=', owner)
    .$if(pair.GroupId === undefined, (query) => query.where('vpc_id', '=', at.group.vpc_id))
    .where(pair.GroupId === undefined ? 'name' : 'id', '=', wanted)
    .executeTakeFirst()
  if (!found) throw invalidGroupNotFound(wanted)
  if (found.vpc_id === at.group.vpc_id) return { id: found.id, place: withoutPeering(found, pair) }
  return { id: found.id, place: await reach(ctx, db, at.group, found, pair) }
}

async function knownPeer(db: Reader, rule: SecurityGroupRuleTable, pair: Ec2.UserIdGroupPair): Promise<Peer> {
  const peer = (await readPeerGroups(db, [rule])).get(rule.id)!
  const place = { vpcId: peer.vpcId, accountId: rule.peer_account_id!, peeringId: peer.peeringId }
  check(pair, { ...place, status: peer.status })
  return { id: rule.peer_group_id!, place }
}

function withoutPeering(found: SecurityGroupTable, pair: Ec2.UserIdGroupPair): null {
  const { VpcId: vpcId, VpcPeeringConnectionId: peeringId, PeeringStatus: status } = pair
  if (vpcId !== undefined && vpcId !== found.vpc_id) throw invalidGroupNotFound(found.id, vpcId)
  if (peeringId !== undefined || status !== undefined)
    throw invalidParameterValue(
      `The security group '${found.id}' is of the same VPC; no peering leads to it.`,
    )
  return null
}

/** The way from one VPC to a group of another, and what the caller says of it. */
export async function reach(
  ctx: ActionContext,
  db: Reader,
  from: SecurityGroupTable,
  to: SecurityGroupTable,
  pair: Ec2.UserIdGroupPair = {},
): Promise<PeerPlace> {
  const peering = await activePeering(db, from.vpc_id, to.vpc_id)
  // Whether a foreign group exists is nobody's business unless the VPCs are peered.
  if (!peering)
    throw to.account_id === ctx.caller.accountId ? groupOfOtherNetwork() : invalidGroupNotFound(to.id)
  if (pair.VpcPeeringConnectionId !== undefined) await requirePeering(ctx, db, pair.VpcPeeringConnectionId)
  const place = { vpcId: to.vpc_id, accountId: to.account_id, peeringId: peering.id }
  check(pair, { ...place, status: peering.status })
  return place
}

function check(pair: Ec2.UserIdGroupPair, peer: PeerPlace & { readonly status: string }): void {
  if (pair.UserId !== undefined && pair.UserId !== peer.accountId) throw invalidGroupNotFound(pair.GroupId!)
  if (pair.VpcId !== undefined && pair.VpcId !== peer.vpcId)
    throw invalidGroupNotFound(pair.GroupId!, pair.VpcId)
  if (pair.VpcPeeringConnectionId !== undefined && pair.VpcPeeringConnectionId !== peer.peeringId)
    throw invalidParameterValue(`The peering ${pair.VpcPeeringConnectionId} does not lead to ${pair.GroupId}`)
  if (pair.PeeringStatus !== undefined && pair.PeeringStatus !== peer.status)
    throw invalidParameterValue(`The peering ${peer.peeringId} is ${peer.status}, not ${pair.PeeringStatus}`)
}

/** The pair that names a group by its id alone: of the caller, or of whoever has it in a VPC that is peered. */
export async function peerById(
  ctx: ActionContext,
  db: Reader,
  group: SecurityGroupTable,
  id: string,
): Promise<Ec2.UserIdGroupPair> {
  const found = await db.selectFrom('security_group').selectAll().where('id', '=', id).executeTakeFirst()
  const isForeign = found !== undefined && found.account_id !== ctx.caller.accountId
  const isPeered = isForeign && (await activePeering(db, group.vpc_id, found.vpc_id)) !== undefined
  return isPeered ? { GroupId: id, UserId: found.account_id } : { GroupId: id }
}
