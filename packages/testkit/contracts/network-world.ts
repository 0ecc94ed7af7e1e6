import type { VpcItem } from '@mallee/agent-contract'
import { expect } from 'vitest'
import { leaseByDhcp, type TestLease } from '../src/dhcp-client.ts'
import type { TestGuest } from '../src/test-guest.ts'
import { makeTestNetwork, type TestNetwork } from '../src/test-network.ts'
import {
  guestNames,
  interfaceIdOf,
  macOf,
  places,
  worldItems,
  type GuestName,
  type NetworkDriverUnderTest,
  type Wishes,
} from './network-driver.ts'

/** Opens a driver whose node lives in that namespace; called again to play a restart. */
export type OpenDriver = (netns: string) => Promise<NetworkDriverUnderTest>

/** The five guests plugged in and with addresses, under a driver that can be asked for any network of them. */
export interface NetworkWorld {
  readonly network: TestNetwork
  readonly guests: Readonly<Record<GuestName, TestGuest>>
  readonly leases: Readonly<Record<GuestName, TestLease | null>>
  driver(): NetworkDriverUnderTest
  /** Applies the world with these wishes; what is not wished is as `worldItems` has it. */
  wish(wishes?: Wishes): Promise<VpcItem[]>
  /** Closes the driver and opens it again on what it left. */
  restart(): Promise<void>
  end(): Promise<void>
}

export async function makeNetworkWorld(open: OpenDriver): Promise<NetworkWorld> {
  const network = await makeTestNetwork()
  let driver: NetworkDriverUnderTest | null = null
  const end = async () => {
    await driver?.removeAll()
    await driver?.close()
    await network.remove()
  }
  try {
    driver = await open(network.node)
    await driver.apply(worldItems())
    const guests = {} as Record<GuestName, TestGuest>
    const leases = {} as Record<GuestName, TestLease | null>
    for (const name of guestNames) {
      const vpc = worldItems().find((item) => item.tag === places[name].vpc)!
      const { bridge, tap } = driver.port(vpc, interfaceIdOf(name))
      guests[name] = await network.addGuest({ bridge, tap, mac: macOf(name) })
    }
    await Promise.all(
      guestNames.map(async (name) => {
        leases[name] = await leaseByDhcp(guests[name])
      }),
    )
    return {
      network,
      guests,
      leases,
      end,
      driver: () => driver!,
      async wish(wishes = {}) {
        const items = worldItems(wishes)
        await driver!.apply(items)
        return items
      },
      async restart() {
        await driver!.close()
        driver = await open(network.node)
      },
    }
  } catch (error) {
    await end().catch(() => network.remove())
    throw error
  }
}

/** Asks until it is so; the number of tries bounds a hang, not a speed. */
export async function eventually<T>(ask: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const value = await ask()
    if (good(value) || tries === 100) return value
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Connects from one guest, and is seen at the other side as this peer; answers the connection. */
export async function reachesAs(
  from: TestGuest,
  to: string,
  by: TestGuest,
  peer: string,
  port = 22,
): Promise<number> {
  await by.takeLastPeer() // of a connection before this one
  const flow = await connected(from, to, port)
  // It is accepted a moment after the other side has it.
  let seen: string | null = null
  await eventually(
    async () => (seen = (await by.takeLastPeer()) ?? seen),
    (now) => now === peer,
  )
  expect(seen, `${to}:${port}`).toBe(peer)
  return flow
}

/** A connection that stands and echoes, so that who finds it cut later knows that it was not before. */
export async function connected(from: TestGuest, to: string, port = 22): Promise<number> {
  const flow = await from.connectTcp(to, port)
  expect(flow, `${to}:${port}`).not.toBeNull()
  expect(await from.echoes(flow!), `${to}:${port} echoes`).toBe(true)
  return flow!
}
