import { worldItems } from '@mallee/testkit'
import { describe, expect, it } from 'vitest'
import type { FlowLog } from '@mallee/agent-contract'
import type { CountedFlow, FlowWindow } from '../drivers/network/driver.ts'
import { objectKey } from './object-name.ts'
import { headerOf, loggedInterfaces, recordsOf, skippedRecords } from './records.ts'

const [item] = worldItems()
const [a, b] = item!.interfaces
const interfaces = loggedInterfaces({
  ...item!,
  natGateways: [
    {
      ...{ natGatewayId: 'nat-1', interfaceId: 'eni-nat', subnetId: 'subnet-51', mac: '02:00:00:00:00:01' },
      ...{ privateIp: '172.31.0.99', publicIp: null },
    },
  ],
})

const standard = [
  ...['version', 'account-id', 'interface-id', 'srcaddr', 'dstaddr', 'srcport', 'dstport'],
  ...['protocol', 'packets', 'bytes', 'start', 'end', 'action', 'log-status'],
]
const log = (changes: Partial<FlowLog> = {}): FlowLog => ({
  ...{ flowLogId: 'fl-1', accountId: '000000000001', traffic: 'ALL', fields: standard },
  ...{ bucket: 'records', keyPrefix: 'p/AWSLogs/1/vpcflowlogs/us-east-1/', region: 'us-east-1' },
  ...{ intervalSeconds: 60, interfaceIds: [a!.interfaceId] },
  ...changes,
})
const flow = (changes: Partial<CountedFlow> = {}): CountedFlow => ({
  ...{ interfaceId: a!.interfaceId, direction: 'ingress', accepted: true, protocol: 6 },
  ...{ source: '203.0.113.7', sourcePort: 40_000, destination: a!.privateIp, destinationPort: 22 },
  ...{ packets: 20, bytes: 4249, tcpFlags: 3 },
  ...changes,
})
const window = (flows: CountedFlow[], incomplete: string[] = []): FlowWindow => ({
  ...{ startMs: 1_418_530_010_900, endMs: 1_418_530_070_100, flows, incomplete },
})
const lines = (of: FlowLog, ...rest: Parameters<typeof window>) =>
  recordsOf(of, window(...rest), interfaces)
    .split('\n')
    .slice(0, -1)

describe('records of a window', () => {
  it('are as AWS writes them', () => {
    expect(headerOf(log())).toBe(
      'version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n',
    )
    const refused = flow({ accepted: false, destinationPort: 3389 })
    expect(lines(log(), [flow(), refused])).toEqual([
      `2 000000000001 ${a!.interfaceId} 203.0.113.7 172.31.0.4 40000 22 6 20 4249 1418530010 1418530070 ACCEPT OK`,
      `2 000000000001 ${a!.interfaceId} 203.0.113.7 172.31.0.4 40000 3389 6 20 4249 1418530010 1418530070 REJECT OK`,
    ])
  })

  it('have every field that may be asked for, and the version that the newest of them came with', () => {
    const fields = ['version', 'vpc-id', 'subnet-id', 'instance-id', 'tcp-flags', 'type']
    expect(lines(log({ fields }), [flow()])).toEqual([`3 vpc-5 subnet-51 i-a 3 IPv4`])
    const newest = ['version', 'flow-direction', 'region', 'pkt-srcaddr', 'pkt-dstaddr']
    expect(lines(log({ fields: newest }), [flow({ direction: 'egress' })])).toEqual([
      '5 egress us-east-1 203.0.113.7 172.31.0.4',
    ])
  })

  it('are of the traffic and the interfaces that the flow log takes', () => {
    const flows = [
      flow(),
      flow({ accepted: false, protocol: 17 }),
      flow({ interfaceId: b!.interfaceId, protocol: 1 }),
    ]
    const fields = ['interface-id', 'protocol', 'action']
    expect(lines(log({ fields, traffic: 'ACCEPT' }), flows)).toEqual([`${a!.interfaceId} 6 ACCEPT`])
    expect(lines(log({ fields, traffic: 'REJECT' }), flows)).toEqual([`${a!.interfaceId} 17 REJECT`])
    expect(lines(log({ fields, traffic: 'REJECT', interfaceIds: [b!.interfaceId] }), flows)).toEqual([])
  })

  it('say so where nothing was seen, and where something was missed', () => {
    expect(lines(log(), [])).toEqual([
      `2 000000000001 ${a!.interfaceId} - - - - - - - 1418530010 1418530070 - NODATA`,
    ])
    const fields = ['srcport', 'log-status']
    expect(lines(log({ fields }), [flow()], [a!.interfaceId])).toEqual(['40000 OK', '- SKIPDATA'])
    expect(skippedRecords(log({ fields }), window([]), interfaces)).toBe('- SKIPDATA\n')
  })

  it('have the primary address for all that an interface has, and none of an instance for a NAT gateway', () => {
    const fields = ['srcaddr', 'dstaddr', 'pkt-srcaddr', 'pkt-dstaddr', 'instance-id']
    const nat = { fields, interfaceIds: ['eni-nat'] }
    const passing = flow({ interfaceId: 'eni-nat', source: '172.31.16.4', destination: '203.0.113.7' })
    expect(lines(log(nat), [passing])).toEqual(['172.31.16.4 172.31.0.99 172.31.16.4 203.0.113.7 -'])
    const leaving = flow({ direction: 'egress', source: '172.31.0.44', destination: '203.0.113.7' })
    expect(lines(log({ fields }), [leaving])).toEqual(['172.31.0.4 203.0.113.7 172.31.0.44 203.0.113.7 i-a'])
  })
})

it('an object has the same name whenever the same node sends the same windows', () => {
  const at = Date.UTC(2026, 10, 28, 20, 5, 30)
  const key = objectKey(log(), at, 'agent-1')
  expect(key).toMatch(
    /^p\/AWSLogs\/1\/vpcflowlogs\/us-east-1\/2026\/11\/28\/000000000001_vpcflowlogs_us-east-1_fl-1_20261128T2005Z_[0-9a-f]{8}\.log\.gz$/,
  )
  expect(objectKey(log(), at, 'agent-1')).toBe(key)
  expect(objectKey(log(), at, 'agent-2')).not.toBe(key)
})
