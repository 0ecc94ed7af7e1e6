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
import { requireQuota } from '../../store/quota-store.ts'
import { wakeVpc } from '../../store/network-reach.ts'
import { readPeerGroups } from '../../store/peer-groups.ts'
import type { Reader } from '../../store/record.ts'
import {
  insertRule,
  listRules,
  ruleIdentity,
  ruleWeights,
  type NewRule,
} from '../../store/security-group-store.ts'
import { deleteTagsOf, putTags } from '../../store/tag-store.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from '../../store/tables.ts'
import { revokedRuleView, securityGroupRuleView } from '../../views/security-group-view.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { requestedRules, type RulesAt } from '../security-group-permissions.ts'
import { tagRows } from '../tag-specifications.ts'
import { requireGroup } from './security-groups.ts'

export interface RuleInput {
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

/** One rule of a list, in today's spelling; IPv6 ranges are refused by name. */
export const permissionMembers = [
  'IpPermissions.IpProtocol',
  'IpPermissions.FromPort',
  'IpPermissions.ToPort',
  'IpPermissions.IpRanges.CidrIp',
  'IpPermissions.IpRanges.Description',
  'IpPermissions.UserIdGroupPairs.GroupId',
  'IpPermissions.UserIdGroupPairs.GroupName',
  'IpPermissions.UserIdGroupPairs.UserId',
  'IpPermissions.UserIdGroupPairs.Description',
  'IpPermissions.UserIdGroupPairs.VpcId',
  'IpPermissions.UserIdGroupPairs.VpcPeeringConnectionId',
  'IpPermissions.UserIdGroupPairs.PeeringStatus',
  'IpPermissions.PrefixListIds.PrefixListId',
  'IpPermissions.PrefixListIds.Description',
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

/**
 * No group has a rule on IPv6, since none is authorised. Terraform asks for the removal of the one that AWS gives every
 * group at first, and goes on when it hears that there is none.
 */
const ipv6Members = ['IpPermissions.Ipv6Ranges.CidrIpv6'] as const

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html */
export const revokeSecurityGroupIngress = defineEc2Action('RevokeSecurityGroupIngress', {
  honours: [...ingressMembers, 'SecurityGroupRuleIds', ...ipv6Members],
  run: (ctx, input) => revoke(ctx, input, false),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupEgress.html */
export const revokeSecurityGroupEgress = defineEc2Action('RevokeSecurityGroupEgress', {
  honours: [...egressMembers, 'SecurityGroupRuleIds', ...ipv6Members],
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
    const sameSide = present.filter((rule) => (rule.is_egress === 1) === isEgress)
    await checkRoom(tx.db, group, [...sameSide.map(sourceOf), ...wanted])
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
    const peers = await readPeerGroups(tx.db, rows)
    const view = (row: SecurityGroupRuleTable) =>
      securityGroupRuleView(row, tagsOf(row.id), ctx.settings.region, peers)
    return { Return: true, SecurityGroupRules: rows.map(view) }
  })
}

/** What counts of a rule: a prefix list, for as many rules as it may have entries. */
export const sourceOf = (rule: SecurityGroupRuleTable) => ({ prefixListId: rule.prefix_list_id })

/** Refuses more rules of one direction than a group may have. */
export async function checkRoom(
  db: Reader,
  group: SecurityGroupTable,
  rules: readonly { readonly prefixListId: string | null }[],
): Promise<void> {
  const owner = { accountId: group.account_id, userId: '' }
  const weight = await ruleWeights(db, rules)
  await requireQuota(db, owner, 'rules-per-group', 0, () => rulesPerSecurityGroupLimitExceeded(), weight)
}

function revoke(ctx: ActionContext, input: RuleInput, isEgress: boolean) {
  return ctx.transaction(async (tx) => {
    const group = await requireGroup(ctx, tx.db, input)
    if (input.IpPermissions?.some((entry) => (entry.Ipv6Ranges ?? []).some(({ CidrIpv6: cidr }) => cidr)))
      throw invalidPermissionNotFound()
    const present = (await listRules(tx.db, [group.id])).filter((rule) => (rule.is_egress === 1) === isEgress)
    const rows =
      (input.SecurityGroupRuleIds?.length ?? 0) > 0
        ? byIds(input, present)
        : await rulesNamed(ctx, tx.db, { group, isEgress, present }, input)
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
    return {
      Return: true,
      UnknownIpPermissions: [],
      RevokedSecurityGroupRules: rows.map(revokedRuleView),
    }
  })
}

function byIds(input: RuleInput, present: readonly SecurityGroupRuleTable[]): SecurityGroupRuleTable[] {
  if ((input.IpPermissions?.length ?? 0) > 0 || input.IpProtocol !== undefined) {
    throw invalidParameterCombination(
      'The parameter securityGroupRuleIds may not be used in combination with ipPermissions',
    )
  }
  return input.SecurityGroupRuleIds!.map((id) => requireRule(present, id))
}

export function requireRule(present: readonly SecurityGroupRuleTable[], id: string): SecurityGroupRuleTable {
  if (!isWellFormedId('securityGroupRule', id)) throw invalidSecurityGroupRuleIdMalformed(id)
  const row = present.find((rule) => rule.id === id)
  if (!row) throw invalidSecurityGroupRuleIdNotFound(id)
  return row
}

/** The present rules that a request describes, with what it says of each. */
export async function rulesDescribed(
  ctx: ActionContext,
  db: Reader,
  at: RulesAt,
  input: RuleInput,
): Promise<{ row: SecurityGroupRuleTable; said: NewRule }[]> {
  const wanted = await requestedRules(ctx, db, at.group, at.isEgress, input, at.present)
  return wanted.map((said) => {
    const identity = ruleIdentity(said)
    const row = at.present.find((candidate) => candidate.identity === identity)
    if (!row) throw invalidPermissionNotFound()
    return { row, said }
  })
}

async function rulesNamed(
  ctx: ActionContext,
  db: Reader,
  at: RulesAt,
  input: RuleInput,
): Promise<SecurityGroupRuleTable[]> {
  return (await rulesDescribed(ctx, db, at, input)).map(({ row }) => row)
}

export async function wakeNodes(
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
      const peers = await readPeerGroups(db, chosen)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: chosen,
        idOf: (row) => row.id,
        fields: ruleFields,
        view: (row, tags) => securityGroupRuleView(row, tags, ctx.settings.region, peers),
      })
      return { SecurityGroupRules: views, NextToken: nextToken }
    })
  },
})
