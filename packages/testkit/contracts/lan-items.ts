import type { FirewallRule, VpcItem, VpcRoute } from '@mallee/agent-contract'
import { everything } from './network-driver.ts'

/**
 * Eight interfaces on two nodes. VPC 7 has a public subnet (71: p here, r there) and a private one (72: q here, s there)
 * whose way out is a NAT gateway that the second node carries; VPC 8 (t there), whose addresses are also those that
 * nodes call interfaces by, may be peered with it; VPC 9 has the very addresses of VPC 7 (u like p, v like r).
 */
export const lanPlaces = {
  p: { node: 0, vpc: 7, subnet: 71, privateIp: '10.7.1.4', publicIp: '198.19.77.30' },
  q: { node: 0, vpc: 7, subnet: 72, privateIp: '10.7.2.4', publicIp: null },
  r: { node: 1, vpc: 7, subnet: 71, privateIp: '10.7.1.5', publicIp: null },
  s: { node: 1, vpc: 7, subnet: 72, privateIp: '10.7.2.5', publicIp: null },
  t: { node: 1, vpc: 8, subnet: 81, privateIp: '100.64.1.4', publicIp: null },
  u: { node: 0, vpc: 9, subnet: 91, privateIp: '10.7.1.4', publicIp: null },
  v: { node: 1, vpc: 9, subnet: 91, privateIp: '10.7.1.5', publicIp: null },
} as const
export type LanGuest = keyof typeof lanPlaces
export const lanGuests = Object.keys(lanPlaces) as LanGuest[]
export const natAddress = '198.19.77.40'

const subnets: Record<number, { vpc: number; cidr: string }> = {
  71: { vpc: 7, cidr: '10.7.1.0/24' },
  72: { vpc: 7, cidr: '10.7.2.0/24' },
  81: { vpc: 8, cidr: '100.64.1.0/24' },
  91: { vpc: 9, cidr: '10.7.1.0/24' },
}
const blocks: Record<number, string> = { 7: '10.7.0.0/16', 8: '100.64.0.0/16', 9: '10.7.0.0/16' }

type Acl = NonNullable<VpcItem['networkAcls']>[number]
type AclEntry = Acl['ingress'][number]

/** What a test wants otherwise than it is at first: all closed, nothing peered. */
export interface LanWishes {
  readonly ingress?: Partial<Record<LanGuest, readonly FirewallRule[]>>
  readonly egress?: Partial<Record<LanGuest, readonly FirewallRule[]>>
  readonly publicIp?: Partial<Record<LanGuest, string | null>>
  readonly secondary?: Partial<Record<LanGuest, readonly { privateIp: string; publicIp: string | null }[]>>
  /** Routes by subnet instead of those it has at first. */
  readonly routes?: Readonly<Record<number, readonly VpcRoute[]>>
  readonly acls?: Readonly<Record<number, { ingress: readonly AclEntry[]; egress: readonly AclEntry[] }>>
  readonly peered?: boolean
  readonly withoutNat?: boolean
  readonly sourceDestCheck?: Partial<Record<LanGuest, boolean>>
  readonly moved?: Partial<Record<LanGuest, number>>
  readonly dhcp?: VpcItem['dhcp']
}

export const lanInterface = (who: LanGuest) => `eni-00000000000000${who.charCodeAt(0).toString(16)}a`
export const lanMac = (who: LanGuest) => `02:00:5e:00:01:${who.charCodeAt(0).toString(16)}`
export const allowed: AclEntry = {
  allow: true,
  protocol: '-1',
  fromPort: -1,
  toPort: -1,
  cidr: '0.0.0.0/0',
}

const outward: VpcRoute = { destination: '0.0.0.0/0', target: 'internet-gateway' }
export const natRoute: VpcRoute = {
  destination: '0.0.0.0/0',
  target: 'nat-gateway',
  via: '10.7.1.200',
  viaSubnetId: 'subnet-71',
}
export const peerRoute = (destination: string): VpcRoute => ({
  destination,
  target: 'vpc-peering-connection',
  peeringId: 'pcx-1',
})

/** What one node is told, as the cloud would tell it. */
export function lanItems(node: number, addresses: readonly string[], wishes: LanWishes = {}): VpcItem[] {
  const nodeOf = (who: LanGuest) => wishes.moved?.[who] ?? lanPlaces[who].node
  const here = [7, 8, 9].filter((vpc) =>
    lanGuests.some((who) => lanPlaces[who].vpc === vpc && nodeOf(who) === node),
  )
  const peersToo = wishes.peered && (here.includes(7) || here.includes(8)) ? [7, 8] : []
  return [...new Set([...here, ...peersToo])].toSorted().map((vpc) => {
    const names = lanGuests.filter((who) => lanPlaces[who].vpc === vpc)
    const mine = names.filter((who) => nodeOf(who) === node)
    const peered = wishes.peered === true && (vpc === 7 || vpc === 8)
    const other = vpc === 7 ? 8 : 7
    return {
      vpcId: `vpc-${vpc}`,
      cidr: blocks[vpc]!,
      tag: vpc,
      masquerade: false,
      subnets: Object.entries(subnets).flatMap(([tag, subnet]) =>
        subnet.vpc === vpc ? [subnetItem(Number(tag), subnet.cidr, wishes)] : [],
      ),
      interfaces: mine.map((who) => interfaceItem(who, wishes)),
      remotes: [
        ...names
          .filter((who) => nodeOf(who) !== node)
          .map((who) => remoteOf(who, nodeOf(who), addresses, wishes)),
        ...(vpc === 7 && node === 0 && !wishes.withoutNat ? [natRemote(addresses[1]!)] : []),
      ],
      nodes: addresses.filter((_address, index) => index !== node),
      natGateways:
        vpc === 7 && node === 1 && !wishes.withoutNat
          ? [
              {
                natGatewayId: 'nat-0000000000000000a',
                interfaceId: natRemote('').interfaceId,
                subnetId: 'subnet-71',
                mac: natRemote('').mac,
                privateIp: '10.7.1.200',
                publicIp: natAddress,
              },
            ]
          : [],
      securityGroups: mine.map((who) => ({
        groupId: `sg-${who}`,
        ingress: [...(wishes.ingress?.[who] ?? [])],
        egress: [...(wishes.egress?.[who] ?? [everything])],
      })),
      peerAddresses: Object.fromEntries(lanGuests.map((who) => [`sg-${who}`, [lanPlaces[who].privateIp]])),
      routeTables: Object.entries(subnets).flatMap(([tag, subnet]) =>
        subnet.vpc === vpc ? [{ routeTableId: `rtb-${tag}`, routes: routesOf(Number(tag), wishes) }] : [],
      ),
      networkAcls: Object.entries(wishes.acls ?? {}).flatMap(([tag, acl]) =>
        subnets[Number(tag)]!.vpc === vpc
          ? [{ networkAclId: `acl-${tag}`, ingress: [...acl.ingress], egress: [...acl.egress] }]
          : [],
      ),
      peerings: peered ? [{ peeringId: 'pcx-1', vpcId: `vpc-${other}`, cidrs: [blocks[other]!] }] : [],
      ...(wishes.dhcp ? { dhcp: wishes.dhcp } : {}),
    } satisfies VpcItem
  })
}

function subnetItem(tag: number, cidr: string, wishes: LanWishes): VpcItem['subnets'][number] {
  return {
    subnetId: `subnet-${tag}`,
    cidr,
    tag,
    availabilityZone: 'us-east-1a',
    routeTableId: `rtb-${tag}`,
    ...(wishes.acls?.[tag] ? { networkAclId: `acl-${tag}` } : {}),
  }
}

function routesOf(tag: number, wishes: LanWishes): VpcRoute[] {
  const given = wishes.routes?.[tag]
  if (given) return [...given]
  if (tag === 71) return [outward]
  return tag === 72 ? [natRoute] : []
}

function interfaceItem(who: LanGuest, wishes: LanWishes): VpcItem['interfaces'][number] {
  const { privateIp, subnet } = lanPlaces[who]
  const secondary = wishes.secondary?.[who]
  return {
    interfaceId: lanInterface(who),
    instanceId: `i-${who}`,
    subnetId: `subnet-${subnet}`,
    mac: lanMac(who),
    privateIp,
    publicIp: publicOf(who, wishes),
    hostname: hostnameOf(who),
    sourceDestCheck: wishes.sourceDestCheck?.[who] ?? true,
    securityGroupIds: [`sg-${who}`],
    metadataHopLimit: 2,
    ...(secondary ? { secondary: [...secondary] } : {}),
    ...publicNameOf(who, wishes),
  }
}

const publicOf = (who: LanGuest, wishes: LanWishes): string | null =>
  wishes.publicIp?.[who] === undefined ? lanPlaces[who].publicIp : wishes.publicIp[who]!

const hostnameOf = (who: LanGuest) => `ip-${lanPlaces[who].privateIp.replaceAll('.', '-')}.ec2.internal`

function publicNameOf(who: LanGuest, wishes: LanWishes): { publicName?: string } {
  const address = publicOf(who, wishes)
  return address === null ? {} : { publicName: `ec2-${address.replaceAll('.', '-')}.compute-1.amazonaws.com` }
}

function remoteOf(who: LanGuest, node: number, addresses: readonly string[], wishes: LanWishes) {
  const { privateIp, subnet } = lanPlaces[who]
  return {
    interfaceId: lanInterface(who),
    subnetId: `subnet-${subnet}`,
    mac: lanMac(who),
    addresses: [privateIp, ...(wishes.secondary?.[who] ?? []).map((address) => address.privateIp)],
    node: addresses[node]!,
    hostname: hostnameOf(who),
    ...publicNameOf(who, wishes),
  }
}

const natRemote = (node: string) => ({
  interfaceId: 'eni-000000000000000aa',
  subnetId: 'subnet-71',
  mac: '02:00:5e:00:01:aa',
  addresses: ['10.7.1.200'],
  node,
})
