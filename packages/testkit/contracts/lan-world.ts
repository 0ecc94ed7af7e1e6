import { leaseByDhcp, type TestLease } from '../src/dhcp-client.ts'
import type { TestGuest } from '../src/test-guest.ts'
import { serveNames } from '../src/test-name-server.ts'
import { testHostAddress } from '../src/test-network.ts'
import { makeTestLan, type TestLan } from '../src/test-lan.ts'
import { everything, type NetworkDriverUnderTest } from './network-driver.ts'
import {
  lanGuests,
  lanInterface,
  lanItems,
  lanMac,
  lanPlaces,
  type LanGuest,
  type LanWishes,
} from './lan-items.ts'
import type { OpenDriver } from './network-world.ts'

/** Two nodes of one cloud, each under a driver of its own, with the guests plugged in and with addresses. */
export interface LanWorld {
  readonly lan: TestLan
  readonly guests: Readonly<Record<LanGuest, TestGuest>>
  readonly leases: Readonly<Record<LanGuest, TestLease | null>>
  driver(node: number): NetworkDriverUnderTest
  /** Tells every node what it is to be; the world as it is at first where nothing is wished. */
  wish(wishes?: LanWishes): Promise<void>
  /** Closes a node's driver and opens it again on what it left. */
  restart(node: number): Promise<void>
  end(): Promise<void>
}

export type World = () => LanWorld
export type Guest = (who: LanGuest) => TestGuest

/** For what is not to come: nobody waits longer. */
export const quick = { timeoutMs: 400 }
export const ip = (who: LanGuest) => lanPlaces[who].privateIp
/** Whatever comes may come in, to every guest. */
export const open: NonNullable<LanWishes['ingress']> = Object.fromEntries(
  lanGuests.map((who) => [who, [everything]]),
)
export const connects = async (from: TestGuest, to: string, port = 22) =>
  (await from.connectTcp(to, port, quick)) !== null

export async function makeLanWorld(openDriver: OpenDriver): Promise<LanWorld> {
  const lan = await makeTestLan(2)
  const addresses = lan.nodes.map((node) => node.address)
  const drivers: NetworkDriverUnderTest[] = []
  let endNames = () => Promise.resolve()
  const end = async () => {
    await endNames()
    for (const driver of drivers) {
      await driver.removeAll()
      await driver.close()
    }
    await lan.remove()
  }
  const wish = async (wishes: LanWishes = {}) => {
    await Promise.all(drivers.map((driver, node) => driver.apply(lanItems(node, addresses, wishes))))
  }
  try {
    endNames = await serveNames(lan.host, testHostAddress)
    for (const node of lan.nodes) drivers.push(await openDriver(node.name))
    await wish()
    const guests = {} as Record<LanGuest, TestGuest>
    const leases = {} as Record<LanGuest, TestLease | null>
    for (const who of lanGuests) {
      const { node, vpc } = lanPlaces[who]
      const item = lanItems(node, addresses).find((candidate) => candidate.tag === vpc)!
      const { bridge, tap } = drivers[node]!.port(item, lanInterface(who))
      guests[who] = await lan.nodes[node]!.addGuest({ bridge, tap, mac: lanMac(who) })
    }
    await Promise.all(
      lanGuests.map(async (who) => {
        leases[who] = await leaseByDhcp(guests[who])
      }),
    )
    return {
      lan,
      guests,
      leases,
      end,
      wish,
      driver: (node) => drivers[node]!,
      async restart(node) {
        await drivers[node]!.close()
        drivers[node] = await openDriver(lan.nodes[node]!.name)
      },
    }
  } catch (error) {
    await end().catch(() => lan.remove())
    throw error
  }
}
