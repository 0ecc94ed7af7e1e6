/**
 * The names of what the driver makes. Interface names have room for 15 characters; tags go up to 16 million, five
 * characters in base 36.
 */
export const bridgeName = (subnetTag: number) => `br${subnetTag.toString(36)}`
/** A subnet's gateway: the end that is plugged into the bridge, and the end inside the router. */
export const gatewayPort = (subnetTag: number) => `rg${subnetTag.toString(36)}`
export const gatewayLink = (subnetTag: number) => `g${subnetTag.toString(36)}`
/** A router's way out: the end in the node's namespace; inside the router it is `up`. */
export const routerPort = (vpcTag: number) => `ru${vpcTag.toString(36)}`
export const routerUplink = 'up'

/** The tunnel of a subnet to the other nodes' bridges of it. */
export const tunnelName = (subnetTag: number) => `vx${subnetTag.toString(36)}`
/** NAT gateways' namespaces bear the last digits of their ids behind it. */
export const natPrefix = (routerPrefix: string) => routerPrefix.replace(/r$/, 'n')
export const natNamespace = (routerPrefix: string, natGatewayId: string) =>
  `${natPrefix(routerPrefix)}${natGatewayId.slice(-12)}`
/** Inside a NAT gateway's namespace, its only link. */
export const natLink = 'eth0'
/** Inside a router, the way into another VPC's. */
export const peerLink = (peerVpcTag: number) => `p${peerVpcTag.toString(36)}`
/** What the two ends of such a link are called; every pair of routers uses the same. */
export const peerEnds = ['169.254.253.1', '169.254.253.2'] as const
/** UDP. Not VXLAN's own 4789, which others on the machine may use (4.1 of RFC 7348 leaves it to configuration). */
export const tunnelPort = 14_789
/** What IPv4, UDP, VXLAN and an inner Ethernet header take of the uplink's MTU (RFC 7348, section 4.3). */
export const tunnelOverhead = 50

/** Interface ids are `eni-` and 17 hexadecimal digits; the last 12 leave two in 10^14 for a clash on one node. */
export const tapName = (interfaceId: string) => `vn${interfaceId.slice(-12)}`

/** Locally administered and the same at every making, so that a router made anew is who guests' ARP caches say. */
export function gatewayMac(subnetTag: number): string {
  const hex = subnetTag.toString(16).padStart(6, '0')
  return `02:6d:61:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}`
}

/** A bridge's own, said: the kernel would take the lowest of its ports', and forget its neighbours when that changes. */
export const bridgeMac = (subnetTag: number) => gatewayMac(subnetTag).replace('02:6d:61', '02:6d:62')

/** A word of our own in a link's alias: what lacks it is not ours and is left alone. */
export const linkAlias = 'mallee'
/** The routing protocol number that marks our routes. */
export const routeProtocol = 190
/** Names the tables in every family and namespace. */
export const tableName = 'mallee'

/** Between routers and the node: the node's end of every link, then one address a router. */
export const transitRange = '169.254.0.0/17'
export const metadataHost = '169.254.0.1'
export const metadataPort = 8775
/** At the same address: the node's resolver, for names that are no VPC's. */
export const resolverPort = 8753
/** Of every VPC (AWS VPC User Guide, "Amazon DNS server"). */
export const linkLocalNameServer = '169.254.169.253'
export const metadataAddress = '169.254.169.254'
/** What guests are called towards the metadata server: one address an interface. */
export const identityRange = '100.64.0.0/16'
