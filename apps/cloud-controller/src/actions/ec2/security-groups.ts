import { isWellFormedId } from '@mallee/base'
import {
  cannotDelete,
  groupHasDependents,
  invalidGroupDuplicate,
  invalidGroupIdMalformed,
  invalidGroupNotFound,
  invalidGroupReserved,
  invalidParameterCombination,
  invalidParameterValue,
  invalidVpcIdMalformed,
  invalidVpcIdNotFound,
  missingParameter,
  securityGroupLimitExceeded,
  vpcIdNotSpecified,
} from '@mallee/ec2-api'
import { isGroupPromised } from '../../store/instance-import-store.ts'
import { peersNaming, readPeerGroups } from '../../store/peer-groups.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import { insertSecurityGroup, listRules } from '../../store/security-group-store.ts'
import { deleteTagsOf, putTags } from '../../store/tag-store.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from '../../store/tables.ts'
import { peerView, securityGroupArn, securityGroupView, type Peers } from '../../views/security-group-view.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { protocolName } from '../../views/ip-protocols.ts'
import { tagRows } from '../tag-specifications.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html */
export const createSecurityGroup = defineEc2Action('CreateSecurityGroup', {
  honours: ['GroupName', 'Description', 'VpcId', 'TagSpecifications'],
  creates: ['security-group'],
  run(ctx, input) {
    const allowed = /^[a-zA-Z0-9. _\-:/()#,@[\]+=&;{}!$*]{1,255}$/
    if (!allowed.test(input.GroupName) || input.GroupName.startsWith('sg-'))
      throw invalidParameterValue(
        `Value (${input.GroupName.slice(0, 60)}) for parameter GroupName is invalid.`,
      )
    if (!allowed.test(input.Description))
      throw invalidParameterValue(
        `Value (${input.Description.slice(0, 60)}) for parameter GroupDescription is invalid.`,
      )
    if (input.GroupName === 'default') throw invalidGroupReserved(input.GroupName)
    return ctx.transaction(async (tx) => {
      const vpcId = await vpcFor(ctx, tx.db, input.VpcId)
      const groups = await listGroups(ctx, tx.db)
      if (groups.some((group) => group.vpc_id === vpcId && group.name === input.GroupName))
        throw invalidGroupDuplicate(input.GroupName, vpcId)
      await requireQuota(tx.db, ctx.caller, 'security-groups', groups.length, () =>
        securityGroupLimitExceeded(),
      )
      const group = await insertSecurityGroup(tx, {
        accountId: ctx.caller.accountId,
        vpcId,
        name: input.GroupName,
        description: input.Description,
        membersMayMeet: false,
        random: ctx.random,
        nowMs: ctx.nowMs,
      })
      const tags = tagRows(ctx, input.TagSpecifications, 'security-group', [group.id])
      await putTags(tx, tags)
      tx.touch(group.id)
      return {
        GroupId: group.id,
        SecurityGroupArn: securityGroupArn(group, ctx.settings.region),
        Tags: tags.map((tag) => ({ Key: tag.key, Value: tag.value })),
      }
    })
  },
})

async function vpcFor(ctx: ActionContext, db: Reader, given: string | undefined): Promise<string> {
  const vpcs = await db.selectFrom('vpc').selectAll().where('account_id', '=', ctx.caller.accountId).execute()
  if (given === undefined) return vpcs.find((vpc) => vpc.is_default === 1)?.id ?? refuse(vpcIdNotSpecified())
  if (!isWellFormedId('vpc', given)) throw invalidVpcIdMalformed(given)
  return vpcs.find((vpc) => vpc.id === given)?.id ?? refuse(invalidVpcIdNotFound([given]))
}

function refuse(error: Error): never {
  throw error
}

function listGroups(ctx: ActionContext, db: Reader): Promise<SecurityGroupTable[]> {
  return db
    .selectFrom('security_group')
    .selectAll()
    .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

/**
 * euca2ools takes an id of more than eight digits for a name. No group can be called so (names do not begin with sg-),
 * and thus nothing else can be meant.
 */
function idForName<T extends { GroupId?: string | undefined; GroupName?: string | undefined }>(input: T): T {
  const { GroupId: id, GroupName: name } = input
  const isId = id === undefined && name !== undefined && isWellFormedId('securityGroup', name)
  return isId ? { ...input, GroupId: name, GroupName: undefined } : input
}

/** The caller's group by id, or by name in its default VPC. */
export async function requireGroup(
  ctx: ActionContext,
  db: Reader,
  given: { GroupId?: string | undefined; GroupName?: string | undefined },
): Promise<SecurityGroupTable> {
  const input = idForName(given)
  if (input.GroupId === undefined && input.GroupName === undefined) throw missingParameter('GroupId')
  if (input.GroupId !== undefined && input.GroupName !== undefined)
    throw invalidParameterCombination('The parameters groupId and groupName may not be used together')
  if (input.GroupId !== undefined && !isWellFormedId('securityGroup', input.GroupId))
    throw invalidGroupIdMalformed(input.GroupId)
  const groups = await listGroups(ctx, db)
  if (input.GroupId !== undefined)
    return groups.find((group) => group.id === input.GroupId) ?? refuse(invalidGroupNotFound(input.GroupId))
  const vpcId = await vpcFor(ctx, db, undefined)
  return (
    groups.find((group) => group.vpc_id === vpcId && group.name === input.GroupName) ??
    refuse(invalidGroupNotFound(input.GroupName!))
  )
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html */
export const deleteSecurityGroup = defineEc2Action('DeleteSecurityGroup', {
  honours: ['GroupId', 'GroupName'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const group = await requireGroup(ctx, tx.db, input)
      if (group.name === 'default') throw cannotDelete(group.id)
      const member = await tx.db
        .selectFrom('network_interface_group')
        .select('interface_id')
        .where('group_id', '=', group.id)
        .executeTakeFirst()
      if (member || (await isNamed(tx.db, group.id)) || (await isGroupPromised(tx.db, group.id)))
        throw groupHasDependents(group.id)
      await deleteTagsOf(tx, group.id)
      await tx.db.deleteFrom('security_group_rule').where('group_id', '=', group.id).execute()
      await tx.db.deleteFrom('security_group').where('id', '=', group.id).execute()
      tx.touch(group.id)
      return { Return: true, GroupId: group.id }
    })
  },
})

/**
 * Whether a rule of another group needs it: of the same VPC, or of one that is peered with it now. Where the peering is
 * over, such a rule is stale already, and stays so.
 */
async function isNamed(db: Reader, groupId: string): Promise<boolean> {
  const near = await db
    .selectFrom('security_group_rule')
    .select('id')
    .where('peer_group_id', '=', groupId)
    .where('group_id', '!=', groupId)
    .where('peer_vpc_id', 'is', null)
    .executeTakeFirst()
  return near !== undefined || (await peersNaming(db, [groupId])).length > 0
}

interface GroupRows {
  readonly group: SecurityGroupTable
  readonly rules: readonly SecurityGroupRuleTable[]
  /** Of all the groups that rules may name. */
  readonly peerNames: ReadonlyMap<string, string>
  readonly peers: Peers
}

const side = (egress: 0 | 1, prefix: string): FilterFields<GroupRows> => {
  const of = (row: GroupRows) => row.rules.filter((rule) => rule.is_egress === egress)
  return {
    [`${prefix}cidr`]: (row) => of(row).map((rule) => rule.cidr),
    [`${prefix}from-port`]: (row) => of(row).map((rule) => rule.from_port),
    [`${prefix}to-port`]: (row) => of(row).map((rule) => rule.to_port),
    [`${prefix}group-id`]: (row) => of(row).map((rule) => rule.peer_group_id),
    [`${prefix}group-name`]: (row) => of(row).map((rule) => row.peerNames.get(rule.peer_group_id ?? '')),
    [`${prefix}ipv6-cidr`]: () => [],
    [`${prefix}prefix-list-id`]: (row) => of(row).map((rule) => rule.prefix_list_id),
    [`${prefix}user-id`]: (row) =>
      of(row).map((rule) => (rule.peer_group_id === null ? null : peerView(rule, row.peers).UserId)),
    [`${prefix}protocol`]: (row) => of(row).flatMap((rule) => [protocolName(rule.protocol), rule.protocol]),
  }
}

const groupFields: FilterFields<GroupRows> = {
  description: (row) => [row.group.description],
  'group-id': (row) => [row.group.id],
  'group-name': (row) => [row.group.name],
  'owner-id': (row) => [row.group.account_id],
  'vpc-id': (row) => [row.group.vpc_id],
  ...side(0, 'ip-permission.'),
  ...side(1, 'egress.ip-permission.'),
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html */
export const describeSecurityGroups = defineEc2Action('DescribeSecurityGroups', {
  honours: ['GroupIds', 'GroupNames', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(groupFields, { tagged: true }),
  ids: ['GroupIds', 'GroupNames'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const groups = await listGroups(ctx, db)
      for (const id of input.GroupIds ?? []) {
        if (!isWellFormedId('securityGroup', id)) throw invalidGroupIdMalformed(id)
        if (!groups.some((group) => group.id === id)) throw invalidGroupNotFound(id)
      }
      for (const name of input.GroupNames ?? [])
        if (!groups.some((group) => group.name === name)) throw invalidGroupNotFound(name)
      const chosen = groups.filter(
        (group) =>
          ((input.GroupIds?.length ?? 0) === 0 || input.GroupIds!.includes(group.id)) &&
          ((input.GroupNames?.length ?? 0) === 0 || input.GroupNames!.includes(group.name)),
      )
      const ids = chosen.map((group) => group.id)
      const peerNames = new Map(groups.map((group) => [group.id, group.name]))
      const all = await listRules(db, ids)
      const peers = await readPeerGroups(db, all)
      const rules = Map.groupBy(all, (rule) => rule.group_id)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: chosen.map((group): GroupRows => ({
          group,
          rules: rules.get(group.id) ?? [],
          peerNames,
          peers,
        })),
        idOf: (row) => row.group.id,
        fields: groupFields,
        view: (row, tags) => securityGroupView(row.group, row.rules, tags, ctx.settings.region, peers),
      })
      return { SecurityGroups: views, NextToken: nextToken }
    })
  },
})
