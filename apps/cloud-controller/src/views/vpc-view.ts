import type { VpcCidrTable, VpcTable } from '../store/network-tables.ts'
import type { Tag } from '@mallee/ec2-api'

export interface VpcRows {
  readonly vpc: VpcTable
  readonly cidrs: readonly VpcCidrTable[]
}

/** `default` says that no set of DHCP options was associated. */
export function dhcpOptionsIdOf(vpc: VpcTable): string {
  return vpc.dhcp_options_id ?? 'default'
}

export function vpcView({ vpc, cidrs }: VpcRows, tags: Tag[]) {
  return {
    VpcId: vpc.id,
    OwnerId: vpc.account_id,
    CidrBlock: vpc.cidr,
    State: 'available' as const,
    IsDefault: vpc.is_default === 1,
    InstanceTenancy: 'default' as const,
    DhcpOptionsId: dhcpOptionsIdOf(vpc),
    CidrBlockAssociationSet: cidrs.map((row) => cidrAssociationView(row)),
    Ipv6CidrBlockAssociationSet: [],
    Tags: tags,
  }
}

export function cidrAssociationView(
  row: Pick<VpcCidrTable, 'id' | 'cidr'>,
  state: 'associated' | 'disassociated' = 'associated',
) {
  return { AssociationId: row.id, CidrBlock: row.cidr, CidrBlockState: { State: state } }
}
