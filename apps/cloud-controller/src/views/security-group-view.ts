import type { Ec2 } from '@mallee/ec2-api'
import { protocolName } from './ip-protocols.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from '../store/tables.ts'

type Tags = readonly { Key: string; Value: string }[]

export function securityGroupView(
  group: SecurityGroupTable,
  rules: readonly SecurityGroupRuleTable[],
  tags: Tags,
  region: string,
): Ec2.SecurityGroup {
  return {
    GroupId: group.id,
    GroupName: group.name,
    Description: group.description,
    OwnerId: group.account_id,
    VpcId: group.vpc_id,
    SecurityGroupArn: `arn:aws:ec2:${region}:${group.account_id}:security-group/${group.id}`,
    IpPermissions: permissionViews(rules.filter((rule) => rule.is_egress === 0)),
    IpPermissionsEgress: permissionViews(rules.filter((rule) => rule.is_egress === 1)),
    Tags: [...tags],
  }
}

/** Rules of one protocol and port range stand together, as EC2 shows them. */
function permissionViews(rules: readonly SecurityGroupRuleTable[]): Ec2.IpPermission[] {
  const together = Map.groupBy(rules, (rule) => `${rule.protocol} ${rule.from_port} ${rule.to_port}`)
  return [...together.values()].map((same) => {
    const first = same[0]!
    const described = (rule: SecurityGroupRuleTable) =>
      rule.description === null ? {} : { Description: rule.description }
    return {
      IpProtocol: protocolName(first.protocol),
      ...(hasPorts(first) ? { FromPort: first.from_port, ToPort: first.to_port } : {}),
      UserIdGroupPairs: same
        .filter((rule) => rule.peer_group_id !== null)
        .map((rule) => ({ GroupId: rule.peer_group_id!, UserId: rule.account_id, ...described(rule) })),
      IpRanges: same
        .filter((rule) => rule.cidr !== null)
        .map((rule) => ({ CidrIp: rule.cidr!, ...described(rule) })),
      Ipv6Ranges: [],
      PrefixListIds: [],
    }
  })
}

function hasPorts(rule: SecurityGroupRuleTable): boolean {
  return rule.protocol === '6' || rule.protocol === '17' || rule.protocol === '1'
}

export function securityGroupRuleView(rule: SecurityGroupRuleTable, tags: Tags): Ec2.SecurityGroupRule {
  return {
    SecurityGroupRuleId: rule.id,
    GroupId: rule.group_id,
    GroupOwnerId: rule.account_id,
    IsEgress: rule.is_egress === 1,
    IpProtocol: protocolName(rule.protocol),
    FromPort: rule.from_port,
    ToPort: rule.to_port,
    Tags: [...tags],
    ...(rule.cidr === null ? {} : { CidrIpv4: rule.cidr }),
    ...(rule.peer_group_id === null
      ? {}
      : { ReferencedGroupInfo: { GroupId: rule.peer_group_id, UserId: rule.account_id } }),
    ...(rule.description === null ? {} : { Description: rule.description }),
  }
}
