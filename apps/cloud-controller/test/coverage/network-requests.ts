import type { BaseRequest } from './coverage-world.ts'
import { address, associatedAddress } from './network-things.ts'

const bare: BaseRequest = { request: () => ({}) }

/** Of every action on what VPCs are made of. */
export const networkRequests: Readonly<Record<string, BaseRequest>> = {
  AllocateAddress: bare,
  AssociateAddress: {
    request: async (world) => ({
      ...{ InstanceId: await world.runningInstance(), AllocationId: (await address(world)).allocationId },
    }),
  },
  DescribeAddresses: bare,
  DescribeAddressesAttribute: bare,
  DescribeMovingAddresses: bare,
  DisassociateAddress: {
    request: async (world) => ({ AssociationId: (await associatedAddress(world)).associationId }),
  },
  ModifyAddressAttribute: {
    request: async (world) => ({ AllocationId: (await address(world)).allocationId }),
    refusedAs: 'UnsupportedOperation',
  },
  MoveAddressToVpc: {
    request: async (world) => ({ PublicIp: (await address(world)).publicIp }),
    refusedAs: 'InvalidParameterValue',
  },
  ReleaseAddress: { request: async (world) => ({ AllocationId: (await address(world)).allocationId }) },
  ResetAddressAttribute: {
    request: async (world) => ({
      ...{ AllocationId: (await address(world)).allocationId, Attribute: 'domain-name' },
    }),
    refusedAs: 'UnsupportedOperation',
  },
  RestoreAddressToClassic: {
    request: async (world) => ({ PublicIp: (await address(world)).publicIp }),
    refusedAs: 'UnsupportedOperation',
  },
}
