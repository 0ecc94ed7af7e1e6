/**
 * The chain of signatures over an aws-chunked body: each chunk's signature covers the one before it, the first that
 * of the request itself. Keeps the signing key private, so that this object can be passed about and logged.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
import type { SignatureScope } from './sigv4-canonical.ts'
import { emptySha256, hmacSha256, scopeText } from './sigv4-canonical.ts'

export class ChunkSignatures {
  readonly #signingKey: Buffer
  readonly #prefix: string
  #previous: string

  constructor(options: {
    signingKey: Buffer
    scope: SignatureScope
    amzDate: string
    /** the signature of the request's own headers */
    seedSignature: string
  }) {
    this.#signingKey = options.signingKey
    this.#prefix = `${options.amzDate}\n${scopeText(options.scope)}\n`
    this.#previous = options.seedSignature
  }

  /** The signature of the next chunk; advances the chain. */
  nextChunk(chunkSha256: string): string {
    const text = `AWS4-HMAC-SHA256-PAYLOAD\n${this.#prefix}${this.#previous}\n${emptySha256}\n${chunkSha256}`
    this.#previous = hmacSha256(this.#signingKey, text).toString('hex')
    return this.#previous
  }

  /** The signature over the trailing headers (`name:value\n` each). */
  trailer(trailerSha256: string): string {
    const text = `AWS4-HMAC-SHA256-TRAILER\n${this.#prefix}${this.#previous}\n${trailerSha256}`
    this.#previous = hmacSha256(this.#signingKey, text).toString('hex')
    return this.#previous
  }
}
