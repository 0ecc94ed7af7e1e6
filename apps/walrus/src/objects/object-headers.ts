import { s3Error } from '@mallee/s3-api'

/** Headers of an object that are given back as they were put. */
export interface ObjectHeaders {
  readonly ContentType?: string
  readonly ContentEncoding?: string
  readonly ContentLanguage?: string
  readonly ContentDisposition?: string
  readonly CacheControl?: string
  readonly Expires?: string
  /** Where the website sends who asks for this key. */
  readonly WebsiteRedirectLocation?: string
}

export const headerMembers = [
  'ContentType',
  'ContentEncoding',
  'ContentLanguage',
  'ContentDisposition',
  'CacheControl',
  'Expires',
  'WebsiteRedirectLocation',
] as const

/** S3's limit on names and values of the user's metadata together. */
const metadataBytes = 2048
const plainType = 'binary/octet-stream'

/** The two columns as they are stored. Throws MetadataTooLarge. */
export function storedHeaders(input: Readonly<Record<string, unknown>>): {
  headers: string
  metadata: string
} {
  const headers: Record<string, unknown> = { ContentType: plainType }
  for (const member of headerMembers) if (input[member] !== undefined) headers[member] = input[member]
  checkRedirect(input['WebsiteRedirectLocation'])
  const metadata = (input['Metadata'] ?? {}) as Record<string, string>
  const size = Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (size > metadataBytes) throw s3Error('MetadataTooLarge')
  return { headers: JSON.stringify(headers), metadata: JSON.stringify(metadata) }
}

/** A path of the website or an address, without characters that could end the header. */
function checkRedirect(location: unknown): void {
  if (location === undefined) return
  if (
    typeof location === 'string' &&
    /^(?:\/|https?:\/\/)[\x21-\x7e]*$/.test(location) &&
    location.length <= 2048
  )
    return
  throw s3Error('InvalidRedirectLocation')
}

export const headersOf = (row: { headers: string }): ObjectHeaders => JSON.parse(row.headers) as ObjectHeaders

export const metadataOf = (row: { metadata: string }): Record<string, string> =>
  JSON.parse(row.metadata) as Record<string, string>
