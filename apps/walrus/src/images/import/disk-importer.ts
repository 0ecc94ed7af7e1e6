import path from 'node:path'
import { errorMessage, MalleeError, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, DiskImportFacts } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { BundleRefused } from '@mallee/image-bundle'
import { blockBytes } from '@mallee/volume-snapshots'
import type { ObjectSource } from '../../objects/open-object.ts'
import type { ImageStream } from '../unbundle-image.ts'
import { convertDisk, diskAsItIs, finishImport } from './convert-disk.ts'
import { objectDisk, partsDisk } from './disk-source.ts'
import { inSteps, ItemWorker } from '../item-worker.ts'

type Item = DesiredItem<'disk-import'>

/** Faults that trying again does not mend. */
const finalCodes = ['BundleRefused', 'NoRoom', 'BlobDamaged', 'BlobMissing', 'KeyMissing']
const noteName = (id: string) => `disk-import ${id}`
const nothing: DiskImportFacts = {
  state: 'converting',
  progress: 0,
  message: null,
  diskBytes: null,
  blocks: 0,
}

/** Where the blocks of a snapshot are written until its storage controller gathers them. */
export interface StagedWriter {
  put(snapshotId: string, number: number, block: Buffer): Promise<void>
  clear(snapshotId: string): Promise<void>
}

/**
 * Cuts disks into the blocks of snapshots, one disk after the other. A death in the middle costs the work: the next start
 * takes away what was written and begins anew.
 */
export class DiskImporter {
  private readonly options: ObjectSource & {
    readonly ledger: Ledger
    readonly staged: StagedWriter
    /** Of nobody else's: what is converted lies here for a while. On the file system of the objects. */
    readonly workDir: string
    readonly clock: Clock
    readonly log: Log
    readonly observe: (item: Item, facts: DiskImportFacts) => void
  }
  private readonly worker: ItemWorker<'disk-import'>

  constructor(options: DiskImporter['options']) {
    this.options = options
    const { ledger, workDir, clock, log } = options
    this.worker = new ItemWorker({
      ...{ ledger, workDir, clock, kind: 'disk-import' },
      concerns: () => true,
      settle: (item, signal) => this.settle(item, signal),
      onTrouble: (item, error) => {
        if (isAwaited(error)) return
        log.warn({ ...aboutItem(item), reason: errorMessage(error) }, 'a disk could not be cut up yet')
      },
      afterAll: () => this.dropNotes(),
    })
  }

  /** Looks at the desired set; returns at once. */
  refresh(): void {
    this.worker.refresh()
  }

  stop(): Promise<void> {
    return this.worker.stop()
  }

  private async settle(item: Item, signal: AbortSignal): Promise<void> {
    const { ledger, staged, log, observe } = this.options
    if (item.body.remove) {
      await staged.clear(item.body.snapshotId)
      await ledger.setNote(noteName(item.id), undefined)
      return observe(item, { ...nothing, state: 'gone' })
    }
    const known = ledger.note<DiskImportFacts>(noteName(item.id))
    const facts = known ?? (await this.cut(item, signal))
    if (facts === null) return
    if (!known) log.info({ ...aboutItem(item), state: facts.state, reason: facts.message }, 'disk cut up')
    await ledger.setNote(noteName(item.id), facts)
    observe(item, facts)
  }

  /** Null when it was stopped in the middle. */
  private async cut(item: Item, signal: AbortSignal): Promise<DiskImportFacts | null> {
    const { staged, workDir, observe } = this.options
    const { snapshotId, mostBytes } = item.body
    const dir = path.join(workDir, item.id)
    const onProgress = inSteps((progress) => observe(item, { ...nothing, progress }))
    try {
      await staged.clear(snapshotId) // of an earlier life
      onProgress(0)
      const { bytes } = await this.open(item, { dir, signal, onProgress })
      let [diskBytes, blocks] = [0, 0]
      for await (const { number, block, sizeBytes } of cutBlocks(bytes)) {
        if (signal.aborted) return null
        diskBytes += sizeBytes
        if (diskBytes > mostBytes) throw new BundleRefused('The disk is larger than is taken.')
        if (block.equals(zeros)) continue
        await staged.put(snapshotId, number, block)
        blocks += 1
      }
      if (diskBytes === 0) throw new BundleRefused('The disk is empty.')
      return signal.aborted ? null : { state: 'staged', progress: 100, message: null, diskBytes, blocks }
    } catch (error) {
      if (signal.aborted) return null
      if (!isFinal(error)) throw error
      await staged.clear(snapshotId)
      return { ...nothing, state: 'failed', message: error.publicMessage }
    } finally {
      await finishImport(dir)
    }
  }

  private async open(
    { body }: Item,
    watch: { dir: string; signal: AbortSignal; onProgress: (percent: number) => void },
  ): Promise<ImageStream> {
    const { accountId, format, inParts, mostBytes } = body
    const source = await (inParts ? partsDisk : objectDisk)(this.options, accountId, body)
    if (format === 'raw') return diskAsItIs(source, mostBytes, watch.onProgress)
    return convertDisk(this.options, source, format, { ...watch, mostBytes })
  }

  /** What was known of imports that nobody asks about any more. */
  private async dropNotes(): Promise<void> {
    const { ledger } = this.options
    for (const name of ledger.noteNames('disk-import '))
      if (!ledger.get('disk-import', name.slice('disk-import '.length))) await ledger.setNote(name, undefined)
  }
}

const aboutItem = ({ body }: Item) => ({ snapshotId: body.snapshotId, request_id: body.requestId ?? null })

const zeros = Buffer.alloc(blockBytes)

const isFinal = (error: unknown): error is MalleeError =>
  error instanceof MalleeError && finalCodes.includes(error.code)

/** Nobody's fault, for up to a week. */
const isAwaited = (error: unknown) => error instanceof MalleeError && error.code === 'DiskAwaited'

/** The blocks of a disk in order; the last one is filled up with zeros. `sizeBytes`: how much of it is the disk's. */
export async function* cutBlocks(
  bytes: AsyncIterable<Buffer>,
): AsyncGenerator<{ number: number; block: Buffer; sizeBytes: number }, void, void> {
  let block = Buffer.alloc(blockBytes)
  let filled = 0
  let number = 0
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length;) {
      const count = Math.min(blockBytes - filled, chunk.length - at)
      chunk.copy(block, filled, at, at + count)
      filled += count
      at += count
      if (filled < blockBytes) continue
      yield { number, block, sizeBytes: blockBytes }
      block = Buffer.alloc(blockBytes)
      filled = 0
      number += 1
    }
  }
  if (filled > 0) yield { number, block, sizeBytes: filled }
}
