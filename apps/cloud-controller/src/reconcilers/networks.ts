import { formatIpv4 } from '@mallee/base'
import type { FirewallRule, MetadataOptions, VpcItem } from '@mallee/agent-contract'
import type { Reconciler } from '@mallee/workflow'
import { listAgents } from '../store/agent-store.ts'
import { desiredIds, dropDesired, putDesired } from '../store/desired-store.ts'
import { readInterfaces, type InterfaceView } from '../store/network-store.ts'
import type { Reader } from '../store/record.ts'
import { listRules } from '../store/security-group-store.ts'
import type { InstanceTable, SecurityGroupRuleTable } from '../store/tables.ts'
import { privateDnsName } from '../views/instance-view.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** Gives each node the VPCs of its own instances, and of each no more than those instances need. */
export function networksReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'networks',
    everyMs: 60_000,
    list: () => ctx.record.read(async (db) => (await listAgents(db, 'node')).map((agent) => agent.id)),
    reconcile: (nodeId) =>
      ctx.record.transaction('reconcile', async (tx) => {
        const node = await tx.db
          .selectFrom('agent')
          .select('state')
          .where('id', '=', nodeId)
          .executeTakeFirst()
        if (!node || node.state === 'forgotten') return { settled: true }
        const instances = await tx.db
          .selectFrom('instance')
          .selectAll()
          .where('node_id', '=', nodeId)
          .where('state', '!=', 'terminated')
          .execute()
        const wanted = [...Map.groupBy(instances, (instance) => instance.vpc_id)]
        for (const [vpcId, members] of wanted) {
          const body = await vpcItem(tx.db, ctx.settings.region, vpcId, members)
          await putDesired(tx, ctx.wakes, { agentId: nodeId, kind: 'vpc', id: vpcId, body })
        }
        const stays = new Set(wanted.map(([vpcId]) => vpcId))
        for (const vpcId of await desiredIds(tx.db, nodeId, 'vpc')) {
          if (!stays.has(vpcId)) await dropDesired(tx, ctx.wakes, nodeId, 'vpc', vpcId)
        }
        return { settled: true }
      }),
  }
}

async function vpcItem(
  db: Reader,
  region: string,
  vpcId: string,
  instances: readonly InstanceTable[],
): Promise<VpcItem> {
  const vpc = await db.selectFrom('vpc').selectAll().where('id', '=', vpcId).executeTakeFirstOrThrow()
  const subnets = await db
    .selectFrom('subnet')
    .selectAll()
    .where('vpc_id', '=', vpcId)
    .orderBy('id')
    .execute()
  const byInstance = new Map(instances.map((instance) => [instance.id, instance]))
  // Of this node's instances alone: whoever reads the whole VPC here does it once for every node.
  const mine = await readInterfaces(db, { vpcId, instanceIds: [...byInstance.keys()] })
  const rules = await listRules(db, [
    ...new Set(mine.flatMap((entry) => entry.groups.map((group) => group.id))),
  ])
  const used = new Set(mine.map((entry) => entry.subnet_id))
  return {
    vpcId,
    cidr: vpc.cidr,
    tag: vpc.tag,
    subnets: subnets
      .filter((subnet) => used.has(subnet.id))
      .map((subnet) => ({
        subnetId: subnet.id,
        cidr: subnet.cidr,
        tag: subnet.tag,
        availabilityZone: subnet.availability_zone,
      })),
    interfaces: mine.map((entry) => portOf(entry, byInstance.get(entry.instance_id!)!, region)),
    securityGroups: groupsOf(mine, rules),
    peerAddresses: await peersOf(db, rules),
  }
}

function portOf(
  entry: InterfaceView,
  instance: InstanceTable,
  region: string,
): VpcItem['interfaces'][number] {
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
  }
}

function groupsOf(
  mine: readonly InterfaceView[],
  rules: readonly SecurityGroupRuleTable[],
): VpcItem['securityGroups'] {
  const ids = [...new Set(mine.flatMap((entry) => entry.groups.map((group) => group.id)))].toSorted()
  return ids.map((groupId) => ({
    groupId,
    ingress: rules.filter((rule) => rule.group_id === groupId && rule.is_egress === 0).map(ruleOf),
    egress: rules.filter((rule) => rule.group_id === groupId && rule.is_egress === 1).map(ruleOf),
  }))
}

function ruleOf(rule: SecurityGroupRuleTable): FirewallRule {
  return {
    protocol: rule.protocol,
    fromPort: rule.from_port,
    toPort: rule.to_port,
    cidr: rule.cidr,
    peerGroupId: rule.peer_group_id,
  }
}

/** The private addresses of each group that the rules name as a peer. */
async function peersOf(
  db: Reader,
  rules: readonly SecurityGroupRuleTable[],
): Promise<Record<string, string[]>> {
  const peers = [...new Set(rules.flatMap((rule) => rule.peer_group_id ?? []))].toSorted()
  const found: Record<string, string[]> = {}
  for (const groupId of peers) {
    const rows = await db
      .selectFrom('network_interface_group as link')
      .innerJoin('network_interface as ni', 'ni.id', 'link.interface_id')
      .select('ni.private_ip')
      .where('link.group_id', '=', groupId)
      .execute()
    found[groupId] = rows.map((row) => formatIpv4(row.private_ip)).toSorted()
  }
  return found
}
