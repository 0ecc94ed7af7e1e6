/**
 * EC2's errors about what a VPC is made of: address blocks, subnets, gateways to the internet, elastic addresses on them.
 * Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
 */
import { AwsError } from '@mallee/aws-protocol'
import { malformedId, notFound } from './errors-ids.ts'

/** What a delete answers while something that the user made still needs the thing: `The vpc 'vpc-1' has …`. */
export function hasDependencies(what: string, id: string): AwsError {
  return new AwsError('DependencyViolation', `The ${what} '${id}' has dependencies and cannot be deleted.`)
}

/** `resource igw-1 is already attached to network vpc-1` and the like. */
export function resourceAlreadyAssociated(message: string): AwsError {
  return new AwsError('Resource.AlreadyAssociated', message)
}

export function gatewayNotAttached(message: string): AwsError {
  return new AwsError('Gateway.NotAttached', message)
}

/** Of an elastic address, a route table or a network ACL. */
export function invalidAssociationIdNotFound(id: string): AwsError {
  return new AwsError('InvalidAssociationID.NotFound', `The association ID '${id}' does not exist`)
}

/** An address that is somebody else's or nobody's. */
export function addressNotYours(address: string): AwsError {
  return new AwsError('AuthFailure', `The address '${address}' does not belong to you.`, 403)
}

/** What the cloud keeps for a service of its own: a NAT gateway's interface and what is on it. */
export function managedByService(): AwsError {
  return new AwsError('AuthFailure', 'You do not have permission to access the specified resource.', 403)
}

/** An instance that has no state, or more interfaces than one, for what is asked of it. */
export function invalidInstanceId(message: string): AwsError {
  return new AwsError('InvalidInstanceID', message)
}

export function invalidVpcRange(cidr: string): AwsError {
  return new AwsError('InvalidVpc.Range', `The CIDR '${cidr}' is invalid.`)
}

/** A block that the VPC may not have beside those that it has. */
export function restrictedVpcRange(cidr: string, why: string): AwsError {
  return new AwsError('InvalidVpc.Range', `The CIDR '${cidr}' ${why}`)
}

export function vpcLimitExceeded(): AwsError {
  return new AwsError('VpcLimitExceeded', 'The maximum number of VPCs has been reached.')
}

export function cidrLimitExceeded(vpcId: string, most: number): AwsError {
  return new AwsError(
    'CidrLimitExceeded',
    `This network '${vpcId}' has met its maximum number of allowed CIDRs: ${most}`,
  )
}

export function invalidVpcCidrAssociationIdNotFound(id: string): AwsError {
  return new AwsError(
    'InvalidVpcCidrBlockAssociationID.NotFound',
    `The vpc CIDR block association ID '${id}' does not exist`,
  )
}

export function invalidSubnetCidrAssociationIdNotFound(id: string): AwsError {
  return new AwsError(
    'InvalidSubnetCidrBlockAssociationID.NotFound',
    `The subnet CIDR block association ID '${id}' does not exist`,
  )
}

export function defaultVpcAlreadyExists(): AwsError {
  return new AwsError(
    'DefaultVpcAlreadyExists',
    'A Default VPC already exists for this account in this region.',
  )
}

export function defaultVpcDoesNotExist(): AwsError {
  return new AwsError('DefaultVpcDoesNotExist', 'No default VPC exists for this account in this region.')
}

export function defaultSubnetAlreadyExists(zone: string, subnetId: string): AwsError {
  return new AwsError(
    'DefaultSubnetAlreadyExistsInAvailabilityZone',
    `'${subnetId}' is already the default subnet in ${zone}.`,
  )
}

export function invalidSubnetRange(cidr: string): AwsError {
  return new AwsError('InvalidSubnet.Range', `The CIDR '${cidr}' is invalid.`)
}

export function invalidSubnetConflict(cidr: string): AwsError {
  return new AwsError('InvalidSubnet.Conflict', `The CIDR '${cidr}' conflicts with another subnet`)
}

export function subnetLimitExceeded(): AwsError {
  return new AwsError('SubnetLimitExceeded', 'The maximum number of subnets has been reached.')
}

export function invalidInternetGatewayIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidInternetGatewayID.NotFound', 'internetGateway', ids)
}

export function invalidInternetGatewayIdMalformed(id: string): AwsError {
  return malformedId('InvalidInternetGatewayId.Malformed', id, 'igw-')
}

export function internetGatewayLimitExceeded(): AwsError {
  return new AwsError(
    'InternetGatewayLimitExceeded',
    'The maximum number of internet gateways has been reached.',
  )
}

/** Of a gateway that a route names, whatever its kind. */
export function invalidGatewayIdNotFound(id: string): AwsError {
  return new AwsError('InvalidGatewayID.NotFound', `The gateway ID '${id.slice(0, 200)}' does not exist`)
}

export function networkInterfaceLimitExceeded(): AwsError {
  return new AwsError(
    'NetworkInterfaceLimitExceeded',
    'The maximum number of network interfaces has been reached.',
  )
}

export function invalidAddressMalformed(text: string): AwsError {
  return new AwsError('InvalidAddress.Malformed', `Invalid IP address: "${text.slice(0, 60)}"`)
}
