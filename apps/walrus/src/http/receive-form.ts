/** A multipart/form-data body: its fields, and then the file, streamed. */
import { Busboy, type BusboyHeaders } from '@fastify/busboy'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { s3Error } from '@mallee/s3-api'
import type { BodyBytes } from './request-body.ts'

/** Form fields up to the file; S3 takes at most 20 KB of them. */
const limits = {
  fieldNameSize: 100,
  fieldSize: 20 * 1024,
  fields: 200,
  files: 1,
  parts: 202,
  headerPairs: 20,
}
const fieldsBytes = 20 * 1024
/** By its name alone, whatever else a client says of it. */
const isPartAFile = (name: string | undefined): boolean => name?.toLowerCase() === 'file'

export interface ReceivedForm {
  /** Names in lower case. */
  readonly fields: Map<string, string>
  readonly fileName: string
  readonly file: Readable
}

const malformed = (message?: string) =>
  s3Error('MalformedPOSTRequest', message === undefined ? {} : { message })

/** Resolves when the file begins; fields after it are ignored, as S3 does. Rejects with MalformedPOSTRequest and others. */
export function receiveForm(message: IncomingMessage): Promise<ReceivedForm> {
  return new Promise((resolve, reject) => {
    let parser: InstanceType<typeof Busboy>
    try {
      parser = new Busboy({ headers: message.headers as BusboyHeaders, limits, isPartAFile })
    } catch {
      return reject(malformed())
    }
    const fields = new Map<string, string>()
    let bytes = 0
    let found = false
    const fail = (error: Error) => {
      message.unpipe(parser)
      reject(error)
    }
    parser.on('field', (name, value, nameTruncated, valueTruncated) => {
      if (found) return
      const lower = name.toLowerCase()
      bytes += name.length + Buffer.byteLength(value)
      if (nameTruncated || valueTruncated || bytes > fieldsBytes)
        return fail(s3Error('MaxPostPreDataLengthExceededError'))
      if (fields.has(lower))
        return fail(
          s3Error('InvalidArgument', { message: `POST form has the field ${lower.slice(0, 50)} twice.` }),
        )
      fields.set(lower, value)
    })
    parser.on('file', (_name, file, fileName) => {
      if (found) {
        file.resume()
        return fail(malformed('POST requires exactly one file upload per request.'))
      }
      found = true
      resolve({ fields, fileName: fileName ?? '', file })
    })
    parser.on('error', () => fail(malformed()))
    parser.on('finish', () => {
      if (!found) fail(malformed('POST requires exactly one file upload per request.'))
    })
    message.once('close', () => {
      if (!message.complete) parser.destroy(new Error('the connection ended in the middle of the form'))
    })
    message.pipe(parser)
  })
}

/** The file as an object's bytes. Its length is not known before it has ended; `most` is what the request could hold. */
export function bytesOfFile(
  file: Readable,
  length: { least: number; most: number } | null,
  most: number,
): BodyBytes {
  return {
    lengthBytes: () => most,
    trailerNames: () => [],
    trailer: () => undefined,
    async *bytes() {
      let received = 0
      try {
        for await (const chunk of file) {
          received += (chunk as Buffer).length
          if (length && received > length.most) throw tooLarge(received, length.most)
          yield chunk as Buffer
        }
      } catch (error) {
        throw (error as { code?: string }).code === 'EntityTooLarge'
          ? error
          : s3Error('IncompleteBody', { cause: error })
      }
      if (length && received < length.least)
        throw s3Error('EntityTooSmall', {
          details: { ProposedSize: String(received), MinSizeAllowed: String(length.least) },
        })
    },
  }
}

const tooLarge = (size: number, most: number) =>
  s3Error('EntityTooLarge', { details: { ProposedSize: String(size), MaxSizeAllowed: String(most) } })
