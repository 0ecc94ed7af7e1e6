import { errorMessage, MalleeError, type Clock, type Log } from '@mallee/base'
import type { DesiredItem, ImageObjectFacts } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import type { MasterKeys } from '../encryption/master-keys.ts'
import type { Index } from '../index/tables.ts'
import type { OpenObject } from '../objects/open-object.ts'
import { makeCopy, openImageObject } from './copy-image-object.ts'
import { ImageDigest } from './image-digest.ts'
import { factsOf, failed } from './image-facts.ts'
import type { ImageBytes } from './image-verdict.ts'

const retryMs = 5_000
/** Of the findings about all images, the maker's too. */
export const imageNote = 'image '

interface Note {
  readonly digest: string
  readonly facts: ImageObjectFacts
}

/**
 * Reads every object that is to be an image, once and whole, and says what it is. The finding is kept in the ledger, so
 * that a restart reads nothing again. One object at a time: reading them is nobody's hurry but the disk's. What walrus
 * itself makes into an image is the maker's.
 */
export class ImageInspector {
  private readonly ledger: Ledger
  private readonly index: Index
  private readonly blobs: BlobKeeper
  private readonly masterKeys: MasterKeys
  private readonly clock: Clock
  private readonly log: Log
  private readonly observe: (item: DesiredItem<'image-object'>, facts: ImageObjectFacts) => void
  private readonly stopping = new AbortController()
  private running: Promise<void> | null = null
  private again = false

  constructor(options: {
    ledger: Ledger
    index: Index
    blobs: BlobKeeper
    masterKeys: MasterKeys
    clock: Clock
    log: Log
    observe: (item: DesiredItem<'image-object'>, facts: ImageObjectFacts) => void
  }) {
    this.ledger = options.ledger
    this.index = options.index
    this.blobs = options.blobs
    this.masterKeys = options.masterKeys
    this.clock = options.clock
    this.log = options.log
    this.observe = options.observe
  }

  /** Looks at the desired set; returns at once. */
  refresh(): void {
    this.again = true
    this.running ??= this.run().finally(() => {
      this.running = null
    })
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
  }

  private async run(): Promise<void> {
    while (this.again && !this.stopping.signal.aborted) {
      this.again = false
      await this.forgetStrangers()
      for (const item of this.ledger.list('image-object').filter(({ body }) => !body.madeFrom)) {
        if (this.stopping.signal.aborted) return
        await this.settle(item)
      }
    }
  }

  private async settle(item: DesiredItem<'image-object'>): Promise<void> {
    const known = this.ledger.note<Note>(imageNote + item.id)
    if (known?.digest === item.digest) return this.observe(item, known.facts)
    try {
      const facts = await this.inspect(item)
      if (facts === null) return
      await this.ledger.setNote(imageNote + item.id, { digest: item.digest, facts } satisfies Note)
      this.log.info(
        {
          imageId: item.id,
          request_id: item.body.requestId ?? null,
          state: facts.state,
          reason: facts.message,
        },
        'inspected',
      )
      this.observe(item, facts)
    } catch (error) {
      // A disk that does not answer says nothing about the image: look again.
      this.log.warn(
        { imageId: item.id, request_id: item.body.requestId ?? null, reason: errorMessage(error) },
        'could not be inspected yet',
      )
      await this.clock.sleep(retryMs, this.stopping.signal)
      this.again = true
    }
  }

  /** Null when it was stopped in the middle. */
  private async inspect(item: DesiredItem<'image-object'>): Promise<ImageObjectFacts | null> {
    const { copyOf, kind } = item.body
    const { index, blobs, masterKeys, clock } = this
    const deps = { index, blobs, masterKeys, clock }
    const opened = await openImageObject(deps, item.body)
    if (typeof opened === 'string') return failed(opened)
    const { object, isSource } = opened
    try {
      const found = await this.read(object)
      if (!found) return null
      if (copyOf && copyOf.sha256 !== found.sha256)
        return failed('The object that was to be copied is not the one any more that the image was made of.')
      const facts = factsOf(kind, found)
      if (isSource && facts.state === 'available') await makeCopy(deps, item.body, object)
      return facts
    } catch (error) {
      if (error instanceof MalleeError && error.code.startsWith('Blob')) return failed(error.publicMessage)
      throw error
    } finally {
      object.release()
    }
  }

  private async read(object: OpenObject): Promise<{ sha256: string; image: ImageBytes } | null> {
    const digest = new ImageDigest()
    for await (const chunk of object.bytes(0, object.row.size)) {
      if (this.stopping.signal.aborted) return null
      digest.update(chunk)
    }
    return digest.finish()
  }

  private async forgetStrangers(): Promise<void> {
    for (const name of this.ledger.noteNames(imageNote)) {
      const id = name.slice(imageNote.length)
      if (!this.ledger.get('image-object', id)) await this.ledger.setNote(name, undefined)
    }
  }
}
