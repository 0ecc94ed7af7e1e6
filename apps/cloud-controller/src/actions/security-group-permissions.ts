import { formatCidr, parseCidr } from '@mallee/base'
import {
  invalidParameterCombination,
  invalidParameterValue,
  invalidPermissionMalformed,
  missingParameter,
  unsupportedParameter,
  type Ec2,
} from '@mallee/ec2-api'
import type { Reader } from '../store/record.ts'
import type { NewRule } from '../store/security-group-store.ts'
import type { SecurityGroupRuleTable, SecurityGroupTable } from '../store/tables.ts'
import { protocolNumber } from '../views/ip-protocols.ts'
import type { ActionContext } from './define-action.ts'
import { requireOwned } from './owned-networks.ts'
import { peerGroup } from './peer-group-pairs.ts'

interface FlatRule {
  CidrIp?: string | undefined
  FromPort?: number | undefined
  ToPort?: number | undefined
  IpProtocol?: string | undefined
  SourceSecurityGroupName?: string | undefined
  IpPermissions?: Ec2.IpPermission[] | undefined
}

/**
 * The rules that a request speaks of, one for each CIDR, peer and prefix list, in both of EC2's spellings. Peers that one
 * of the present rules names need not exist any more.
 */
export async function requestedRules(
  ctx: ActionContext,
  db: Reader,
  group: SecurityGroupTable,
  isEgress: boolean,
  input: FlatRule,
  present: readonly SecurityGroupRuleTable[] = [],
): Promise<NewRule[]> {
  const flat =
    input.IpProtocol !== undefined ||
    input.CidrIp !== undefined ||
    input.FromPort !== undefined ||
    input.ToPort !== undefined ||
    input.SourceSecurityGroupName !== undefined
  if (flat && (input.IpPermissions?.length ?? 0) > 0) {
    throw invalidParameterCombination(
      'The parameter ipPermissions may not be used in combination with ipProtocol',
    )
  }
  const permissions: Ec2.IpPermission[] = flat
    ? [
        {
          IpProtocol: input.IpProtocol ?? (input.SourceSecurityGroupName === undefined ? undefined : '-1'),
          FromPort: input.FromPort,
          ToPort: input.ToPort,
          ...(input.CidrIp === undefined ? {} : { IpRanges: [{ CidrIp: input.CidrIp }] }),
          ...(input.SourceSecurityGroupName === undefined
            ? {}
            : { UserIdGroupPairs: [{ GroupName: input.SourceSecurityGroupName }] }),
        },
      ]
    : (input.IpPermissions ?? [])
  if (permissions.length === 0) throw missingParameter('ipPermissions')
  const rules: NewRule[] = []
  for (const permission of permissions)
    rules.push(...(await rulesOf(ctx, db, { group, isEgress, present }, permission)))
  return rules
}

export interface RulesAt {
  readonly group: SecurityGroupTable
  readonly isEgress: boolean
  readonly present: readonly SecurityGroupRuleTable[]
}

/** Those of one permission. */
export async function rulesOf(
  ctx: ActionContext,
  db: Reader,
  at: RulesAt,
  permission: Ec2.IpPermission,
): Promise<NewRule[]> {
  const bare = { isEgress: at.isEgress, ...portsOf(permission), ...noSource }
  const rules: NewRule[] = []
  for (const range of permission.IpRanges ?? []) {
    const block = parseCidr(range.CidrIp ?? '')
    if (!block) throw invalidParameterValue(`CIDR block ${range.CidrIp ?? ''} is malformed`)
    rules.push({ ...bare, cidr: formatCidr(block), description: ruleDescription(range.Description) })
  }
  for (const pair of permission.UserIdGroupPairs ?? []) {
    const { id, place } = await peerGroup(ctx, db, at, pair)
    rules.push({ ...bare, peerGroupId: id, peer: place, description: ruleDescription(pair.Description) })
  }
  for (const named of permission.PrefixListIds ?? []) {
    if (named.PrefixListId === undefined) throw missingParameter('prefixListId')
    const list = await requireOwned(ctx, db, 'prefixList', named.PrefixListId)
    rules.push({ ...bare, prefixListId: list.id, description: ruleDescription(named.Description) })
  }
  if (rules.length === 0) throw missingParameter('ipRanges')
  return rules
}

const noSource = { cidr: null, peerGroupId: null, peer: null, prefixListId: null }

export function ruleDescription(text: string | undefined): string | null {
  if (text === undefined || text === '') return null
  if (text.length > 255 || !/^[a-zA-Z0-9. _\-:/()#,@[\]+=&;{}!$*]*$/.test(text))
    throw invalidParameterValue('Invalid rule description.')
  return text
}

/** `tcp`, `udp`, `icmp` or a number; ports only where the protocol has them, ICMP's type and code in their place. */
function portsOf(permission: Ec2.IpPermission): { protocol: string; fromPort: number; toPort: number } {
  const given = permission.IpProtocol?.toLowerCase()
  if (given === undefined) throw missingParameter('ipProtocol')
  const protocol = protocolNumber(given)
  if (given === 'icmpv6' || protocol === '58') throw unsupportedParameter('IpPermissions.IpProtocol=icmpv6')
  if (protocol !== '-1' && (!/^\d{1,3}$/.test(protocol) || Number(protocol) > 255))
    throw invalidPermissionMalformed(`Unsupported IP protocol "${given}"`)
  if (protocol === '6' || protocol === '17') return { protocol, ...portRange(permission) }
  if (protocol === '1')
    return { protocol, fromPort: icmpPart(permission.FromPort), toPort: icmpPart(permission.ToPort) }
  return { protocol, fromPort: -1, toPort: -1 }
}

function portRange(permission: Ec2.IpPermission): { fromPort: number; toPort: number } {
  const { FromPort: from, ToPort: to } = permission
  if (from === undefined || to === undefined)
    throw missingParameter(from === undefined ? 'fromPort' : 'toPort')
  if (from === -1 && to === -1) return { fromPort: 0, toPort: 65_535 }
  const fine = (port: number) => Number.isInteger(port) && port >= 0 && port <= 65_535
  if (!fine(from) || !fine(to) || from > to)
    throw invalidParameterValue(`Invalid TCP/UDP port range (${from}:${to})`)
  return { fromPort: from, toPort: to }
}

function icmpPart(value: number | undefined): number {
  if (value === undefined) return -1
  if (!Number.isInteger(value) || value < -1 || value > 255)
    throw invalidParameterValue(`Invalid ICMP type or code (${value})`)
  return value
}
