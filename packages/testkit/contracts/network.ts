import { describe, expect, it } from 'vitest'
import { guestNames, interfaceIdOf, worldItems, type NetworkDriverUnderTest } from './network-driver.ts'

/**
 * What every network driver keeps, whether it moves packets or not. `withDriver` opens one on fresh ground, hands it
 * over, and clears up.
 */
export function describeNetworkDriver(
  name: string,
  withDriver: (use: (driver: NetworkDriverUnderTest) => Promise<void>) => Promise<void>,
): void {
  describe(`network driver ${name}`, () => {
    it('says what it is, and that nothing is amiss', () =>
      withDriver(async (driver) => {
        expect((await driver.fingerprint()).problems).toEqual([])
      }))

    it('names a port for every interface, before and after it stands, in 15 characters', () =>
      withDriver(async (driver) => {
        const items = worldItems()
        const ports = () =>
          items.flatMap((vpc) => vpc.interfaces.map((entry) => driver.port(vpc, entry.interfaceId)))
        const before = ports()
        await driver.apply(items)
        expect(ports()).toEqual(before)
        expect(new Set(before.map((port) => port.tap)).size).toBe(guestNames.length)
        // Two of the five share a subnet in the one VPC, and both of the other's share theirs.
        expect(new Set(before.map((port) => port.bridge)).size).toBe(3)
        for (const { tap, bridge } of before) {
          expect(tap).toMatch(/^[a-z0-9]{1,15}$/)
          expect(bridge).toMatch(/^[a-z0-9]{1,15}$/)
        }
      }))

    it('takes the same network again, a smaller one, and none', () =>
      withDriver(async (driver) => {
        await driver.apply(worldItems())
        await driver.apply(worldItems())
        await driver.apply(worldItems({ b: { absent: true } }).slice(0, 1))
        await driver.apply([])
        await driver.apply(worldItems())
      }))

    it('says what stands and whose it is, and removes what is nobody’s but nothing that is somebody’s', () =>
      withDriver(async (driver) => {
        await driver.apply(worldItems())
        const all = await driver.inventory(worldItems())
        expect(all.filter((part) => part.owner === null)).toEqual([])
        expect(new Set(all.map((part) => part.owner))).toContain('subnet-51')
        const fewer = worldItems().slice(0, 1)
        const strays = (await driver.inventory(fewer)).filter((part) => part.owner === null)
        const bridge = strays.find((part) => part.kind === 'bridge')!
        expect(strays.length).toBeGreaterThan(1)
        await expect(driver.removeStray({ kind: 'bridge', id: bridge.id }, worldItems())).rejects.toThrow(
          'belongs to subnet-61',
        )
        await driver.removeStray({ kind: 'bridge', id: bridge.id }, fewer)
        expect((await driver.inventory(fewer)).filter((part) => part.owner === null)).toEqual([])
        await driver.removeStray({ kind: 'bridge', id: bridge.id }, fewer)
      }))

    it('knows no asker at an address that it gave to nobody', () =>
      withDriver(async (driver) => {
        await driver.apply(worldItems())
        expect(driver.askerAt('203.0.113.9')).toBeNull()
        expect(driver.port(worldItems()[0]!, interfaceIdOf('a')).tap).not.toBe('')
      }))
  })
}
