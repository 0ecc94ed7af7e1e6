/**
 * The string that AWS Signature Version 2 signs, for the query services (S3's Version 2 is another one).
 * https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/HMACAuth.html
 *
 * All parameters of the request, wherever they travelled, sorted by the bytes of their names: unlike Version 4 nothing
 * of the headers is covered but the host.
 */
import { createHmac } from 'node:crypto'
import { uriEncode } from './sigv4-canonical.ts'

export type SigV2Method = 'HmacSHA256' | 'HmacSHA1'

export interface SigV2Parts {
  /** `GET`, `POST` */
  readonly method: string
  /** as it is to be signed: with a port or without */
  readonly host: string
  /** the path as on the request line, not decoded */
  readonly rawPath: string
  /** decoded names and values, without the signature itself */
  readonly parameters: ReadonlyArray<readonly [name: string, value: string]>
}

export function sigV2Text({ method, host, rawPath, parameters }: SigV2Parts): string {
  const sorted = parameters
    .map(([name, value]) => [Buffer.from(name), `${uriEncode(name)}=${uriEncode(value)}`] as const)
    .toSorted(([a], [b]) => Buffer.compare(a, b))
    .map(([, text]) => text)
  return `${method}\n${host.toLowerCase()}\n${rawPath === '' ? '/' : rawPath}\n${sorted.join('&')}`
}

export function sigV2Digest(secretAccessKey: string, method: SigV2Method, text: string): Buffer {
  return createHmac(method === 'HmacSHA256' ? 'sha256' : 'sha1', secretAccessKey)
    .update(text)
    .digest()
}
