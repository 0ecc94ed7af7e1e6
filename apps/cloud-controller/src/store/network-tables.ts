import type { Bit } from './tables.ts'

/** The tables of networks: VPCs, subnets, security groups, interfaces and addresses. */

export interface VpcTable {
  id: string
  account_id: string
  cidr: string
  is_default: Bit
  tag: number
  dns_support: Bit
  dns_hostnames: Bit
  /** Null means those that every VPC has at first. */
  dhcp_options_id: string | null
  created_at: number
}

/** An address block of a VPC; the first is also in the VPC's own row. */
export interface VpcCidrTable {
  id: string
  account_id: string
  vpc_id: string
  cidr: string
  is_primary: Bit
  created_at: number
}

export interface SubnetTable {
  id: string
  account_id: string
  vpc_id: string
  availability_zone: string
  cidr: string
  is_default: Bit
  map_public_ip: Bit
  tag: number
  created_at: number
}

export interface SecurityGroupTable {
  id: string
  account_id: string
  vpc_id: string
  name: string
  description: string
  created_at: number
}

export interface SecurityGroupRuleTable {
  id: string
  account_id: string
  group_id: string
  is_egress: Bit
  protocol: string
  from_port: number
  to_port: number
  cidr: string | null
  /** Of the same VPC, or with the three below of one that was peered with it; such a one may be gone. */
  peer_group_id: string | null
  peer_vpc_id: string | null
  peer_account_id: string | null
  /** The connection that was active when the rule was made. */
  peering_id: string | null
  prefix_list_id: string | null
  description: string | null
  /** Direction, protocol, ports and peer as one text: the same rule twice is refused by a unique index. */
  identity: string
}

export interface NetworkInterfaceTable {
  id: string
  account_id: string
  vpc_id: string
  subnet_id: string
  availability_zone: string
  mac: string
  private_ip: number
  description: string
  source_dest_check: Bit
  instance_id: string | null
  device_index: number | null
  attachment_id: string | null
  attached_at: number | null
  type: 'interface' | 'nat_gateway'
  requester_managed: Bit
  delete_on_termination: Bit
  attachment_state: 'attaching' | 'attached' | 'detaching' | null
  created_at: number
}

/** Every private address that an interface has, its primary one too: what a subnet has given away. */
export interface NetworkInterfaceAddressTable {
  subnet_id: string
  private_ip: number
  interface_id: string
  is_primary: Bit
}

export interface NetworkInterfaceGroupTable {
  interface_id: string
  group_id: string
}

export interface AddressTable {
  /** The public address; a row is the claim of it. */
  public_ip: number
  account_id: string
  interface_id: string | null
  /** Which of the interface's private addresses it stands for; null where it is associated with nothing. */
  private_ip: number | null
  /** Null for an address that the cloud lends to an instance for its life. */
  allocation_id: string | null
  association_id: string | null
  created_at: number
}
