import path from 'node:path'
import { errorMessage, MalleeError, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, ImageObjectFacts } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { openObject, type ObjectSource } from '../objects/open-object.ts'
import { factsOf, failed, gone, making } from './image-facts.ts'
import { ImageDigest } from './image-digest.ts'
import { imageNote } from './image-inspector.ts'
import { inSteps, ItemWorker } from './item-worker.ts'
import { findMade, removeMade } from './made-object.ts'
import { finishImport } from './import/convert-disk.ts'
import { importImage } from './import/import-image.ts'
import { unbundleImage, type ImageStream } from './unbundle-image.ts'
import { writeImage } from './write-image.ts'

/** Faults that trying again does not mend. */
const finalCodes = ['BundleRefused', 'NoRoom', 'BucketTaken', 'BlobDamaged', 'BlobMissing', 'KeyMissing']

type Item = DesiredItem<'image-object'>

interface Note {
  readonly digest: string
  readonly facts: ImageObjectFacts
  /** Of what was made; null where nothing was. */
  readonly objectId: string | null
}

/**
 * Makes the objects of images that come of something else: unpacks, verifies, writes, one after the other, and removes
 * them when the cloud says so. An object is there whole or not at all, so that a death in the middle costs the work and
 * leaves nothing; the next start begins it anew.
 */
export class ImageMaker {
  private readonly options: ObjectSource & {
    ledger: Ledger
    /** Of nobody else's: what is converted lies here for a while. On the file system of the objects. */
    workDir: string
    clock: Clock
    log: Log
    observe: (item: Item, facts: ImageObjectFacts) => void
  }
  private readonly worker: ItemWorker<'image-object'>

  constructor(options: ImageMaker['options']) {
    this.options = options
    const { ledger, workDir, clock, log } = options
    this.worker = new ItemWorker({
      ...{ ledger, workDir, clock, kind: 'image-object' },
      concerns: ({ body }) => body.madeFrom !== undefined,
      settle: (item, signal) => this.settle(item, signal),
      onTrouble: (item, error) =>
        log.warn({ ...aboutItem(item), reason: errorMessage(error) }, 'could not be made yet'),
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
    const { ledger, log, observe } = this.options
    if (item.body.remove) {
      await removeMade(this.options, item.body)
      await ledger.setNote(imageNote + item.id, undefined)
      return observe(item, gone)
    }
    const facts = (await this.known(item)) ?? (await this.make(item, signal))
    if (facts === null) return
    const objectId = (await findMade(this.options, item.body))?.id ?? null
    await ledger.setNote(imageNote + item.id, { digest: item.digest, facts, objectId } satisfies Note)
    log.info({ ...aboutItem(item), state: facts.state, reason: facts.message }, 'made')
    observe(item, facts)
  }

  /** What was found before, or of an object that stands already; null where it is still to be made. */
  private async known(item: Item): Promise<ImageObjectFacts | null> {
    const note = this.options.ledger.note<Note>(imageNote + item.id)
    if (note?.digest === item.digest) return note.facts
    const made = await findMade(this.options, item.body)
    if (!made) return null
    if (note && note.objectId === made.id) return note.facts
    // Made, and never told: the death came in between.
    const object = await openObject(this.options, made.bucket, made.key)
    if (!object) return null
    try {
      const digest = new ImageDigest()
      for await (const chunk of object.bytes(0, object.row.size)) digest.update(chunk)
      return factsOf(item.body.kind, digest.finish())
    } finally {
      object.release()
    }
  }

  /** Null when it was stopped in the middle. */
  private async make(item: Item, signal: AbortSignal): Promise<ImageObjectFacts | null> {
    const dir = path.join(this.options.workDir, item.id)
    const onProgress = inSteps((percent) => this.options.observe(item, making(percent)))
    try {
      onProgress(0)
      const stream = await this.streamOf(item, dir, { signal, onProgress })
      return await writeImage(this.options, item.body, stream, signal)
    } catch (error) {
      if (signal.aborted) return null
      if (error instanceof MalleeError && finalCodes.includes(error.code)) return failed(error.publicMessage)
      throw error
    } finally {
      await finishImport(dir)
    }
  }

  private streamOf(
    { body }: Item,
    dir: string,
    watch: { signal: AbortSignal; onProgress: (percent: number) => void },
  ): Promise<ImageStream> {
    if (body.madeFrom?.how === 'import') return importImage(this.options, body, { dir, ...watch })
    const privateKey = this.options.ledger.get('bundling-key', 'cloud')?.body.privateKey ?? null
    return unbundleImage(this.options, body, { privateKey, onProgress: watch.onProgress })
  }
}

const aboutItem = ({ id, body }: Item) => ({ imageId: id, request_id: body.requestId ?? null })
