import { parseXmlBody, s3Error, S3Decoder, type S3 } from '@mallee/s3-api'
import { escapeXml } from '@mallee/aws-protocol'
import { storeObject } from '../actions/put-object.ts'
import type { BucketContext, S3Answer } from '../actions/s3-context.ts'
import { sseAnswer } from '../encryption/sse-request.ts'
import { checksumMembers } from '../objects/checksums.ts'
import { versionAnswer } from '../objects/new-version.ts'
import type { FormFields } from './post-form.ts'
import type { ReceivedForm } from './receive-form.ts'

/** Fields that are headers of PutObject under another name. */
const renamed: Readonly<Record<string, string>> = { acl: 'x-amz-acl' }
const asHeaders =
  /^(?:x-amz-.+|cache-control|content-type|content-disposition|content-encoding|content-language|expires|content-md5|if-none-match)$/
const ofTheForm = /^x-amz-(?:algorithm|credential|date|signature|security-token)$/

/** What the form's fields say as headers would, and nothing that the request's own headers say. */
export function headersOfForm({ fields }: ReceivedForm): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of fields) {
    const header = renamed[name] ?? name
    // A header holds bytes: what is beyond them stands in it as its UTF-8, as a client would send it.
    if (asHeaders.test(header) && !ofTheForm.test(header))
      headers[header] = Buffer.from(value, 'utf8').toString('latin1')
  }
  const tagging = fields.get('tagging')
  if (tagging !== undefined) headers['x-amz-tagging'] = taggingHeader(tagging)
  return headers
}

/** The form as the input of PutObject. Throws what is wrong with it. */
export function inputOfForm(
  decoder: S3Decoder,
  bucket: string,
  form: ReceivedForm,
  headers: Readonly<Record<string, string>>,
): S3.PutObjectRequest {
  const { fields } = form
  const template = fields.get('key')
  if (template === undefined || template === '')
    throw s3Error(template === undefined ? 'InvalidArgument' : 'UserKeyMustBeSpecified', {
      message:
        "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
      details: { ArgumentName: 'key' },
    })
  const baseName = form.fileName.replace(/^.*[/\\]/s, '')
  const key = template.replaceAll('${filename}', () => baseName)
  if (Buffer.byteLength(key) > 1024) throw s3Error('KeyTooLongError')
  if (key.includes('\0')) throw s3Error('InvalidArgument', { details: { ArgumentName: 'key' } })
  return decoder.decode({
    operation: 'PutObject',
    address: { bucket, key },
    query: new Map(),
    headers,
  }) as unknown as S3.PutObjectRequest
}

/** In a form, tags are a document. Throws MalformedXML. */
function taggingHeader(document: string): string {
  const root = parseXmlBody(document)
  const set = root.children.find((child) => child.name === 'TagSet')
  if (root.name !== 'Tagging' || !set) throw s3Error('MalformedXML')
  const tags = new URLSearchParams()
  for (const tag of set.children) {
    const text = (name: string) => tag.children.find((child) => child.name === name)?.text
    const [name, value] = [text('Key'), text('Value')]
    if (name === undefined || value === undefined) throw s3Error('MalformedXML')
    tags.append(name, value)
  }
  return tags.toString()
}

/** Stores the file and answers as the form wishes. */
export async function postObject(
  context: BucketContext,
  input: S3.PutObjectRequest,
  fields: FormFields,
  url: string,
): Promise<S3Answer & { text?: string }> {
  const { row, bucket } = await storeObject(context, input, 'ObjectCreated:Post')
  const location = `${url}/${row.key.split('/').map(encodeURIComponent).join('/')}`
  const output = {
    ETag: `"${row.etag}"`,
    ...checksumMembers(row),
    ...sseAnswer(row.sse, input),
    ...versionAnswer(bucket, row.version_id),
  }
  const redirect = fields.get('success_action_redirect') ?? fields.get('redirect')
  if (redirect !== undefined && /^https?:\/\/[\x21-\x7e]+$/.test(redirect)) {
    const to = new URL(redirect)
    to.searchParams.set('bucket', bucket.name)
    to.searchParams.set('key', row.key)
    to.searchParams.set('etag', `"${row.etag}"`)
    return { output, status: 303, headers: { location: to.href } }
  }
  const asked = fields.get('success_action_status')
  if (asked === '200') return { output, status: 200, headers: { location } }
  if (asked !== '201') return { output, status: 204, headers: { location } }
  const element = (name: string, value: string) => `<${name}>${escapeXml(value)}</${name}>`
  const text =
    '<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>' +
    element('Location', location) +
    element('Bucket', bucket.name) +
    element('Key', row.key) +
    element('ETag', `"${row.etag}"`) +
    '</PostResponse>'
  return { output, status: 201, headers: { location, 'content-type': 'application/xml' }, text }
}
