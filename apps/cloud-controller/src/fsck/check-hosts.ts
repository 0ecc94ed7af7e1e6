import type { InventoryBlob, InventoryEntry } from '@mallee/agent-contract'
import type { AgentTable, InstanceTable } from '../store/tables.ts'
import { finding, repairIt, type Finding, type Repair } from './finding.ts'
import type { CheckContext, RecordRows } from './record-rows.ts'

/** What an agent answered; null where it did not. */
export interface AgentInventory {
  readonly agent: AgentTable
  readonly blob: InventoryBlob | null
}

interface Host {
  readonly agent: AgentTable
  readonly blob: InventoryBlob
  readonly instances: ReadonlyMap<string, InstanceTable>
  /** Names with a domain or a process on this host. */
  readonly alive: ReadonlySet<string>
  readonly networkOwners: ReadonlySet<string>
  /** Instances of which an administrator has said that nobody owns them. */
  readonly orphans: ReadonlySet<string>
  readonly ctx: CheckContext
}

/**
 * I3, I4, I6 and I11 between the record and the hosts. Pure. A guest that runs is never up for removal by inference:
 * its record must say that it is terminated, or an administrator must name it (DECISIONS 5).
 */
export function checkHosts(
  rows: RecordRows,
  inventories: readonly AgentInventory[],
  ctx: CheckContext,
  orphans: ReadonlySet<string> = new Set(),
): Finding[] {
  const instances = new Map(rows.instances.map((row) => [row.id, row]))
  const networkOwners = new Set([
    ...rows.interfaces.map((row) => row.id),
    ...rows.subnets.map((row) => row.id),
    ...rows.vpcs.map((row) => row.id),
    ...rows.networks.natGateways.map((row) => row.id),
  ])
  const found: Finding[] = []
  for (const { agent, blob } of inventories) {
    const name = `${agent.kind} ${agent.name}`
    if (!blob) {
      const what = 'could not be asked what is on its host: it did not answer in time'
      found.push(finding('A.not-asked', name, what, `See ./mallee status and the log of ${name}.`))
      continue
    }
    for (const problem of blob.problems)
      found.push(finding('A.could-not-look', `${name}: ${problem}`, problem, `See the log of ${name}.`))
    const alive = new Set(
      blob.entries.flatMap((entry) =>
        entry.kind === 'domain' || entry.kind === 'process' ? [entry.id.split(' ')[0]!] : [],
      ),
    )
    const host = { agent, blob, instances, alive, networkOwners, orphans, ctx }
    found.push(...blob.entries.flatMap((entry) => checkEntry(host, entry)), ...checkPresence(host, rows))
  }
  return [...found, ...checkTwoHosts(inventories)]
}

function checkEntry(host: Host, entry: InventoryEntry): Finding[] {
  switch (entry.kind) {
    case 'domain':
      return checkDomain(host, entry)
    case 'process': {
      const name = entry.id.split(' ')[0]!
      if (host.blob.entries.some((other) => other.kind === 'domain' && other.id === name)) return []
      const what = 'is a QEMU process that its hypervisor does not know'
      const remedy = 'Restart libvirtd; if it stays unknown and nobody needs it, end it by its pid.'
      return [finding('I4.process-without-domain', at(host, entry), what, remedy)]
    }
    case 'instance-files':
      return checkFiles(host, entry)
    case 'tap':
    case 'bridge':
    case 'router':
    case 'dhcp':
    case 'firewall-port':
      return checkNetworkPart(host, entry)
    case 'temporary-file':
    case 'blob':
      return checkLeftover(host, entry)
    case 'blob-row': {
      if (entry.state === 'damaged') {
        const what = 'bytes that were acknowledged are damaged, and are not served'
        const remedy = 'The objects are named in walrus’ log; restore them from a backup, or delete them.'
        return [finding('I6.bytes-damaged', at(host, entry), what, remedy)]
      }
      const what = 'bytes that were acknowledged are not on the disk'
      return [finding('I6.bytes-lost', at(host, entry), what, 'Restore walrus’ data from a backup.')]
    }
    case 'image-object': {
      if (entry.state !== 'missing') return []
      const what = 'is registered, and its object is not there'
      return [finding('I6.image-without-bytes', entry.id, what, 'Put the object back, or deregister it.')]
    }
    case 'cached-image':
      return []
    case 'volume-file':
    case 'snapshot-file':
    case 'target':
    case 'snapshot-object':
    case 'staged-snapshot':
      return checkStoragePart(host, entry)
  }
}

function checkDomain(host: Host, entry: InventoryEntry): Finding[] {
  const instance = host.instances.get(entry.id)
  const runs = entry.state === 'running' || entry.state === 'paused'
  if (instance && instance.state !== 'terminated') {
    if (instance.node_id === host.agent.id) return []
    const what = `runs here, and its record has it on ${instance.node_id ?? 'no node'}`
    return [finding('I4.domain-elsewhere', at(host, entry), what, 'See docs/admin on replacing a node.')]
  }
  const dead = instance !== undefined || host.orphans.has(entry.id)
  const state = instance ? 'its record says that it is terminated' : 'the record does not know it'
  const remedy =
    runs && !dead ? `If nobody needs it: ./mallee fsck --repair --orphan ${entry.id} ends it.` : repairIt
  const repair = runs && !dead ? null : removeOf(host, entry)
  return [finding('I4.orphan-domain', at(host, entry), `is ${entry.state}, and ${state}`, remedy, repair)]
}

function checkFiles(host: Host, entry: InventoryEntry): Finding[] {
  const name = entry.id.split('/').at(-1)!
  const instance = host.instances.get(name)
  if (instance && instance.state !== 'terminated' && instance.node_id === host.agent.id) return []
  if (instance && instance.state !== 'terminated') {
    const what = `are here, and the record has ${name} on another node`
    return [finding('I3.files-elsewhere', at(host, entry), what, 'Look which of the two is whole.')]
  }
  if (isYoung(host, entry) && !instance) return []
  // A domain that is up for removal itself goes first.
  const used = host.alive.has(name) && !instance && !host.orphans.has(name)
  const what = `nobody owns: ${name} is ${instance ? 'terminated' : 'not in the record'}`
  return [
    finding(
      'I3.orphan-files',
      at(host, entry),
      what,
      used ? 'End its domain first.' : repairIt,
      used ? null : removeOf(host, entry),
    ),
  ]
}

function checkNetworkPart(host: Host, entry: InventoryEntry): Finding[] {
  if (entry.owner !== null && host.networkOwners.has(entry.owner)) return []
  const what =
    entry.owner === null
      ? 'belongs to nothing in the set of this node'
      : `belongs to ${entry.owner}, which is gone`
  const repair = entry.owner === null ? removeOf(host, entry) : null
  return [
    finding(
      `I3.stray-${entry.kind}`,
      at(host, entry),
      what,
      repair ? repairIt : 'It goes with the next set.',
      repair,
    ),
  ]
}

const storageNames = {
  'volume-file': 'a volume',
  'snapshot-file': 'a snapshot',
  target: 'an attachment',
  'snapshot-object': 'a snapshot',
  'staged-snapshot': 'a snapshot',
} as const

/** What a storage controller holds beyond its set: nobody's, or somebody's that the record no longer has. */
function checkStoragePart(host: Host, entry: InventoryEntry): Finding[] {
  if (entry.owner !== null || isYoung(host, entry)) return []
  const kind = entry.kind as keyof typeof storageNames
  const what = `belongs to ${storageNames[kind]} that is not in the set of this ${host.agent.kind === 'walrus' ? 'walrus' : 'storage controller'}`
  return [finding(`I3.stray-${kind}`, at(host, entry), what, repairIt, removeOf(host, entry))]
}

function checkLeftover(host: Host, entry: InventoryEntry): Finding[] {
  if (isYoung(host, entry)) return []
  const what = entry.kind === 'blob' ? 'bytes that no object names' : 'was begun and never finished'
  const code = entry.kind === 'blob' ? 'I3.orphan-blob' : 'I3.leftover-file'
  return [finding(code, at(host, entry), what, repairIt, removeOf(host, entry))]
}

/** I11: what is said to run is there. */
function checkPresence(host: Host, rows: RecordRows): Finding[] {
  if (host.agent.kind !== 'node' || host.blob.problems.length > 0) return []
  return rows.domains.flatMap((domain) => {
    const instance = host.instances.get(domain.instance_id)
    const current = instance?.incarnation === domain.incarnation && instance.state === 'running'
    if (domain.node_id !== host.agent.id || !current || domain.observed_state !== 'running') return []
    if (host.blob.entries.some((entry) => entry.kind === 'domain' && entry.id === domain.instance_id))
      return []
    const what = `is said to run on ${host.agent.name} and is not there`
    return [finding('I11.not-there', domain.instance_id, what, 'Restart the node controller.')]
  })
}

/** I3: one instance, one host. */
function checkTwoHosts(inventories: readonly AgentInventory[]): Finding[] {
  const places = inventories.flatMap(({ agent, blob }) =>
    (blob?.entries ?? [])
      .filter((entry) => entry.kind === 'domain')
      .map((entry) => ({ id: entry.id, name: agent.name })),
  )
  return [...Map.groupBy(places, (place) => place.id)]
    .filter(([, where]) => where.length > 1)
    .map(([id, where]) =>
      finding(
        'I3.domain-twice',
        id,
        `runs on ${where.map((place) => place.name).join(' and ')}`,
        'Stop the one that its record does not name.',
      ),
    )
}

const at = (host: Host, entry: InventoryEntry): string =>
  `${host.agent.kind} ${host.agent.name}: ${entry.kind} ${entry.id}`

const removeOf = (host: Host, entry: InventoryEntry): Repair => ({
  do: 'remove',
  agentId: host.agent.id,
  kind: entry.kind,
  id: entry.id,
})

/** Compared on the host's own clock: the look and the file's time are both its. */
function isYoung(host: Host, entry: InventoryEntry): boolean {
  return entry.changedAtMs !== null && host.blob.takenAtMs - entry.changedAtMs < host.ctx.graceMs
}
