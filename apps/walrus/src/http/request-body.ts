import { createHash, hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import {
  announcedTrailers,
  AwsChunkedDecoder,
  AwsError,
  decodedContentLength,
  SignatureError,
  type SignedPayload,
} from '@mallee/aws-protocol'
import { MalleeError } from '@mallee/base'
import { maxXmlBodyBytes, s3Error } from '@mallee/s3-api'
import { startHashing } from '../hashing/hashing.ts'
import {
  badChecksum,
  checksumHeader,
  checksumNames,
  startChecksum,
  wellFormed,
} from '../objects/checksums.ts'

/** The bytes of an object on their way in, wherever in the request they are. */
export interface BodyBytes {
  /** Throws MissingContentLength: S3 takes no body of unknown length. */
  lengthBytes(): number
  /** Names of trailing headers that will come after the bytes. */
  trailerNames(): readonly string[]
  /** Complete when the bytes have ended. */
  trailer(name: string): string | undefined
  /** The same at once, for few; throws as `bytes`. */
  whole?(): Promise<Buffer>
  /** Whether a chunk is its reader's alone. */
  readonly givesAway?: boolean
  /** Nothing counts as received before they have ended without an error. */
  bytes(): AsyncGenerator<Buffer, void, void>
}

/**
 * The body of an authenticated request, not read before somebody asks for it: only then is a client that waits for
 * `100 Continue` told to send. What the signature promised of the bytes is checked as they pass.
 */
export class RequestBody implements BodyBytes {
  readonly givesAway = true
  private readonly message: IncomingMessage
  private readonly payload: SignedPayload
  private readonly sendContinue: () => void
  private decoder: AwsChunkedDecoder | null = null

  constructor(options: { message: IncomingMessage; payload: SignedPayload; sendContinue: () => void }) {
    this.message = options.message
    this.payload = options.payload
    this.sendContinue = options.sendContinue
  }

  /** Length of the object's bytes. Throws MissingContentLength: S3 takes no body of unknown length. */
  lengthBytes(): number {
    const { headers } = this.message
    if (this.payload.kind === 'chunked') return decodedContentLength(headers)
    const text = headers['content-length']
    if (text === undefined && headers['transfer-encoding'] === undefined) return 0
    const length = Number(text)
    if (text === undefined || !Number.isSafeInteger(length)) throw s3Error('MissingContentLength')
    return length
  }

  /** Names of trailing headers that will come after the bytes. */
  trailerNames(): readonly string[] {
    return this.payload.kind === 'chunked' && this.payload.trailer
      ? announcedTrailers(this.message.headers)
      : []
  }

  /** Complete when the bytes have ended. */
  trailer(name: string): string | undefined {
    return this.decoder?.trailers.get(name)
  }

  /** The object's bytes. Nothing counts as received before they have ended without an error. */
  async *bytes(): AsyncGenerator<Buffer, void, void> {
    this.sendContinue()
    const promised = this.payload.kind === 'sha256' ? this.payload.sha256 : null
    const expected = this.lengthBytes()
    const hash = promised === null ? null : startHashing('SHA256', expected)
    let received = 0
    try {
      for await (const chunk of this.source().iterator({ destroyOnReturn: false })) {
        const full = hash?.update(chunk as Buffer)
        if (full) await full
        received += (chunk as Buffer).length
        yield chunk as Buffer
      }
      if (received !== expected) throw s3Error('IncompleteBody')
      if (hash && (await hash.digest()).toString('hex') !== promised)
        throw new SignatureError('s3', 'payloadMismatch')
    } catch (error) {
      throw faultOf(error)
    } finally {
      hash?.discard()
    }
  }

  /** All of them at once, where they are few: without what a stream costs. */
  async whole(): Promise<Buffer> {
    this.sendContinue()
    try {
      const bytes = await gathered(this.source(), this.lengthBytes())
      if (this.payload.kind === 'sha256' && hash('sha256', bytes) !== this.payload.sha256)
        throw new SignatureError('s3', 'payloadMismatch')
      return bytes
    } catch (error) {
      throw faultOf(error)
    }
  }

  /**
   * The whole body where it is a document. `checksums`: whether the headers' checksums are the document's, and not an
   * object's that it speaks of. Throws MaxMessageLengthExceeded, BadDigest.
   */
  async document(options: { checksums: boolean } = { checksums: true }): Promise<Buffer> {
    if (this.lengthBytes() > maxXmlBodyBytes) throw s3Error('MaxMessageLengthExceeded')
    const chunks: Buffer[] = []
    for await (const chunk of this.bytes()) chunks.push(chunk)
    const document = Buffer.concat(chunks)
    this.checkMd5(document)
    if (options.checksums) this.checkSums(document)
    return document
  }

  /** Throws BadDigest, InvalidDigest. */
  private checkMd5(document: Buffer): void {
    const md5 = this.message.headers['content-md5']
    if (typeof md5 !== 'string') return
    if (Buffer.from(md5, 'base64').length !== 16) throw s3Error('InvalidDigest')
    if (createHash('md5').update(document).digest('base64') !== md5) throw s3Error('BadDigest')
  }

  /** What the headers, or the trailer, say of a document's bytes. Throws BadDigest. */
  private checkSums(document: Buffer): void {
    const { headers } = this.message
    for (const name of checksumNames) {
      const header = checksumHeader(name)
      const stated = headers[header] ?? this.trailer(header)
      if (typeof stated !== 'string') continue
      const running = startChecksum(name)
      running.update(document)
      if (running.digest().toString('base64') !== wellFormed(name, stated)) throw badChecksum(name)
    }
  }

  private source(): Readable {
    if (this.payload.kind !== 'chunked') return this.message
    this.decoder = new AwsChunkedDecoder({
      payload: this.payload,
      decodedLengthBytes: decodedContentLength(this.message.headers),
      trailerNames: announcedTrailers(this.message.headers),
    })
    return pipeKeeping(this.message, this.decoder)
  }
}

/** A connection that breaks is the client's doing; whoever is left to read an answer is told so. */
function faultOf(error: unknown): unknown {
  const ours = error instanceof AwsError || error instanceof MalleeError
  return ours ? error : s3Error('IncompleteBody', { cause: error })
}

const brokenOff = 'the connection ended in the middle of the body'

/** Exactly so many bytes, and then the end. What comes beyond them is not kept. */
function gathered(source: Readable, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let received = 0
    const done = (error: unknown) => {
      // Errors are listened to still: one that is on its way when all is said would be nobody's.
      source.off('data', onData).off('end', onEnd).off('close', onClose)
      if (error) reject(error as Error)
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    }
    const onData = (chunk: Buffer) => {
      received += chunk.length
      if (received > count) return done(s3Error('IncompleteBody'))
      chunks.push(chunk)
    }
    const onEnd = () => done(received === count ? null : s3Error('IncompleteBody'))
    const onClose = () => done(new Error(brokenOff))
    source.on('data', onData).on('end', onEnd).on('error', done).on('close', onClose)
    // One that was gone before anybody listened says nothing any more.
    if (source.destroyed) onClose()
  })
}

/**
 * Like `pipeline`, but an error of the decoder leaves the message alone: its connection still has to carry the answer.
 */
function pipeKeeping(message: IncomingMessage, decoder: AwsChunkedDecoder): Readable {
  // Also when all has come: what was not read of it by now is lost.
  const broken = () => {
    if (!message.readableEnded) decoder.destroy(new Error(brokenOff))
  }
  message.once('close', broken)
  message.once('error', broken)
  decoder.once('close', () => {
    message.off('close', broken)
    message.unpipe(decoder)
  })
  if (message.destroyed) broken()
  return message.pipe(decoder)
}
