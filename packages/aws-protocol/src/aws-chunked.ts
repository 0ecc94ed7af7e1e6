/**
 * Decodes bodies in S3's `aws-chunked` framing: signed chunks, signed chunks with a signed trailer, and unsigned chunks
 * with a trailer.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
 *
 * Bytes are passed on as they come, before the signature over their chunk is known: whoever consumes the stream
 * must treat nothing as received until it has ended without an error. Nothing is buffered but one header line.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Transform } from 'node:stream'
import type { TransformCallback } from 'node:stream'
import { AwsError } from './aws-error.ts'
import type { ChunkSignatures } from './chunk-signatures.ts'
import type { HeaderValues } from './sigv4-canonical.ts'
import { headerText, sha256Hex } from './sigv4-canonical.ts'
import { SignatureError } from './signature-errors.ts'

export interface AwsChunkedOptions {
  /** the `payload` of a verified signature, kind `chunked` */
  payload: { signed: boolean; trailer: boolean; chunkSignatures: ChunkSignatures | undefined }
  /** x-amz-decoded-content-length; see `decodedContentLength` */
  decodedLengthBytes: number
  /** names in x-amz-trailer, lower case: others are refused; see `announcedTrailers` */
  trailerNames: readonly string[]
}

const maxLineBytes = 1024
const maxTrailers = 16

const incomplete = (message: string): AwsError => new AwsError('IncompleteBody', message, 400)
const malformedChunk = (message: string): AwsError =>
  new AwsError('InvalidRequest', `The aws-chunked body is malformed: ${message}`, 400)
const malformedTrailer = (): AwsError =>
  new AwsError(
    'MalformedTrailerError',
    'The request contained trailing data that was not well-formed or did not conform to our published schema.',
    400,
  )

/** The length that the decoded body must have, in bytes. Throws MissingContentLength or InvalidArgument. */
export function decodedContentLength(headers: HeaderValues): number {
  const text = headerText(headers, 'x-amz-decoded-content-length')
  if (text === undefined) {
    throw new AwsError('MissingContentLength', 'You must provide the Content-Length HTTP header.', 411)
  }
  const length = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(length)) {
    throw new AwsError('InvalidArgument', 'x-amz-decoded-content-length must be a number of bytes.', 400)
  }
  return length
}

/** The names in x-amz-trailer, in lower case. */
export function announcedTrailers(headers: HeaderValues): string[] {
  const text = headerText(headers, 'x-amz-trailer') ?? ''
  return text
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
}

type State = 'chunkHeader' | 'chunkData' | 'chunkEnd' | 'trailer' | 'done'

/**
 * Takes the framed body, gives the bytes of the object. Fails with AwsError: SignatureDoesNotMatch, IncompleteBody, InvalidRequest
 * or MalformedTrailerError. `trailers` is complete when the stream has ended.
 */
export class AwsChunkedDecoder extends Transform {
  /** trailing headers by name in lower case, e.g. x-amz-checksum-crc32 */
  readonly trailers = new Map<string, string>()
  readonly #options: AwsChunkedOptions
  #state: State = 'chunkHeader'
  #line = ''
  #remaining = 0
  #decoded = 0
  #claimed = ''
  #lastChunk = false
  #hash = createHash('sha256')
  #trailerSigned = false

  constructor(options: AwsChunkedOptions) {
    super()
    this.#options = options
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      for (let at = 0; at < chunk.length;) at = this.#step(chunk, at)
      done()
    } catch (error) {
      done(error as Error)
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      this.#finish()
      done()
    } catch (error) {
      done(error as Error)
    }
  }

  /** Consumes something at `at`; returns where it stopped. */
  #step(chunk: Buffer, at: number): number {
    if (this.#state === 'done') throw malformedChunk('there is data after its end')
    if (this.#state === 'chunkData') return this.#data(chunk, at)
    const end = chunk.indexOf(0x0a, at)
    const stop = end < 0 ? chunk.length : end
    if (this.#line.length + stop - at > maxLineBytes) throw malformedChunk('a line of it is too long')
    this.#line += chunk.toString('latin1', at, stop)
    if (end < 0) return stop
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line
    this.#line = ''
    if (this.#state === 'chunkHeader') this.#header(line)
    else if (this.#state === 'chunkEnd') this.#chunkEnd(line)
    else this.#trailer(line)
    return end + 1
  }

  #header(line: string): void {
    const [, size, signature] = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line) ?? []
    if (size === undefined) throw malformedChunk('a chunk does not begin with its size')
    if (this.#options.payload.signed !== (signature !== undefined)) {
      throw malformedChunk(signature === undefined ? 'a chunk has no signature' : 'a chunk is signed')
    }
    this.#remaining = Number.parseInt(size, 16)
    this.#decoded += this.#remaining
    if (this.#decoded > this.#options.decodedLengthBytes) throw this.#wrongLength()
    this.#claimed = signature ?? ''
    this.#lastChunk = this.#remaining === 0
    this.#state = 'chunkData'
    if (!this.#lastChunk) return
    this.#checkChunk()
    this.#state = this.#options.payload.trailer ? 'trailer' : 'chunkEnd'
  }

  #data(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#remaining)
    const part = chunk.subarray(at, end)
    if (this.#options.payload.signed) this.#hash.update(part)
    this.push(part)
    this.#remaining -= part.length
    if (this.#remaining === 0) {
      this.#checkChunk()
      this.#state = 'chunkEnd'
    }
    return end
  }

  #chunkEnd(line: string): void {
    if (line !== '') throw malformedChunk('a chunk is longer than it says')
    this.#state = this.#lastChunk ? 'done' : 'chunkHeader'
  }

  #checkChunk(): void {
    const { chunkSignatures } = this.#options.payload
    if (!this.#options.payload.signed) return
    const digest = this.#hash.digest('hex')
    this.#hash = createHash('sha256')
    requireEqual(chunkSignatures?.nextChunk(digest), this.#claimed)
  }

  #trailer(line: string): void {
    if (line === '') {
      this.#state = 'done'
      return
    }
    const [, name = '', value = ''] = /^([A-Za-z0-9-]{1,100}):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    const key = name.toLowerCase()
    if (key === 'x-amz-trailer-signature' && this.#options.payload.signed && !this.#trailerSigned) {
      const text = [...this.trailers].map(([header, content]) => `${header}:${content}\n`).join('')
      requireEqual(this.#options.payload.chunkSignatures?.trailer(sha256Hex(text)), value)
      this.#trailerSigned = true
      return
    }
    const announced = this.#options.trailerNames.includes(key)
    if (!announced || this.trailers.has(key) || this.#trailerSigned || this.trailers.size >= maxTrailers) {
      throw malformedTrailer()
    }
    this.trailers.set(key, value)
  }

  #finish(): void {
    const ended = this.#state === 'done' || (this.#lastChunk && this.#line === '')
    if (!ended) throw incomplete('The request body terminated unexpectedly')
    if (this.#decoded !== this.#options.decodedLengthBytes) throw this.#wrongLength()
    const { signed, trailer } = this.#options.payload
    const missing = this.#options.trailerNames.some((name) => !this.trailers.has(name))
    if (trailer && (missing || (signed && !this.#trailerSigned))) throw malformedTrailer()
  }

  #wrongLength(): AwsError {
    return incomplete(
      'You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header.',
    )
  }
}

function requireEqual(expected: string | undefined, claimed: string): void {
  const right = Buffer.from(expected ?? '', 'latin1')
  const left = Buffer.from(claimed, 'latin1')
  const same = right.length > 0 && right.length === left.length && timingSafeEqual(right, left)
  if (!same) throw new SignatureError('s3', 'mismatch')
}

/**
 * A whole body in aws-chunked framing, for our own clients and tests. Chunks are signed where `chunkSignatures` is given.
 */
export function encodeAwsChunked(
  data: Uint8Array,
  options: {
    chunkSizeBytes: number
    chunkSignatures?: ChunkSignatures
    trailers?: ReadonlyArray<readonly [name: string, value: string]>
  },
): Buffer {
  const { chunkSizeBytes, chunkSignatures, trailers } = options
  const parts: Buffer[] = []
  for (let at = 0; ; at += chunkSizeBytes) {
    const part = data.subarray(at, at + chunkSizeBytes)
    const signature = chunkSignatures ? `;chunk-signature=${chunkSignatures.nextChunk(sha256Hex(part))}` : ''
    parts.push(Buffer.from(`${part.length.toString(16)}${signature}\r\n`), Buffer.from(part))
    if (part.length === 0) break
    parts.push(Buffer.from('\r\n'))
  }
  for (const [name, value] of trailers ?? []) parts.push(Buffer.from(`${name}:${value}\r\n`))
  if (trailers && chunkSignatures) {
    const text = trailers.map(([name, value]) => `${name}:${value}\n`).join('')
    parts.push(Buffer.from(`x-amz-trailer-signature:${chunkSignatures.trailer(sha256Hex(text))}\r\n`))
  }
  parts.push(Buffer.from('\r\n'))
  return Buffer.concat(parts)
}
