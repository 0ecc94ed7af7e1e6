import { parseForm } from '@mallee/aws-protocol'
import type { Random } from '@mallee/base'
import type { WireRequest } from './check-request.ts'

/** One change that a signature must not survive: to what was signed, to who signed, or to when it arrives. */
export interface Mutation {
  readonly what: string
  readonly request: WireRequest
  readonly nowMs: number
}

/** Numbers from the seed: `below(n)` is 0 … n-1. */
export type Below = (limit: number) => number

export function belowFrom(random: Random): Below {
  return (limit) => {
    const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4)
    return (a + b * 256 + c * 65_536 + (d & 127) * 16_777_216) % limit
  }
}

type Mutate = (request: WireRequest, nowMs: number, below: Below) => Mutation | undefined

/** A change of this kind, or of the next kind where the request has nothing of it. */
export function mutate(request: WireRequest, nowMs: number, below: Below): Mutation {
  const first = below(mutations.length)
  for (let turn = 0; turn < mutations.length; turn += 1) {
    const found = mutations[(first + turn) % mutations.length]!(request, nowMs, below)
    if (found) return found
  }
  throw new Error('every request has a signature to change')
}

const mutations: readonly Mutate[] = [
  signatureBit,
  bodyBit,
  pathChanged,
  queryBit,
  queryAdded,
  signedHeaderBit,
  dateShifted,
  tooLate,
  tooEarly,
  scopeChanged,
  keyChanged,
  headerNoLongerSigned,
  methodSwapped,
]

function signatureBit(request: WireRequest, nowMs: number, below: Below): Mutation {
  const at = below(64)
  const bit = 1 << below(4)
  const flip = (signature: string) =>
    signature.slice(0, at) +
    (Number.parseInt(signature[at]!, 16) ^ bit).toString(16) +
    signature.slice(at + 1)
  return { what: 'a bit of the signature', request: inSignature(request, flip), nowMs }
}

function inSignature(request: WireRequest, change: (signature: string) => string): WireRequest {
  return inCredentials(request, /(Signature=)([0-9a-f]{64})/, change)
}

/** Changes the second group of the pattern in the Authorization header, or in the query where there is none. */
function inCredentials(request: WireRequest, pattern: RegExp, change: (text: string) => string): WireRequest {
  const put = (_whole: string, before: string, text: string) => `${before}${change(text)}`
  const { authorization } = request.headers
  if (authorization === undefined)
    return { ...request, rawQuery: request.rawQuery.replace(new RegExp(`(?<=X-Amz-)${pattern.source}`), put) }
  return { ...request, headers: { ...request.headers, authorization: authorization.replace(pattern, put) } }
}

function bodyBit(request: WireRequest, nowMs: number, below: Below): Mutation | undefined {
  if (request.body.length === 0) return undefined
  const body = Buffer.from(request.body)
  const at = below(body.length)
  body[at]! ^= 1 << below(8)
  return { what: 'a bit of the body', request: { ...request, body }, nowMs }
}

/** A letter's bit, so that what is normalised away (slashes, dots) stays what it was. */
function letterBit(text: string, below: Below): string | undefined {
  const places = [...text.matchAll(/[A-Za-z]/g)].map((match) => match.index)
  if (places.length === 0) return undefined
  const at = places[below(places.length)]!
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << below(7))) + text.slice(at + 1)
}

function pathChanged(request: WireRequest, nowMs: number, below: Below): Mutation {
  // What a later `..` takes away again may be anything.
  const kept = request.rawPath.lastIndexOf('/../') + 1
  const changed = letterBit(request.rawPath.slice(kept), below) ?? `${request.rawPath.slice(kept)}x`
  const rawPath = request.rawPath.slice(0, kept) + changed
  return { what: 'a bit of the path', request: { ...request, rawPath }, nowMs }
}

/** Of a name or value as decoded: in how many ways a character is written does not matter to a signature. */
function queryBit(request: WireRequest, nowMs: number, below: Below): Mutation | undefined {
  const parts = request.rawQuery.split('&')
  const at = below(parts.length)
  const [name = '', value = ''] = parseForm(parts[at]!)[0] ?? []
  const changed = Buffer.from(value === '' ? name : value)
  if (changed.length === 0) return undefined
  changed[below(changed.length)]! ^= 1 << below(8)
  const escaped = [...changed].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  parts[at] = value === '' ? `${escaped}=` : `${encodeURIComponent(name)}=${escaped}`
  return { what: 'a bit of the query', request: { ...request, rawQuery: parts.join('&') }, nowMs }
}

function queryAdded(request: WireRequest, nowMs: number, below: Below): Mutation {
  const added = `Extra${below(100)}=1`
  const parts = [request.rawQuery, added].filter((part) => part !== '')
  if (below(2) === 0) parts.reverse()
  return { what: 'a parameter added', request: { ...request, rawQuery: parts.join('&') }, nowMs }
}

function signedNames(request: WireRequest): string[] {
  const text = request.headers['authorization'] ?? decodeURIComponent(request.rawQuery)
  return /SignedHeaders=([^,&\s]+)/.exec(text)![1]!.split(';')
}

function signedHeaderBit(request: WireRequest, nowMs: number, below: Below): Mutation {
  const names = signedNames(request)
  const name = names[below(names.length)]!
  const value = request.headers[name] ?? ''
  const changed = letterBit(value, below) ?? `${value}1`
  return {
    what: `a bit of ${name}`,
    request: { ...request, headers: { ...request.headers, [name]: changed } },
    nowMs,
  }
}

function dateShifted(request: WireRequest, nowMs: number): Mutation | undefined {
  const later = (text: string) =>
    text.replace(/(\d)(\d)Z$/, (_all, ten, one) => `${ten}${(Number(one) + 1) % 10}Z`)
  const date = request.headers['x-amz-date']
  const what = 'the date'
  if (date !== undefined && request.headers['authorization'] !== undefined)
    return {
      what,
      request: { ...request, headers: { ...request.headers, 'x-amz-date': later(date) } },
      nowMs,
    }
  const rawQuery = request.rawQuery.replace(/(?<=X-Amz-Date=)[^&]+/, later)
  return rawQuery === request.rawQuery ? undefined : { what, request: { ...request, rawQuery }, nowMs }
}

const secondMs = 1000
const weekMs = 604_800 * secondMs

function tooLate(request: WireRequest, nowMs: number, below: Below): Mutation {
  return { what: 'arrives too late', request, nowMs: nowMs + weekMs + (1801 + below(100_000)) * secondMs }
}

function tooEarly(request: WireRequest, nowMs: number, below: Below): Mutation {
  return { what: 'arrives too early', request, nowMs: nowMs - weekMs - (1801 + below(100_000)) * secondMs }
}

function scopeChanged(request: WireRequest, nowMs: number, below: Below): Mutation {
  const place = below(3)
  const change = (scope: string) => {
    const separator = scope.includes('%2F') ? '%2F' : '/'
    const parts = scope.split(separator)
    parts[place] = parts[place]!.replace(/.$/, (last) => (last === '1' ? '2' : '1'))
    return parts.join(separator)
  }
  const pattern = /(Credential=AKIA\d+(?:\/|%2F))([^,&\s]+)/
  return { what: 'the scope', request: inCredentials(request, pattern, change), nowMs }
}

function keyChanged(request: WireRequest, nowMs: number): Mutation {
  const change = (digit: string) => String((Number(digit) + 1) % 10)
  return { what: 'the key id', request: inCredentials(request, /(Credential=AKIA\d{15})(\d)/, change), nowMs }
}

function headerNoLongerSigned(request: WireRequest, nowMs: number, below: Below): Mutation {
  const change = (list: string) => {
    const separator = list.includes('%3B') ? '%3B' : ';'
    const names = list.split(separator)
    names.splice(below(names.length), 1)
    return names.join(separator)
  }
  return {
    what: 'a header no longer signed',
    request: inCredentials(request, /(SignedHeaders=)([^,&\s]+)/, change),
    nowMs,
  }
}

function methodSwapped(request: WireRequest, nowMs: number): Mutation {
  return {
    what: 'the method',
    request: { ...request, method: request.method === 'GET' ? 'POST' : 'GET' },
    nowMs,
  }
}
