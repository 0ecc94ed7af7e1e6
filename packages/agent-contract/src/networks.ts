import { flowLogSchema } from './flow-logs.ts'
import { choice, flag, integer, list, mapOf, nullable, record, text, type Shape } from './schema.ts'

/**
 * What a node is told of a VPC: its own interfaces whole, and of everything else no more than its interfaces can send
 * to. Members that later releases added are optional: an agent's ledger may be of a former one.
 */

/**
 * One rule of a security group as a node applies it. Ports are inclusive; for ICMP `fromPort` is the type and `toPort`
 * the code, -1 meaning all; `protocol` is a number's text ("6") or "-1" for all.
 */
export const firewallRuleSchema = record(
  {
    protocol: text(),
    fromPort: integer(-1, 65_535),
    toPort: integer(-1, 65_535),
    cidr: nullable(text()),
    peerGroupId: nullable(text()),
  },
  /** The blocks of the prefix list that the rule names, instead of `cidr`. */
  { cidrs: list(text()) },
)
export type FirewallRule = Shape<typeof firewallRuleSchema>

/**
 * Where a route leads. `nat-gateway`: to the interface of a NAT gateway, which may be on another node; so may the one of
 * `network-interface`. A target that is gone is a `blackhole`.
 */
export const routeSchema = record(
  {
    destination: text(),
    target: choice(
      'internet-gateway',
      'nat-gateway',
      'network-interface',
      'vpc-peering-connection',
      'blackhole',
    ),
  },
  {
    /** Of the interface that the packets are handed to. */
    via: text(),
    viaSubnetId: text(),
    peeringId: text(),
  },
)
export type VpcRoute = Shape<typeof routeSchema>

/** An entry of a network ACL; they stand in the order of their numbers, and the first that matches decides. */
export const aclEntrySchema = record({
  allow: flag(),
  protocol: text(),
  fromPort: integer(-1, 65_535),
  toPort: integer(-1, 65_535),
  cidr: text(),
})
export type AclEntry = Shape<typeof aclEntrySchema>

const addressSchema = record({ privateIp: text(), publicIp: nullable(text()) })

/** Item kind `vpc`: everything of one VPC that a node needs for its own instances, and no more. */
export const vpcItemSchema = record(
  {
    vpcId: text(),
    cidr: text(),
    /** A number unique in the cloud, from which interface names and conntrack zones are made. */
    tag: integer(1, 16_000_000),
    /** Those that interfaces of this node are in, and those that they can reach. */
    subnets: list(
      record(
        { subnetId: text(), cidr: text(), tag: integer(1, 16_000_000), availabilityZone: text() },
        {
          /** Left out where whatever leaves the VPC leaves by the node. */
          routeTableId: text(),
          /** Left out where everything passes. */
          networkAclId: text(),
        },
      ),
    ),
    /** Interfaces of instances placed on this node. */
    interfaces: list(
      record(
        {
          interfaceId: text(),
          instanceId: text(),
          subnetId: text(),
          mac: text(),
          privateIp: text(),
          publicIp: nullable(text()),
          hostname: text(),
          sourceDestCheck: flag(),
          securityGroupIds: list(text()),
          metadataHopLimit: integer(1, 64),
        },
        {
          /** Further private addresses. */
          secondary: list(addressSchema),
          /** By which guests of its VPC are told its private address. */
          publicName: text(),
        },
      ),
    ),
    securityGroups: list(
      record({ groupId: text(), ingress: list(firewallRuleSchema), egress: list(firewallRuleSchema) }),
    ),
    /** Private addresses of the members of every group that a rule above names as its peer. */
    peerAddresses: mapOf(list(text())),
  },
  {
    /** All address blocks; left out where there is only `cidr`. */
    cidrs: list(text()),
    /** Left out by a cloud that knows no routes: everything leaves by the internet gateway. */
    routeTables: list(record({ routeTableId: text(), routes: list(routeSchema) })),
    networkAcls: list(
      record({ networkAclId: text(), ingress: list(aclEntrySchema), egress: list(aclEntrySchema) }),
    ),
    /** Whether who has no public address leaves by the node's, as in a default VPC. Left out: yes. */
    masquerade: flag(),
    /** Interfaces elsewhere that this node's can reach: of instances on other nodes, and NAT gateways. */
    remotes: list(
      record(
        {
          interfaceId: text(),
          subnetId: text(),
          mac: text(),
          addresses: list(text()),
          /** Of the node that has it, on its uplink. */
          node: text(),
        },
        { hostname: text(), publicName: text() },
      ),
    ),
    /** The other nodes that send into these subnets: who hosts this VPC, or one that is peered with it. */
    nodes: list(text()),
    /** NAT gateways that this node carries. */
    natGateways: list(
      record({
        natGatewayId: text(),
        interfaceId: text(),
        subnetId: text(),
        mac: text(),
        privateIp: text(),
        publicIp: nullable(text()),
      }),
    ),
    /** The VPCs at the other ends of peering connections; each is an item of this node too. */
    peerings: list(record({ peeringId: text(), vpcId: text(), cidrs: list(text()) })),
    dhcp: record({
      domainName: nullable(text()),
      /** `AmazonProvidedDNS` is the subnet's own. */
      domainNameServers: list(text()),
      ntpServers: list(text()),
      netbiosNameServers: list(text()),
      netbiosNodeType: nullable(text()),
    }),
    /** Whether the subnets' own name server answers. Left out: yes. */
    dnsSupport: flag(),
    /** Those that take records of interfaces of this node; left out where there are none. */
    flowLogs: list(flowLogSchema),
  },
)
export type VpcItem = Shape<typeof vpcItemSchema>
