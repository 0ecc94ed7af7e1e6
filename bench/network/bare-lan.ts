import { makeTestLan, type TestGuest, type TestLan } from '@mallee/testkit'

/** The same machines, cables and guests as under the driver, and nothing between them but bridges and a tunnel. */
export interface BareLan {
  readonly lan: TestLan
  /** Two on the first node, one on the second, all on one Ethernet: `10.7.2.4`, `.5`, `.6`. */
  readonly guests: readonly [TestGuest, TestGuest, TestGuest]
  readonly addresses: readonly [string, string, string]
}

export async function makeBareLan(): Promise<BareLan> {
  const lan = await makeTestLan(2)
  try {
    for (const [index, node] of lan.nodes.entries()) {
      const other = lan.nodes[1 - index]!.address
      const script = `
        echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables
        ip link add bare mtu 1500 type bridge forward_delay 0 stp_state 0 mcast_snooping 0; ip link set bare up
        ip link add tunnel mtu 1500 type vxlan id 72 local ${node.address} remote ${other} dstport 14789
        ip link set tunnel master bare; ip link set tunnel up`
      await lan.exec(node.name, 'sh', ['-e', '-c', script])
    }
    const addresses = ['10.7.2.4', '10.7.2.5', '10.7.2.6'] as const
    const guests: TestGuest[] = []
    for (const [index, address] of addresses.entries()) {
      const mac = `02:00:5e:00:02:0${index}`
      const node = lan.nodes[index === 2 ? 1 : 0]!
      const guest = await node.addGuest({ bridge: 'bare', tap: `tap${index}`, mac })
      await guest.ip(`addr add ${address}/24 dev eth0`)
      guests.push(guest)
    }
    return { lan, guests: guests as unknown as BareLan['guests'], addresses }
  } catch (error) {
    await lan.remove()
    throw error
  }
}
