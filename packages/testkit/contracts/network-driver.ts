import type { VpcItem } from '@mallee/agent-contract'

/** A network driver as its contract knows it; the node controller's interface has the same shape. */
export interface NetworkDriverUnderTest {
  fingerprint(): Promise<{ readonly network: string; readonly problems: readonly string[] }>
  apply(network: readonly VpcItem[]): Promise<void>
  port(
    vpc: VpcItem,
    interfaceId: string,
  ): { readonly bridge: string; readonly tap: string; readonly mtu: number | null }
  askerAt(address: string): string | null
  readonly metadataAddress: { readonly host: string; readonly port: number }
  bytes(): Promise<
    readonly {
      readonly interfaceId: string
      readonly sent: { readonly inside: number; readonly outside: number }
      readonly received: { readonly inside: number; readonly outside: number }
    }[]
  >
  collectFlows(keep: (window: FlowWindowUnderTest) => Promise<void>): Promise<void>
  inventory(
    network: readonly VpcItem[],
  ): Promise<readonly { readonly kind: string; readonly id: string; readonly owner: string | null }[]>
  removeStray(
    part: { readonly kind: 'tap' | 'bridge' | 'router' | 'dhcp' | 'firewall-port'; readonly id: string },
    network: readonly VpcItem[],
  ): Promise<void>
  removeAll(): Promise<void>
  close(): Promise<void>
}

export interface FlowWindowUnderTest {
  readonly startMs: number
  readonly endMs: number
  readonly flows: readonly CountedFlowUnderTest[]
  readonly incomplete: readonly string[]
}

export interface CountedFlowUnderTest {
  readonly interfaceId: string
  readonly direction: 'ingress' | 'egress'
  readonly accepted: boolean
  readonly protocol: number
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  readonly packets: number
  readonly bytes: number
  readonly tcpFlags: number
}

type Interface = VpcItem['interfaces'][number]
type Rule = VpcItem['securityGroups'][number]['ingress'][number]

/** What a test says of one of the world's interfaces; the rest is as `worldItems` has it. */
export interface InterfaceWish extends Partial<
  Pick<Interface, 'publicIp' | 'sourceDestCheck' | 'metadataHopLimit' | 'mac' | 'interfaceId' | 'hostname'>
> {
  readonly ingress?: readonly Rule[]
  /** All, unless said. */
  readonly egress?: readonly Rule[]
  /** The interface is not there. */
  readonly absent?: boolean
}
export type GuestName = 'a' | 'b' | 'c' | 'x' | 'y'
export type Wishes = Partial<Record<GuestName, InterfaceWish>>

/** A rule by protocol number (-1: all), ports or ICMP type and code, and where the other side is. */
export function allow(
  protocol: number,
  from = -1,
  to = from,
  remote: { cidr: string } | { peer: GuestName } = { cidr: '0.0.0.0/0' },
): Rule {
  return {
    protocol: String(protocol),
    fromPort: from,
    toPort: to,
    cidr: 'cidr' in remote ? remote.cidr : null,
    peerGroupId: 'peer' in remote ? `sg-${remote.peer}` : null,
  }
}
export const tcp = (port: number, remote?: { cidr: string } | { peer: GuestName }) =>
  allow(6, port, port, remote)
export const everything = allow(-1)

/**
 * Five interfaces, each in a group of its own. One VPC with a, b in one subnet and c in another, and a second VPC of
 * the very same addresses with x like a and y like b.
 */
export const places: Record<
  GuestName,
  { vpc: number; subnet: number; privateIp: string; publicIp: string | null }
> = {
  a: { vpc: 5, subnet: 51, privateIp: '172.31.0.4', publicIp: '198.19.77.10' },
  b: { vpc: 5, subnet: 51, privateIp: '172.31.0.5', publicIp: null },
  c: { vpc: 5, subnet: 52, privateIp: '172.31.16.4', publicIp: '198.19.77.11' },
  x: { vpc: 6, subnet: 61, privateIp: '172.31.0.4', publicIp: '198.19.77.20' },
  y: { vpc: 6, subnet: 61, privateIp: '172.31.0.5', publicIp: null },
}
const cidrs: Record<number, string> = { 51: '172.31.0.0/20', 52: '172.31.16.0/20', 61: '172.31.0.0/20' }
export const guestNames = Object.keys(places) as GuestName[]

export const interfaceIdOf = (name: GuestName) =>
  `eni-0000000000000000${name === 'x' ? 'e' : name === 'y' ? 'f' : name}`
export const macOf = (name: GuestName) => `02:00:5e:00:00:0${guestNames.indexOf(name) + 1}`

export function worldItems(wishes: Wishes = {}): VpcItem[] {
  return [5, 6].map((tag) => {
    const names = guestNames.filter((name) => places[name].vpc === tag && wishes[name]?.absent !== true)
    const subnetTags = [
      ...new Set(guestNames.filter((name) => places[name].vpc === tag).map((name) => places[name].subnet)),
    ]
    return {
      vpcId: `vpc-${tag}`,
      cidr: '172.31.0.0/16',
      tag,
      subnets: subnetTags.map((subnet) => ({
        subnetId: `subnet-${subnet}`,
        cidr: cidrs[subnet]!,
        tag: subnet,
        availabilityZone: 'us-east-1a',
      })),
      interfaces: names.map((name) => interfaceItem(name, wishes[name])),
      securityGroups: names.map((name) => ({
        groupId: `sg-${name}`,
        ingress: [...(wishes[name]?.ingress ?? [])],
        egress: [...(wishes[name]?.egress ?? [everything])],
      })),
      peerAddresses: Object.fromEntries(names.map((name) => [`sg-${name}`, [places[name].privateIp]])),
    }
  })
}

function interfaceItem(name: GuestName, wish: InterfaceWish = {}): Interface {
  const { privateIp, publicIp, subnet } = places[name]
  return {
    interfaceId: wish.interfaceId ?? interfaceIdOf(name),
    instanceId: `i-${name}`,
    subnetId: `subnet-${subnet}`,
    mac: wish.mac ?? macOf(name),
    privateIp,
    publicIp: wish.publicIp === undefined ? publicIp : wish.publicIp,
    hostname: wish.hostname ?? `ip-${privateIp.replaceAll('.', '-')}.ec2.internal`,
    sourceDestCheck: wish.sourceDestCheck ?? true,
    securityGroupIds: [`sg-${name}`],
    metadataHopLimit: wish.metadataHopLimit ?? 2,
  }
}
