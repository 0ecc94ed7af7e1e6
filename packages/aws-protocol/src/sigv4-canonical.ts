/**
 * The canonical request and the keys of AWS Signature Version 4, shared by verifying and signing.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 *
 * Works on bytes, so that no input is too odd to have exactly one canonical form.
 */
import { hash } from 'node:crypto'

export const algorithm = 'AWS4-HMAC-SHA256'
export const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

export interface SignatureScope {
  /** YYYYMMDD */
  date: string
  region: string
  service: string
}

/** Header values as node:http has them, names in lower case. */
export type HeaderValues = Readonly<Record<string, string | readonly string[] | undefined>>

const hex = '0123456789ABCDEF'

function isUnreserved(byte: number): boolean {
  return (
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f ||
    byte === 0x7e
  )
}

function encodeBytes(bytes: Uint8Array, keepSlash: boolean): string {
  let out = ''
  for (const byte of bytes) {
    if (isUnreserved(byte) || (keepSlash && byte === 0x2f)) out += String.fromCharCode(byte)
    else out += `%${hex[byte >> 4]}${hex[byte & 15]}`
  }
  return out
}

/** RFC 3986 encoding as AWS wants it: only A-Z a-z 0-9 - . _ ~ stay. */
export function uriEncode(text: string, options: { keepSlash?: boolean } = {}): string {
  return encodeBytes(Buffer.from(text, 'utf8'), options.keepSlash ?? false)
}

function decodeBytes(text: string, plusIsSpace: boolean): Buffer {
  const source = Buffer.from(text, 'utf8')
  const out = Buffer.alloc(source.length)
  let length = 0
  for (let index = 0; index < source.length; index += 1) {
    const byte = source[index] ?? 0
    const escape = byte === 0x25 ? source.toString('latin1', index + 1, index + 3) : ''
    if (/^[0-9A-Fa-f]{2}$/.test(escape)) {
      out[length] = Number.parseInt(escape, 16)
      index += 2
    } else out[length] = plusIsSpace && byte === 0x2b ? 0x20 : byte
    length += 1
  }
  return out.subarray(0, length)
}

/** Text that already is in the one way: what needs no escape has none, and every other byte has one in capitals. */
const canonicalForm = /^(?:[\w.~-]|%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[BCDF]))*$/
const canonicalPathForm = /^[\w.~/-]*$/

/** The same component with every character encoded in AWS's one way. */
export function reencode(text: string, options: { plusIsSpace: boolean; keepSlash: boolean }): string {
  // Most clients send it so; the rest costs ten times as much.
  if ((options.keepSlash ? canonicalPathForm : canonicalForm).test(text)) return text
  return encodeBytes(decodeBytes(text, options.plusIsSpace), options.keepSlash)
}

/** S3 encodes the path once and never normalises it; every other service normalises and encodes a second time. */
export function canonicalPath(rawPath: string, service: string): string {
  const path = rawPath === '' ? '/' : rawPath
  if (service === 's3') return reencode(path, { plusIsSpace: false, keepSlash: true })
  return uriEncode(normalisedPath(path), { keepSlash: true })
}

function normalisedPath(path: string): string {
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') kept.pop()
    else kept.push(part)
  }
  const end = /\/\.{0,2}$/.test(path) && kept.length > 0 ? '/' : ''
  return `/${kept.join('/')}${end}`
}

/** Query string sorted by name, then value, both re-encoded. `without`: a parameter to leave out (the signature). */
export function canonicalQuery(rawQuery: string, without?: string): string {
  const options = { plusIsSpace: true, keepSlash: false }
  const pairs: Array<[string, string]> = []
  for (const part of rawQuery.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = reencode(equals < 0 ? part : part.slice(0, equals), options)
    if (name !== without) pairs.push([name, equals < 0 ? '' : reencode(part.slice(equals + 1), options)])
  }
  pairs.sort(([nameA, valueA], [nameB, valueB]) => compareText(nameA, nameB) || compareText(valueA, valueB))
  return pairs.map(([name, value]) => `${name}=${value}`).join('&')
}

/** By code unit: all text here is ASCII. */
function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** Trimmed, inner runs of blanks made one, several values joined by commas; undefined when absent. */
export function headerText(headers: HeaderValues, name: string): string | undefined {
  const value = headers[name]
  if (value === undefined) return undefined
  const values = typeof value === 'string' ? [value] : value
  return values.map((text) => text.trim().replaceAll(/[ \t]+/g, ' ')).join(',')
}

export function canonicalRequest(parts: {
  method: string
  path: string
  query: string
  headers: ReadonlyArray<readonly [name: string, value: string]>
  payloadHash: string
}): string {
  const names = parts.headers.map(([name]) => name).join(';')
  const lines = parts.headers.map(([name, value]) => `${name}:${value}\n`).join('')
  return `${parts.method}\n${parts.path}\n${parts.query}\n${lines}\n${names}\n${parts.payloadHash}`
}

export function scopeText(scope: SignatureScope): string {
  return `${scope.date}/${scope.region}/${scope.service}/aws4_request`
}

export function stringToSign(amzDate: string, scope: SignatureScope, canonical: string): string {
  return `${algorithm}\n${amzDate}\n${scopeText(scope)}\n${sha256Hex(canonical)}`
}

export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data)
}

const hmacBlockBytes = 64

/**
 * RFC 2104 by two hashes in one call each: node's createHmac makes a key object every time, which costs five times as much
 * as all the rest.
 */
export function hmacSha256(key: string | Uint8Array, data: string): Buffer {
  const { inner, outer } = padsOf(key)
  const length = Buffer.byteLength(data)
  const first = Buffer.allocUnsafe(hmacBlockBytes + length)
  inner.copy(first)
  first.write(data, hmacBlockBytes)
  const second = Buffer.allocUnsafe(hmacBlockBytes + sha256Bytes)
  outer.copy(second)
  hash('sha256', first, 'buffer').copy(second, hmacBlockBytes)
  return hash('sha256', second, 'buffer')
}

interface Pads {
  readonly inner: Buffer
  readonly outer: Buffer
}

const sha256Bytes = 32

/** Of signing keys, which are used again and again, and which nobody changes. */
const knownPads = new WeakMap<Uint8Array, Pads>()

function padsOf(key: string | Uint8Array): Pads {
  if (typeof key === 'string') return newPads(Buffer.from(key))
  let pads = knownPads.get(key)
  if (!pads) knownPads.set(key, (pads = newPads(key)))
  return pads
}

function newPads(key: Uint8Array): Pads {
  const short = key.length > hmacBlockBytes ? hash('sha256', key, 'buffer') : key
  return { inner: padded(short, 0x36), outer: padded(short, 0x5c) }
}

function padded(key: Uint8Array, pad: number): Buffer {
  const block = Buffer.alloc(hmacBlockBytes, pad)
  for (const [at, byte] of key.entries()) block[at] = byte ^ pad
  return block
}

export function signingKeyOf(secretAccessKey: string, scope: SignatureScope): Buffer {
  const date = hmacSha256(`AWS4${secretAccessKey}`, scope.date)
  return hmacSha256(hmacSha256(hmacSha256(date, scope.region), scope.service), 'aws4_request')
}

/**
 * Keeps derived signing keys: four HMACs saved on every request. A changed secret is noticed, since the cache
 * remembers the secret that each key came from. Oldest entries go first.
 */
export class SigningKeyCache {
  readonly #maxEntries: number
  readonly #keys = new Map<string, { secret: string; key: Buffer }>()

  constructor(options: { maxEntries?: number } = {}) {
    this.#maxEntries = options.maxEntries ?? 1000
  }

  keyFor(accessKeyId: string, secretAccessKey: string, scope: SignatureScope): Buffer {
    const name = `${accessKeyId}/${scopeText(scope)}`
    const known = this.#keys.get(name)
    if (known?.secret === secretAccessKey) return known.key
    const key = signingKeyOf(secretAccessKey, scope)
    this.#keys.delete(name)
    this.#keys.set(name, { secret: secretAccessKey, key })
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= this.#maxEntries) break
      this.#keys.delete(oldest)
    }
    return key
  }
}
