import type { NatGatewayState } from '@mallee/lifecycles'
import type { Bit } from './tables.ts'

/** The tables of what leads packets between networks, and of what is said about them. */

export interface DhcpOptionsTable {
  id: string
  account_id: string
  /** JSON: option name to its values. */
  configuration: string
  created_at: number
}

export interface InternetGatewayTable {
  id: string
  account_id: string
  vpc_id: string | null
  created_at: number
}

export interface RouteTableTable {
  id: string
  account_id: string
  vpc_id: string
  created_at: number
}

/** Of a subnet, or (`is_main`, without a subnet) of every subnet of the VPC that has none of its own. */
export interface RouteTableAssociationTable {
  id: string
  account_id: string
  vpc_id: string
  route_table_id: string
  subnet_id: string | null
  is_main: Bit
}

export type RouteTargetKind =
  | 'internet-gateway'
  | 'nat-gateway'
  | 'network-interface'
  | 'vpc-peering-connection'

/** The local routes have no rows: they follow from the VPC's address blocks. */
export interface RouteRowTable {
  route_table_id: string
  /** A block, or the id of the prefix list that `prefix_list_id` then repeats. */
  destination: string
  prefix_list_id: string | null
  target_kind: RouteTargetKind
  target_id: string
  created_at: number
}

export interface NetworkAclTable {
  id: string
  account_id: string
  vpc_id: string
  is_default: Bit
  created_at: number
}

/** `protocol`: a number's text, or -1 for all. For ICMP `from_port` is the type and `to_port` the code; -1 is all. */
export interface NetworkAclEntryTable {
  acl_id: string
  is_egress: Bit
  rule_number: number
  protocol: string
  allow: Bit
  cidr: string
  from_port: number
  to_port: number
}

export interface NetworkAclAssociationTable {
  id: string
  account_id: string
  acl_id: string
  subnet_id: string
}

export interface NatGatewayTable {
  id: string
  account_id: string
  vpc_id: string
  subnet_id: string
  /** Null once it is deleted. */
  interface_id: string | null
  connectivity: 'public' | 'private'
  public_ip: number | null
  private_ip: number | null
  allocation_id: string | null
  association_id: string | null
  /** The node whose router carries it; null until there is one. */
  node_id: string | null
  state: NatGatewayState
  failure_code: string | null
  failure_message: string | null
  created_at: number
  deleted_at: number | null
}

/** `account_id` is the requester. */
export interface VpcPeeringTable {
  id: string
  account_id: string
  requester_vpc_id: string
  accepter_account_id: string
  accepter_vpc_id: string
  status: 'pending-acceptance' | 'active' | 'rejected' | 'deleted' | 'expired' | 'failed'
  message: string
  requester_dns: Bit
  accepter_dns: Bit
  expires_at: number | null
  created_at: number
  ended_at: number | null
}

export interface PrefixListTable {
  id: string
  account_id: string
  name: string
  max_entries: number
  /** The newest; older ones are kept for GetManagedPrefixListEntries and RestoreManagedPrefixListVersion. */
  version: number
  state: 'create-complete' | 'modify-complete' | 'modify-failed' | 'restore-complete'
  /** Why it is `modify-failed`. */
  state_message: string | null
  created_at: number
}

export interface PrefixListEntryTable {
  prefix_list_id: string
  version: number
  cidr: string
  description: string | null
}

/** Of a VPC, a subnet or an interface. */
export interface FlowLogTable {
  id: string
  account_id: string
  resource_id: string
  /** Of the resource, or the resource itself. */
  vpc_id: string
  traffic: 'ACCEPT' | 'REJECT' | 'ALL'
  bucket: string
  /** Empty, or ends with a slash. */
  key_prefix: string
  /** As its owner gave it: an ARN. */
  destination: string
  format: string
  interval_s: number
  /** JSON. */
  options: string
  /** Why records cannot be delivered, in AWS's words; null while they can. */
  error: string | null
  created_at: number
}

export interface RoutingTables {
  dhcp_options: DhcpOptionsTable
  internet_gateway: InternetGatewayTable
  route_table: RouteTableTable
  route_table_association: RouteTableAssociationTable
  route: RouteRowTable
  network_acl: NetworkAclTable
  network_acl_entry: NetworkAclEntryTable
  network_acl_association: NetworkAclAssociationTable
  nat_gateway: NatGatewayTable
  vpc_peering: VpcPeeringTable
  prefix_list: PrefixListTable
  prefix_list_entry: PrefixListEntryTable
  flow_log: FlowLogTable
}
