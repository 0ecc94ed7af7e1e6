import { blockBytes, type Blob, type BlobWriter } from '../blob-driver.ts'
import { BlockSums } from '../block-sums.ts'
import type { RemoteBucket } from './remote-bucket.ts'

/** What is gathered before it is sent; above S3's least size of a part, 5 MiB. */
const partBytes = 8 * blockBytes

/** One blob on its way to another S3: in one piece, or in parts where it is larger than one. */
export class S3Writer implements BlobWriter {
  private readonly id: string
  private readonly key: string
  private readonly remote: RemoteBucket
  private readonly onClosed: () => void
  private readonly sums = new BlockSums()
  private gathered: Buffer[] = []
  private gatheredBytes = 0
  private sizeBytes = 0
  private uploadId: string | null = null
  private readonly etags: string[] = []
  private state: 'open' | 'finished' | 'discarded' = 'open'

  constructor(options: { id: string; key: string; remote: RemoteBucket; onClosed: () => void }) {
    this.id = options.id
    this.key = options.key
    this.remote = options.remote
    this.onClosed = options.onClosed
  }

  async write(chunk: Buffer): Promise<void> {
    this.sums.add(chunk)
    this.gathered.push(chunk)
    this.gatheredBytes += chunk.length
    this.sizeBytes += chunk.length
    if (this.gatheredBytes >= partBytes) await this.sendPart()
  }

  async finish(): Promise<Blob | null> {
    if (this.sizeBytes === 0) {
      await this.discard()
      return null
    }
    if (this.uploadId === null) await this.remote.put(this.key, this.take())
    else {
      if (this.gatheredBytes > 0) await this.sendPart()
      await this.remote.completeUpload(this.key, this.uploadId, this.etags)
    }
    this.state = 'finished'
    this.onClosed()
    return { id: this.id, sizeBytes: this.sizeBytes, blockCrcs: this.sums.finish() }
  }

  async discard(): Promise<void> {
    if (this.state !== 'open') return
    this.state = 'discarded'
    this.gathered = []
    try {
      if (this.uploadId !== null) await this.remote.abortUpload(this.key, this.uploadId)
      // A put whose answer got lost may have come through.
      await this.remote.remove(this.key)
    } finally {
      this.onClosed()
    }
  }

  private async sendPart(): Promise<void> {
    this.uploadId ??= await this.remote.createUpload(this.key)
    const number = this.etags.length + 1
    this.etags.push(await this.remote.uploadPart(this.key, this.uploadId, number, this.take()))
  }

  private take(): Buffer {
    const bytes = Buffer.concat(this.gathered, this.gatheredBytes)
    this.gathered = []
    this.gatheredBytes = 0
    return bytes
  }
}
