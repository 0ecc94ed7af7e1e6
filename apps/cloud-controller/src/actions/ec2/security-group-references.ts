import { isWellFormedId } from '@mallee/base'
import { invalidGroupIdMalformed, invalidGroupNotFound, type Ec2 } from '@mallee/ec2-api'
import { isStale, peersNaming, readPeerGroups } from '../../store/peer-groups.ts'
import type { Reader } from '../../store/record.ts'
import { listRules } from '../../store/security-group-store.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from '../../store/tables.ts'
import { protocolName } from '../../views/ip-protocols.ts'
import { hasPorts, peerView, type Peers } from '../../views/security-group-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { requireOwned } from '../owned-networks.ts'

/** Which peers name the caller's groups. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupReferences.html */
export const describeSecurityGroupReferences = defineEc2Action('DescribeSecurityGroupReferences', {
  honours: ['GroupId'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const own = await db
        .selectFrom('security_group')
        .select('id')
        .where('account_id', '=', ctx.caller.accountId)
        .where('id', 'in', input.GroupId)
        .execute()
      for (const id of input.GroupId) {
        if (!isWellFormedId('securityGroup', id)) throw invalidGroupIdMalformed(id)
        if (!own.some((group) => group.id === id)) throw invalidGroupNotFound(id)
      }
      const references = await peersNaming(db, [...new Set(input.GroupId)])
      return {
        SecurityGroupReferenceSet: references.map((found) => ({
          GroupId: found.groupId,
          ReferencingVpcId: found.vpcId,
          VpcPeeringConnectionId: found.peeringId,
        })),
      }
    })
  },
})

interface StaleGroup {
  readonly group: SecurityGroupTable
  readonly rules: readonly SecurityGroupRuleTable[]
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeStaleSecurityGroups.html */
export const describeStaleSecurityGroups = defineEc2Action('DescribeStaleSecurityGroups', {
  honours: ['VpcId', 'MaxResults', 'NextToken'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const vpc = await requireOwned(ctx, db, 'vpc', input.VpcId)
      const { groups, peers } = await staleGroups(db, vpc.id)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: groups,
        idOf: ({ group }) => group.id,
        tagged: false,
        largest: 255,
        fields: {},
        view: (stale) => staleView(stale, peers),
      })
      return { StaleSecurityGroupSet: views, NextToken: nextToken }
    })
  },
})

async function staleGroups(db: Reader, vpcId: string): Promise<{ groups: StaleGroup[]; peers: Peers }> {
  const groups = await db.selectFrom('security_group').selectAll().where('vpc_id', '=', vpcId).execute()
  const rules = await listRules(
    db,
    groups.map((group) => group.id),
  )
  const peers = await readPeerGroups(db, rules)
  const stale = rules.filter((rule) => peers.has(rule.id) && isStale(peers.get(rule.id)!))
  return {
    groups: groups
      .map((group) => ({ group, rules: stale.filter((rule) => rule.group_id === group.id) }))
      .filter((entry) => entry.rules.length > 0),
    peers,
  }
}

function staleView({ group, rules }: StaleGroup, peers: Peers): Ec2.StaleSecurityGroup {
  const of = (side: 0 | 1) =>
    rules.filter((rule) => rule.is_egress === side).map((rule) => stalePermission(rule, peers))
  return {
    GroupId: group.id,
    GroupName: group.name,
    Description: group.description,
    VpcId: group.vpc_id,
    StaleIpPermissions: of(0),
    StaleIpPermissionsEgress: of(1),
  }
}

function stalePermission(rule: SecurityGroupRuleTable, peers: Peers): Ec2.StaleIpPermission {
  return {
    IpProtocol: protocolName(rule.protocol),
    ...(hasPorts(rule) ? { FromPort: rule.from_port, ToPort: rule.to_port } : {}),
    IpRanges: [],
    PrefixListIds: [],
    UserIdGroupPairs: [
      {
        ...peerView(rule, peers),
        ...(rule.description === null ? {} : { Description: rule.description }),
      },
    ],
  }
}

const fields: FilterFields<SecurityGroupTable> = {
  description: (group) => [group.description],
  'group-id': (group) => [group.id],
  'group-name': (group) => [group.name],
  'owner-id': (group) => [group.account_id],
  'primary-vpc-id': (group) => [group.vpc_id],
}

/** No group is shared with other VPCs here. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetSecurityGroupsForVpc.html */
export const getSecurityGroupsForVpc = defineEc2Action('GetSecurityGroupsForVpc', {
  honours: ['VpcId', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  run(ctx, input) {
    return ctx.read(async (db) => {
      const vpc = await requireOwned(ctx, db, 'vpc', input.VpcId)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: await db.selectFrom('security_group').selectAll().where('vpc_id', '=', vpc.id).execute(),
        idOf: (group) => group.id,
        fields,
        view: (group, tags) => ({
          GroupId: group.id,
          GroupName: group.name,
          Description: group.description,
          OwnerId: group.account_id,
          PrimaryVpcId: group.vpc_id,
          Tags: tags,
        }),
      })
      return { SecurityGroupForVpcs: views, NextToken: nextToken }
    })
  },
})
