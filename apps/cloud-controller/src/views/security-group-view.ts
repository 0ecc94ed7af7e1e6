import type { Ec2 } from '@mallee/ec2-api'
import { protocolName } from './ip-protocols.ts'
import type { PeerGroup } from '../store/peer-groups.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from '../store/tables.ts'

type Tags = readonly { Key: string; Value: string }[]
/** By rule id. */
export type Peers = ReadonlyMap<string, PeerGroup>

export function securityGroupView(
  group: SecurityGroupTable,
  rules: readonly SecurityGroupRuleTable[],
  tags: Tags,
  region: string,
  peers: Peers,
): Ec2.SecurityGroup {
  return {
    GroupId: group.id,
    GroupName: group.name,
    Description: group.description,
    OwnerId: group.account_id,
    VpcId: group.vpc_id,
    SecurityGroupArn: securityGroupArn(group, region),
    IpPermissions: permissionViews(
      rules.filter((rule) => rule.is_egress === 0),
      peers,
    ),
    IpPermissionsEgress: permissionViews(
      rules.filter((rule) => rule.is_egress === 1),
      peers,
    ),
    Tags: [...tags],
  }
}

export function securityGroupArn(
  group: Pick<SecurityGroupTable, 'id' | 'account_id'>,
  region: string,
): string {
  return `arn:aws:ec2:${region}:${group.account_id}:security-group/${group.id}`
}

/** Rules of one protocol and port range stand together, as EC2 shows them. */
function permissionViews(rules: readonly SecurityGroupRuleTable[], peers: Peers): Ec2.IpPermission[] {
  const together = Map.groupBy(rules, (rule) => `${rule.protocol} ${rule.from_port} ${rule.to_port}`)
  return [...together.values()].map((same) => {
    const first = same[0]!
    return {
      IpProtocol: protocolName(first.protocol),
      ...(hasPorts(first) ? { FromPort: first.from_port, ToPort: first.to_port } : {}),
      UserIdGroupPairs: same
        .filter((rule) => rule.peer_group_id !== null)
        .map((rule) => ({ ...peerView(rule, peers), ...described(rule) })),
      IpRanges: same
        .filter((rule) => rule.cidr !== null)
        .map((rule) => ({ CidrIp: rule.cidr!, ...described(rule) })),
      Ipv6Ranges: [],
      PrefixListIds: same
        .filter((rule) => rule.prefix_list_id !== null)
        .map((rule) => ({ PrefixListId: rule.prefix_list_id!, ...described(rule) })),
    }
  })
}

function described(rule: SecurityGroupRuleTable): { Description?: string } {
  return rule.description === null ? {} : { Description: rule.description }
}

/** A group of another VPC is shown with the way there; whose it was is not told once it is gone. */
export function peerView(
  rule: SecurityGroupRuleTable,
  peers: Peers,
): Ec2.UserIdGroupPair & Ec2.ReferencedSecurityGroup {
  const peer = peers.get(rule.id)
  if (!peer) return { GroupId: rule.peer_group_id!, UserId: rule.account_id }
  return {
    GroupId: rule.peer_group_id!,
    ...(peer.accountId === null ? {} : { UserId: peer.accountId }),
    VpcId: peer.vpcId,
    VpcPeeringConnectionId: peer.peeringId,
    PeeringStatus: peer.status,
  }
}

export function hasPorts(rule: SecurityGroupRuleTable): boolean {
  return rule.protocol === '6' || rule.protocol === '17' || rule.protocol === '1'
}

export function securityGroupRuleView(
  rule: SecurityGroupRuleTable,
  tags: Tags,
  region: string,
  peers: Peers,
): Ec2.SecurityGroupRule {
  return {
    SecurityGroupRuleId: rule.id,
    SecurityGroupRuleArn: `arn:aws:ec2:${region}:${rule.account_id}:security-group-rule/${rule.id}`,
    GroupId: rule.group_id,
    GroupOwnerId: rule.account_id,
    IsEgress: rule.is_egress === 1,
    IpProtocol: protocolName(rule.protocol),
    FromPort: rule.from_port,
    ToPort: rule.to_port,
    Tags: [...tags],
    ...(rule.cidr === null ? {} : { CidrIpv4: rule.cidr }),
    ...(rule.prefix_list_id === null ? {} : { PrefixListId: rule.prefix_list_id }),
    ...(rule.peer_group_id === null ? {} : { ReferencedGroupInfo: peerView(rule, peers) }),
    ...described(rule),
  }
}

export function revokedRuleView(rule: SecurityGroupRuleTable): Ec2.RevokedSecurityGroupRule {
  return {
    SecurityGroupRuleId: rule.id,
    GroupId: rule.group_id,
    IsEgress: rule.is_egress === 1,
    IpProtocol: protocolName(rule.protocol),
    FromPort: rule.from_port,
    ToPort: rule.to_port,
    ...(rule.cidr === null ? {} : { CidrIpv4: rule.cidr }),
    ...(rule.prefix_list_id === null ? {} : { PrefixListId: rule.prefix_list_id }),
    ...(rule.peer_group_id === null ? {} : { ReferencedGroupId: rule.peer_group_id }),
    ...described(rule),
  }
}
