import { newId, type Random } from '@mallee/base'
import type { Reader, Tx } from './record.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from './tables.ts'

export interface NewRule {
  readonly isEgress: boolean
  /** A protocol number as text, or "-1" for all. */
  readonly protocol: string
  readonly fromPort: number
  readonly toPort: number
  readonly cidr: string | null
  readonly peerGroupId: string | null
  /** Of a peer group in another VPC. */
  readonly peer: PeerPlace | null
  readonly prefixListId: string | null
  readonly description: string | null
}

/** Where a group of another VPC is, and by which connection it is reached. */
export interface PeerPlace {
  readonly vpcId: string
  readonly accountId: string
  readonly peeringId: string
}

export function ruleIdentity(rule: Omit<NewRule, 'description' | 'peer'>): string {
  const direction = rule.isEgress ? 'out' : 'in'
  return `${direction} ${rule.protocol} ${rule.fromPort} ${rule.toPort} ${rule.cidr ?? rule.peerGroupId ?? rule.prefixListId}`
}

export async function insertSecurityGroup(
  tx: Tx,
  options: {
    accountId: string
    vpcId: string
    name: string
    description: string
    /** The default group lets its members reach one another; others begin with egress only. */
    membersMayMeet: boolean
    random: Random
    nowMs: number
  },
): Promise<SecurityGroupTable> {
  const group: SecurityGroupTable = {
    id: newId('securityGroup', options.random),
    account_id: options.accountId,
    vpc_id: options.vpcId,
    name: options.name,
    description: options.description,
    created_at: options.nowMs,
  }
  await tx.db.insertInto('security_group').values(group).execute()
  const all = { protocol: '-1', fromPort: -1, toPort: -1, peer: null, prefixListId: null, description: null }
  const rules: NewRule[] = [{ ...all, isEgress: true, cidr: '0.0.0.0/0', peerGroupId: null }]
  if (options.membersMayMeet) rules.push({ ...all, isEgress: false, cidr: null, peerGroupId: group.id })
  for (const rule of rules) await insertRule(tx, { group, rule, random: options.random })
  return group
}

export async function insertRule(
  tx: Tx,
  options: { group: SecurityGroupTable; rule: NewRule; random: Random },
): Promise<SecurityGroupRuleTable> {
  const { group, rule } = options
  const row: SecurityGroupRuleTable = {
    id: newId('securityGroupRule', options.random),
    account_id: group.account_id,
    group_id: group.id,
    is_egress: rule.isEgress ? 1 : 0,
    ...ruleColumns(rule),
  }
  await tx.db.insertInto('security_group_rule').values(row).execute()
  return row
}

/** What of a rule's row a change of it may change. */
export function ruleColumns(
  rule: NewRule,
): Omit<SecurityGroupRuleTable, 'id' | 'account_id' | 'group_id' | 'is_egress'> {
  return {
    protocol: rule.protocol,
    from_port: rule.fromPort,
    to_port: rule.toPort,
    cidr: rule.cidr,
    peer_group_id: rule.peerGroupId,
    peer_vpc_id: rule.peer?.vpcId ?? null,
    peer_account_id: rule.peer?.accountId ?? null,
    peering_id: rule.peer?.peeringId ?? null,
    prefix_list_id: rule.prefixListId,
    description: rule.description,
    identity: ruleIdentity(rule),
  }
}

export function listRules(db: Reader, groupIds: readonly string[]): Promise<SecurityGroupRuleTable[]> {
  if (groupIds.length === 0) return Promise.resolve([])
  return db
    .selectFrom('security_group_rule')
    .selectAll()
    .where('group_id', 'in', groupIds)
    .orderBy('protocol')
    .orderBy('from_port')
    .orderBy('to_port')
    .orderBy('id')
    .execute()
}

/** How many rules each counts for: one that names a prefix list, for as many as the list may have entries. */
export async function ruleWeights(
  db: Reader,
  rules: readonly { readonly prefixListId: string | null }[],
): Promise<number> {
  const ids = [...new Set(rules.flatMap((rule) => rule.prefixListId ?? []))]
  const lists =
    ids.length === 0
      ? []
      : await db.selectFrom('prefix_list').select(['id', 'max_entries']).where('id', 'in', ids).execute()
  const most = new Map(lists.map((list) => [list.id, list.max_entries]))
  return rules.reduce((sum, rule) => sum + (most.get(rule.prefixListId ?? '') ?? 1), 0)
}
