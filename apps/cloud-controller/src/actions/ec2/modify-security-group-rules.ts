import {
  invalidParameterCombination,
  invalidParameterValue,
  invalidPermissionDuplicate,
  missingParameter,
  type Ec2,
  type Ec2Input,
} from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import {
  listRules,
  ruleColumns,
  ruleIdentity,
  ruleWeights,
  type NewRule,
} from '../../store/security-group-store.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { ruleDescription, rulesOf } from '../security-group-permissions.ts'
import { peerById } from '../peer-group-pairs.ts'
import {
  checkRoom,
  permissionMembers,
  requireRule,
  rulesDescribed,
  sourceOf,
  wakeNodes,
} from './security-group-rules.ts'
import { requireGroup } from './security-groups.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html */
export const modifySecurityGroupRules = defineEc2Action('ModifySecurityGroupRules', {
  honours: [
    'GroupId',
    'SecurityGroupRules.SecurityGroupRuleId',
    'SecurityGroupRules.SecurityGroupRule.IpProtocol',
    'SecurityGroupRules.SecurityGroupRule.FromPort',
    'SecurityGroupRules.SecurityGroupRule.ToPort',
    'SecurityGroupRules.SecurityGroupRule.CidrIpv4',
    'SecurityGroupRules.SecurityGroupRule.PrefixListId',
    'SecurityGroupRules.SecurityGroupRule.ReferencedGroupId',
    'SecurityGroupRules.SecurityGroupRule.Description',
  ],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const group = await requireGroup(ctx, tx.db, { GroupId: input.GroupId })
      const present = await listRules(tx.db, [group.id])
      const changes = new Map<string, NewRule>()
      for (const update of input.SecurityGroupRules) {
        const row = requireRule(present, update.SecurityGroupRuleId)
        if (changes.has(row.id))
          throw invalidParameterValue(`The security group rule ${row.id} is named more than once.`)
        changes.set(row.id, await changed(ctx, tx.db, group, row, update.SecurityGroupRule))
      }
      if (changes.size === 0) throw missingParameter('SecurityGroupRule')
      checkDuplicates(present, changes)
      await checkSides(tx.db, group, present, changes)
      await write(tx, changes)
      tx.touch(group.id, ...changes.keys())
      await wakeNodes(ctx, tx, group)
      return { Return: true }
    })
  },
})

/** The rule that is to be there instead; what the request leaves out, it has not. */
async function changed(
  ctx: ActionContext,
  db: Reader,
  group: SecurityGroupTable,
  row: SecurityGroupRuleTable,
  wanted: Ec2.SecurityGroupRuleRequest | undefined,
): Promise<NewRule> {
  if (!wanted) throw missingParameter('SecurityGroupRule')
  const description = wanted.Description === undefined ? {} : { Description: wanted.Description }
  const { CidrIpv4: cidr, PrefixListId: listId, ReferencedGroupId: groupId } = wanted
  const sources = { 'IPv4 CIDR': cidr, 'prefix list': listId, 'referenced group id': groupId }
  checkSource(row, sources)
  const permission: Ec2.IpPermission = {
    IpProtocol: wanted.IpProtocol,
    FromPort: wanted.FromPort,
    ToPort: wanted.ToPort,
    ...(cidr === undefined ? {} : { IpRanges: [{ CidrIp: cidr, ...description }] }),
    ...(listId === undefined ? {} : { PrefixListIds: [{ PrefixListId: listId, ...description }] }),
    ...(groupId === undefined
      ? {}
      : { UserIdGroupPairs: [{ ...(await peerById(ctx, db, group, groupId)), ...description }] }),
  }
  const [rule] = await rulesOf(ctx, db, { group, isEgress: row.is_egress === 1, present: [row] }, permission)
  return rule!
}

/** A rule's source is one, and stays of its kind. */
function checkSource(
  row: SecurityGroupRuleTable,
  sources: Readonly<Record<string, string | undefined>>,
): void {
  const given = Object.keys(sources).filter((kind) => sources[kind] !== undefined)
  if (given.length > 1)
    throw invalidParameterCombination(
      'A rule has exactly one of cidrIpv4, cidrIpv6, prefixListId and referencedGroupId',
    )
  const [kind] = given
  if (kind === undefined) throw missingParameter('CidrIpv4')
  const present =
    row.cidr !== null ? 'IPv4 CIDR' : row.prefix_list_id !== null ? 'prefix list' : 'referenced group id'
  if (kind === present) return
  const article = kind === 'IPv4 CIDR' ? 'an' : 'a'
  throw invalidParameterValue(`You may not specify ${article} ${kind} for an existing ${present} rule.`)
}

function checkDuplicates(
  present: readonly SecurityGroupRuleTable[],
  changes: ReadonlyMap<string, NewRule>,
): void {
  const taken = new Set(present.filter((row) => !changes.has(row.id)).map((row) => row.identity))
  for (const rule of changes.values()) {
    const identity = ruleIdentity(rule)
    if (taken.has(identity)) throw invalidPermissionDuplicate(identity)
    taken.add(identity)
  }
}

/** A change that takes more room than the rule had needs room in its direction. */
async function checkSides(
  db: Reader,
  group: SecurityGroupTable,
  present: readonly SecurityGroupRuleTable[],
  changes: ReadonlyMap<string, NewRule>,
): Promise<void> {
  for (const side of [0, 1]) {
    const before = present.filter((row) => row.is_egress === side)
    const after = before.map((row) => changes.get(row.id) ?? sourceOf(row))
    if ((await ruleWeights(db, after)) > (await ruleWeights(db, before.map(sourceOf))))
      await checkRoom(db, group, after)
  }
}

/** In two steps, since rules of one request may take each other's place. */
async function write(tx: ActionTransaction, changes: ReadonlyMap<string, NewRule>): Promise<void> {
  const set = (id: string, columns: Partial<SecurityGroupRuleTable>) =>
    tx.db.updateTable('security_group_rule').set(columns).where('id', '=', id).execute()
  for (const id of changes.keys()) await set(id, { identity: id })
  for (const [id, rule] of changes) await set(id, ruleColumns(rule))
}

const descriptionMembers = [
  'GroupId',
  'GroupName',
  ...permissionMembers,
  'SecurityGroupRuleDescriptions.SecurityGroupRuleId',
  'SecurityGroupRuleDescriptions.Description',
] as const

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsIngress.html */
export const updateSecurityGroupRuleDescriptionsIngress = defineEc2Action(
  'UpdateSecurityGroupRuleDescriptionsIngress',
  { honours: descriptionMembers, run: (ctx, input) => updateDescriptions(ctx, input, false) },
)

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsEgress.html */
export const updateSecurityGroupRuleDescriptionsEgress = defineEc2Action(
  'UpdateSecurityGroupRuleDescriptionsEgress',
  { honours: descriptionMembers, run: (ctx, input) => updateDescriptions(ctx, input, true) },
)

/** A description that is left out is taken away. */
function updateDescriptions(
  ctx: ActionContext,
  input: Ec2Input<'UpdateSecurityGroupRuleDescriptionsIngress'>,
  isEgress: boolean,
) {
  const { SecurityGroupRuleDescriptions: byId = [], IpPermissions: permissions = [] } = input
  if (byId.length > 0 && permissions.length > 0)
    throw invalidParameterCombination(
      'The parameter securityGroupRuleDescriptions may not be used in combination with ipPermissions',
    )
  return ctx.transaction(async (tx) => {
    const group = await requireGroup(ctx, tx.db, input)
    const present = (await listRules(tx.db, [group.id])).filter((row) => (row.is_egress === 1) === isEgress)
    const texts = new Map<string, string | null>()
    for (const said of byId) {
      if (said.SecurityGroupRuleId === undefined) throw missingParameter('SecurityGroupRuleId')
      texts.set(requireRule(present, said.SecurityGroupRuleId).id, ruleDescription(said.Description))
    }
    if (byId.length === 0)
      for (const { row, said } of await rulesDescribed(ctx, tx.db, { group, isEgress, present }, input))
        texts.set(row.id, said.description)
    for (const [id, description] of texts)
      await tx.db.updateTable('security_group_rule').set({ description }).where('id', '=', id).execute()
    tx.touch(group.id, ...texts.keys())
    return { Return: true }
  })
}
