import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

type What = { readonly volumeId: string } | { readonly snapshotId: string }

/** The verbs that every driver of volumes has; structural, so that the suite knows no application. */
export interface BlockDriverUnderTest {
  readonly name: string
  volumeSize(volumeId: string): Promise<number | null>
  createVolume(volumeId: string, sizeBytes: number, fromSnapshot: string | null): Promise<void>
  growVolume(volumeId: string, sizeBytes: number): Promise<void>
  removeVolume(volumeId: string): Promise<void>
  hasSnapshot(snapshotId: string): Promise<boolean>
  canClone(snapshotId: string, volumeId: string): Promise<boolean>
  takeSnapshot(snapshotId: string, volumeId: string): Promise<void>
  removeSnapshot(snapshotId: string): Promise<void>
  extents(
    what: What,
  ): Promise<{ readonly offset: number; readonly length: number; readonly place: number | null }[]>
  changedSince?(
    snapshotId: string,
    before: string,
  ): Promise<{ readonly offset: number; readonly length: number }[] | null>
  read(what: What, offset: number, length: number): Promise<Buffer>
  openForRestore(
    volumeId: string,
    sizeBytes: number,
  ): Promise<{
    write(bytes: Uint8Array, offset: number): Promise<void>
    finish(): Promise<void>
    abandon(): Promise<void>
  }>
  exportedPath(volumeId: string): string
  space(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }>
  inventory(): Promise<{
    readonly volumes: readonly { readonly id: string }[]
    readonly snapshots: readonly { readonly id: string }[]
    readonly unfinished: readonly { readonly id: string }[]
  }>
  removeUnfinished(name: string): Promise<void>
}

export interface BlockWorld {
  readonly driver: BlockDriverUnderTest
  /** As a guest's flushed write arrives. */
  write(volumeId: string, offset: number, bytes: Buffer): Promise<void>
  /** A driver of the same storage after the agent's own restart. */
  reopen(): Promise<BlockDriverUnderTest>
  close(): Promise<void>
}

const KiB = 1024
const MiB = 1024 * KiB

/** One suite for every driver of volumes: what the keepers rely on. */
export function describeBlockDriver(name: string, open: () => Promise<BlockWorld>): void {
  describe(name, () => {
    let world: BlockWorld
    let driver: BlockDriverUnderTest
    beforeAll(async () => {
      world = await open()
      driver = world.driver
    }, 120_000)
    afterAll(() => world?.close(), 60_000)

    let made = 0
    const newId = (prefix: 'vol' | 'snap') => {
      made += 1
      return `${prefix}-${String(made).padStart(17, '0')}`
    }
    const newVolume = async (sizeBytes = 8 * MiB, from: string | null = null) => {
      const id = newId('vol')
      await driver.createVolume(id, sizeBytes, from)
      return id
    }
    const newSnapshot = async (volumeId: string) => {
      const id = newId('snap')
      await driver.takeSnapshot(id, volumeId)
      return id
    }
    const isZeros = (bytes: Buffer) => bytes.equals(Buffer.alloc(bytes.length))

    test('a new volume has its size and reads zeros, also where another one has just been', async () => {
      const first = await newVolume()
      await world.write(first, 0, randomBytes(8 * MiB))
      await driver.removeVolume(first)
      expect(await driver.volumeSize(first)).toBeNull()
      const second = await newVolume()
      expect(await driver.volumeSize(second)).toBe(8 * MiB)
      expect(isZeros(await driver.read({ volumeId: second }, 0, 8 * MiB))).toBe(true)
    })

    test('verbs may be repeated, and upon what is not there they succeed', async () => {
      const id = await newVolume()
      await world.write(id, 0, Buffer.alloc(4096, 1))
      await driver.createVolume(id, 8 * MiB, null)
      expect((await driver.read({ volumeId: id }, 0, 4096)).equals(Buffer.alloc(4096, 1))).toBe(true)
      const snap = await newSnapshot(id)
      await world.write(id, 0, Buffer.alloc(4096, 2))
      await driver.takeSnapshot(snap, id)
      expect((await driver.read({ snapshotId: snap }, 0, 1))[0]).toBe(1)
      for (let round = 0; round < 2; round += 1) {
        await driver.removeVolume(id)
        await driver.removeSnapshot(snap)
      }
      expect([await driver.volumeSize(id), await driver.hasSnapshot(snap)]).toEqual([null, false])
    })

    test('growth keeps what is there and adds zeros; nothing shrinks', async () => {
      const id = await newVolume()
      const bytes = randomBytes(4096)
      await world.write(id, 8 * MiB - 4096, bytes)
      await driver.growVolume(id, 16 * MiB)
      await driver.growVolume(id, 8 * MiB)
      expect(await driver.volumeSize(id)).toBe(16 * MiB)
      expect((await driver.read({ volumeId: id }, 8 * MiB - 4096, 4096)).equals(bytes)).toBe(true)
      expect(isZeros(await driver.read({ volumeId: id }, 8 * MiB, 8 * MiB))).toBe(true)
    })

    test('a snapshot is the moment, and a volume of one is its own', async () => {
      const id = await newVolume()
      const before = randomBytes(64 * KiB)
      await world.write(id, MiB, before)
      const snap = await newSnapshot(id)
      await world.write(id, MiB, randomBytes(64 * KiB))
      const copy = await newVolume(16 * MiB, snap)
      expect(await driver.volumeSize(copy)).toBe(16 * MiB)
      expect(await driver.canClone(snap, copy)).toBe(true)
      expect(await driver.volumeSize(await newVolume(8 * MiB, snap))).toBe(8 * MiB)
      await world.write(copy, 0, Buffer.alloc(4096, 7))
      await driver.removeVolume(id)
      expect((await driver.read({ snapshotId: snap }, MiB, 64 * KiB)).equals(before)).toBe(true)
      expect(isZeros(await driver.read({ snapshotId: snap }, 0, 4096))).toBe(true)
      await driver.removeSnapshot(snap)
      expect(await driver.canClone(snap, copy)).toBe(false)
      expect((await driver.read({ volumeId: copy }, MiB, 64 * KiB)).equals(before)).toBe(true)
      expect(isZeros(await driver.read({ volumeId: copy }, 8 * MiB, 8 * MiB))).toBe(true)
    })

    test('extents are what was written, and the same places where two snapshots share bytes', async () => {
      const id = await newVolume(32 * MiB)
      expect(await driver.extents({ volumeId: id })).toEqual([])
      await world.write(id, MiB, randomBytes(MiB))
      await world.write(id, 20 * MiB, randomBytes(MiB))
      const first = await newSnapshot(id)
      await world.write(id, 20 * MiB, randomBytes(MiB))
      const second = await newSnapshot(id)
      const places = async (snapshotId: string, from: number) => {
        const found = await driver.extents({ snapshotId })
        const covered = (at: number) =>
          found.find(({ offset, length }) => offset <= at && at < offset + length)
        expect([covered(12 * MiB), covered(28 * MiB)]).toEqual([undefined, undefined]) // some are told in pieces of 4 MiB
        const extent = covered(from)!
        return extent.place === null ? null : extent.place + from - extent.offset
      }
      // A place that cannot be told means that the bytes have to be read; the same place, that they are the same.
      const told = (place: number | null) => place ?? Symbol('anywhere')
      expect(told(await places(second, 20 * MiB))).not.toBe(told(await places(first, 20 * MiB)))
      const shared = [await places(first, MiB), await places(second, MiB)]
      if (!shared.includes(null)) expect(shared[0]).toBe(shared[1])
      const changes = await driver.changedSince?.(second, first)
      const isChanged = (at: number) =>
        changes?.some(({ offset, length }) => offset <= at && at < offset + length)
      if (changes) expect([isChanged(MiB), isChanged(20 * MiB)]).toEqual([false, true])
    })

    test('a restore is there when it is finished, and not before, and an abandoned one never', async () => {
      const [id, other] = [newId('vol'), newId('vol')]
      const restore = await driver.openForRestore(id, 8 * MiB)
      const bytes = randomBytes(512 * KiB)
      await restore.write(bytes, 2 * MiB)
      expect(await driver.volumeSize(id)).toBeNull()
      await restore.finish()
      expect(await driver.volumeSize(id)).toBe(8 * MiB)
      expect((await driver.read({ volumeId: id }, 2 * MiB, bytes.length)).equals(bytes)).toBe(true)
      expect(isZeros(await driver.read({ volumeId: id }, 0, 2 * MiB))).toBe(true)
      const abandoned = await driver.openForRestore(other, 8 * MiB)
      await abandoned.write(bytes, 0)
      await abandoned.abandon()
      expect(await driver.volumeSize(other)).toBeNull()
      expect((await driver.inventory()).unfinished).toEqual([])
    })

    test('the inventory has all that there is; a restart keeps it, but for what was not finished', async () => {
      const id = await newVolume()
      const snap = await newSnapshot(id)
      await driver.openForRestore(newId('vol'), 8 * MiB) // and dies
      const found = await driver.inventory()
      expect(found.volumes.map((entry) => entry.id)).toContain(id)
      expect(found.snapshots.map((entry) => entry.id)).toContain(snap)
      expect(found.unfinished).toHaveLength(1)
      await driver.removeUnfinished(found.unfinished[0]!.id)
      expect((await driver.inventory()).unfinished).toEqual([])
      await driver.openForRestore(newId('vol'), 8 * MiB)
      driver = await world.reopen()
      const after = await driver.inventory()
      expect(after.volumes.map((entry) => entry.id)).toContain(id)
      expect(await driver.hasSnapshot(snap)).toBe(true)
      expect(after.unfinished).toEqual([])
    })

    test('ids that are none never become names of files', async () => {
      for (const bad of ['vol-../../etc/passwd', 'vol-', 'snap-0123456789abcdef0', '']) {
        await expect(driver.createVolume(bad, MiB, null)).rejects.toThrow()
        await expect(driver.removeVolume(bad)).rejects.toThrow()
        expect(() => driver.exportedPath(bad)).toThrow()
      }
      await expect(driver.removeUnfinished('../../x')).rejects.toThrow()
    })

    test('says what room there is', async () => {
      const { totalBytes, freeBytes } = await driver.space()
      expect(totalBytes).toBeGreaterThan(0)
      expect(freeBytes).toBeLessThanOrEqual(totalBytes)
    })
  })
}
