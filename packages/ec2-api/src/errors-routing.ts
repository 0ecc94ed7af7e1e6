/**
 * EC2's errors about what leads packets and what holds them: routes, network ACLs, NAT gateways, peering, DHCP options.
 * Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
 */
import { AwsError } from '@mallee/aws-protocol'
import { malformedId, notFound } from './errors-ids.ts'

export function invalidRouteTableIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidRouteTableID.NotFound', 'routeTable', ids)
}

export function invalidRouteTableIdMalformed(id: string): AwsError {
  return malformedId('InvalidRouteTableId.Malformed', id, 'rtb-')
}

export function routeTableLimitExceeded(): AwsError {
  return new AwsError('RouteTableLimitExceeded', 'The maximum number of route tables has been reached.')
}

export function routeLimitExceeded(tableId: string): AwsError {
  return new AwsError('RouteLimitExceeded', `The maximum number of routes has been reached for ${tableId}.`)
}

export function routeAlreadyExists(destination: string): AwsError {
  return new AwsError('RouteAlreadyExists', `The route identified by ${destination} already exists.`)
}

export function invalidRouteNotFound(destination: string, tableId: string): AwsError {
  return new AwsError(
    'InvalidRoute.NotFound',
    `no route with destination-cidr-block ${destination} in route table ${tableId}`,
  )
}

export function invalidPrefixListIdNotFound(id: string): AwsError {
  return new AwsError('InvalidPrefixListID.NotFound', `The prefix list ID '${id}' does not exist`)
}

export function invalidPrefixListIdMalformed(id: string): AwsError {
  return malformedId('InvalidPrefixListId.Malformed', id, 'pl-')
}

/** What does not become of the list as it is: an entry taken away that it has not, or nothing new. */
export function invalidPrefixListModification(message: string): AwsError {
  return new AwsError('InvalidPrefixListModification', message)
}

export function prefixListMaxEntriesExceeded(most: number): AwsError {
  return new AwsError(
    'PrefixListMaxEntriesExceeded',
    `The number of entries exceeds the maximum size of the prefix list (${most}).`,
  )
}

export function prefixListVersionMismatch(): AwsError {
  return new AwsError('PrefixListVersionMismatch', 'The prefix list has the incorrect version number.')
}

export function invalidNetworkAclIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidNetworkAclID.NotFound', 'networkAcl', ids)
}

export function invalidNetworkAclIdMalformed(id: string): AwsError {
  return malformedId('InvalidNetworkAclId.Malformed', id, 'acl-')
}

export function networkAclLimitExceeded(): AwsError {
  return new AwsError('NetworkAclLimitExceeded', 'The maximum number of network ACLs has been reached.')
}

export function networkAclEntryAlreadyExists(ruleNumber: number): AwsError {
  return new AwsError(
    'NetworkAclEntryAlreadyExists',
    `The network acl entry identified by ${ruleNumber} already exists.`,
  )
}

export function invalidNetworkAclEntryNotFound(ruleNumber: number): AwsError {
  return new AwsError(
    'InvalidNetworkAclEntry.NotFound',
    `The network acl entry identified by ${ruleNumber} does not exist.`,
  )
}

export function networkAclEntryLimitExceeded(): AwsError {
  return new AwsError(
    'NetworkAclEntryLimitExceeded',
    'The maximum number of network ACL entries has been reached.',
  )
}

/** The family whose codes are named unlike all others. */
export function natGatewayNotFound(ids: readonly string[]): AwsError {
  return new AwsError('NatGatewayNotFound', `NatGateway ${ids.join(', ')} was not found`)
}

export function natGatewayMalformed(id: string): AwsError {
  return malformedId('NatGatewayMalformed', id, 'nat-')
}

/** Of one that a route names. */
export function invalidNatGatewayIdNotFound(id: string): AwsError {
  return new AwsError('InvalidNatGatewayID.NotFound', `The natGateway ID '${id}' does not exist`)
}

export function natGatewayLimitExceeded(zone: string): AwsError {
  return new AwsError(
    'NatGatewayLimitExceeded',
    `The maximum number of NAT gateways has been reached in ${zone}.`,
  )
}

export function invalidDhcpOptionsIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidDhcpOptionsID.NotFound', 'dhcpOptions', ids)
}

export function invalidDhcpOptionsIdMalformed(id: string): AwsError {
  return malformedId('InvalidDhcpOptionsId.Malformed', id, 'dopt-')
}

export function invalidVpcPeeringConnectionIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidVpcPeeringConnectionID.NotFound', 'vpcPeeringConnection', ids)
}

export function invalidVpcPeeringConnectionIdMalformed(id: string): AwsError {
  return malformedId('InvalidVpcPeeringConnectionId.Malformed', id, 'pcx-')
}

export function invalidStateTransition(message: string): AwsError {
  return new AwsError('InvalidStateTransition', message)
}

export function vpcPeeringConnectionAlreadyExists(id: string): AwsError {
  return new AwsError(
    'VpcPeeringConnectionAlreadyExists',
    `A VPC peering connection between these VPCs already exists: ${id}`,
  )
}

export function vpcPeeringConnectionsPerVpcLimitExceeded(vpcId: string): AwsError {
  return new AwsError(
    'VpcPeeringConnectionsPerVpcLimitExceeded',
    `The maximum number of VPC peering connections has been reached for ${vpcId}.`,
  )
}

export function peeringDnsHostnamesDisabled(vpcId: string): AwsError {
  return new AwsError(
    'InvalidVpcPeeringConnectionState.DnsHostnamesDisabled',
    `To enable DNS hostname resolution for the VPC peering connection, DNS hostname support must be enabled for ${vpcId}.`,
  )
}
