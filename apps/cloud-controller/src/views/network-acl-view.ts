import type { Ec2, Tag } from '@mallee/ec2-api'
import type {
  NetworkAclAssociationTable,
  NetworkAclEntryTable,
  NetworkAclTable,
} from '../store/routing-tables.ts'

export interface NetworkAclRows {
  readonly acl: NetworkAclTable
  /** By direction and number, without those that every ACL ends with. */
  readonly entries: readonly NetworkAclEntryTable[]
  readonly associations: readonly NetworkAclAssociationTable[]
}

/** Shown as `*` in consoles: what no entry names is denied. */
const lastRule = 32_767

export function networkAclView(rows: NetworkAclRows, tags: Tag[]): Ec2.NetworkAcl {
  const { acl, associations } = rows
  return {
    NetworkAclId: acl.id,
    VpcId: acl.vpc_id,
    OwnerId: acl.account_id,
    IsDefault: acl.is_default === 1,
    Entries: allEntries(rows).map(entryView),
    Associations: associations.map((row) => ({
      NetworkAclAssociationId: row.id,
      NetworkAclId: row.acl_id,
      SubnetId: row.subnet_id,
    })),
    Tags: tags,
  }
}

export function allEntries({ acl, entries }: NetworkAclRows): NetworkAclEntryTable[] {
  return ([1, 0] as const).flatMap((egress) => [
    ...entries.filter((entry) => entry.is_egress === egress),
    {
      acl_id: acl.id,
      is_egress: egress,
      rule_number: lastRule,
      protocol: '-1',
      allow: 0 as const,
      cidr: '0.0.0.0/0',
      from_port: -1,
      to_port: -1,
    },
  ])
}

const icmp = '1'
const withPorts = ['6', '17']

export function entryView(entry: NetworkAclEntryTable): Ec2.NetworkAclEntry {
  return {
    RuleNumber: entry.rule_number,
    Protocol: entry.protocol,
    RuleAction: entry.allow === 1 ? 'allow' : 'deny',
    Egress: entry.is_egress === 1,
    CidrBlock: entry.cidr,
    ...(entry.protocol === icmp ? { IcmpTypeCode: { Type: entry.from_port, Code: entry.to_port } } : {}),
    ...(withPorts.includes(entry.protocol)
      ? { PortRange: { From: entry.from_port, To: entry.to_port } }
      : {}),
  }
}
