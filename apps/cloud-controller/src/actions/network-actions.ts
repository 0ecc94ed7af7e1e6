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

/** Of EC2's actions, those on what VPCs are made of. */
export const networkActions = {
  AllocateAddress: allocateAddress,
  AssociateAddress: associateAddress,
  DescribeAddresses: describeAddresses,
  DescribeAddressesAttribute: describeAddressesAttribute,
  DescribeMovingAddresses: describeMovingAddresses,
  DisassociateAddress: disassociateAddress,
  ModifyAddressAttribute: modifyAddressAttribute,
  MoveAddressToVpc: moveAddressToVpc,
  ReleaseAddress: releaseAddress,
  ResetAddressAttribute: resetAddressAttribute,
  RestoreAddressToClassic: restoreAddressToClassic,
} satisfies { [N in Ec2TypedAction]?: Ec2Action<N> }
