import type { Bit } from './tables.ts'

/** The tables of networks: VPCs, subnets, security groups, interfaces and addresses. */

export interface VpcTable {
  id: string
  account_id: string
  cidr: string
  is_default: Bit
  tag: number
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
  peer_group_id: string | null
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
  created_at: number
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
  /** Null for an address that the cloud lends to an instance for its life. */
  allocation_id: string | null
  association_id: string | null
  created_at: number
}
