/**
 * Signature Version 4 by hand, for requests that no decent client would send: headers left out of what is signed, a
 * scope that names another service, signatures in two places. It shares no code with the verifier that it is tried on.
 */
import { createHash, createHmac } from 'node:crypto'
import type { Credentials } from '../cloud-under-test.ts'

export interface Signing {
  readonly credentials: Credentials
  readonly service: string
  readonly now: Date
  /** The form, as `a=1&b=2`: the body of a POST, or the query of a GET. */
  readonly form: string
  /** More headers, signed. */
  readonly headers?: Readonly<Record<string, string>>
  /** Headers that are sent and not signed. */
  readonly unsigned?: readonly string[]
  /** The service that is signed for; what the scope says is `service`. */
  readonly signedService?: string
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly payload?: string
}

const algorithm = 'AWS4-HMAC-SHA256'
const host = '127.0.0.1:8773'
const formType = 'application/x-www-form-urlencoded; charset=utf-8'

/** A POST with its form in the body, signed in the Authorization header. */
export function signedInHeader(signing: Signing): HttpRequest {
  const date = amzDate(signing.now)
  const headers = { host, 'content-type': formType, 'x-amz-date': date, ...signing.headers }
  const names = namesOf(headers, signing)
  const signature = signatureOf(signing, { method: 'POST', query: '', headers, names, body: signing.form })
  const authorization = `${algorithm} Credential=${credentialOf(signing)}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { method: 'POST', url: '/', headers: { ...headers, authorization }, payload: signing.form }
}

/** A GET with its form in the query, signed there. */
export function signedInQuery(signing: Signing & { expiresSeconds?: number }): HttpRequest {
  const headers = { host, ...signing.headers }
  const names = namesOf(headers, signing)
  const own = [
    `X-Amz-Algorithm=${algorithm}`,
    `X-Amz-Credential=${encodeURIComponent(credentialOf(signing))}`,
    `X-Amz-Date=${amzDate(signing.now)}`,
    `X-Amz-Expires=${signing.expiresSeconds ?? 300}`,
    `X-Amz-SignedHeaders=${encodeURIComponent(names.join(';'))}`,
  ]
  const query = [signing.form, ...own].join('&')
  const sorted = query.split('&').toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const signature = signatureOf(signing, {
    method: 'GET',
    query: sorted.join('&'),
    headers,
    names,
    body: '',
  })
  return { method: 'GET', url: `/?${query}&X-Amz-Signature=${signature}`, headers }
}

/** `{ a: 1 }` as a form, in the one encoding that needs no second look when it is signed. */
export function formOf(parameters: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${strictly(name)}=${strictly(String(value))}`)
    .join('&')
}

function strictly(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

const nameOf = (pair: string) => pair.slice(0, pair.indexOf('='))

function namesOf(headers: Readonly<Record<string, string>>, { unsigned = [] }: Signing): string[] {
  return Object.keys(headers)
    .filter((name) => !unsigned.includes(name))
    .toSorted()
}

function amzDate(date: Date): string {
  return `${date.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

function scopeOf({ now }: Signing, service: string): string {
  return `${amzDate(now).slice(0, 8)}/us-east-1/${service}/aws4_request`
}

function credentialOf(signing: Signing): string {
  return `${signing.credentials.accessKeyId}/${scopeOf(signing, signing.service)}`
}

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function signatureOf(
  signing: Signing,
  parts: {
    method: string
    query: string
    headers: Readonly<Record<string, string>>
    names: readonly string[]
    body: string
  },
): string {
  const service = signing.signedService ?? signing.service
  const date = amzDate(signing.now)
  const lines = parts.names.map((name) => `${name}:${parts.headers[name]}\n`).join('')
  const canonical = `${parts.method}\n/\n${parts.query}\n${lines}\n${parts.names.join(';')}\n${sha256(parts.body)}`
  const text = `${algorithm}\n${date}\n${scopeOf(signing, service)}\n${sha256(canonical)}`
  const dayKey = hmac(`AWS4${signing.credentials.secretAccessKey}`, date.slice(0, 8))
  const key = hmac(hmac(hmac(dayKey, 'us-east-1'), service), 'aws4_request')
  return hmac(key, text).toString('hex')
}
