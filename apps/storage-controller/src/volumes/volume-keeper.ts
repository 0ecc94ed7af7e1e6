import { canonicalJson, errorMessage, MalleeError, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, VolumeFacts } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { blockBytes, decodeIndex } from '@mallee/volume-snapshots'
import type { BlockDriver } from '../drivers/block-driver.ts'
import type { ServedVolumes } from '../exports/served-volumes.ts'
import type { ObjectStore } from '../snapshots/object-store.ts'
import type { LazyRestores } from '../restore/lazy-restores.ts'
import { restoreVolume } from './restore-volume.ts'
import { noRoom, reserveBytes } from './room.ts'

type Item = DesiredItem<'volume'>

interface VolumeNote {
  /** It was whole once: were its file gone, it would be lost, and is never replaced by zeros. */
  readonly made?: boolean
  /** Why it could not be made; final. */
  readonly failure?: string
}

const againMs = 1_000

/** Brings each volume to what its item says: there, as large as it should be, or gone. One worker for each volume. */
export class VolumeKeeper {
  private readonly deps: {
    readonly ledger: Ledger
    readonly driver: BlockDriver
    readonly store: ObjectStore | null
    /** Null: a restore comes first, and the volume when it is whole. */
    readonly lazy: LazyRestores | null
    /** Null where every volume is a file by itself. */
    readonly served: Pick<ServedVolumes, 'grow' | 'drop'> | null
    readonly clock: Clock
    readonly log: Log
    readonly observe: (item: Item, facts: VolumeFacts) => void
    /** Whether a target serves the volume, or might. */
    readonly isServed: (volumeId: string) => boolean
    /** The size that initiators see; null where none can. */
    readonly servedBytes: (volumeId: string) => number | null
    /** The volume is there, larger, or gone. */
    readonly onChange: () => void
  }
  private readonly workers = new Map<string, { again: boolean; done: Promise<void> }>()
  private readonly timers = new Map<string, () => void>()
  private readonly stopping = new AbortController()

  constructor(deps: VolumeKeeper['deps']) {
    this.deps = deps
  }

  refreshAll(): void {
    for (const item of this.deps.ledger.list('volume')) this.refresh(item.id)
    for (const name of this.deps.ledger.noteNames('volume ')) {
      const id = name.slice('volume '.length)
      if (!this.deps.ledger.get('volume', id) && !this.workers.has(id))
        void this.deps.ledger.setNote(name, undefined).catch(() => {})
    }
  }

  refresh(id: string): void {
    if (this.stopping.signal.aborted) return
    const present = this.workers.get(id)
    if (present) {
      present.again = true
      return
    }
    const worker = { again: false, done: Promise.resolve() }
    this.workers.set(id, worker)
    worker.done = this.work(id, worker).finally(() => this.workers.delete(id))
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    for (const cancel of this.timers.values()) cancel()
    await Promise.all([...this.workers.values()].map((worker) => worker.done))
  }

  private async work(id: string, worker: { again: boolean }): Promise<void> {
    do {
      worker.again = false
      const item = this.deps.ledger.get('volume', id)
      if (!item) return
      try {
        await this.settle(item)
      } catch (error) {
        if (this.stopping.signal.aborted) return
        this.deps.log.warn({ volumeId: id, err: error }, 'trouble with a volume; will be tried again')
        this.later(id)
      }
    } while (worker.again && !this.stopping.signal.aborted)
  }

  private async settle(item: Item): Promise<void> {
    const { body, id } = item
    if (body.remove) return this.remove(item)
    const { failure, made } = this.note(id)
    if (failure !== undefined) return this.say(item, 'failed', failure)
    const size = await this.deps.driver.volumeSize(id)
    if (size === null && made) return this.say(item, 'failed', 'The file of the volume is lost.')
    if (size === null) await this.make(item)
    // One that still comes grows when it is whole.
    else if (size < body.sizeBytes && !this.deps.lazy?.has(id)) await this.grow(item, size)
    else if (!made) await this.setNote(id, { made: true })
    const now = await this.deps.driver.volumeSize(id)
    if (now === null || this.note(id).failure !== undefined) return this.refresh(id)
    // Grown is what its initiator can see grown: the guest is told as soon as this is said.
    const sizeBytes = Math.min(now, this.deps.servedBytes(id) ?? now)
    const message = this.deps.lazy?.message(id) ?? null
    const hydratedPercent = this.deps.lazy?.percent(id) ?? 100
    this.deps.observe(item, { state: 'available', message, sizeBytes, hydratedPercent })
  }

  private async make(item: Item): Promise<void> {
    const { driver, log } = this.deps
    const { id, body } = item
    try {
      const { freeBytes } = await driver.space()
      if (freeBytes < reserveBytes) throw noRoom()
      const source = body.source
      if (source === null) await driver.createVolume(id, body.sizeBytes, null)
      else if (await driver.canClone(source.snapshotId, id))
        await driver.createVolume(id, body.sizeBytes, source.snapshotId)
      else await this.restore(item)
      await this.setNote(id, { made: true })
      log.info({ volumeId: id, sizeBytes: body.sizeBytes, source: source?.snapshotId ?? null }, 'volume made')
      this.deps.onChange()
    } catch (error) {
      if (this.stopping.signal.aborted) throw error
      const reason = isFull(error) ? noRoom() : error
      // What is not known to be final may pass: walrus is away, the file system was mounted anew.
      if (!(reason instanceof MalleeError) || reason.retryable) {
        const message =
          reason instanceof MalleeError ? errorMessage(reason) : 'The volume could not be made yet.'
        this.say(item, 'creating', message)
        throw error
      }
      const failure = errorMessage(reason)
      await driver.removeVolume(id)
      await this.setNote(id, { failure })
      log.error({ volumeId: id, err: error }, 'a volume could not be made')
      this.say(item, 'failed', failure)
    }
  }

  private async restore(item: Item): Promise<void> {
    const { driver, store } = this.deps
    if (!store)
      throw new MalleeError({
        code: 'NoWalrus',
        publicMessage: 'This storage controller has no walrus to restore from.',
      })
    if (await this.beginLazily(item, store)) return
    await restoreVolume({
      driver,
      store,
      volumeId: item.id,
      sizeBytes: item.body.sizeBytes,
      index: item.body.source!.index,
      snapshotKey: item.body.source!.snapshotKey ?? null,
      signal: this.stopping.signal,
      onProgress: (percent) =>
        this.deps.observe(item, {
          state: 'creating',
          message: null,
          sizeBytes: item.body.sizeBytes,
          hydratedPercent: percent,
        }),
    })
  }

  /** There at once, its bytes as they are asked for; false where that cannot be had here. */
  private async beginLazily({ id, body }: Item, store: ObjectStore): Promise<boolean> {
    const { driver, lazy } = this.deps
    if (!lazy || !(await lazy.isPossible())) return false
    const { index } = body.source!
    const bytes = await store.get(index.key, index.bucket)
    if (!bytes) return false // which says so
    const { blocks } = await decodeIndex(bytes, index.sha256)
    const { freeBytes } = await driver.space()
    if (freeBytes < blocks.size * blockBytes + reserveBytes) throw noRoom()
    await lazy.begin({ volumeId: id, sizeBytes: body.sizeBytes, index, bytes })
    return true
  }

  private async grow(item: Item, size: number): Promise<void> {
    const { driver, log } = this.deps
    const { freeBytes } = await driver.space()
    if (freeBytes < reserveBytes) {
      const message = 'The storage controller has no room for the volume to grow.'
      this.deps.observe(item, { state: 'available', message, sizeBytes: size, hydratedPercent: 100 })
      return this.later(item.id)
    }
    const { sizeBytes } = item.body
    const whenClosed = () => driver.growVolume(item.id, sizeBytes)
    await (this.deps.served?.grow(item.id, sizeBytes, whenClosed) ?? whenClosed())
    log.info({ volumeId: item.id, sizeBytes: item.body.sizeBytes }, 'volume grown')
    this.deps.onChange()
  }

  /** Not while somebody may still reach it. */
  private async remove(item: Item): Promise<void> {
    const { driver, log } = this.deps
    if (this.deps.isServed(item.id)) {
      this.later(item.id)
      return
    }
    const was = await driver.volumeSize(item.id)
    await this.deps.lazy?.drop(item.id)
    await this.deps.served?.drop(item.id)
    await driver.removeVolume(item.id)
    await this.setNote(item.id, {})
    this.say(item, 'gone', null)
    if (was === null) return
    log.info({ volumeId: item.id }, 'volume removed')
    this.deps.onChange()
  }

  private say(item: Item, state: VolumeFacts['state'], message: string | null): void {
    const hydratedPercent = state === 'creating' ? 0 : 100
    this.deps.observe(item, { state, message, sizeBytes: item.body.sizeBytes, hydratedPercent })
  }

  private later(id: string): void {
    this.timers.get(id)?.()
    this.timers.set(
      id,
      this.deps.clock.after(againMs, () => {
        this.timers.delete(id)
        this.refresh(id)
      }),
    )
  }

  private note(id: string): VolumeNote {
    return this.deps.ledger.note<VolumeNote>(`volume ${id}`) ?? {}
  }

  private async setNote(id: string, note: VolumeNote): Promise<void> {
    if (canonicalJson(note) !== canonicalJson(this.deps.ledger.note(`volume ${id}`)))
      await this.deps.ledger.setNote(`volume ${id}`, note)
  }
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as { code?: string }).code ?? '')
}
