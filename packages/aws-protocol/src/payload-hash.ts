/** Checks a streamed body against the SHA-256 that its signature promised. */
import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'
import { SignatureError } from './signature-errors.ts'

/**
 * Passes bytes on unchanged and fails at the end with S3's XAmzContentSHA256Mismatch when they are not the signed ones:
 * treat nothing as received before the stream has ended.
 */
export function createPayloadHashCheck(sha256: string): Transform {
  const hash = createHash('sha256')
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
    flush(done) {
      done(hash.digest('hex') === sha256.toLowerCase() ? null : new SignatureError('s3', 'payloadMismatch'))
    },
  })
}
