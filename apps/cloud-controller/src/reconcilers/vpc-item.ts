import { formatIpv4 } from '@mallee/base'
import type { FirewallRule, MetadataOptions, VpcItem } from '@mallee/agent-contract'
import { peersOfVpcs } from '../store/network-reach.ts'
import { flowLogOf, flowLogsOfVpc } from '../store/flow-log-store.ts'
import { readInterfaces, type InterfaceView } from '../store/network-store.ts'
import type { Reader } from '../store/record.ts'
import { listRules } from '../store/security-group-store.ts'
import type { NatGatewayTable } from '../store/routing-tables.ts'
import type { InstanceTable, SecurityGroupRuleTable, SubnetTable, VpcTable } from '../store/tables.ts'
import { privateDnsName } from '../views/instance-view.ts'
import { publicNameOf, readRemotes, type OtherNodes } from './vpc-remotes.ts'
import { readAcls, readPeerings, readPrefixLists, readRouteTables } from './vpc-routing.ts'

/** What one node has of a VPC. */
export interface NodeShare {
  /** Instances of the VPC that are placed on it. */
  readonly instances: readonly InstanceTable[]
  readonly natGateways: readonly NatGatewayTable[]
  /** Other nodes by which the VPC's packets may come. */
  readonly others: OtherNodes
  /** VPCs whose items the node gets too. */
  readonly alsoHere: ReadonlySet<string>
}

/** The item of one VPC for one node: its own interfaces whole, and where their packets may go. */
export async function vpcItem(db: Reader, region: string, vpcId: string, share: NodeShare): Promise<VpcItem> {
  const vpc = await db.selectFrom('vpc').selectAll().where('id', '=', vpcId).executeTakeFirstOrThrow()
  const cidrs = await db
    .selectFrom('vpc_cidr')
    .select('cidr')
    .where('vpc_id', '=', vpcId)
    .orderBy('is_primary', 'desc')
    .orderBy('cidr')
    .execute()
  const all = await db.selectFrom('subnet').selectAll().where('vpc_id', '=', vpcId).orderBy('id').execute()
  const byInstance = new Map(share.instances.map((instance) => [instance.id, instance]))
  // Of this node's instances alone: whoever reads the whole VPC here does it once for every node.
  const mine = (await readInterfaces(db, { vpcId, instanceIds: [...byInstance.keys()] })).filter(
    (entry) => entry.attachment_state !== 'detaching',
  )
  const rules = await listRules(db, [
    ...new Set(mine.flatMap((entry) => entry.groups.map((group) => group.id))),
  ])
  const remotes = await readRemotes(db, region, vpc, share.others)
  const reached = new Set([
    ...mine.map((entry) => entry.subnet_id),
    ...share.natGateways.map((gateway) => gateway.subnet_id),
    ...remotes.map((remote) => remote.subnetId),
  ])
  const subnets = all.filter((subnet) => reached.has(subnet.id))
  const natInterfaces = await readInterfaces(db, {
    interfaceIds: share.natGateways.flatMap((gateway) => gateway.interface_id ?? []),
  })
  return {
    vpcId,
    cidr: vpc.cidr,
    tag: vpc.tag,
    interfaces: mine.map((entry) => portOf(entry, byInstance.get(entry.instance_id!)!, region)),
    securityGroups: groupsOf(mine, rules, await readPrefixLists(db, rules)),
    peerAddresses: await peersOf(db, vpcId, rules),
    ...(cidrs.length > 1 ? { cidrs: cidrs.map(({ cidr }) => cidr) } : {}),
    masquerade: vpc.is_default === 1,
    ...(await waysOf(db, vpc, subnets, share)),
    ...(remotes.length > 0 ? { remotes } : {}),
    ...(share.others.addresses.length > 0 ? { nodes: [...share.others.addresses] } : {}),
    ...(natInterfaces.length > 0 ? { natGateways: natInterfaces.map((entry) => natOf(entry, share)) } : {}),
    ...(vpc.dns_support === 1 ? {} : { dnsSupport: false }),
    ...(await flowLogsFor(db, region, vpcId, [...mine, ...natInterfaces])),
    ...(await dhcpOf(db, vpc)),
  }
}

/** Those that cover some of these interfaces. */
async function flowLogsFor(
  db: Reader,
  region: string,
  vpcId: string,
  own: readonly InterfaceView[],
): Promise<Pick<VpcItem, 'flowLogs'>> {
  const rows = own.length === 0 ? [] : await flowLogsOfVpc(db, vpcId)
  const covering = rows
    .map((row) => flowLogOf(row, region, own))
    .filter(({ interfaceIds }) => interfaceIds.length > 0)
  return covering.length === 0 ? {} : { flowLogs: covering }
}

/** Subnets with their routes and ACLs, which are left out where they say nothing. */
async function waysOf(
  db: Reader,
  vpc: VpcTable,
  subnets: readonly SubnetTable[],
  share: NodeShare,
): Promise<Pick<VpcItem, 'subnets' | 'routeTables' | 'networkAcls' | 'peerings'>> {
  const peerings = (await readPeerings(db, vpc.id)).filter((peering) => share.alsoHere.has(peering.vpcId))
  const tables = await readRouteTables(db, vpc, subnets)
  const acls = await readAcls(db, subnets)
  return {
    subnets: subnets.map((subnet) => ({
      subnetId: subnet.id,
      cidr: subnet.cidr,
      tag: subnet.tag,
      availabilityZone: subnet.availability_zone,
      routeTableId: tables.of(subnet.id),
      ...acls.of(subnet.id),
    })),
    routeTables: tables.all,
    ...(acls.all.length > 0 ? { networkAcls: acls.all } : {}),
    ...(peerings.length > 0 ? { peerings } : {}),
  }
}

function portOf(
  entry: InterfaceView,
  instance: InstanceTable,
  region: string,
): VpcItem['interfaces'][number] {
  const secondary = entry.addresses.filter((address) => address.is_primary === 0)
  return {
    interfaceId: entry.id,
    instanceId: instance.id,
    subnetId: entry.subnet_id,
    mac: entry.mac,
    privateIp: formatIpv4(entry.private_ip),
    publicIp: entry.public_ip === null ? null : formatIpv4(entry.public_ip),
    hostname: privateDnsName(region, entry.private_ip),
    sourceDestCheck: entry.source_dest_check === 1,
    securityGroupIds: entry.groups.map((group) => group.id),
    metadataHopLimit: (JSON.parse(instance.metadata_options) as MetadataOptions).hopLimit,
    ...(secondary.length === 0
      ? {}
      : {
          secondary: secondary.map((address) => ({
            privateIp: formatIpv4(address.private_ip),
            publicIp: address.public_ip === null ? null : formatIpv4(address.public_ip),
          })),
        }),
    ...publicNameOf(region, entry, entry.public_ip),
  }
}

function natOf(entry: InterfaceView, share: NodeShare): NonNullable<VpcItem['natGateways']>[number] {
  return {
    natGatewayId: share.natGateways.find((gateway) => gateway.interface_id === entry.id)!.id,
    interfaceId: entry.id,
    subnetId: entry.subnet_id,
    mac: entry.mac,
    privateIp: formatIpv4(entry.private_ip),
    publicIp: entry.public_ip === null ? null : formatIpv4(entry.public_ip),
  }
}

function groupsOf(
  mine: readonly InterfaceView[],
  rules: readonly SecurityGroupRuleTable[],
  prefixLists: ReadonlyMap<string, readonly string[]>,
): VpcItem['securityGroups'] {
  const ids = [...new Set(mine.flatMap((entry) => entry.groups.map((group) => group.id)))].toSorted()
  const of = (groupId: string, egress: 0 | 1) =>
    rules
      .filter((rule) => rule.group_id === groupId && rule.is_egress === egress)
      .map((rule) => ruleOf(rule, prefixLists))
  return ids.map((groupId) => ({ groupId, ingress: of(groupId, 0), egress: of(groupId, 1) }))
}

function ruleOf(
  rule: SecurityGroupRuleTable,
  prefixLists: ReadonlyMap<string, readonly string[]>,
): FirewallRule {
  return {
    protocol: rule.protocol,
    fromPort: rule.from_port,
    toPort: rule.to_port,
    cidr: rule.cidr,
    peerGroupId: rule.peer_group_id,
    ...(rule.prefix_list_id === null ? {} : { cidrs: [...(prefixLists.get(rule.prefix_list_id) ?? [])] }),
  }
}

/**
 * The private addresses of each group that the rules name as a peer. One in another VPC has none unless the two are
 * peered now: what once was a friend's address may be anybody's.
 */
async function peersOf(
  db: Reader,
  vpcId: string,
  rules: readonly SecurityGroupRuleTable[],
): Promise<Record<string, string[]>> {
  const isFar = rules.some((rule) => rule.peer_vpc_id !== null)
  const peered = isFar ? await peersOfVpcs(db, [vpcId]) : new Set()
  const places = new Map(
    rules.flatMap((rule) => (rule.peer_group_id === null ? [] : [[rule.peer_group_id, rule.peer_vpc_id]])),
  )
  const found: Record<string, string[]> = {}
  for (const [groupId, place] of [...places].toSorted()) {
    found[groupId] = []
    if (place !== null && !peered.has(place)) continue
    const rows = await db
      .selectFrom('network_interface_group as link')
      .innerJoin('network_interface_address as own', 'own.interface_id', 'link.interface_id')
      .select('own.private_ip')
      .where('link.group_id', '=', groupId)
      .execute()
    found[groupId] = rows.map((row) => formatIpv4(row.private_ip)).toSorted()
  }
  return found
}

async function dhcpOf(db: Reader, vpc: VpcTable): Promise<Pick<VpcItem, 'dhcp'>> {
  if (vpc.dhcp_options_id === null) return {}
  const row = await db
    .selectFrom('dhcp_options')
    .select('configuration')
    .where('id', '=', vpc.dhcp_options_id)
    .executeTakeFirst()
  if (!row) return {}
  const said = JSON.parse(row.configuration) as Record<string, string[]>
  return {
    dhcp: {
      domainName: said['domain-name']?.[0] ?? null,
      domainNameServers: said['domain-name-servers'] ?? [],
      ntpServers: said['ntp-servers'] ?? [],
      netbiosNameServers: said['netbios-name-servers'] ?? [],
      netbiosNodeType: said['netbios-node-type']?.[0] ?? null,
    },
  }
}
