import { flowLogFields, type FlowLog, type FlowLogField, type VpcItem } from '@mallee/agent-contract'
import type { CountedFlow, FlowWindow } from '../drivers/network/driver.ts'

/** What a record says of the interface, besides what was counted. */
export interface LoggedInterface {
  readonly interfaceId: string
  readonly vpcId: string
  readonly subnetId: string
  /** Of a NAT gateway's there is none. */
  readonly instanceId: string | null
  /** The address that stands for all that the interface has. */
  readonly primary: string
}

/** The interfaces of an item that flow logs may cover, by their ids. */
export function loggedInterfaces(item: VpcItem): Map<string, LoggedInterface> {
  const { vpcId } = item
  return new Map(
    [
      ...item.interfaces.map((entry) => ({ ...entry, instanceId: entry.instanceId as string | null })),
      ...(item.natGateways ?? []).map((entry) => ({ ...entry, instanceId: null })),
    ].map(({ interfaceId, subnetId, instanceId, privateIp }) => [
      interfaceId,
      { interfaceId, vpcId, subnetId, instanceId, primary: privateIp },
    ]),
  )
}

export const headerOf = (log: FlowLog) => `${log.fields.join(' ')}\n`

/**
 * The records of a flow log of one window, as lines. One for each direction of each flow that it takes; for an interface
 * that nothing crossed, one without data, and for one of which not everything was counted, one more that says so.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
 */
export function recordsOf(
  log: FlowLog,
  window: FlowWindow,
  interfaces: ReadonlyMap<string, LoggedInterface>,
): string {
  const flows = Map.groupBy(window.flows, (flow) => flow.interfaceId)
  const incomplete = new Set(window.incomplete)
  const lines: string[] = []
  for (const id of log.interfaceIds) {
    const entry = interfaces.get(id)
    if (!entry) continue
    const own = flows.get(id) ?? []
    const line = (flow: CountedFlow | null, status: Status) => {
      const values = valuesOf({ log, window, entry, flow, status })
      lines.push(`${log.fields.map((field) => values[field as FlowLogField] ?? '-').join(' ')}\n`)
    }
    for (const flow of own.filter((each) => isTaken(log, each))) line(flow, 'OK')
    if (incomplete.has(id)) line(null, 'SKIPDATA')
    else if (own.length === 0) line(null, 'NODATA')
  }
  return lines.join('')
}

/** That nothing is known of these interfaces in that window. */
export function skippedRecords(
  log: FlowLog,
  window: Pick<FlowWindow, 'startMs' | 'endMs'>,
  interfaces: ReadonlyMap<string, LoggedInterface>,
): string {
  return recordsOf(log, { ...window, flows: [], incomplete: log.interfaceIds }, interfaces)
}

type Status = 'OK' | 'NODATA' | 'SKIPDATA'

const isTaken = ({ traffic }: FlowLog, { accepted }: CountedFlow) =>
  traffic === 'ALL' || (traffic === 'ACCEPT') === accepted

const seconds = (ms: number) => String(Math.floor(ms / 1000))

function valuesOf(of: {
  log: FlowLog
  window: Pick<FlowWindow, 'startMs' | 'endMs'>
  entry: LoggedInterface
  flow: CountedFlow | null
  status: Status
}): Partial<Record<FlowLogField, string>> {
  const { log, window, entry, flow, status } = of
  return {
    version: String(Math.max(...log.fields.map((field) => flowLogFields[field as FlowLogField] ?? 0))),
    'account-id': log.accountId,
    'interface-id': entry.interfaceId,
    start: seconds(window.startMs),
    end: seconds(window.endMs),
    'log-status': status,
    'vpc-id': entry.vpcId,
    'subnet-id': entry.subnetId,
    ...(entry.instanceId === null ? {} : { 'instance-id': entry.instanceId }),
    region: log.region,
    ...(flow === null ? {} : flowValues(entry, flow)),
  }
}

/** On its own side an interface has its primary address, whatever the packets bear. */
function flowValues({ primary }: LoggedInterface, flow: CountedFlow): Partial<Record<FlowLogField, string>> {
  return {
    srcaddr: flow.direction === 'egress' ? primary : flow.source,
    dstaddr: flow.direction === 'ingress' ? primary : flow.destination,
    'pkt-srcaddr': flow.source,
    'pkt-dstaddr': flow.destination,
    srcport: String(flow.sourcePort),
    dstport: String(flow.destinationPort),
    protocol: String(flow.protocol),
    packets: String(flow.packets),
    bytes: String(flow.bytes),
    action: flow.accepted ? 'ACCEPT' : 'REJECT',
    type: 'IPv4',
    'tcp-flags': String(flow.tcpFlags),
    'flow-direction': flow.direction,
  }
}
