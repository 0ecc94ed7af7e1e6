/**
 * Server-side encryption as requests ask for it. https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
 * SSE-S3: walrus has the keys. SSE-C: the client gives the key with each request, and walrus forgets it.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { s3Error, s3NotImplemented, type S3 } from '@mallee/s3-api'
import type { Bucket } from '../index/bucket-settings.ts'

/** How a version is encrypted, as its row says. `check` tells the client's key from another, and nothing of the key. */
export type Encryption =
  | { readonly kind: 'S3' }
  | { readonly kind: 'C'; readonly salt: string; readonly check: string }

/** What a request asks for; `key` is the client's. */
export type EncryptionAsked = { readonly kind: 'S3' } | { readonly kind: 'C'; readonly key: Buffer } | null

export const sseMembers = [
  'ServerSideEncryption',
  'SSECustomerAlgorithm',
  'SSECustomerKey',
  'SSECustomerKeyMD5',
] as const
export const customerKeyMembers = ['SSECustomerAlgorithm', 'SSECustomerKey', 'SSECustomerKeyMD5'] as const

interface CustomerKeyInput {
  readonly SSECustomerAlgorithm?: string | undefined
  readonly SSECustomerKey?: string | undefined
  readonly SSECustomerKeyMD5?: string | undefined
}

interface SseInput extends CustomerKeyInput {
  readonly ServerSideEncryption?: S3.ServerSideEncryption | undefined
}

/** The client's key of 256 bits; null where it gives none. Throws InvalidArgument, InvalidRequest. */
export function customerKey(input: CustomerKeyInput): Buffer | null {
  const { SSECustomerAlgorithm: algorithm, SSECustomerKey: text, SSECustomerKeyMD5: md5 } = input
  if (algorithm === undefined && text === undefined && md5 === undefined) return null
  const refused = (message: string) => s3Error('InvalidArgument', { message })
  if (algorithm === undefined)
    throw refused(
      'Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.',
    )
  if (algorithm !== 'AES256') throw s3Error('InvalidEncryptionAlgorithmError')
  if (text === undefined)
    throw refused(
      'Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.',
    )
  const key = Buffer.from(text, 'base64')
  if (key.length !== 32) throw refused('The secret key was invalid for the specified algorithm.')
  if (md5 === undefined)
    throw refused(
      'Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated MD5 of the secret key.',
    )
  if (createHash('md5').update(key).digest('base64') !== md5)
    throw refused('The calculated MD5 hash of the key did not match the hash that was provided.')
  return key
}

/** What is to be done with the bytes, by the request or else the bucket's default. */
export function encryptionAsked(input: SseInput, bucket: Bucket): EncryptionAsked {
  const key = customerKey(input)
  const { ServerSideEncryption: asked } = input
  if (key) {
    if (asked !== undefined)
      throw s3Error('InvalidArgument', {
        message:
          'Server Side Encryption with Customer provided key is incompatible with the encryption method specified',
      })
    return { kind: 'C', key }
  }
  if (asked !== undefined && asked !== 'AES256') throw s3NotImplemented(`ServerSideEncryption ${asked}`)
  const byDefault = bucket.set.encryption?.Rules?.[0]?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm
  return asked === 'AES256' || byDefault === 'AES256' ? { kind: 'S3' } : null
}

/** As the version's row keeps it. */
export function storedEncryption(asked: EncryptionAsked): string | null {
  if (asked === null) return null
  const salt = randomBytes(16).toString('base64')
  const stored: Encryption =
    asked.kind === 'S3' ? { kind: 'S3' } : { kind: 'C', salt, check: checkOf(asked.key, salt) }
  return JSON.stringify(stored)
}

const checkOf = (key: Buffer, salt: string): string =>
  createHmac('sha256', key).update(`mallee-sse-c ${salt}`).digest('base64')

/**
 * The client's key for reading what is stored so; null where none is needed. Throws InvalidRequest where the key is
 * missing or too much, AccessDenied where it is another.
 */
export function keyForReading(sse: string | null, input: CustomerKeyInput): Buffer | null {
  const key = customerKey(input)
  const stored = sse === null ? null : (JSON.parse(sse) as Encryption)
  if (stored?.kind !== 'C') {
    if (key)
      throw s3Error('InvalidRequest', {
        message: 'The encryption parameters are not applicable to this object.',
      })
    return null
  }
  if (!key)
    throw s3Error('InvalidRequest', {
      message:
        'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
    })
  if (!timingSafeEqual(Buffer.from(checkOf(key, stored.salt)), Buffer.from(stored.check)))
    throw s3Error('AccessDenied')
  return key
}

/** The members of an answer that tell how something is encrypted. */
export function sseAnswer(sse: string | null, input: CustomerKeyInput) {
  if (sse === null) return {}
  const { kind } = JSON.parse(sse) as Encryption
  if (kind === 'S3') return { ServerSideEncryption: 'AES256' as const }
  return { SSECustomerAlgorithm: 'AES256', SSECustomerKeyMD5: input.SSECustomerKeyMD5 }
}
