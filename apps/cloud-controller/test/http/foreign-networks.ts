import { formatIpv4, newId } from '@mallee/base'
import type { CoverageWorld } from '../coverage/coverage-world.ts'
import {
  address,
  associatedAddress,
  dhcpOptions,
  flowLog,
  furtherBlock,
  internetGateway,
  natGateway,
  networkAcl,
  otherAcl,
  pendingPeering,
  prefixList,
  routeTable,
  tableAssociation,
} from '../coverage/network-things.ts'

/** Of what VPCs are made of: how a caller names it, and what of a tenant's is named so. */
const things = {
  allocation: async (world) => (await address(world)).allocationId,
  publicIp: async (world) => (await address(world)).publicIp,
  association: async (world) => (await associatedAddress(world)).associationId,
  vpcCidrAssociation: furtherBlock,
  internetGateway: (world) => internetGateway(world),
  routeTable: (world) => routeTable(world),
  routeTableAssociation: tableAssociation,
  networkAcl: (world) => networkAcl(world),
  networkAclAssociation: async (world) => (await otherAcl(world)).AssociationId,
  natGateway,
  prefixList,
  flowLog,
  vpcPeeringConnection: pendingPeering,
  dhcpOptions,
} as const satisfies Record<string, (world: CoverageWorld) => Promise<string>>

export type NetworkKind = keyof typeof things

/** By how the action and the member end; the first that fits. */
export const networkKinds: readonly (readonly [RegExp, NetworkKind])[] = [
  [/AllocationIds?$/, 'allocation'],
  [/PublicIps?$/, 'publicIp'],
  [/^DisassociateAddress AssociationId$/, 'association'],
  [/^DisassociateVpcCidrBlock AssociationId$/, 'vpcCidrAssociation'],
  [/RouteTable(?:Association)? AssociationId$/, 'routeTableAssociation'],
  [/^ReplaceNetworkAclAssociation AssociationId$/, 'networkAclAssociation'],
  [/(?:(?<!EgressOnly)InternetGatewayIds?|Route GatewayId)$/, 'internetGateway'],
  [/RouteTableIds?$/, 'routeTable'],
  [/NetworkAclIds?$/, 'networkAcl'],
  [/NatGatewayIds?$/, 'natGateway'],
  [/PrefixListId$/, 'prefixList'],
  [/FlowLogIds?(?:\.1)?$/, 'flowLog'],
  [/VpcPeeringConnectionIds?$/, 'vpcPeeringConnection'],
  [/DhcpOptionsIds?$/, 'dhcpOptions'],
]

export const taggableNetworkKinds: readonly NetworkKind[] = [
  ...(['allocation', 'internetGateway', 'routeTable', 'networkAcl', 'natGateway', 'prefixList'] as const),
  ...(['dhcpOptions', 'vpcPeeringConnection', 'flowLog'] as const),
]

export function isNetworkKind(kind: string): kind is NetworkKind {
  return Object.hasOwn(things, kind)
}

export function networkThing(world: CoverageWorld, kind: NetworkKind): Promise<string> {
  return things[kind](world)
}

let guesses = 0

/** Well formed, and of nobody. */
export function guessedNetworkThing(kind: NetworkKind): string {
  guesses += 1
  return kind === 'publicIp' ? formatIpv4(0xc6_13_00_00 + guesses) : newId(kind)
}
