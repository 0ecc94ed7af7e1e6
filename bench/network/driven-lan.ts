import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { silentLog } from '@mallee/base'
import type { FirewallRule, VpcItem } from '@mallee/agent-contract'
import { openLinuxNetwork } from '@mallee/node-controller'
import { makeTestLan, testPublicPool, type TestGuest, type TestLan } from '@mallee/testkit'

type Driver = Awaited<ReturnType<typeof openLinuxNetwork>>

/** Two machines under the real driver, with guests in the places that those of the bare machines have. */
export interface DrivenLan {
  readonly lan: TestLan
  readonly drivers: readonly [Driver, Driver]
  readonly guests: readonly [TestGuest, TestGuest, TestGuest]
  readonly addresses: readonly [string, string, string]
  /** Every guest lets in what these allow. */
  allow(rules: readonly FirewallRule[]): Promise<void>
  end(): Promise<void>
}

const addresses = ['10.7.2.4', '10.7.2.5', '10.7.2.6'] as const
const nodeOf = (guest: number) => (guest === 2 ? 1 : 0)
const macOf = (guest: number) => `02:00:5e:00:03:0${guest}`
const interfaceOf = (guest: number) => `eni-0000000000000000${guest + 1}`

export async function makeDrivenLan(): Promise<DrivenLan> {
  const lan = await makeTestLan(2)
  const dirs: string[] = []
  const drivers: Driver[] = []
  const end = async () => {
    for (const driver of drivers) {
      await driver.removeAll()
      await driver.close()
    }
    await lan.remove()
    for (const dir of dirs) await rm(dir, { recursive: true, force: true })
  }
  const allow = async (rules: readonly FirewallRule[]) => {
    await Promise.all(
      drivers.map((driver, node) =>
        driver.apply([
          itemOf(
            node,
            lan.nodes.map(({ address }) => address),
            rules,
          ),
        ]),
      ),
    )
  }
  try {
    for (const { name } of lan.nodes) {
      const runDir = await mkdtemp(path.join(tmpdir(), 'bench-network-'))
      dirs.push(runDir)
      drivers.push(
        await openLinuxNetwork({
          ...{ uplink: 'uplink', runDir, publicPool: testPublicPool, log: silentLog, netns: name },
        }),
      )
    }
    await allow([])
    const guests: TestGuest[] = []
    for (const [index, address] of addresses.entries()) {
      const node = nodeOf(index)
      const item = itemOf(
        node,
        lan.nodes.map((each) => each.address),
        [],
      )
      const port = drivers[node]!.port(item, interfaceOf(index))
      const guest = await lan.nodes[node]!.addGuest({ ...port, mac: macOf(index) })
      await guest.ip(`addr add ${address}/24 dev eth0`)
      guests.push(guest)
    }
    const three = guests as unknown as DrivenLan['guests']
    return { lan, drivers: drivers as unknown as DrivenLan['drivers'], guests: three, addresses, allow, end }
  } catch (error) {
    await end().catch(() => lan.remove())
    throw error
  }
}

/** What the cloud would tell a node of one VPC with one subnet over both. */
function itemOf(node: number, nodes: readonly string[], ingress: readonly FirewallRule[]): VpcItem {
  const everything = { protocol: '-1', fromPort: -1, toPort: -1, cidr: '0.0.0.0/0', peerGroupId: null }
  const all = addresses.map((privateIp, guest) => ({ privateIp, guest }))
  return {
    vpcId: 'vpc-7',
    cidr: '10.7.0.0/16',
    tag: 7,
    masquerade: false,
    subnets: [
      {
        ...{ subnetId: 'subnet-72', cidr: '10.7.2.0/24', tag: 72, availabilityZone: 'us-east-1a' },
        routeTableId: 'rtb-72',
      },
    ],
    routeTables: [{ routeTableId: 'rtb-72', routes: [] }],
    interfaces: all
      .filter(({ guest }) => nodeOf(guest) === node)
      .map(({ privateIp, guest }) => ({
        ...{ interfaceId: interfaceOf(guest), instanceId: `i-${guest}`, subnetId: 'subnet-72' },
        ...{ mac: macOf(guest), privateIp, publicIp: null, hostname: `ip-${guest}.ec2.internal` },
        ...{ sourceDestCheck: true, securityGroupIds: ['sg-1'], metadataHopLimit: 2 },
      })),
    remotes: all
      .filter(({ guest }) => nodeOf(guest) !== node)
      .map(({ privateIp, guest }) => ({
        ...{ interfaceId: interfaceOf(guest), subnetId: 'subnet-72', mac: macOf(guest) },
        ...{ addresses: [privateIp], node: nodes[1 - node]!, hostname: `ip-${guest}.ec2.internal` },
      })),
    nodes: [nodes[1 - node]!],
    securityGroups: [{ groupId: 'sg-1', ingress: [...ingress], egress: [everything] }],
    peerAddresses: {},
  }
}
