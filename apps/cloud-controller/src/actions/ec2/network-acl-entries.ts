import { formatCidr } from '@mallee/base'
import {
  invalidNetworkAclEntryNotFound,
  invalidParameterValue,
  missingParameter,
  networkAclEntryAlreadyExists,
  networkAclEntryLimitExceeded,
  type Ec2Input,
} from '@mallee/ec2-api'
import { wakeVpc } from '../../store/network-reach.ts'
import { requireQuota } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { NetworkAclEntryTable } from '../../store/routing-tables.ts'
import { requireBlock } from '../address-blocks.ts'
import { defineEc2Action, type ActionContext, type ActionTransaction } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'

type Input = Ec2Input<'CreateNetworkAclEntry'>

const members = [
  ...(['NetworkAclId', 'RuleNumber', 'Egress', 'Protocol', 'RuleAction', 'CidrBlock'] as const),
  ...(['PortRange.From', 'PortRange.To', 'IcmpTypeCode.Type', 'IcmpTypeCode.Code'] as const),
]

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html */
export const createNetworkAclEntry = defineEc2Action('CreateNetworkAclEntry', {
  honours: members,
  run: (ctx, input) =>
    change(ctx, input, async (tx, key) => {
      const { db } = tx
      const present = await entriesOf(db, key)
      if (present.some((entry) => entry.rule_number === key.rule_number))
        throw networkAclEntryAlreadyExists(key.rule_number)
      await requireQuota(db, ctx.caller, 'entries-per-acl', present.length, networkAclEntryLimitExceeded)
      await db
        .insertInto('network_acl_entry')
        .values({ ...key, ...ruleOf(input) })
        .execute()
    }),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclEntry.html */
export const replaceNetworkAclEntry = defineEc2Action('ReplaceNetworkAclEntry', {
  honours: members,
  run: (ctx, input) =>
    change(ctx, input, async (tx, key) => {
      const { numUpdatedRows } = await tx.db
        .updateTable('network_acl_entry')
        .set(ruleOf(input))
        .where('acl_id', '=', key.acl_id)
        .where('is_egress', '=', key.is_egress)
        .where('rule_number', '=', key.rule_number)
        .executeTakeFirstOrThrow()
      if (Number(numUpdatedRows) === 0) throw invalidNetworkAclEntryNotFound(key.rule_number)
    }),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNetworkAclEntry.html */
export const deleteNetworkAclEntry = defineEc2Action('DeleteNetworkAclEntry', {
  honours: ['NetworkAclId', 'RuleNumber', 'Egress'],
  run: (ctx, input) =>
    change(ctx, input, async (tx, key) => {
      const { numDeletedRows } = await tx.db
        .deleteFrom('network_acl_entry')
        .where('acl_id', '=', key.acl_id)
        .where('is_egress', '=', key.is_egress)
        .where('rule_number', '=', key.rule_number)
        .executeTakeFirstOrThrow()
      if (Number(numDeletedRows) === 0) throw invalidNetworkAclEntryNotFound(key.rule_number)
    }),
})

type Key = Pick<NetworkAclEntryTable, 'acl_id' | 'is_egress' | 'rule_number'>
type Rule = Omit<NetworkAclEntryTable, keyof Key>

/** The number after the last is the one that every ACL ends with, and nobody's to change. */
const lastOwnRule = 32_766

function change(
  ctx: ActionContext,
  input: Pick<Input, 'NetworkAclId' | 'RuleNumber' | 'Egress'>,
  work: (tx: ActionTransaction, key: Key) => Promise<void>,
): Promise<Record<string, never>> {
  const { RuleNumber: number } = input
  if (number < 1 || number > lastOwnRule)
    throw invalidParameterValue(
      `Value (${number}) for parameter ruleNumber is invalid. It must be between 1 and ${lastOwnRule}.`,
    )
  return ctx.transaction(async (tx) => {
    const acl = await requireOwned(ctx, tx.db, 'networkAcl', input.NetworkAclId)
    await work(tx, { acl_id: acl.id, is_egress: input.Egress ? 1 : 0, rule_number: number })
    tx.touch(acl.id)
    await wakeVpc(tx, ctx.wakes, acl.vpc_id)
    return {}
  })
}

/** Of one direction. */
function entriesOf(db: Reader, key: Key) {
  return db
    .selectFrom('network_acl_entry')
    .select('rule_number')
    .where('acl_id', '=', key.acl_id)
    .where('is_egress', '=', key.is_egress)
    .execute()
}

function ruleOf(input: Input): Rule {
  if (input.CidrBlock === undefined) throw missingParameter('CidrBlock')
  const protocol = protocolOf(input.Protocol)
  const [from, to] = reachOf(protocol, input)
  return {
    protocol,
    allow: input.RuleAction === 'allow' ? 1 : 0,
    cidr: formatCidr(requireBlock(input.CidrBlock, 'cidrBlock')),
    from_port: from,
    to_port: to,
  }
}

function protocolOf(text: string): string {
  if (text === '-1' || (/^\d{1,3}$/.test(text) && Number(text) <= 255)) return String(Number(text))
  throw invalidParameterValue(
    `Value (${text.slice(0, 60)}) for parameter protocol is invalid. Unknown protocol.`,
  )
}

/** Ports of TCP and UDP, type and code of ICMP; of any other protocol it is everything, whatever is said. */
function reachOf(protocol: string, input: Input): [from: number, to: number] {
  const { PortRange: ports, IcmpTypeCode: icmp } = input
  const [from, to, type, code] = [ports?.From, ports?.To, icmp?.Type, icmp?.Code]
  if (protocol === '6' || protocol === '17') {
    if (from === undefined || to === undefined) throw missingParameter('PortRange')
    if (from < 0 || to > 65_535 || from > to)
      throw invalidParameterValue(`Invalid TCP/UDP port range (${from}:${to})`)
    return [from, to]
  }
  if (protocol !== '1') return [-1, -1]
  if (type === undefined || code === undefined) throw missingParameter('IcmpTypeCode')
  if (type < -1 || type > 255 || code < -1 || code > 255 || (type === -1 && code !== -1))
    throw invalidParameterValue(`ICMP type (${type}) and code (${code}) are not valid`)
  return [type, code]
}
