import { errorMessage } from '@mallee/base'
import { checkAllocations } from './check-allocations.ts'
import { checkDesired } from './check-desired.ts'
import { checkNetworks } from './check-networks.ts'
import { checkOwners } from './check-owners.ts'
import { checkSingleOwners } from './check-single-owners.ts'
import { finding, type Finding } from './finding.ts'
import type { CheckContext, RecordRows } from './record-rows.ts'

/** Everything that the record alone can tell. Pure. */
export function checkRecord(rows: RecordRows, ctx: CheckContext): Finding[] {
  return [
    ...checkOwners(rows, ctx),
    ...checkAllocations(rows, ctx),
    ...checkSingleOwners(rows),
    ...checkDesired(rows),
    ...checkEvents(rows, ctx),
    ...checkReferences(rows),
    ...checkNetworks(rows),
    ...checkSecrets(rows, ctx),
    ...checkFreshness(rows, ctx),
  ]
}

/** I6 and I8: a launch that was acknowledged is there; an instance has its launch's event, and one of its state's. */
function checkEvents(rows: RecordRows, ctx: CheckContext): Finding[] {
  const instances = new Set(rows.instances.map((row) => row.id))
  const launched = new Set<string>()
  const found: Finding[] = []
  for (const launch of rows.launches) {
    const resources = JSON.parse(launch.resources) as string[]
    // The volumes that a launch made may be deleted, and forgotten at once.
    for (const id of resources.filter((resource) => resource.startsWith('i-'))) {
      launched.add(id)
      if (launch.action !== 'RunInstances' || instances.has(id)) continue
      if (launch.at < ctx.nowMs - ctx.terminatedVisibleMs) continue
      const what = 'was launched and acknowledged, and the record has nothing of it'
      found.push(finding('I6.launch-lost', id, what, 'Compare with a backup: ./mallee restore.'))
    }
  }
  const remedy = 'Please report this: an action wrote rows without its event.'
  for (const instance of rows.instances) {
    // What was stopped was launched anew since, as EC2 counts it.
    const restarted = instance.root_device_type === 'ebs' && instance.incarnation > 1
    const recent = !restarted && instance.launched_at >= ctx.nowMs - ctx.terminatedVisibleMs
    if (recent && !launched.has(instance.id))
      found.push(finding('I8.launch-without-event', instance.id, 'has no event of its launch', remedy))
    const reached = rows.reachedStates.get(instance.id)
    if (!reached || reached.has(instance.state)) continue
    const what = `is ${instance.state}, and no transition led there`
    found.push(finding('I8.transition-without-event', instance.id, what, remedy))
  }
  return found
}

/** Where the schema declares no foreign key. */
function checkReferences(rows: RecordRows): Finding[] {
  const ids = (of: readonly { readonly id: string }[]) => new Set(of.map((row) => row.id))
  const [vpcs, subnets, images] = [ids(rows.vpcs), ids(rows.subnets), ids(rows.images)]
  const instances = ids(rows.instances)
  const interfaces = ids(rows.interfaces)
  const remedy = 'Please report this with a backup of the record.'
  const found: Finding[] = []
  const dangling = (subject: string, what: string) =>
    found.push(finding('R.dangling', subject, `names ${what}, which is not there`, remedy))
  for (const row of rows.instances) {
    if (row.state === 'terminated') continue
    if (!vpcs.has(row.vpc_id)) dangling(row.id, row.vpc_id)
    if (!subnets.has(row.subnet_id)) dangling(row.id, row.subnet_id)
    for (const image of [row.kernel_id, row.ramdisk_id])
      if (image !== null && !images.has(image)) dangling(row.id, image)
  }
  for (const row of rows.interfaces) if (!vpcs.has(row.vpc_id)) dangling(row.id, row.vpc_id)
  for (const row of rows.groupLinks)
    if (!interfaces.has(row.interface_id)) dangling(row.group_id, row.interface_id)
  const tagged: Record<string, ReadonlySet<string>> = {
    ...{ i: instances, ami: images, eni: interfaces, vpc: vpcs, subnet: subnets },
    igw: ids(rows.networks.gateways),
    rtb: ids(rows.networks.routeTables),
    acl: ids(rows.networks.acls),
    dopt: ids(rows.networks.dhcpOptions),
    nat: ids(rows.networks.natGateways),
    pcx: ids(rows.networks.peerings),
    pl: ids(rows.networks.prefixLists),
    fl: ids(rows.networks.flowLogs),
    sg: ids(rows.networks.groups),
    sgr: ids(rows.networks.rules),
    eipalloc: new Set(rows.addresses.flatMap((row) => row.allocation_id ?? [])),
  }
  for (const row of rows.tags) {
    const known = tagged[row.resource_id.split('-')[0]!]
    if (known && !known.has(row.resource_id)) dangling(`tag ${row.key}`, row.resource_id)
  }
  return found
}

function checkSecrets(rows: RecordRows, ctx: CheckContext): Finding[] {
  const keys = rows.accessKeys.map((row) => ({ id: row.id, sealed: row.sealed_secret, boundTo: row.id }))
  return [...keys, ...rows.encryptionKeys].flatMap(({ id, sealed, boundTo }) => {
    try {
      ctx.openSecret(sealed, boundTo)
      return []
    } catch (error) {
      const what = `its secret cannot be opened with the keyring (${errorMessage(error)})`
      return [finding('S.sealed-for-ever', id, what, 'Restore keyring.json from a backup.')]
    }
  })
}

/** I11: an agent that says nothing is said to be silent, and one that speaks is not. */
function checkFreshness(rows: RecordRows, ctx: CheckContext): Finding[] {
  const slackMs = 5_000
  return rows.agents.flatMap((agent) => {
    if (agent.state === 'forgotten' || agent.silent_since !== null) return []
    const silenceMs = ctx.silenceMs(agent.id)
    if (silenceMs <= ctx.silentAfterMs + slackMs) return []
    const what = `has said nothing for ${Math.floor(silenceMs / 1000)} s and is not said to be silent`
    return [
      finding('I11.silence-unsaid', `${agent.kind} ${agent.name}`, what, 'Restart the cloud controller.'),
    ]
  })
}
