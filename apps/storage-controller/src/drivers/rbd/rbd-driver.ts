import { MalleeError, type Clock } from '@mallee/base'
import type { BlockDriver, Extent, RestoreTarget, VolumeOrSnapshot } from '../block-driver.ts'
import { snapshotIdForm, volumeIdForm } from '../block-driver.ts'
import { readFully } from '../read-fully.ts'
import type { CephPool } from './ceph-pool.ts'
import type { ImageFiles } from './image-files.ts'

const restoring = 'restoring-'
/** Images of volumes that were deleted and whose snapshots, or volumes of those, are still there. */
const gone = 'gone-'

interface ListedImage {
  readonly image: string
  readonly snapshot?: string
  readonly size: number
}

/** What a pool holds. */
interface Listing {
  /** Bytes of each volume. */
  readonly volumes: ReadonlyMap<string, number>
  /** The image that has it. */
  readonly snapshots: ReadonlyMap<string, string>
  /** Of deleted volumes. */
  readonly left: readonly string[]
  readonly unfinished: readonly string[]
}

/**
 * Volumes as images of Ceph's RBD, for clouds that outgrow the disks of one machine. A snapshot is the image's own, and a
 * volume of one a clone, both a matter of moments. An image whose volume was deleted stays, under another name, until
 * nothing stands on it. What there is was read once and is kept up with: nobody else writes in the pool.
 */
export class RbdDriver implements BlockDriver {
  readonly name = 'ceph-rbd'
  private readonly pool: CephPool
  private readonly files: ImageFiles
  private readonly clock: Clock
  /** Bytes of each volume. */
  private readonly volumes = new Map<string, number>()
  /** The image that has it. */
  private readonly snapshots = new Map<string, string>()
  private readonly left = new Set<string>()
  private readonly firstSeenMs = new Map<string, number>()

  private constructor(pool: CephPool, files: ImageFiles, clock: Clock) {
    this.pool = pool
    this.files = files
    this.clock = clock
  }

  static async open(pool: CephPool, files: ImageFiles, clock: Clock): Promise<RbdDriver> {
    const driver = new RbdDriver(pool, files, clock)
    await files.open()
    const found = await driver.list()
    for (const [id, size] of found.volumes) driver.volumes.set(id, size)
    for (const [id, image] of found.snapshots) driver.snapshots.set(id, image)
    for (const image of found.left) driver.left.add(image)
    for (const image of found.unfinished) await pool.rbd(['rm', pool.spec(image)], ['missing'])
    await driver.sweep()
    return driver
  }

  async volumeSize(volumeId: string): Promise<number | null> {
    checkId(volumeId, volumeIdForm)
    return this.volumes.get(volumeId) ?? null
  }

  async createVolume(volumeId: string, sizeBytes: number, fromSnapshot: string | null): Promise<void> {
    checkId(volumeId, volumeIdForm)
    if (this.volumes.has(volumeId)) return
    const spec = this.pool.spec(volumeId)
    if (fromSnapshot === null) {
      await this.pool.rbd(['create', spec, '--size', `${sizeBytes}B`], ['present'])
    } else {
      const from = this.snapshotSpec(fromSnapshot)
      // Under another name until it has its size: what is there is whole.
      const unfinished = this.pool.spec(restoring + volumeId)
      await this.pool.rbd(['rm', unfinished], ['missing'])
      await this.pool.rbd(['clone', '--rbd-default-clone-format', '2', from, unfinished])
      await this.resize(restoring + volumeId, sizeBytes)
      await this.pool.rbd(['rename', unfinished, spec], ['present'])
    }
    this.volumes.set(volumeId, sizeBytes)
  }

  async growVolume(volumeId: string, sizeBytes: number): Promise<void> {
    const size = await this.volumeSize(volumeId)
    if (size === null) throw missing(volumeId)
    if (size < sizeBytes) await this.resize(volumeId, sizeBytes)
    this.volumes.set(volumeId, Math.max(size, sizeBytes))
  }

  /** Grown by whoever has it open. */
  noteGrowth(volumeId: string, sizeBytes: number): void {
    if (this.volumes.has(volumeId)) this.volumes.set(volumeId, sizeBytes)
  }

  async removeVolume(volumeId: string): Promise<void> {
    checkId(volumeId, volumeIdForm)
    await this.pool.rbd(['rm', this.pool.spec(restoring + volumeId)], ['missing'])
    if (!this.volumes.has(volumeId)) return
    await this.files.close({ volumeId })
    const name = `${gone}${volumeId}`
    await this.pool.rbd(['rename', this.pool.spec(volumeId), this.pool.spec(name)], ['missing'])
    this.volumes.delete(volumeId)
    for (const [id, image] of this.snapshots) if (image === volumeId) this.snapshots.set(id, name)
    this.left.add(name)
    await this.sweep()
  }

  async hasSnapshot(snapshotId: string): Promise<boolean> {
    checkId(snapshotId, snapshotIdForm)
    return this.snapshots.has(snapshotId)
  }

  canClone(snapshotId: string): Promise<boolean> {
    return this.hasSnapshot(snapshotId)
  }

  async takeSnapshot(snapshotId: string, volumeId: string): Promise<void> {
    if (await this.hasSnapshot(snapshotId)) return
    checkId(volumeId, volumeIdForm)
    await this.pool.rbd(['snap', 'create', this.pool.spec(volumeId, snapshotId)], ['present'])
    this.snapshots.set(snapshotId, volumeId)
  }

  async removeSnapshot(snapshotId: string): Promise<void> {
    if (!(await this.hasSnapshot(snapshotId))) return
    await this.files.close({ snapshotId })
    // With clones of it Ceph keeps it, out of sight, until they are gone.
    await this.pool.rbd(['snap', 'rm', this.snapshotSpec(snapshotId)], ['missing'])
    this.snapshots.delete(snapshotId)
    await this.sweep()
  }

  async extents(what: VolumeOrSnapshot): Promise<Extent[]> {
    return readDiff(await this.pool.rbd(['diff', this.specOf(what), '--format', 'json']))
  }

  async changedSince(snapshotId: string, before: string): Promise<Extent[] | null> {
    const [image, earlier] = [this.snapshots.get(snapshotId), this.snapshots.get(before)]
    if (image === undefined || image !== earlier) return null
    const args = ['diff', '--from-snap', before, this.snapshotSpec(snapshotId), '--format', 'json']
    return readDiff(await this.pool.rbd(args), true)
  }

  async read(what: VolumeOrSnapshot, offset: number, length: number): Promise<Buffer> {
    return readFully(await this.files.reader(what, this.imageOf(what)), offset, length)
  }

  async openForRestore(volumeId: string, sizeBytes: number): Promise<RestoreTarget> {
    checkId(volumeId, volumeIdForm)
    const { pool, files, volumes } = this
    const image = restoring + volumeId
    const spec = pool.spec(image)
    await pool.rbd(['rm', spec], ['missing'])
    await pool.rbd(['create', spec, '--size', `${sizeBytes}B`])
    const writer = await files.writer(image)
    return {
      async write(bytes, offset) {
        await writer.handle.write(bytes, 0, bytes.length, offset)
      },
      async finish() {
        await writer.handle.sync()
        await writer.close()
        await pool.rbd(['rename', spec, pool.spec(volumeId)])
        volumes.set(volumeId, sizeBytes)
      },
      async abandon() {
        await writer.close()
        await pool.rbd(['rm', spec], ['missing'])
      },
    }
  }

  exportedPath(volumeId: string): string {
    checkId(volumeId, volumeIdForm)
    return this.files.exportedPath(volumeId)
  }

  space() {
    return this.pool.space()
  }

  /** As the pool has it at this moment, which may be ahead of what is known here, or behind. */
  async inventory() {
    const found = await this.list()
    const all = [...found.volumes.keys(), ...found.snapshots.keys(), ...found.unfinished]
    for (const id of this.firstSeenMs.keys()) if (!all.includes(id)) this.firstSeenMs.delete(id)
    const nowMs = this.clock.now()
    const seen = (ids: Iterable<string>) =>
      [...ids].map((id) => {
        if (!this.firstSeenMs.has(id)) this.firstSeenMs.set(id, nowMs)
        return { id, changedAtMs: this.firstSeenMs.get(id)! }
      })
    return {
      volumes: seen(found.volumes.keys()),
      snapshots: seen(found.snapshots.keys()),
      unfinished: seen(found.unfinished),
    }
  }

  async removeUnfinished(name: string): Promise<void> {
    if (!name.startsWith(restoring) || !volumeIdForm.test(name.slice(restoring.length)))
      throw new RangeError('no unfinished image')
    await this.files.closeImage(name)
    await this.pool.rbd(['rm', this.pool.spec(name)], ['missing'])
  }

  private async list(): Promise<Listing> {
    const text = await this.pool.rbd(['ls', '-l', this.pool.config.pool, '--format', 'json'])
    return readListing(JSON.parse(text) as ListedImage[])
  }

  /** Removes images of deleted volumes on which nothing stands any more. */
  private async sweep(): Promise<void> {
    for (let again = true; again;) {
      again = false
      for (const image of this.left) {
        if ([...this.snapshots.values()].includes(image)) continue
        await this.pool.rbd(['rm', this.pool.spec(image)], ['missing', 'in-use'])
        const still = await this.pool.rbd(['info', this.pool.spec(image), '--format', 'json'], ['missing'])
        if (still.trim() !== '') continue
        this.left.delete(image)
        again = true // what it stood on may be free now
      }
    }
  }

  /** Ceph refuses to make an image as large as it is. */
  private async resize(image: string, sizeBytes: number): Promise<void> {
    const text = await this.pool.rbd(['info', this.pool.spec(image), '--format', 'json'])
    if ((JSON.parse(text) as { size: number }).size >= sizeBytes) return
    await this.pool.rbd(['resize', this.pool.spec(image), '--size', `${sizeBytes}B`])
  }

  private specOf(what: VolumeOrSnapshot): string {
    const { image, snapshot } = this.imageOf(what)
    return this.pool.spec(image, snapshot)
  }

  private snapshotSpec(snapshotId: string): string {
    return this.specOf({ snapshotId })
  }

  private imageOf({ volumeId, snapshotId }: VolumeOrSnapshot): { image: string; snapshot?: string } {
    if (snapshotId === undefined) {
      checkId(volumeId, volumeIdForm)
      if (!this.volumes.has(volumeId)) throw missing(volumeId)
      return { image: volumeId }
    }
    checkId(snapshotId, snapshotIdForm)
    const image = this.snapshots.get(snapshotId)
    if (image === undefined) throw missing(snapshotId)
    return { image, snapshot: snapshotId }
  }
}

function readListing(rows: readonly ListedImage[]): Listing {
  const [volumes, snapshots] = [new Map<string, number>(), new Map<string, string>()]
  const [left, unfinished]: [string[], string[]] = [[], []]
  for (const { image, snapshot, size } of rows) {
    if (snapshot !== undefined) snapshots.set(snapshot, image)
    else if (image.startsWith(gone)) left.push(image)
    else if (image.startsWith(restoring)) unfinished.push(image)
    else if (volumeIdForm.test(image)) volumes.set(image, size)
  }
  return { volumes, snapshots, left, unfinished }
}

/** What `rbd diff` prints. `withHoles`: also what became zeros. */
function readDiff(text: string, withHoles = false): Extent[] {
  const rows = JSON.parse(text) as { offset: number; length: number; exists: string | boolean }[]
  return rows
    .filter(({ exists }) => withHoles || String(exists) === 'true')
    .map(({ offset, length }) => ({ offset, length, place: null }))
}

/** An id becomes part of a name. */
function checkId(id: string, form: RegExp): void {
  if (!form.test(id)) throw new RangeError(`${id.slice(0, 40)} is not an id`)
}

const missing = (id: string) =>
  new MalleeError({ code: 'NoSuchImage', publicMessage: `${id} is not in the pool.` })
