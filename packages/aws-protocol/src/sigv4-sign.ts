/** Signs requests with Signature Version 4, for our own clients: in headers, or into the query ("presigned"). */
import { ChunkSignatures } from './chunk-signatures.ts'
import type { HeaderValues, SignatureScope } from './sigv4-canonical.ts'
import {
  algorithm,
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  headerText,
  hmacSha256,
  scopeText,
  sha256Hex,
  signingKeyOf,
  stringToSign,
  uriEncode,
} from './sigv4-canonical.ts'
import { formatAmzDate } from './sigv4-credentials.ts'

export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string | undefined
}

export interface RequestToSign {
  method: string
  /** encoded, as it will be sent */
  rawPath: string
  /** encoded, without the question mark */
  rawQuery?: string
  /** names in lower case; `host` must be there */
  headers: HeaderValues
  /** the body, or what x-amz-content-sha256 shall say (`UNSIGNED-PAYLOAD`, `STREAMING-…`) */
  body?: Uint8Array | string
  payloadHash?: string
}

export interface SignOptions {
  credentials: Credentials
  region: string
  service: string
  now: Date
}

/** Headers that proxies and clients change on the way. */
const neverSigned: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'expect',
  'transfer-encoding',
  'user-agent',
])

/**
 * The headers to add to the request: authorization, x-amz-date, x-amz-content-sha256 (S3 or where `payloadHash` is
 * given) and x-amz-security-token. All headers given are signed but those that change on the way.
 */
export function signRequest(request: RequestToSign, options: SignOptions): Record<string, string> {
  const { headers, seedSignature, scope } = signedParts(request, options)
  const { accessKeyId } = options.credentials
  const names = signedNames({ ...request.headers, ...headers }).join(';')
  const credential = `Credential=${accessKeyId}/${scopeText(scope)}`
  headers['authorization'] = `${algorithm} ${credential}, SignedHeaders=${names}, Signature=${seedSignature}`
  return headers
}

/** For aws-chunked bodies: the headers, and the chain that signs each chunk. `payloadHash` must be `STREAMING-…`. */
export function signStreamingRequest(
  request: RequestToSign,
  options: SignOptions,
): { headers: Record<string, string>; chunkSignatures: ChunkSignatures } {
  const headers = signRequest(request, options)
  const seedSignature = /Signature=([0-9a-f]{64})$/.exec(headers['authorization'] ?? '')?.[1] ?? ''
  const scope = scopeOf(options)
  const signingKey = signingKeyOf(options.credentials.secretAccessKey, scope)
  const amzDate = formatAmzDate(options.now)
  return { headers, chunkSignatures: new ChunkSignatures({ signingKey, scope, amzDate, seedSignature }) }
}

function scopeOf({ now, region, service }: SignOptions): SignatureScope {
  return { date: formatAmzDate(now).slice(0, 8), region, service }
}

function signedParts(request: RequestToSign, options: SignOptions) {
  const scope = scopeOf(options)
  const amzDate = formatAmzDate(options.now)
  const payloadHash = request.payloadHash ?? sha256Hex(request.body ?? '')
  const headers: Record<string, string> = { 'x-amz-date': amzDate }
  if (options.service === 's3' || request.payloadHash !== undefined) {
    headers['x-amz-content-sha256'] = payloadHash
  }
  const token = options.credentials.sessionToken
  if (token !== undefined) headers['x-amz-security-token'] = token
  const all: HeaderValues = { ...request.headers, ...headers }
  const seedSignature = signatureOf({
    request,
    options,
    headers: all,
    names: signedNames(all),
    query: canonicalQuery(request.rawQuery ?? ''),
    payloadHash,
  })
  return { headers, seedSignature, scope }
}

function signedNames(headers: HeaderValues): string[] {
  if (headers['host'] === undefined) throw new TypeError('the host header is needed to sign a request')
  return Object.keys(headers)
    .filter((name) => headers[name] !== undefined && !neverSigned.has(name))
    .toSorted()
}

function signatureOf(parts: {
  request: RequestToSign
  options: SignOptions
  headers: HeaderValues
  names: string[]
  query: string
  payloadHash: string
}): string {
  const { request, options, headers } = parts
  const scope = scopeOf(options)
  const canonical = canonicalRequest({
    method: request.method,
    path: canonicalPath(request.rawPath, options.service),
    query: parts.query,
    headers: parts.names.map((name) => [name, headerText(headers, name) ?? '']),
    payloadHash: parts.payloadHash,
  })
  const key = signingKeyOf(options.credentials.secretAccessKey, scope)
  return hmacSha256(key, stringToSign(formatAmzDate(options.now), scope, canonical)).toString('hex')
}

/**
 * The whole query string, signature included, of a request that anybody may send until it expires (at most seven
 * days, in seconds). Only the headers given are signed; whoever sends it must send those too.
 */
export function presignRequest(
  request: RequestToSign,
  options: SignOptions & { expiresSeconds: number },
): string {
  const { credentials } = options
  const names = signedNames(request.headers)
  const added: Array<[string, string]> = [
    ['X-Amz-Algorithm', algorithm],
    ['X-Amz-Credential', `${credentials.accessKeyId}/${scopeText(scopeOf(options))}`],
    ['X-Amz-Date', formatAmzDate(options.now)],
    ['X-Amz-Expires', String(options.expiresSeconds)],
    ['X-Amz-SignedHeaders', names.join(';')],
  ]
  if (credentials.sessionToken !== undefined) {
    added.push(['X-Amz-Security-Token', credentials.sessionToken])
  }
  const own = added.map(([name, value]) => `${name}=${uriEncode(value)}`).join('&')
  const query = [request.rawQuery ?? '', own].filter((part) => part !== '').join('&')
  const unsignedBody = options.service === 's3' ? 'UNSIGNED-PAYLOAD' : sha256Hex(request.body ?? '')
  const signature = signatureOf({
    request,
    options,
    headers: request.headers,
    names,
    query: canonicalQuery(query),
    payloadHash: request.payloadHash ?? unsignedBody,
  })
  return `${query}&X-Amz-Signature=${signature}`
}
