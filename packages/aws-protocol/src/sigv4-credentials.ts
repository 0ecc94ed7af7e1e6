/** Reads who signed, what and when, from the Authorization header or from X-Amz-… in the query. Checks form only. */
import { parseForm } from './form.ts'
import type { HeaderValues, SignatureScope } from './sigv4-canonical.ts'
import { algorithm, headerText } from './sigv4-canonical.ts'
import type { SignatureDialect } from './signature-errors.ts'
import { SignatureError } from './signature-errors.ts'

export interface ClaimedSignature {
  kind: 'header' | 'presigned'
  accessKeyId: string
  scope: SignatureScope
  /** lower case, in the order given */
  signedHeaders: readonly string[]
  /** 64 hex digits */
  signature: string
  /** YYYYMMDDTHHMMSSZ */
  amzDate: string
  signedAt: Date
  /** presigned requests, where given */
  expiresSeconds: number | undefined
  sessionToken: string | undefined
  /** X-Amz-Content-Sha256 in the query */
  queryPayloadHash: string | undefined
}

interface Source {
  rawQuery: string
  headers: HeaderValues
}

/** What kind of Signature Version 4 a request carries, if any. Nothing is checked. */
export function signatureKind(request: Source): 'header' | 'presigned' | 'both' | undefined {
  const inHeader = headerText(request.headers, 'authorization')?.startsWith(algorithm) ?? false
  const inQuery = /(?:^|&)X-Amz-(?:Algorithm|Signature|Credential)=/.test(request.rawQuery)
  if (inHeader && inQuery) return 'both'
  if (inHeader) return 'header'
  return inQuery ? 'presigned' : undefined
}

/** Version 2, in the query; its requests must not pass for unsigned ones. */
const olderSignature = /(?:^|&)(?:AWSAccessKeyId|SignatureVersion)=/

/** Throws SignatureError. */
export function claimedSignature(request: Source, dialect: SignatureDialect): ClaimedSignature {
  const kind = signatureKind(request)
  if (kind === undefined) {
    const foreign = request.headers['authorization'] !== undefined || olderSignature.test(request.rawQuery)
    throw new SignatureError(dialect, foreign ? 'unsupported' : 'missing')
  }
  if (kind === 'both') throw new SignatureError(dialect, 'ambiguous')
  return kind === 'header' ? fromHeader(request, dialect) : fromQuery(request, dialect)
}

function fromHeader({ headers }: Source, dialect: SignatureDialect): ClaimedSignature {
  const bad = (detail: string): SignatureError => new SignatureError(dialect, 'malformedHeader', detail)
  const fields = new Map<string, string>()
  const text = headerText(headers, 'authorization') ?? ''
  for (const part of text.slice(algorithm.length).split(',')) {
    const [, name = '', value = ''] = /^\s*([A-Za-z]+)=(\S*)\s*$/.exec(part) ?? []
    if (name === '' || fields.has(name)) throw bad('The Authorization header cannot be parsed.')
    fields.set(name, value)
  }
  const [amzDate, signedAt] = headerDate(headers, bad)
  return {
    kind: 'header',
    ...credential(fields.get('Credential'), bad),
    signedHeaders: headerList(fields.get('SignedHeaders'), bad),
    signature: signatureText(fields.get('Signature'), bad),
    amzDate,
    signedAt,
    expiresSeconds: undefined,
    sessionToken: headerText(headers, 'x-amz-security-token'),
    queryPayloadHash: undefined,
  }
}

function fromQuery({ rawQuery }: Source, dialect: SignatureDialect): ClaimedSignature {
  const bad = (detail: string): SignatureError => new SignatureError(dialect, 'malformedQuery', detail)
  const fields = new Map<string, string>()
  for (const [name, value] of parseForm(rawQuery)) {
    if (!name.startsWith('X-Amz-')) continue
    if (fields.has(name)) throw bad(`${name} is given more than once.`)
    fields.set(name, value)
  }
  if (fields.get('X-Amz-Algorithm') !== algorithm) throw bad(`X-Amz-Algorithm must be ${algorithm}.`)
  const amzDate = fields.get('X-Amz-Date') ?? ''
  const signedAt = parseAmzDate(amzDate)
  if (!signedAt) throw bad('X-Amz-Date must be in the ISO8601 format YYYYMMDDTHHMMSSZ.')
  return {
    kind: 'presigned',
    ...credential(fields.get('X-Amz-Credential'), bad),
    signedHeaders: headerList(fields.get('X-Amz-SignedHeaders'), bad),
    signature: signatureText(fields.get('X-Amz-Signature'), bad),
    amzDate,
    signedAt,
    expiresSeconds: expirySeconds(fields.get('X-Amz-Expires'), dialect, bad),
    sessionToken: fields.get('X-Amz-Security-Token'),
    queryPayloadHash: fields.get('X-Amz-Content-Sha256'),
  }
}

type Bad = (detail: string) => SignatureError

function credential(text: string | undefined, bad: Bad): { accessKeyId: string; scope: SignatureScope } {
  // The id is what is left of the last four parts; it has no slash in our clouds, but the scope is what must be right.
  const [, accessKeyId, date, region, service] =
    /^([\w+=.@-]{1,128})\/(\d{8})\/([\w.:-]{1,64})\/([\w.-]{1,64})\/aws4_request$/.exec(text ?? '') ?? []
  if (!accessKeyId || !date || !region || !service) {
    throw bad('The Credential must be of the form <access-key>/<date>/<region>/<service>/aws4_request.')
  }
  return { accessKeyId, scope: { date, region, service } }
}

function headerList(text: string | undefined, bad: Bad): string[] {
  const names = (text ?? '').split(';')
  const valid = names.length <= 200 && names.every((name) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
  if (!valid) throw bad('SignedHeaders must be lower-case names separated by semicolons.')
  if (new Set(names).size !== names.length) throw bad('SignedHeaders names a header twice.')
  return names
}

function signatureText(text: string | undefined, bad: Bad): string {
  if (text === undefined || !/^[0-9a-f]{64}$/.test(text)) throw bad('The Signature must be 64 hex digits.')
  return text
}

function headerDate(headers: HeaderValues, bad: Bad): [string, Date] {
  const amz = headerText(headers, 'x-amz-date')
  const plain = headerText(headers, 'date')
  const text = amz ?? plain ?? ''
  const exact = parseAmzDate(text)
  if (exact) return [text, exact]
  const date = amz === undefined ? httpDate(text) : undefined
  if (!date) throw bad('A valid X-Amz-Date or Date header is needed.')
  return [formatAmzDate(date), date]
}

function httpDate(text: string): Date | undefined {
  const milliseconds = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(milliseconds) ? undefined : new Date(milliseconds)
}

const sevenDaysSeconds = 604_800

function expirySeconds(text: string | undefined, dialect: SignatureDialect, bad: Bad): number | undefined {
  if (text === undefined && dialect !== 's3') return undefined
  if (text === undefined || !/^\d{1,7}$/.test(text)) throw bad('X-Amz-Expires should be a number')
  const seconds = Number(text)
  if (seconds > sevenDaysSeconds) throw bad('X-Amz-Expires must be less than a week (in seconds)')
  return seconds
}

/** Requests of one moment come together. */
let last = { text: '', atMs: 0 }

/** `20260131T235959Z`; undefined for anything else, days that do not exist included. */
export function parseAmzDate(text: string): Date | undefined {
  if (text === last.text) return new Date(last.atMs)
  const date = dateOf(text)
  if (date) last = { text, atMs: date.getTime() }
  return date
}

function dateOf(text: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (!parts) return undefined
  const [, year, month, day, hour, minute, second] = parts
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`)
  return !Number.isNaN(date.getTime()) && formatAmzDate(date) === text ? date : undefined
}

export function formatAmzDate(date: Date): string {
  const text = date.toISOString()
  const day = `${text.slice(0, 4)}${text.slice(5, 7)}${text.slice(8, 10)}`
  return `${day}T${text.slice(11, 13)}${text.slice(14, 16)}${text.slice(17, 19)}Z`
}
