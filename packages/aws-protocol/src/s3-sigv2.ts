/**
 * The older signature of S3, by header (`AWS key:signature`) and in the query (`AWSAccessKeyId`, `Expires`, `Signature`).
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
 *
 * Weaker than Version 4: neither the body nor most of the query is covered, so doors offer it only where an
 * administrator asked for it. Pure: the clock and the look-up of secrets are arguments.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { decodeFormComponent } from './form.ts'
import { headerText, type HeaderValues } from './sigv4-canonical.ts'
import { allowedSkewMs, type VerifyOptions } from './sigv4-verify.ts'
import { SignatureError } from './signature-errors.ts'

export interface S3SigV2Request {
  readonly method: string
  readonly rawPath: string
  /** without the question mark */
  readonly rawQuery: string
  /** names in lower case */
  readonly headers: HeaderValues
  /** Where the host names a bucket: it belongs in front of the path that is signed. */
  readonly bucketOfHost?: string | undefined
  /** Paths before the bucket's, which some clients leave out of what they sign. */
  readonly pathPrefixes?: readonly string[]
}

/** Parameters of the query that are signed; all others are not. */
const signedParameters: ReadonlySet<string> = new Set([
  'accelerate',
  'acl',
  'analytics',
  'cors',
  'defaultObjectAcl',
  'delete',
  'encryption',
  'inventory',
  'legal-hold',
  'lifecycle',
  'location',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'partNumber',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'replication',
  'requestPayment',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'restore',
  'retention',
  'select',
  'select-type',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
])

const inHeader = /^AWS ([\w+=.@-]{1,128}):([A-Za-z0-9+/]{27}=)$/

interface Claim {
  readonly accessKeyId: string
  readonly signature: Buffer
  /** The line of the date: the header's, or when the address expires. */
  readonly dateLine: string
  readonly presigned: boolean
}

/** Whether the request means to be signed so. Throws `ambiguous` where it is signed in another way too. */
export function claimsS3SigV2({ rawQuery, headers }: Pick<S3SigV2Request, 'rawQuery' | 'headers'>): boolean {
  const authorization = headerText(headers, 'authorization')
  const byHeader = authorization?.startsWith('AWS ') ?? false
  const byQuery = /(?:^|&)(?:AWSAccessKeyId|Signature)=/.test(rawQuery)
  const byNewer = /(?:^|&)X-Amz-(?:Algorithm|Signature|Credential)=/.test(rawQuery)
  if (!byHeader && !byQuery) return false
  if ((byHeader && byQuery) || byNewer || (byQuery && authorization !== undefined))
    throw new SignatureError('s3', 'ambiguous')
  return true
}

/** Resolves to the id of the key that signed. Rejects with SignatureError, or what `secretOf` throws. */
export async function verifyS3SigV2(
  request: S3SigV2Request,
  options: Pick<VerifyOptions, 'secretOf' | 'now'>,
): Promise<{ accessKeyId: string; presigned: boolean }> {
  refuseTwice(request.rawQuery)
  const claim = claimOf(request, options.now)
  const secret = await options.secretOf(
    claim.accessKeyId,
    headerText(request.headers, 'x-amz-security-token'),
  )
  if (secret === undefined) throw new SignatureError('s3', 'unknownKey')
  const fits = pathsOf(request).map((path) => {
    const text = textToSign(request, claim.dateLine, path)
    const expected = createHmac('sha1', secret).update(text).digest()
    return expected.length === claim.signature.length && timingSafeEqual(expected, claim.signature)
  })
  if (!fits.includes(true)) throw new SignatureError('s3', 'mismatch')
  return { accessKeyId: claim.accessKeyId, presigned: claim.presigned }
}

/** A header that stands twice in the query could be signed as the one and taken as the other. */
function refuseTwice(rawQuery: string): void {
  const seen = new Set<string>()
  for (const [name] of parameters(rawQuery)) {
    const lower = name.toLowerCase()
    if (!lower.startsWith('x-amz-')) continue
    if (seen.has(lower))
      throw new SignatureError('s3', 'malformedQuery', `${lower.slice(0, 60)} is given twice.`)
    seen.add(lower)
  }
}

function claimOf({ headers, rawQuery }: S3SigV2Request, now: Date): Claim {
  const authorization = headerText(headers, 'authorization')
  if (authorization !== undefined) {
    const [, accessKeyId, signature] = inHeader.exec(authorization) ?? []
    if (accessKeyId === undefined || signature === undefined)
      throw new SignatureError('s3', 'malformedHeader', 'It must be AWS, a key, a colon and a signature.')
    checkDate(headers, now)
    const dateLine = headers['x-amz-date'] === undefined ? (headerText(headers, 'date') ?? '') : ''
    return { accessKeyId, signature: Buffer.from(signature, 'base64'), dateLine, presigned: false }
  }
  const fields = new Map<string, string>()
  for (const [name, value] of parameters(rawQuery)) {
    if (fields.has(name)) throw new SignatureError('s3', 'malformedQuery', 'A parameter is given twice.')
    fields.set(name, value)
  }
  const accessKeyId = fields.get('AWSAccessKeyId')
  const expires = fields.get('Expires')
  const signature = fields.get('Signature')
  if (!accessKeyId || !signature || expires === undefined || !/^\d{1,12}$/.test(expires))
    throw new SignatureError('s3', 'malformedQuery', 'AWSAccessKeyId, Expires and Signature must be there.')
  if (Number(expires) * 1000 < now.getTime()) throw new SignatureError('s3', 'expired')
  return { accessKeyId, signature: Buffer.from(signature, 'base64'), dateLine: expires, presigned: true }
}

function checkDate(headers: HeaderValues, now: Date): void {
  const text = headerText(headers, 'x-amz-date') ?? headerText(headers, 'date')
  const at = text === undefined ? Number.NaN : Date.parse(text)
  if (Number.isNaN(at))
    throw new SignatureError('s3', 'missing', 'A valid Date or x-amz-date header is needed.')
  if (Math.abs(at - now.getTime()) > allowedSkewMs) throw new SignatureError('s3', 'skewed')
}

/** As names and values decoded; a value is empty where there is no equals sign. */
type Parameter = readonly [name: string, value: string, hasValue: boolean]

function parameters(rawQuery: string): Parameter[] {
  return rawQuery
    .split('&')
    .filter((part) => part !== '')
    .map((part): Parameter => {
      const at = part.indexOf('=')
      const name = decodeFormComponent(at < 0 ? part : part.slice(0, at))
      return [name, at < 0 ? '' : decodeFormComponent(part.slice(at + 1)), at >= 0]
    })
}

function pathsOf({ rawPath, bucketOfHost, pathPrefixes = [] }: S3SigV2Request): string[] {
  if (bucketOfHost !== undefined) return [`/${bucketOfHost}${rawPath}`]
  const prefix = pathPrefixes.find((one) => rawPath === one || rawPath.startsWith(`${one}/`))
  return prefix === undefined ? [rawPath] : [rawPath, rawPath.slice(prefix.length) || '/']
}

function textToSign(request: S3SigV2Request, dateLine: string, path: string): string {
  const { headers, method, rawQuery } = request
  const query = parameters(rawQuery)
  // In an address, what would be a header stands in the query, and is signed as the header that it is.
  const inQuery = query
    .filter(([name]) => /^x-amz-/i.test(name))
    .map(([name, value]) => [name.toLowerCase(), value])
  const inHeaders = Object.keys(headers)
    .filter((name) => name.startsWith('x-amz-'))
    .map((name) => [name, headerText(headers, name) ?? ''])
  const amz = [...new Map([...inQuery, ...inHeaders] as [string, string][])]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value.trim()}\n`)
  const signed = query
    .filter(([name]) => signedParameters.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value, hasValue]) => (hasValue && value !== '' ? `${name}=${value}` : name))
  const resource = signed.length > 0 ? `${path}?${signed.join('&')}` : path
  return [
    method,
    headerText(headers, 'content-md5') ?? '',
    headerText(headers, 'content-type') ?? '',
    dateLine,
    `${amz.join('')}${resource}`,
  ].join('\n')
}

/** Signs as an old client does; for tests and for our own POST forms. */
export function signS3SigV2(
  request: Omit<S3SigV2Request, 'pathPrefixes'>,
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
): string {
  const [path = ''] = pathsOf(request)
  const dateLine =
    request.headers['x-amz-date'] === undefined ? (headerText(request.headers, 'date') ?? '') : ''
  const text = textToSign(request, dateLine, path)
  const signature = createHmac('sha1', credentials.secretAccessKey).update(text).digest('base64')
  return `AWS ${credentials.accessKeyId}:${signature}`
}
