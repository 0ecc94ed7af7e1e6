import type { Ec2TypedAction } from '@mallee/ec2-api'
import type { Ec2Action } from './define-action.ts'
import {
  describeAddressesAttribute,
  modifyAddressAttribute,
  resetAddressAttribute,
} from './ec2/address-attributes.ts'
import { allocateAddress, releaseAddress } from './ec2/allocate-address.ts'
import { associateAddress, disassociateAddress } from './ec2/associate-address.ts'
import { describeAddresses } from './ec2/describe-addresses.ts'
import { describeMovingAddresses, moveAddressToVpc, restoreAddressToClassic } from './ec2/moving-addresses.ts'
import { createDefaultVpc, createVpc, deleteVpc } from './ec2/vpcs.ts'
import { describeVpcs } from './ec2/describe-vpcs.ts'
import { describeSubnets } from './ec2/describe-subnets.ts'
import { describeVpcAttribute, modifyVpcAttribute } from './ec2/vpc-attributes.ts'
import { associateVpcCidrBlock, disassociateVpcCidrBlock } from './ec2/vpc-cidr-blocks.ts'
import { createDefaultSubnet, createSubnet, deleteSubnet } from './ec2/subnets.ts'
import {
  associateSubnetCidrBlock,
  disassociateSubnetCidrBlock,
  modifySubnetAttribute,
} from './ec2/subnet-attributes.ts'
import {
  attachInternetGateway,
  createInternetGateway,
  deleteInternetGateway,
  describeEgressOnlyInternetGateways,
  describeInternetGateways,
  detachInternetGateway,
} from './ec2/internet-gateways.ts'
import { createRouteTable, deleteRouteTable, describeRouteTables } from './ec2/route-tables.ts'
import {
  associateRouteTable,
  disassociateRouteTable,
  replaceRouteTableAssociation,
} from './ec2/route-table-associations.ts'
import { createRoute, deleteRoute, replaceRoute } from './ec2/routes.ts'
import {
  createNetworkAcl,
  deleteNetworkAcl,
  describeNetworkAcls,
  replaceNetworkAclAssociation,
} from './ec2/network-acls.ts'
import {
  createNetworkAclEntry,
  deleteNetworkAclEntry,
  replaceNetworkAclEntry,
} from './ec2/network-acl-entries.ts'
import { createNatGateway, deleteNatGateway, describeNatGateways } from './ec2/nat-gateways.ts'
import {
  associateDhcpOptions,
  createDhcpOptions,
  deleteDhcpOptions,
  describeDhcpOptions,
} from './ec2/dhcp-options.ts'
import {
  describeManagedPrefixLists,
  describePrefixLists,
  getManagedPrefixListAssociations,
  getManagedPrefixListEntries,
} from './ec2/describe-prefix-lists.ts'
import {
  createManagedPrefixList,
  deleteManagedPrefixList,
  modifyManagedPrefixList,
  restoreManagedPrefixListVersion,
} from './ec2/prefix-lists.ts'
import { createFlowLogs, deleteFlowLogs, describeFlowLogs } from './ec2/flow-logs.ts'
import { createVpcPeeringConnection, describeVpcPeeringConnections } from './ec2/vpc-peering.ts'
import {
  acceptVpcPeeringConnection,
  deleteVpcPeeringConnection,
  modifyVpcPeeringConnectionOptions,
  rejectVpcPeeringConnection,
} from './ec2/answer-vpc-peering.ts'
import { attachNetworkInterface, detachNetworkInterface } from './ec2/attach-network-interface.ts'
import { describeNetworkInterfaces } from './ec2/describe-network-interfaces.ts'
import {
  describeNetworkInterfaceAttribute,
  modifyNetworkInterfaceAttribute,
  resetNetworkInterfaceAttribute,
} from './ec2/network-interface-attributes.ts'
import { createNetworkInterface, deleteNetworkInterface } from './ec2/network-interfaces.ts'
import { assignPrivateIpAddresses, unassignPrivateIpAddresses } from './ec2/private-addresses.ts'

/** Of EC2's actions, those on what VPCs are made of. */
export const networkActions = {
  AcceptVpcPeeringConnection: acceptVpcPeeringConnection,
  AllocateAddress: allocateAddress,
  AssignPrivateIpAddresses: assignPrivateIpAddresses,
  AssociateAddress: associateAddress,
  AssociateDhcpOptions: associateDhcpOptions,
  AssociateRouteTable: associateRouteTable,
  AssociateSubnetCidrBlock: associateSubnetCidrBlock,
  AssociateVpcCidrBlock: associateVpcCidrBlock,
  AttachInternetGateway: attachInternetGateway,
  AttachNetworkInterface: attachNetworkInterface,
  CreateDefaultSubnet: createDefaultSubnet,
  CreateDefaultVpc: createDefaultVpc,
  CreateDhcpOptions: createDhcpOptions,
  CreateFlowLogs: createFlowLogs,
  CreateInternetGateway: createInternetGateway,
  CreateManagedPrefixList: createManagedPrefixList,
  CreateNatGateway: createNatGateway,
  CreateNetworkAcl: createNetworkAcl,
  CreateNetworkAclEntry: createNetworkAclEntry,
  CreateNetworkInterface: createNetworkInterface,
  CreateRoute: createRoute,
  CreateRouteTable: createRouteTable,
  CreateSubnet: createSubnet,
  CreateVpc: createVpc,
  CreateVpcPeeringConnection: createVpcPeeringConnection,
  DeleteDhcpOptions: deleteDhcpOptions,
  DeleteFlowLogs: deleteFlowLogs,
  DeleteInternetGateway: deleteInternetGateway,
  DeleteManagedPrefixList: deleteManagedPrefixList,
  DeleteNatGateway: deleteNatGateway,
  DeleteNetworkAcl: deleteNetworkAcl,
  DeleteNetworkAclEntry: deleteNetworkAclEntry,
  DeleteNetworkInterface: deleteNetworkInterface,
  DeleteRoute: deleteRoute,
  DeleteRouteTable: deleteRouteTable,
  DeleteSubnet: deleteSubnet,
  DeleteVpc: deleteVpc,
  DeleteVpcPeeringConnection: deleteVpcPeeringConnection,
  DescribeAddresses: describeAddresses,
  DescribeAddressesAttribute: describeAddressesAttribute,
  DescribeDhcpOptions: describeDhcpOptions,
  DescribeEgressOnlyInternetGateways: describeEgressOnlyInternetGateways,
  DescribeFlowLogs: describeFlowLogs,
  DescribeInternetGateways: describeInternetGateways,
  DescribeManagedPrefixLists: describeManagedPrefixLists,
  DescribeMovingAddresses: describeMovingAddresses,
  DescribeNatGateways: describeNatGateways,
  DescribeNetworkAcls: describeNetworkAcls,
  DescribeNetworkInterfaceAttribute: describeNetworkInterfaceAttribute,
  DescribeNetworkInterfaces: describeNetworkInterfaces,
  DescribePrefixLists: describePrefixLists,
  DescribeRouteTables: describeRouteTables,
  DescribeSubnets: describeSubnets,
  DescribeVpcAttribute: describeVpcAttribute,
  DescribeVpcPeeringConnections: describeVpcPeeringConnections,
  DescribeVpcs: describeVpcs,
  DetachInternetGateway: detachInternetGateway,
  DetachNetworkInterface: detachNetworkInterface,
  DisassociateAddress: disassociateAddress,
  DisassociateRouteTable: disassociateRouteTable,
  DisassociateSubnetCidrBlock: disassociateSubnetCidrBlock,
  DisassociateVpcCidrBlock: disassociateVpcCidrBlock,
  GetManagedPrefixListAssociations: getManagedPrefixListAssociations,
  GetManagedPrefixListEntries: getManagedPrefixListEntries,
  ModifyAddressAttribute: modifyAddressAttribute,
  ModifyManagedPrefixList: modifyManagedPrefixList,
  ModifyNetworkInterfaceAttribute: modifyNetworkInterfaceAttribute,
  ModifySubnetAttribute: modifySubnetAttribute,
  ModifyVpcAttribute: modifyVpcAttribute,
  ModifyVpcPeeringConnectionOptions: modifyVpcPeeringConnectionOptions,
  MoveAddressToVpc: moveAddressToVpc,
  RejectVpcPeeringConnection: rejectVpcPeeringConnection,
  ReleaseAddress: releaseAddress,
  ReplaceNetworkAclAssociation: replaceNetworkAclAssociation,
  ReplaceNetworkAclEntry: replaceNetworkAclEntry,
  ReplaceRoute: replaceRoute,
  ReplaceRouteTableAssociation: replaceRouteTableAssociation,
  ResetAddressAttribute: resetAddressAttribute,
  ResetNetworkInterfaceAttribute: resetNetworkInterfaceAttribute,
  RestoreAddressToClassic: restoreAddressToClassic,
  RestoreManagedPrefixListVersion: restoreManagedPrefixListVersion,
  UnassignPrivateIpAddresses: unassignPrivateIpAddresses,
} satisfies { [N in Ec2TypedAction]?: Ec2Action<N> }
