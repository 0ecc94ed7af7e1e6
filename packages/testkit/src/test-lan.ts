/**
 * Several fake machines on one switch: a namespace that plays the outside and the switch, and one for each node. The
 * public pool lies on the switch itself, so that whoever has an address is asked for by ARP. Packets cannot leave.
 */
import { randomBytes } from 'node:crypto'
import { run } from './program.ts'
import { startTestGuest, type TestGuest } from './test-guest.ts'
import { plugIn, quietIpv6, removeNamespaces, testHostAddress } from './test-network.ts'

export interface TestLanNode {
  /** Under /run/netns; its way out is called `uplink`. */
  readonly name: string
  readonly address: string
  addGuest(options: { bridge: string; tap: string; mac: string }): Promise<TestGuest>
}

export interface TestLan {
  /** Somebody outside of the cloud, with `testHostAddress`. */
  readonly host: TestGuest
  readonly nodes: readonly TestLanNode[]
  exec(namespace: string, file: string, args: readonly string[]): Promise<string>
  remove(): Promise<void>
}

/** RFC 2544's range for measurements; in namespaces only. */
const nodeAddressOf = (index: number) => `198.18.0.${11 + index}`

/** Bytes, of the switch and its cables: room for tunnels around what guests send. */
const mtu = 1550

export async function makeTestLan(count: number): Promise<TestLan> {
  const prefix = `mll-${randomBytes(3).toString('hex')}`
  const hostName = `${prefix}h`
  const guests: TestGuest[] = []
  const remove = () => removeNamespaces(prefix, guests)
  const within = (name: string, script: string) =>
    run('nsenter', [`--net=/run/netns/${name}`, 'sh', '-e', '-c', script])
  try {
    await run('ip', ['netns', 'add', hostName])
    await within(
      hostName,
      `${quietIpv6}
      ip link set lo up; ip link add lan mtu ${mtu} type bridge forward_delay 0; ip link set lan up
      ip addr add 198.18.0.1/24 dev lan; ip addr add ${testHostAddress}/24 dev lan`,
    )
    const nodes: TestLanNode[] = []
    for (let index = 0; index < count; index += 1) {
      const name = `${prefix}n${index}`
      const address = nodeAddressOf(index)
      await run('ip', ['netns', 'add', name])
      await within(
        hostName,
        `ip link add port${index} mtu ${mtu} type veth peer name uplink mtu ${mtu} netns ${name}
        ip link set port${index} master lan; ip link set port${index} up`,
      )
      await within(
        name,
        `${quietIpv6}
        ip link set lo up; ip addr add ${address}/24 dev uplink; ip link set uplink up
        ip route add 198.19.77.0/24 dev uplink src ${address}; ip route add default via 198.18.0.1`,
      )
      nodes.push({
        name,
        address,
        async addGuest({ bridge, tap, mac }) {
          const guest = `${prefix}g${guests.length}`
          await plugIn({ node: name, guest, bridge, tap, mac, mtu: mtu - 50 })
          const started = await startTestGuest(guest)
          guests.push(started)
          return started
        },
      })
    }
    const host = await startTestGuest(hostName)
    guests.push(host)
    return {
      host,
      nodes,
      remove,
      exec: (namespace, file, args) => run('nsenter', [`--net=/run/netns/${namespace}`, file, ...args]),
    }
  } catch (error) {
    await remove()
    throw error
  }
}
