/** EC2's errors about security groups, VPCs, subnets, network interfaces and addresses. */
import { AwsError } from '@mallee/aws-protocol'
import { malformedId, notFound } from './errors-ids.ts'

/** By name in a VPC (classic clients), or by id: AWS uses one code for both. */
export function invalidGroupNotFound(group: string, vpcId?: string): AwsError {
  const place = vpcId === undefined ? '' : ` in VPC '${vpcId}'`
  return new AwsError('InvalidGroup.NotFound', `The security group '${group}' does not exist${place}`)
}

/** A group of the caller's in another VPC that no active peering leads to. */
export function groupOfOtherNetwork(): AwsError {
  return new AwsError(
    'InvalidGroup.NotFound',
    'You have specified two resources that belong to different networks.',
  )
}

export function invalidGroupIdMalformed(id: string): AwsError {
  return malformedId('InvalidGroupId.Malformed', id, 'sg-')
}

export function invalidGroupDuplicate(name: string, vpcId: string): AwsError {
  return new AwsError(
    'InvalidGroup.Duplicate',
    `The security group '${name}' already exists for VPC '${vpcId}'`,
  )
}

/** Classic code; in a VPC AWS says DependencyViolation, see `groupHasDependents`. */
export function invalidGroupInUse(message: string): AwsError {
  return new AwsError('InvalidGroup.InUse', message)
}

export function groupHasDependents(id: string): AwsError {
  return new AwsError('DependencyViolation', `resource ${id} has a dependent object`)
}

export function invalidGroupReserved(name: string): AwsError {
  return new AwsError('InvalidGroup.Reserved', `The security group '${name}' is reserved`)
}

/** The default group of a VPC. */
export function cannotDelete(id: string): AwsError {
  return new AwsError(
    'CannotDelete',
    `the specified group: "${id}" name: "default" cannot be deleted by a user`,
  )
}

export function invalidPermissionNotFound(
  message = 'The specified rule does not exist in this security group.',
): AwsError {
  return new AwsError('InvalidPermission.NotFound', message)
}

/** `rule` as AWS writes it: `peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW`. */
export function invalidPermissionDuplicate(rule: string): AwsError {
  return new AwsError('InvalidPermission.Duplicate', `the specified rule "${rule}" already exists`)
}

export function invalidPermissionMalformed(message: string): AwsError {
  return new AwsError('InvalidPermission.Malformed', message)
}

export function invalidSecurityGroupRuleIdNotFound(id: string): AwsError {
  return new AwsError(
    'InvalidSecurityGroupRuleId.NotFound',
    `The security group rule ID '${id}' does not exist`,
  )
}

export function invalidSecurityGroupRuleIdMalformed(id: string): AwsError {
  return malformedId('InvalidSecurityGroupRuleId.Malformed', id, 'sgr-')
}

export function rulesPerSecurityGroupLimitExceeded(
  message = 'The maximum number of rules per security group has been reached.',
): AwsError {
  return new AwsError('RulesPerSecurityGroupLimitExceeded', message)
}

export function securityGroupLimitExceeded(
  message = 'The maximum number of security groups has been reached.',
): AwsError {
  return new AwsError('SecurityGroupLimitExceeded', message)
}

export function securityGroupsPerInterfaceLimitExceeded(
  message = 'The maximum number of security groups per interface has been reached.',
): AwsError {
  return new AwsError('SecurityGroupsPerInterfaceLimitExceeded', message)
}

export function invalidVpcIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidVpcID.NotFound', 'vpc', ids)
}

export function invalidVpcIdMalformed(id: string): AwsError {
  return malformedId('InvalidVpcId.Malformed', id, 'vpc-')
}

export function vpcIdNotSpecified(message = 'No default VPC for this user'): AwsError {
  return new AwsError('VPCIdNotSpecified', message)
}

export function invalidSubnetIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidSubnetID.NotFound', 'subnet', ids)
}

export function invalidSubnetIdMalformed(id: string): AwsError {
  return malformedId('InvalidSubnetId.Malformed', id, 'subnet-')
}

export function insufficientFreeAddressesInSubnet(subnetId: string): AwsError {
  return new AwsError(
    'InsufficientFreeAddressesInSubnet',
    `There are not enough free addresses in subnet '${subnetId}' to satisfy the requested number of instances.`,
  )
}

export function missingDefaultSubnet(zone: string): AwsError {
  return new AwsError('MissingInput', `No subnets found for the default VPC in availability zone '${zone}'.`)
}

export function invalidNetworkInterfaceIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidNetworkInterfaceID.NotFound', 'networkInterface', ids)
}

export function invalidNetworkInterfaceIdMalformed(id: string): AwsError {
  return malformedId('InvalidNetworkInterfaceId.Malformed', id, 'eni-')
}

export function invalidAllocationIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidAllocationID.NotFound', 'allocation', ids)
}

export function invalidAllocationIdMalformed(id: string): AwsError {
  return malformedId('InvalidAllocationID.Malformed', id, 'eipalloc-')
}

export function invalidAddressNotFound(address: string): AwsError {
  return new AwsError('InvalidAddress.NotFound', `Address '${address}' not found.`)
}

export function addressLimitExceeded(
  message = 'The maximum number of addresses has been reached.',
): AwsError {
  return new AwsError('AddressLimitExceeded', message)
}

export function insufficientAddressCapacity(message = 'Insufficient address capacity.'): AwsError {
  return new AwsError('InsufficientAddressCapacity', message, 500)
}

export function invalidIpAddressInUse(address: string): AwsError {
  return new AwsError('InvalidIPAddress.InUse', `Address ${address} is in use.`)
}
