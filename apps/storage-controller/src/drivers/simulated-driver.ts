import type { BlockDriver, Extent, FoundFile, RestoreTarget, VolumeOrSnapshot } from './block-driver.ts'
import { snapshotIdForm, volumeIdForm } from './block-driver.ts'

const pageBytes = 4096
const GiB = 1024 ** 3
const defaultTotalBytes = 1024 * GiB

/** Pages that hold something, by number; a copy shares them until one is written. */
interface Disk {
  sizeBytes: number
  readonly pages: Map<number, Page>
  changedAtMs: number
}

interface Page {
  readonly place: number
  readonly bytes: Buffer
}

/** What stays when the storage controller dies: give it to the next one. */
export interface SimulatedDisks {
  readonly volumes: Map<string, Disk>
  readonly snapshots: Map<string, Disk>
  readonly unfinished: Map<string, Disk>
}

export function noDisks(): SimulatedDisks {
  return { volumes: new Map(), snapshots: new Map(), unfinished: new Map() }
}

/** A peer of the other drivers that keeps bytes in memory: for clouds without a disk and for simulation. */
export class SimulatedDriver implements BlockDriver {
  readonly name = 'simulated'
  private readonly disks: SimulatedDisks
  private readonly totalBytes: number
  private nextPlace = 0

  constructor(disks: SimulatedDisks = noDisks(), totalBytes = defaultTotalBytes) {
    this.disks = disks
    this.totalBytes = totalBytes
    disks.unfinished.clear()
    for (const disk of [...disks.volumes.values(), ...disks.snapshots.values()])
      for (const { place } of disk.pages.values())
        this.nextPlace = Math.max(this.nextPlace, place + pageBytes)
  }

  async volumeSize(volumeId: string): Promise<number | null> {
    return this.disks.volumes.get(checked(volumeId, volumeIdForm))?.sizeBytes ?? null
  }

  async createVolume(volumeId: string, sizeBytes: number, fromSnapshot: string | null): Promise<void> {
    if (this.disks.volumes.has(checked(volumeId, volumeIdForm))) return
    const pages = fromSnapshot === null ? [] : this.require({ snapshotId: fromSnapshot }).pages
    this.disks.volumes.set(volumeId, { sizeBytes, pages: new Map(pages), changedAtMs: Date.now() })
  }

  async growVolume(volumeId: string, sizeBytes: number): Promise<void> {
    const disk = this.require({ volumeId })
    disk.sizeBytes = Math.max(disk.sizeBytes, sizeBytes)
  }

  async removeVolume(volumeId: string): Promise<void> {
    this.disks.volumes.delete(checked(volumeId, volumeIdForm))
  }

  async hasSnapshot(snapshotId: string): Promise<boolean> {
    return this.disks.snapshots.has(checked(snapshotId, snapshotIdForm))
  }

  canClone(snapshotId: string): Promise<boolean> {
    return this.hasSnapshot(snapshotId)
  }

  async takeSnapshot(snapshotId: string, volumeId: string): Promise<void> {
    if (this.disks.snapshots.has(checked(snapshotId, snapshotIdForm))) return
    const { sizeBytes, pages } = this.require({ volumeId })
    this.disks.snapshots.set(snapshotId, { sizeBytes, pages: new Map(pages), changedAtMs: Date.now() })
  }

  async removeSnapshot(snapshotId: string): Promise<void> {
    this.disks.snapshots.delete(checked(snapshotId, snapshotIdForm))
  }

  async extents(what: VolumeOrSnapshot): Promise<Extent[]> {
    return [...this.require(what).pages]
      .toSorted(([a], [b]) => a - b)
      .map(([number, { place }]) => ({ offset: number * pageBytes, length: pageBytes, place }))
  }

  async read(what: VolumeOrSnapshot, offset: number, length: number): Promise<Buffer> {
    const { pages } = this.require(what)
    const bytes = Buffer.alloc(length)
    eachPage(offset, length, (number, inPage, at, count) => {
      pages.get(number)?.bytes.copy(bytes, at, inPage, inPage + count)
    })
    return bytes
  }

  /** As a guest writes. */
  async write(volumeId: string, offset: number, bytes: Uint8Array): Promise<void> {
    this.writeTo(this.require({ volumeId }), offset, bytes)
  }

  async openForRestore(volumeId: string, sizeBytes: number): Promise<RestoreTarget> {
    const { volumes, unfinished } = this.disks
    const disk: Disk = { sizeBytes, pages: new Map(), changedAtMs: Date.now() }
    unfinished.set(checked(volumeId, volumeIdForm), disk)
    return {
      write: async (bytes, offset) => this.writeTo(disk, offset, bytes),
      finish: async () => {
        unfinished.delete(volumeId)
        volumes.set(volumeId, disk)
      },
      abandon: async () => void unfinished.delete(volumeId),
    }
  }

  exportedPath(volumeId: string): string {
    return `/simulated/${checked(volumeId, volumeIdForm)}`
  }

  async space() {
    const all = [...this.disks.volumes.values(), ...this.disks.snapshots.values()]
    const places = new Set(all.flatMap(({ pages }) => [...pages.values()].map(({ place }) => place)))
    return { totalBytes: this.totalBytes, freeBytes: this.totalBytes - places.size * pageBytes }
  }

  async inventory() {
    const list = (disks: Map<string, Disk>): FoundFile[] =>
      [...disks].map(([id, { changedAtMs }]) => ({ id, changedAtMs }))
    const { volumes, snapshots, unfinished } = this.disks
    return { volumes: list(volumes), snapshots: list(snapshots), unfinished: list(unfinished) }
  }

  async removeUnfinished(name: string): Promise<void> {
    this.disks.unfinished.delete(checked(name, volumeIdForm))
  }

  private writeTo(disk: Disk, offset: number, bytes: Uint8Array): void {
    disk.changedAtMs = Date.now()
    eachPage(offset, bytes.length, (number, inPage, at, count) => {
      // Never in place: somebody else may have the page too.
      const page = Buffer.from(disk.pages.get(number)?.bytes ?? Buffer.alloc(pageBytes))
      page.set(bytes.subarray(at, at + count), inPage)
      disk.pages.set(number, { place: this.nextPlace, bytes: page })
      this.nextPlace += pageBytes
    })
  }

  private require(what: VolumeOrSnapshot): Disk {
    const { volumes, snapshots } = this.disks
    const disk = what.snapshotId === undefined ? volumes.get(what.volumeId) : snapshots.get(what.snapshotId)
    if (!disk) throw new RangeError('there is no such volume or snapshot')
    return disk
  }
}

/** Cuts a run of bytes at the borders of pages: which page, where in it, where in the run, and how many. */
function eachPage(
  offset: number,
  length: number,
  visit: (number: number, inPage: number, at: number, count: number) => void,
): void {
  for (let at = 0; at < length;) {
    const inPage = (offset + at) % pageBytes
    const count = Math.min(pageBytes - inPage, length - at)
    visit(Math.floor((offset + at) / pageBytes), inPage, at, count)
    at += count
  }
}

/** The other drivers make a name of it. */
function checked(id: string, form: RegExp): string {
  if (!form.test(id)) throw new RangeError(`${id.slice(0, 40)} is not an id`)
  return id
}
