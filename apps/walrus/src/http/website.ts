/** Answers a bucket as a website: documents, pages for errors, redirections; for everybody, and only what everybody may read. */
import { AwsError, escapeXml } from '@mallee/aws-protocol'
import { s3Error } from '@mallee/s3-api'
import type { Gate } from '../access/gate.ts'
import { describe, openVersion } from '../actions/get-object.ts'
import type { BucketContext, S3Answer } from '../actions/s3-context.ts'
import { keyForReading } from '../encryption/sse-request.ts'
import { findObject } from '../index/object-rows.ts'
import { headersOf } from '../objects/object-headers.ts'
import { streamObject } from '../objects/open-object.ts'
import { encoded, redirectionOf } from '../website/website-configuration.ts'
import type { RequestOrigin } from '@mallee/service-kit'
import type { RawRequest } from './raw-request.ts'

export interface SiteAnswer extends S3Answer {
  readonly text?: string
}

export async function serveWebsite(
  context: BucketContext,
  gate: Gate,
  raw: RawRequest,
  request: { key: string; origin: RequestOrigin },
): Promise<SiteAnswer> {
  const { bucket } = context
  const site = bucket.set.website
  if (!site) throw s3Error('NoSuchWebsiteConfiguration', { details: { BucketName: bucket.name } })
  if (raw.method !== 'GET' && raw.method !== 'HEAD') throw s3Error('MethodNotAllowed')
  const asked = { key: request.key, host: raw.headers.host ?? '', secure: request.origin.secure }
  const early = redirectionOf(site, asked)
  if (early) return redirected(early)
  const index = site.IndexDocument?.Suffix ?? 'index.html'
  const key = request.key === '' || request.key.endsWith('/') ? `${request.key}${index}` : request.key
  try {
    return await document(context, gate, raw, key)
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    if (await isFolder(context, gate, error, key, index))
      return redirected({ status: 302, location: `/${encoded(key).replace(/^\/+/, '')}/` })
    const late = redirectionOf(site, { ...asked, status: error.status })
    if (late) return redirected(late)
    return errorPage(context, gate, raw, error)
  }
}

const redirected = ({ status, location }: { status: number; location: string }): SiteAnswer => ({
  output: {},
  status,
  headers: { location },
})

async function document(
  context: BucketContext,
  gate: Gate,
  raw: RawRequest,
  key: string,
): Promise<SiteAnswer> {
  const { bucket } = context
  if (!(await gate.allows({ action: 's3:GetObject', bucket, key }))) throw s3Error('AccessDenied')
  const object = await openVersion(context, key, undefined)
  let streaming = false
  try {
    const to = headersOf(object.row).WebsiteRedirectLocation
    if (to !== undefined) return redirected({ status: 301, location: to })
    keyForReading(object.row.sse, {})
    const { range, ifNoneMatch, ifModified } = conditions(raw)
    const answer = describe(
      object,
      {
        Bucket: bucket.name,
        Key: key,
        ...(range === undefined ? {} : { Range: range }),
        ...(ifNoneMatch === undefined ? {} : { IfNoneMatch: ifNoneMatch }),
        ...(ifModified === undefined ? {} : { IfModifiedSince: ifModified }),
      },
      bucket,
    )
    if (raw.method === 'HEAD' || answer.status === 304) return answer
    const stream = await streamObject(object, answer.range, context.log)
    streaming = true
    return { ...answer, stream }
  } finally {
    if (!streaming) object.release()
  }
}

function conditions({ headers }: RawRequest) {
  const since = Date.parse(headers['if-modified-since'] ?? '')
  return {
    range: headers.range,
    ifNoneMatch: headers['if-none-match'],
    ifModified: Number.isNaN(since) ? undefined : new Date(since),
  }
}

/** A path without its slash, where there is an index document behind it. */
async function isFolder(
  { index: rows, bucket }: BucketContext,
  gate: Gate,
  error: AwsError,
  key: string,
  index: string,
): Promise<boolean> {
  if (error.status !== 404 && error.status !== 403) return false
  const under = `${key}/${index}`
  const present = await rows.read((db) => findObject(db, bucket.name, under))
  return present !== null && (await gate.allows({ action: 's3:GetObject', bucket, key: under }))
}

async function errorPage(
  context: BucketContext,
  gate: Gate,
  raw: RawRequest,
  error: AwsError,
): Promise<SiteAnswer> {
  const page = context.bucket.set.website?.ErrorDocument?.Key
  if (page !== undefined && error.status < 500) {
    try {
      const answer = await document(context, gate, { ...raw, headers: {} }, page)
      return answer.status === undefined ? { ...answer, status: error.status } : answer
    } catch (second) {
      if (!(second instanceof AwsError)) throw second
    }
  }
  const text =
    `<html>\n<head><title>${error.status} ${escapeXml(error.code)}</title></head>\n<body>\n` +
    `<h1>${error.status} ${escapeXml(error.code)}</h1>\n<ul>\n<li>Code: ${escapeXml(error.code)}</li>\n` +
    `<li>Message: ${escapeXml(error.message)}</li>\n</ul>\n</body>\n</html>\n`
  return {
    output: {},
    status: error.status,
    headers: { 'content-type': 'text/html; charset=utf-8', 'x-amz-error-code': error.code },
    text,
  }
}
