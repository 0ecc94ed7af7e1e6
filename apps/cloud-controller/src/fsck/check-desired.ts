import { digestOf } from '@mallee/base'
import type { DesiredItemTable, InstanceTable } from '../store/tables.ts'
import { finding, repairIt, type Finding } from './finding.ts'
import type { RecordRows } from './record-rows.ts'

/** Desired items are made of rows: none without its row, none for an agent that is not there, none that was altered. */
export function checkDesired(rows: RecordRows): Finding[] {
  const agents = new Map(rows.agents.map((row) => [row.id, row]))
  const wanted = whatIsWanted(rows)
  const found: Finding[] = []
  for (const item of rows.items) {
    const agent = agents.get(item.agent_id)
    const subject = `${agent?.kind ?? 'agent'} ${agent?.name ?? item.agent_id}: ${item.kind} ${item.id}`
    if (!agent || agent.state === 'forgotten' || !isWanted(item, agent.id, wanted)) {
      const what = agent && agent.state !== 'forgotten' ? 'no row asks for it' : 'its agent is forgotten'
      found.push(finding('I3.stale-item', subject, what, repairIt, dropOf(item)))
    } else if (digestOf(JSON.parse(item.body)) !== item.digest || item.revision > agent.revision) {
      const what = 'is not what was written: its digest or its revision does not fit'
      found.push(finding('I6.item-damaged', subject, what, repairIt, dropOf(item)))
    }
  }
  return found
}

const dropOf = (item: DesiredItemTable) =>
  ({ do: 'drop-item', agentId: item.agent_id, kind: item.kind, id: item.id }) as const

interface Wanted {
  readonly domains: ReadonlySet<string>
  readonly vpcs: ReadonlySet<string>
  readonly images: ReadonlySet<string>
  readonly keys: ReadonlySet<string>
  readonly flowLogs: ReadonlySet<string>
}

function whatIsWanted(rows: RecordRows): Wanted {
  const alive = rows.instances.filter((row) => row.state !== 'terminated')
  const present = new Map(alive.map((row) => [row.id, row.incarnation]))
  return {
    domains: new Set(
      rows.domains
        .filter((row) => present.get(row.instance_id) === row.incarnation)
        .map((row) => `${row.node_id} ${row.id}`),
    ),
    vpcs: vpcsOfNodes(rows, alive),
    images: new Set(rows.images.map((row) => row.id)),
    keys: new Set(rows.accessKeys.map((row) => row.id)),
    flowLogs: new Set(rows.networks.flowLogs.map((row) => row.id)),
  }
}

/** A node has the VPCs of its instances and NAT gateways, and those that these are peered with. */
function vpcsOfNodes(
  rows: RecordRows,
  alive: readonly Pick<InstanceTable, 'node_id' | 'vpc_id'>[],
): ReadonlySet<string> {
  const own = [...alive, ...rows.networks.natGateways.filter((row) => row.node_id !== null)]
  const peers = rows.networks.peerings.filter((row) => row.status === 'active')
  return new Set(
    own.flatMap(({ node_id: node, vpc_id: vpc }) => [
      `${node} ${vpc}`,
      ...peers.flatMap((row) => {
        if (row.requester_vpc_id === vpc) return [`${node} ${row.accepter_vpc_id}`]
        return row.accepter_vpc_id === vpc ? [`${node} ${row.requester_vpc_id}`] : []
      }),
    ]),
  )
}

function isWanted(item: DesiredItemTable, agentId: string, wanted: Wanted): boolean {
  switch (item.kind) {
    case 'domain':
      return wanted.domains.has(`${agentId} ${item.id}`)
    case 'vpc':
      return wanted.vpcs.has(`${agentId} ${item.id}`)
    case 'image-object':
      return wanted.images.has(item.id)
    case 'access-key':
      return wanted.keys.has(item.id)
    case 'flow-log':
      return wanted.flowLogs.has(item.id)
    default:
      return true // of a kind that nothing in the record stands behind
  }
}
