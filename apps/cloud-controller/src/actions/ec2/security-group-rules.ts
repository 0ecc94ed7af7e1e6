import { isWellFormedId } from '@mallee/base'
import {
  invalidParameterCombination,
  invalidPermissionDuplicate,
  invalidPermissionNotFound,
  invalidSecurityGroupRuleIdMalformed,
  invalidSecurityGroupRuleIdNotFound,
  rulesPerSecurityGroupLimitExceeded,
  type Ec2,
} from '@mallee/ec2-api'
import { quotaOf } from '../../store/quota-store.ts'
import { wakeVpc } from '../../store/network-reach.ts'
import { insertRule, listRules, ruleIdentity } from '../../store/security-group-store.ts'
import { deleteTagsOf, putTags } from '../../store/tag-store.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from '../../store/tables.ts'
import { securityGroupRuleView } from '../../views/security-group-view.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { requestedRules } from '../security-group-permissions.ts'
import { tagRows } from '../tag-specifications.ts'
import { requireGroup } from './security-groups.ts'

interface RuleInput {
  GroupId?: string | undefined
  GroupName?: string | undefined
  IpPermissions?: Ec2.IpPermission[] | undefined
  IpProtocol?: string | undefined
  FromPort?: number | undefined
  ToPort?: number | undefined
  CidrIp?: string | undefined
  SourceSecurityGroupName?: string | undefined
  TagSpecifications?: Parameters<typeof tagRows>[1]
  SecurityGroupRuleIds?: string[] | undefined
}

/** One rule of a list, in today's spelling; IPv6 ranges and prefix lists are refused by name. */
const permissionMembers = [
  'IpPermissions.IpProtocol',
  'IpPermissions.FromPort',
  'IpPermissions.ToPort',
  'IpPermissions.IpRanges.CidrIp',
  'IpPermissions.IpRanges.Description',
  'IpPermissions.UserIdGroupPairs.GroupId',
  'IpPermissions.UserIdGroupPairs.GroupName',
  'IpPermissions.UserIdGroupPairs.UserId',
  'IpPermissions.UserIdGroupPairs.Description',
] as const
const ingressMembers = [
  'GroupId',
  'GroupName',
  ...permissionMembers,
  'IpProtocol',
  'FromPort',
  'ToPort',
  'CidrIp',
  'SourceSecurityGroupName',
] as const
const egressMembers = [
  'GroupId',
  ...permissionMembers,
  'IpProtocol',
  'FromPort',
  'ToPort',
  'CidrIp',
  'SourceSecurityGroupName',
] as const

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html */
export const authorizeSecurityGroupIngress = defineEc2Action('AuthorizeSecurityGroupIngress', {
  honours: [...ingressMembers, 'TagSpecifications'],
  creates: ['security-group-rule'],
  run: (ctx, input) => authorize(ctx, input, false),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupEgress.html */
export const authorizeSecurityGroupEgress = defineEc2Action('AuthorizeSecurityGroupEgress', {
  honours: [...egressMembers, 'TagSpecifications'],
  creates: ['security-group-rule'],
  run: (ctx, input) => authorize(ctx, input, true),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html */
export const revokeSecurityGroupIngress = defineEc2Action('RevokeSecurityGroupIngress', {
  honours: [...ingressMembers, 'SecurityGroupRuleIds'],
  run: (ctx, input) => revoke(ctx, input, false),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupEgress.html */
export const revokeSecurityGroupEgress = defineEc2Action('RevokeSecurityGroupEgress', {
  honours: [...egressMembers, 'SecurityGroupRuleIds'],
  run: (ctx, input) => revoke(ctx, input, true),
})

function authorize(ctx: ActionContext, input: RuleInput, isEgress: boolean) {
  return ctx.transaction(async (tx) => {
    const group = await requireGroup(ctx, tx.db, input)
    const wanted = await requestedRules(ctx, tx.db, group, isEgress, input)
    const present = await listRules(tx.db, [group.id])
    const taken = new Set(present.map((rule) => rule.identity))
    for (const rule of wanted) {
      const identity = ruleIdentity(rule)
      if (taken.has(identity)) throw invalidPermissionDuplicate(identity)
      taken.add(identity)
    }
    const sameSide = present.filter((rule) => (rule.is_egress === 1) === isEgress).length
    if (sameSide + wanted.length > (await quotaOf(tx.db, ctx.caller.accountId, 'rules-per-group')))
      throw rulesPerSecurityGroupLimitExceeded()
    const rows: SecurityGroupRuleTable[] = []
    for (const rule of wanted) rows.push(await insertRule(tx, { group, rule, random: ctx.random }))
    const tags = tagRows(
      ctx,
      input.TagSpecifications,
      'security-group-rule',
      rows.map((row) => row.id),
    )
    await putTags(tx, tags)
    tx.touch(group.id, ...rows.map((row) => row.id))
    await wakeNodes(ctx, tx, group)
    const tagsOf = (id: string) =>
      tags.filter((tag) => tag.resource_id === id).map((tag) => ({ Key: tag.key, Value: tag.value }))
    return { Return: true, SecurityGroupRules: rows.map((row) => securityGroupRuleView(row, tagsOf(row.id))) }
  })
}

function revoke(ctx: ActionContext, input: RuleInput, isEgress: boolean) {
  return ctx.transaction(async (tx) => {
    const group = await requireGroup(ctx, tx.db, input)
    const present = (await listRules(tx.db, [group.id])).filter((rule) => (rule.is_egress === 1) === isEgress)
    const rows =
      (input.SecurityGroupRuleIds?.length ?? 0) > 0
        ? byIds(input, present)
        : await byPermissions(ctx, tx, group, isEgress, input, present)
    for (const row of rows) await deleteTagsOf(tx, row.id)
    await tx.db
      .deleteFrom('security_group_rule')
      .where(
        'id',
        'in',
        rows.map((row) => row.id),
      )
      .execute()
    tx.touch(group.id, ...rows.map((row) => row.id))
    await wakeNodes(ctx, tx, group)
    return { Return: true, UnknownIpPermissions: [] }
  })
}

function byIds(input: RuleInput, present: readonly SecurityGroupRuleTable[]): SecurityGroupRuleTable[] {
  if ((input.IpPermissions?.length ?? 0) > 0 || input.IpProtocol !== undefined) {
    throw invalidParameterCombination(
      'The parameter securityGroupRuleIds may not be used in combination with ipPermissions',
    )
  }
  return input.SecurityGroupRuleIds!.map((id) => {
    if (!isWellFormedId('securityGroupRule', id)) throw invalidSecurityGroupRuleIdMalformed(id)
    const row = present.find((rule) => rule.id === id)
    if (!row) throw invalidSecurityGroupRuleIdNotFound(id)
    return row
  })
}

async function byPermissions(
  ctx: ActionContext,
  tx: ActionTransaction,
  group: SecurityGroupTable,
  isEgress: boolean,
  input: RuleInput,
  present: readonly SecurityGroupRuleTable[],
): Promise<SecurityGroupRuleTable[]> {
  const wanted = await requestedRules(ctx, tx.db, group, isEgress, input)
  return wanted.map((rule) => {
    const identity = ruleIdentity(rule)
    const row = present.find((candidate) => candidate.identity === identity)
    if (!row) throw invalidPermissionNotFound()
    return row
  })
}

async function wakeNodes(
  ctx: ActionContext,
  tx: ActionTransaction,
  group: SecurityGroupTable,
): Promise<void> {
  await wakeVpc(tx, ctx.wakes, group.vpc_id)
}

const ruleFields: FilterFields<SecurityGroupRuleTable> = {
  'group-id': (row) => [row.group_id],
  'security-group-rule-id': (row) => [row.id],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html */
export const describeSecurityGroupRules = defineEc2Action('DescribeSecurityGroupRules', {
  honours: ['SecurityGroupRuleIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(ruleFields, { tagged: true }),
  ids: ['SecurityGroupRuleIds'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const rows = await db
        .selectFrom('security_group_rule')
        .selectAll()
        .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
        .execute()
      for (const id of input.SecurityGroupRuleIds ?? []) {
        if (!isWellFormedId('securityGroupRule', id)) throw invalidSecurityGroupRuleIdMalformed(id)
        if (!rows.some((row) => row.id === id)) throw invalidSecurityGroupRuleIdNotFound(id)
      }
      const chosen = rows.filter(
        (row) =>
          (input.SecurityGroupRuleIds?.length ?? 0) === 0 || input.SecurityGroupRuleIds!.includes(row.id),
      )
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: chosen,
        idOf: (row) => row.id,
        fields: ruleFields,
        view: securityGroupRuleView,
      })
      return { SecurityGroupRules: views, NextToken: nextToken }
    })
  },
})
