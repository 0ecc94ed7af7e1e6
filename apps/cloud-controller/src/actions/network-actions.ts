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

/** Of EC2's actions, those on what VPCs are made of. */
export const networkActions = {
  AllocateAddress: allocateAddress,
  AssociateAddress: associateAddress,
  AssociateSubnetCidrBlock: associateSubnetCidrBlock,
  AssociateVpcCidrBlock: associateVpcCidrBlock,
  CreateDefaultSubnet: createDefaultSubnet,
  CreateDefaultVpc: createDefaultVpc,
  CreateSubnet: createSubnet,
  CreateVpc: createVpc,
  DeleteSubnet: deleteSubnet,
  DeleteVpc: deleteVpc,
  DescribeAddresses: describeAddresses,
  DescribeAddressesAttribute: describeAddressesAttribute,
  DescribeMovingAddresses: describeMovingAddresses,
  DescribeSubnets: describeSubnets,
  DescribeVpcAttribute: describeVpcAttribute,
  DescribeVpcs: describeVpcs,
  DisassociateAddress: disassociateAddress,
  DisassociateSubnetCidrBlock: disassociateSubnetCidrBlock,
  DisassociateVpcCidrBlock: disassociateVpcCidrBlock,
  ModifyAddressAttribute: modifyAddressAttribute,
  ModifySubnetAttribute: modifySubnetAttribute,
  ModifyVpcAttribute: modifyVpcAttribute,
  MoveAddressToVpc: moveAddressToVpc,
  ReleaseAddress: releaseAddress,
  ResetAddressAttribute: resetAddressAttribute,
  RestoreAddressToClassic: restoreAddressToClassic,
} satisfies { [N in Ec2TypedAction]?: Ec2Action<N> }
