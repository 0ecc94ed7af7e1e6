import path from 'node:path'
import { errorMessage, MalleeError, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, ImageObjectFacts } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { openObject, type ObjectSource } from '../objects/open-object.ts'
import { factsOf, failed, gone, making } from './image-facts.ts'
import { ImageDigest } from './image-digest.ts'
import { imageNote } from './image-inspector.ts'
import { findMade, removeMade } from './made-object.ts'
import { finishImport } from './import/convert-disk.ts'
import { importImage } from './import/import-image.ts'
import { unbundleImage, type ImageStream } from './unbundle-image.ts'
import { writeImage } from './write-image.ts'

const retryMs = 5_000
/** Percent between two words about progress: each is a transaction of the cloud's. */
const progressStep = 5
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
  private readonly stopping = new AbortController()
  private current: { item: Item; stop: AbortController } | null = null
  private running: Promise<void> | null = null
  private again = false
  private swept = false
  private nap: AbortController | null = null

  constructor(options: ImageMaker['options']) {
    this.options = options
  }

  /** Looks at the desired set; returns at once. What is under way and not wanted any more is stopped. */
  refresh(): void {
    const { current } = this
    const wanted = current && this.options.ledger.get('image-object', current.item.id)
    if (current && (!wanted?.body.madeFrom || wanted.body.remove)) current.stop.abort()
    this.again = true
    this.nap?.abort() // what was waited for may have come
    this.running ??= this.run().finally(() => {
      this.running = null
    })
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.nap?.abort()
    this.current?.stop.abort()
    await this.running
  }

  private async run(): Promise<void> {
    if (!this.swept) await finishImport(this.options.workDir) // of an earlier life
    this.swept = true
    while (this.again && !this.stopping.signal.aborted) {
      this.again = false
      const items = this.options.ledger.list('image-object').filter(({ body }) => body.madeFrom)
      // What is to go first: it makes room.
      for (const item of items.toSorted((a, b) => Number(!a.body.remove) - Number(!b.body.remove))) {
        if (this.stopping.signal.aborted) return
        // The set may have changed while another one was made.
        if (this.options.ledger.get('image-object', item.id)?.digest === item.digest) await this.settle(item)
      }
    }
  }

  private async settle(item: Item): Promise<void> {
    const { ledger, clock, log, observe } = this.options
    const about = { imageId: item.id, request_id: item.body.requestId ?? null }
    try {
      if (item.body.remove) {
        await removeMade(this.options, item.body)
        await ledger.setNote(imageNote + item.id, undefined)
        return observe(item, gone)
      }
      const facts = (await this.known(item)) ?? (await this.make(item))
      if (facts === null) return
      const objectId = (await findMade(this.options, item.body))?.id ?? null
      await ledger.setNote(imageNote + item.id, { digest: item.digest, facts, objectId } satisfies Note)
      log.info({ ...about, state: facts.state, reason: facts.message }, 'made')
      observe(item, facts)
    } catch (error) {
      log.warn({ ...about, reason: errorMessage(error) }, 'could not be made yet')
      this.nap = new AbortController()
      if (!this.stopping.signal.aborted) await clock.sleep(retryMs, this.nap.signal)
      this.again = true
    }
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
  private async make(item: Item): Promise<ImageObjectFacts | null> {
    const { observe, workDir } = this.options
    const dir = path.join(workDir, item.id)
    const stop = new AbortController()
    this.current = { item, stop }
    let said = -progressStep
    const onProgress = (percent: number) => {
      if (percent < said + progressStep) return
      said = percent
      observe(item, making(percent))
    }
    try {
      onProgress(0)
      const stream = await this.streamOf(item, dir, { signal: stop.signal, onProgress })
      return await writeImage(this.options, item.body, stream, stop.signal)
    } catch (error) {
      if (stop.signal.aborted) return null
      if (error instanceof MalleeError && finalCodes.includes(error.code)) return failed(error.publicMessage)
      throw error
    } finally {
      this.current = null
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
