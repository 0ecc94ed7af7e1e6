import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** The verbs that every hypervisor driver has; structural, so that the suite knows no application. */
export interface HypervisorUnderTest {
  fingerprint(): Promise<{
    readonly hypervisor: string
    readonly accelerator: string
    readonly problems: readonly string[]
  }>
  list(): Promise<{ readonly name: string; readonly state: string }[]>
  start(xml: string): Promise<void>
  shutdown(name: string): Promise<void>
  reset(name: string): Promise<void>
  destroy(name: string): Promise<void>
  ended(name: string): Promise<string | null>
  inventory(): Promise<{
    readonly domains: readonly { readonly name: string; readonly state: string }[]
    readonly processes: readonly { readonly name: string; readonly pid: number }[]
  }>
  screenshot(name: string): Promise<{ readonly mimeType: string; readonly bytes: Buffer } | null>
  counters(): Promise<readonly { readonly name: string; readonly cpuNs: number }[]>
  disks(name: string): Promise<
    readonly {
      readonly target: string
      readonly serial: string | null
      readonly source: string | null
      readonly sizeBytes: number | null
    }[]
  >
  attachDisk(name: string, xml: string): Promise<void>
  detachDisk(name: string, target: string): Promise<void>
  resizeDisk(name: string, target: string, sizeBytes: number): Promise<void>
  interfaces(name: string): Promise<readonly { readonly mac: string; readonly tap: string | null }[]>
  attachInterface(name: string, xml: string): Promise<void>
  detachInterface(name: string, mac: string): Promise<void>
  setSecret(name: string, value: string): Promise<void>
  listSecrets(): Promise<string[]>
  dropSecret(name: string): Promise<void>
  onHint(callback: (name: string | null) => void): () => void
  close(): Promise<void>
}

export interface HypervisorWorld {
  readonly driver: HypervisorUnderTest
  /** XML of a small domain without disks. */
  domainXml(name: string): string
  /** A file of zeroes that the hypervisor can give to a guest as a disk. */
  diskFile(name: string, sizeBytes: number): Promise<string>
  /** The guest's machine dies under it. */
  crash(name: string): Promise<void>
  /** Somebody else runs a domain of that name on the same machine; absent where nobody else can. */
  startForeign?(name: string): Promise<void>
  /** A driver of the same hypervisor after the agent's own restart. */
  reopen(): Promise<HypervisorUnderTest>
  close(): Promise<void>
}

/** One suite for every hypervisor driver: what the planner relies on. */
export function describeHypervisorDriver(name: string, open: () => Promise<HypervisorWorld>): void {
  describe(name, () => {
    let world: HypervisorWorld
    beforeAll(async () => {
      world = await open()
    }, 120_000)
    afterAll(() => world?.close(), 60_000)

    const names = async () => (await world.driver.list()).map((domain) => domain.name)
    const eventually = (condition: () => Promise<boolean>) =>
      expect.poll(condition, { timeout: 30_000, interval: 50 }).toBe(true)

    test('says what it is, without problems', async () => {
      const fingerprint = await world.driver.fingerprint()
      expect(fingerprint.problems).toEqual([])
      expect(fingerprint.hypervisor.length).toBeGreaterThan(0)
    })

    test('a started domain is listed, and its start and end are hinted', async () => {
      const hints: (string | null)[] = []
      const stop = world.driver.onHint((hint) => hints.push(hint))
      await world.driver.start(world.domainXml('i-00000001'))
      expect(await names()).toContain('i-00000001')
      await eventually(async () => hints.includes('i-00000001'))
      hints.length = 0
      await world.driver.destroy('i-00000001')
      expect(await names()).not.toContain('i-00000001')
      await eventually(async () => hints.includes('i-00000001'))
      stop()
      expect(await world.driver.ended('i-00000001')).toBe('destroyed')
    })

    test('a second start under a name that runs is refused, and the first goes on', async () => {
      await world.driver.start(world.domainXml('i-00000002'))
      await expect(world.driver.start(world.domainXml('i-00000002'))).rejects.toThrow()
      expect((await names()).filter((entry) => entry === 'i-00000002').length).toBe(1)
      await world.driver.destroy('i-00000002')
    })

    test('verbs upon what is not there succeed', async () => {
      await world.driver.destroy('i-0000dead')
      await world.driver.shutdown('i-0000dead')
      await world.driver.reset('i-0000dead')
      expect(await world.driver.ended('i-0000dead')).toBeNull()
    })

    test('XML that is none is refused and leaves nothing', async () => {
      await expect(world.driver.start('<domain>')).rejects.toThrow()
      expect(await names()).toEqual([])
    })

    test('a guest whose volume is not reached never ran, and may be started when it is', async () => {
      const host = '<host name="127.0.0.1" port="1"/>' // where nobody listens
      const disk = `<disk type="network" device="disk"><driver name="qemu" type="raw"/><source protocol="iscsi" name="iqn.2026-11.internal.mallee:none/1">${host}<initiator><iqn name="iqn.2026-11.internal.mallee:test"/></initiator></source><target dev="vda" bus="virtio"/></disk>`
      const xml = world.domainXml('i-0000000a')
      const start = world.driver.start(xml.replace('</devices>', `${disk}</devices>`))
      await expect(start).rejects.toMatchObject({ code: 'NeverRan', retryable: true })
      expect(await names()).not.toContain('i-0000000a')
      await world.driver.start(xml)
      await world.driver.destroy('i-0000000a')
    })

    test('a crash is told from the guest’s own shutdown, also after a restart of the agent', async () => {
      await world.driver.start(world.domainXml('i-00000003'))
      await world.crash('i-00000003')
      await eventually(async () => !(await names()).includes('i-00000003'))
      await eventually(async () =>
        ['crashed', 'failed'].includes((await world.driver.ended('i-00000003')) ?? ''),
      )
      const again = await world.reopen()
      expect(await again.ended('i-00000003')).not.toBe('shutdown')
      await again.close()
    })

    test('the inventory has our domains and nobody else’s', async () => {
      await world.driver.start(world.domainXml('i-00000005'))
      await world.startForeign?.('i-0000f0f0')
      const { domains } = await world.driver.inventory()
      expect(domains).toEqual([{ name: 'i-00000005', state: 'running' }])
      await world.driver.destroy('i-00000005')
      await world.driver.destroy('i-0000f0f0')
      expect((await world.driver.inventory()).domains).toEqual([])
    })

    test('a guest has a screen and counters that grow, and one that is not there has neither', async () => {
      await world.driver.start(world.domainXml('i-00000006'))
      const counted = async () =>
        (await world.driver.counters()).find((entry) => entry.name === 'i-00000006')?.cpuNs ?? -1
      const before = await counted()
      expect(before).toBeGreaterThanOrEqual(0)
      const picture = await world.driver.screenshot('i-00000006')
      expect(picture!.mimeType).toMatch(/^image\//)
      expect(picture!.bytes.length).toBeGreaterThan(500)
      expect(await counted()).toBeGreaterThanOrEqual(before)
      await world.driver.destroy('i-00000006')
      expect(await world.driver.screenshot('i-00000006')).toBeNull()
      expect(await counted()).toBe(-1)
    })

    const fileDisk = (target: string, serial: string, file: string) =>
      `<disk type="file" device="disk"><driver name="qemu" type="raw"/><source file="${file}"/>` +
      `<target dev="${target}" bus="virtio"/><serial>${serial}</serial></disk>`

    const listed = (driver: HypervisorUnderTest, disks: readonly object[]) =>
      expect.poll(() => driver.disks('i-00000007'), { timeout: 30_000, interval: 50 }).toEqual(disks)

    test('a disk is plugged into a guest that runs, is listed with serial and size, and grows', async () => {
      const { driver } = world
      const [small, large] = [1024 ** 2, 3 * 1024 ** 2]
      const source = await world.diskFile('plugged.raw', small)
      const disk = { target: 'vdf', serial: 'vol0123456789abcdef0', source, sizeBytes: small }
      const xml = fileDisk(disk.target, disk.serial, source)
      await expect(driver.attachDisk('i-00000007', xml)).rejects.toThrow()
      expect(await driver.disks('i-00000007')).toEqual([])
      await driver.start(world.domainXml('i-00000007'))
      expect(await driver.disks('i-00000007')).toEqual([])
      await driver.attachDisk('i-00000007', xml)
      await listed(driver, [disk])
      await expect(driver.attachDisk('i-00000007', xml)).rejects.toThrow()
      await driver.resizeDisk('i-00000007', 'vdf', large)
      const again = await world.reopen()
      await listed(again, [{ ...disk, sizeBytes: large }])
      await again.close()
      await driver.destroy('i-00000007')
      expect(await driver.disks('i-00000007')).toEqual([])
    })

    test('a guest is asked to give a disk back, and for what is not there nobody is asked', async () => {
      const { driver } = world
      await driver.start(world.domainXml('i-00000008'))
      const file = await world.diskFile('given-back.raw', 1024 ** 2)
      await driver.attachDisk('i-00000008', fileDisk('vdg', 'vol0123456789abcdef1', file))
      await driver.detachDisk('i-00000008', 'vdz')
      expect((await driver.disks('i-00000008')).map((disk) => disk.target)).toEqual(['vdg'])
      await driver.detachDisk('i-00000008', 'vdg')
      await driver.detachDisk('i-0000dead', 'vdg')
      await driver.resizeDisk('i-0000dead', 'vdg', 1024 ** 3)
      await driver.destroy('i-00000008')
    })

    const nic = (mac: string) =>
      `<interface type="ethernet"><mac address="${mac}"/><target dev="vn0000000000${mac.slice(-2)}"/>` +
      '<model type="virtio"/></interface>'

    test('an interface is plugged into a guest that runs and listed, and the guest is asked to give it back', async () => {
      const { driver } = world
      const [name, mac] = ['i-00000009', '02:00:5e:00:02:01']
      await expect(driver.attachInterface(name, nic(mac))).rejects.toThrow()
      expect(await driver.interfaces(name)).toEqual([])
      await driver.start(world.domainXml(name))
      await driver.attachInterface(name, nic(mac))
      expect((await driver.interfaces(name)).map((entry) => entry.mac)).toEqual([mac])
      await expect(driver.attachInterface(name, nic(mac))).rejects.toThrow()
      await driver.detachInterface(name, '02:00:5e:00:02:99')
      expect((await driver.interfaces(name)).map((entry) => entry.mac)).toEqual([mac])
      await driver.detachInterface(name, mac)
      await driver.detachInterface('i-0000dead', mac)
      await driver.destroy(name)
      expect(await driver.interfaces(name)).toEqual([])
    })

    test('secrets are set, set again, listed by name and dropped', async () => {
      const { driver } = world
      const ours = async () => (await driver.listSecrets()).filter((name) => name.startsWith('mallee '))
      await driver.setSecret('mallee vol-attach-1.1', 'one')
      await driver.setSecret('mallee vol-attach-1.1', 'other')
      await driver.setSecret('mallee vol-attach-2.1', 'one')
      expect((await ours()).toSorted()).toEqual(['mallee vol-attach-1.1', 'mallee vol-attach-2.1'])
      await driver.dropSecret('mallee vol-attach-1.1')
      await driver.dropSecret('mallee vol-attach-1.1')
      expect(await ours()).toEqual(['mallee vol-attach-2.1'])
      await driver.dropSecret('mallee vol-attach-2.1')
      expect(await ours()).toEqual([])
    })

    test('a domain runs on through a restart of the agent', async () => {
      await world.driver.start(world.domainXml('i-00000004'))
      const again = await world.reopen()
      expect((await again.list()).map((domain) => domain.name)).toContain('i-00000004')
      await again.destroy('i-00000004')
      await again.close()
      await eventually(async () => !(await names()).includes('i-00000004'))
    })
  })
}
