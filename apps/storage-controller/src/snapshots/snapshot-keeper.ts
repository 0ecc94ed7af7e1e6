import { canonicalJson, errorMessage, MalleeError, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, SnapshotFacts, SnapshotIndex, WrittenBlocks } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { blockCodec, decodeIndex, type SnapshotBlocks, snapshotBucket } from '@mallee/volume-snapshots'
import type { BlockDriver } from '../drivers/block-driver.ts'
import { blockKeys } from './block-references.ts'
import { copyBlocks } from './copy-blocks.ts'
import { CountedIndexes } from './counted-indexes.ts'
import { gatherSnapshot, isFinal } from './gather-snapshot.ts'
import type { LocalIndexes } from './local-indexes.ts'
import { type ObjectStore } from './object-store.ts'
import { uploadSnapshot } from './upload-snapshot.ts'

type Item = DesiredItem<'snapshot'>

interface SnapshotNote {
  readonly taken?: boolean
  readonly failure?: string
  readonly index?: SnapshotIndex
  readonly storedBytes?: number
}

const againMs = 2_000
/** Of the backend's room, free: then files that could be fetched again are kept. */
const plentyShare = 0.15
const nothing: SnapshotFacts = {
  state: 'pending',
  taken: false,
  progress: 0,
  message: null,
  index: null,
  storedBytes: 0,
}

/**
 * Takes snapshots the moment their items are seen, and brings them to walrus one after the other behind. A snapshot is
 * complete when every block and then its list are there; what only it used goes with it.
 */
export class SnapshotKeeper {
  private readonly deps: {
    readonly agentId: string
    readonly ledger: Ledger
    readonly driver: BlockDriver
    readonly store: ObjectStore | null
    readonly indexes: LocalIndexes
    /** Whether blocks of the volume are still to come: then its files do not hold the moment yet. */
    readonly isComing: (volumeId: string) => boolean
    readonly clock: Clock
    readonly log: Log
    readonly observe: (item: Item, facts: SnapshotFacts) => void
  }
  private readonly indexes: CountedIndexes
  /** Nothing is remembered of an earlier life, though there may have been one. */
  private isNew = false
  private running: Promise<void> | null = null
  private lock: Promise<unknown> = Promise.resolve()
  private taking: Promise<void> = Promise.resolve()
  private again = false
  private cancel: () => void = () => {}
  private readonly stopping = new AbortController()

  constructor(deps: SnapshotKeeper['deps']) {
    this.deps = deps
    this.indexes = new CountedIndexes(deps.indexes, deps.log)
  }

  /** Counts what is stored; before anything is taken or removed. */
  async open(): Promise<void> {
    const { ledger } = this.deps
    await this.indexes.open()
    this.isNew = ledger.revision === 0 && ledger.noteNames('snapshot ').length === 0
    for (const { id } of ledger.list('snapshot'))
      if (this.note(id).index && !(await this.indexes.has(id))) this.indexes.miss(id)
  }

  refresh(): void {
    if (this.stopping.signal.aborted) return
    this.doubt()
    // Taken at once, whatever is on its way to walrus.
    this.take()
    if (this.running) {
      this.again = true
      return
    }
    this.cancel()
    this.running = this.taking
      .then(() => this.alone(() => this.work()))
      .catch((error: unknown) => {
        this.deps.log.warn({ err: error }, 'trouble with snapshots; will be tried again')
        this.cancel = this.deps.clock.after(againMs, () => this.refresh())
      })
      .finally(() => {
        this.running = null
        if (this.again) {
          this.again = false
          this.refresh()
        }
      })
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.cancel()
    await this.running
    await this.taking
  }

  /** Of this controller's, whether any snapshot uses the object. */
  isUsed(key: string): boolean {
    return this.indexes.isUsed(key)
  }

  /** Blocks that a volume still reads, whatever becomes of the snapshot. */
  hold(volumeId: string, { prefix, blocks }: SnapshotBlocks): void {
    if (prefix.startsWith(`${this.deps.agentId}/`))
      this.indexes.references.add(volumeId, blockKeys(prefix, blocks.values()))
  }

  /** Those that nobody else uses go, or are found by the inventory. */
  async release(volumeId: string, { prefix, blocks }: SnapshotBlocks): Promise<void> {
    if (!prefix.startsWith(`${this.deps.agentId}/`) || !this.indexes.isWhole) return
    // Never while an upload counts on what is stored.
    await this.alone(async () => {
      for (const key of this.indexes.references.drop(volumeId, blockKeys(prefix, blocks.values())))
        await this.store().remove(key)
    })
  }

  /** What is left of a snapshot that no item names: its list, and with that what only it used. */
  async removeStray(snapshotId: string, indexKey: string): Promise<void> {
    await this.alone(async () => {
      await this.store().remove(indexKey)
      await this.dropBlocks(snapshotId)
    })
  }

  /** One after another: what stores blocks, and what removes them. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.lock.then(work)
    this.lock = done.catch(() => {})
    return done
  }

  /** Whether blocks may be on their way that no list names yet. */
  get isBusy(): boolean {
    return this.running !== null
  }

  /**
   * After a start without any memory (a restored backup), a snapshot of the first set may have been taken long ago; taken
   * again it would hold another moment, and overwrite what walrus has. Walrus is asked first.
   */
  private doubt(): void {
    const { ledger, store } = this.deps
    if (!this.isNew || ledger.revision === 0) return
    this.isNew = false
    if (store) for (const { id } of ledger.list('snapshot')) this.indexes.miss(id)
  }

  private async recoverAll(): Promise<void> {
    for (const item of this.deps.ledger.list('snapshot')) {
      if (!this.indexes.isLacking(item.id)) continue
      const index = await this.indexes.recover(item.id, this.indexKeyOf(item), this.store())
      if (index && !this.note(item.id).index) await this.setNote(item.id, { taken: true, index })
    }
  }

  /** One after the other: two at once would make one file. */
  private take(): Promise<void> {
    this.taking = this.taking.then(() => this.takeAll()).catch(() => {})
    return this.taking
  }

  private async takeAll(): Promise<void> {
    for (const item of this.deps.ledger.list('snapshot')) {
      if (this.stopping.signal.aborted) return
      const { remove, copyOf, written, volumeId } = item.body
      if (remove || copyOf || written || this.note(item.id).taken || this.note(item.id).failure !== undefined)
        continue
      if (this.indexes.isLacking(item.id) || this.deps.isComing(volumeId)) continue
      try {
        if ((await this.deps.driver.volumeSize(volumeId)) === null) {
          await this.fail(item, `The volume ${volumeId} is not here.`)
          continue
        }
        await this.deps.driver.takeSnapshot(item.id, volumeId)
        await this.setNote(item.id, { taken: true })
        this.deps.log.info({ snapshotId: item.id, volumeId }, 'snapshot taken')
        this.deps.observe(item, { ...nothing, taken: true })
      } catch (error) {
        this.deps.log.warn({ snapshotId: item.id, err: error }, 'a snapshot could not be taken')
        if (['ENOSPC', 'EDQUOT'].includes((error as { code?: string }).code ?? ''))
          await this.fail(item, 'The storage controller has no room for the snapshot.').catch(() => {})
      }
    }
  }

  private async work(): Promise<void> {
    let troubled = await this.recoverAll().then(
      () => false,
      (error: unknown) => {
        this.deps.log.warn({ reason: errorMessage(error) }, 'lists of snapshots are not here yet')
        return true
      },
    )
    for (const item of this.deps.ledger.list('snapshot')) {
      if (this.stopping.signal.aborted) return
      try {
        await this.settle(item)
      } catch (error) {
        if (this.stopping.signal.aborted) return
        troubled = true
        this.deps.log.warn(
          { snapshotId: item.id, err: error },
          'trouble with a snapshot; will be tried again',
        )
        if (!item.body.remove)
          this.deps.observe(item, {
            ...nothing,
            taken: this.note(item.id).taken ?? false,
            message: errorMessage(error),
          })
      }
    }
    if (troubled) this.cancel = this.deps.clock.after(againMs, () => this.refresh())
    await this.dropNotes()
  }

  private async settle(item: Item): Promise<void> {
    if (item.body.remove) return this.remove(item)
    const note = this.note(item.id)
    if (note.failure !== undefined)
      return this.deps.observe(item, { ...nothing, state: 'failed', message: note.failure })
    if (note.index) {
      return this.deps.observe(item, {
        ...nothing,
        ...{ state: 'completed', taken: true, progress: 100 },
        ...{ index: note.index, storedBytes: note.storedBytes ?? 0 },
      })
    }
    if (item.body.copyOf) return this.copy(item, item.body.copyOf)
    if (item.body.written) return this.gather(item, item.body.written)
    if (!note.taken) {
      await this.take()
      if (this.deps.isComing(item.body.volumeId)) throw stillComing()
      if (!this.note(item.id).taken && this.note(item.id).failure === undefined) throw notTaken()
      return this.settle(item)
    }
    await this.upload(item)
  }

  private async upload(item: Item): Promise<void> {
    const { driver } = this.deps
    if (!(await driver.hasSnapshot(item.id)))
      return this.fail(item, 'What was kept of the volume for the snapshot is lost.')
    const { snapshot, storedBytes } = await uploadSnapshot({
      driver,
      store: this.store(),
      references: this.indexes.references,
      snapshotId: item.id,
      volumeBytes: item.body.sizeBytes,
      prefix: this.prefixOf(item),
      codec: blockCodec(item.body.snapshotKey ?? null),
      before: await this.snapshotBefore(item),
      onProgress: (progress, stored) =>
        this.deps.observe(item, { ...nothing, taken: true, progress, storedBytes: stored }),
      signal: this.stopping.signal,
    })
    await this.complete(item, snapshot, storedBytes)
    await this.forgetOlder(item)
  }

  /** Its blocks are there: now the list, and then the word. */
  private async complete(item: Item, snapshot: SnapshotBlocks, storedBytes: number): Promise<void> {
    const { bytes, sha256 } = await this.indexes.keep(item.id, snapshot)
    const key = this.indexKeyOf(item)
    await this.store().put(key, bytes)
    const index = { bucket: snapshotBucket, key, sha256, sizeBytes: bytes.length }
    await this.setNote(item.id, { taken: true, index, storedBytes })
    this.deps.log.info(
      { snapshotId: item.id, blocks: snapshot.blocks.size, storedBytes },
      'snapshot complete',
    )
    await this.settle(item)
  }

  /** The same blocks, where they are this controller's and the account's own; else copies of them. */
  private async copy(item: Item, source: SnapshotIndex): Promise<void> {
    const bytes = await this.store().get(source.key, source.bucket)
    if (!bytes) return this.fail(item, 'The snapshot that it is a copy of is not in walrus.')
    const original = await decodeIndex(bytes, source.sha256)
    const copied = await copyBlocks({
      store: this.store(),
      references: this.indexes.references,
      source: { list: original, bucket: source.bucket },
      key: item.body.snapshotKey ?? null,
      prefix: this.prefixOf(item),
      signal: this.stopping.signal,
    })
    if (copied === null)
      return this.fail(item, 'A block of the snapshot that it is a copy of is not in walrus.')
    await this.complete(item, copied.snapshot, copied.storedBytes)
  }

  /** What a client wrote of it, on top of its parent. */
  private async gather(item: Item, written: WrittenBlocks): Promise<void> {
    const gathered = await gatherSnapshot({
      ...{ store: this.store(), written, references: this.indexes.references, prefix: this.prefixOf(item) },
      ...{ snapshotId: item.id, volumeBytes: item.body.sizeBytes, signal: this.stopping.signal },
      snapshotKey: item.body.snapshotKey ?? null,
      onProgress: (progress, storedBytes) =>
        this.deps.observe(item, { ...nothing, taken: true, progress, storedBytes }),
    }).catch((error: unknown) => this.failFinally(item, error))
    if (gathered) await this.complete(item, gathered.snapshot, gathered.storedBytes)
  }

  private async remove(item: Item): Promise<void> {
    const { driver, store } = this.deps
    await driver.removeSnapshot(item.id)
    if (this.indexes.isLacking(item.id)) throw notCounted()
    if (await this.indexes.has(item.id)) {
      await this.store().remove(this.indexKeyOf(item))
      await this.dropBlocks(item.id)
    } else if (store && this.note(item.id).index) await store.remove(this.indexKeyOf(item))
    await this.setNote(item.id, {})
    this.deps.log.info({ snapshotId: item.id }, 'snapshot removed')
    this.deps.observe(item, { ...nothing, state: 'gone' })
  }

  /** Off the list before the blocks: what dies here leaves blocks that nobody uses, and the inventory finds them. */
  private async dropBlocks(snapshotId: string): Promise<void> {
    const snapshot = await this.indexes.read(snapshotId)
    if (!snapshot) return
    if (!this.indexes.isWhole) throw notCounted()
    for (const key of await this.indexes.drop(snapshotId, snapshot)) await this.store().remove(key)
  }

  /** The newest complete snapshot of the volume, or the one that the volume was made of, if its files are here. */
  private async snapshotBefore(item: Item) {
    const { driver, ledger } = this.deps
    const volume = ledger.get('volume', item.body.volumeId)?.body
    const complete = ledger
      .list('snapshot')
      .filter(({ id, body }) => id !== item.id && body.volumeId === item.body.volumeId && this.note(id).index)
      .map(({ id }) => id)
    for (const snapshotId of [...complete.toReversed(), volume?.source?.snapshotId ?? '']) {
      if (snapshotId === '' || !(await driver.hasSnapshot(snapshotId))) continue
      const list = await this.indexes.read(snapshotId)
      if (list && list.prefix === this.prefixOf(item)) return { snapshotId, list }
    }
    return null
  }

  /**
   * Files of snapshots make volumes of them in a moment, and are kept while there is room. Where it is short, one of each
   * volume is enough to compare with: older ones are in walrus.
   */
  private async forgetOlder(item: Item): Promise<void> {
    const { driver, ledger } = this.deps
    const { freeBytes, totalBytes } = await driver.space()
    if (freeBytes > totalBytes * plentyShare) return
    for (const { id, body } of ledger.list('snapshot'))
      if (id !== item.id && body.volumeId === item.body.volumeId && this.note(id).index)
        await driver.removeSnapshot(id)
  }

  /** Fails the snapshot where trying again would end the same; throws the error else. */
  private async failFinally(item: Item, error: unknown): Promise<null> {
    if (!isFinal(error)) throw error
    await this.fail(item, error.publicMessage)
    return null
  }

  private async fail(item: Item, failure: string): Promise<void> {
    await this.deps.driver.removeSnapshot(item.id)
    await this.setNote(item.id, { failure })
    this.deps.observe(item, { ...nothing, state: 'failed', message: failure })
  }

  /** Not of a snapshot whose list is here: were its item to come back, it must not be taken again. */
  private async dropNotes(): Promise<void> {
    for (const name of this.deps.ledger.noteNames('snapshot ')) {
      const id = name.slice('snapshot '.length)
      if (this.deps.ledger.get('snapshot', id) || (await this.indexes.has(id))) continue
      await this.deps.ledger.setNote(name, undefined)
    }
  }

  private indexKeyOf(item: Item): string {
    return `${this.deps.agentId}/${item.body.accountId}/indexes/${item.id}`
  }

  private prefixOf(item: Item): string {
    const kind = item.body.snapshotKey === undefined ? 'blocks' : 'encrypted'
    return `${this.deps.agentId}/${item.body.accountId}/${kind}`
  }

  private store(): ObjectStore {
    if (this.deps.store) return this.deps.store
    throw new MalleeError({
      code: 'NoWalrus',
      publicMessage: 'This storage controller has no walrus to keep snapshots in.',
      retryable: true,
    })
  }

  private note(id: string): SnapshotNote {
    return this.deps.ledger.note<SnapshotNote>(`snapshot ${id}`) ?? {}
  }

  private async setNote(id: string, note: SnapshotNote): Promise<void> {
    if (canonicalJson(note) !== canonicalJson(this.deps.ledger.note(`snapshot ${id}`)))
      await this.deps.ledger.setNote(`snapshot ${id}`, note)
  }
}

function notTaken(): MalleeError {
  return new MalleeError({
    code: 'NotTaken',
    publicMessage: 'The snapshot could not be taken yet.',
    retryable: true,
  })
}

function stillComing(): MalleeError {
  return new MalleeError({
    code: 'StillComing',
    publicMessage: 'The volume is still being restored; its snapshot is taken when it is whole.',
    retryable: true,
  })
}

function notCounted(): MalleeError {
  return new MalleeError({
    code: 'NotCounted',
    publicMessage: 'What snapshots use of the stored blocks is not known yet.',
    retryable: true,
  })
}
