/** Tags of objects and buckets. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html */
import { parseForm } from '@mallee/aws-protocol'
import { s3Error, type S3 } from '@mallee/s3-api'

export const mostObjectTags = 10
export const mostBucketTags = 50
const nameLength = 128
const valueLength = 256

const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

/** Throws InvalidTag, BadRequest's code where there are too many. */
export function checkedTags(tags: readonly S3.Tag[], most: number): S3.Tag[] {
  const bad = (message: string, key?: string) =>
    s3Error('InvalidTag', { message, ...(key === undefined ? {} : { details: { TagKey: key } }) })
  if (tags.length > most)
    throw s3Error(most === mostObjectTags ? 'BadRequest' : 'InvalidTag', {
      message: `${most === mostObjectTags ? 'Object' : 'Bucket'} tag count cannot be greater than ${most}`,
    })
  const seen = new Set<string>()
  for (const { Key: key, Value: value } of tags) {
    if (key.length === 0 || key.length > nameLength || !allowed.test(key))
      throw bad('The TagKey you have provided is invalid', key)
    if (value.length > valueLength || !allowed.test(value))
      throw bad('The TagValue you have provided is invalid', key)
    if (/^aws:/i.test(key)) throw bad('System tags cannot be added/updated by requester', key)
    if (seen.has(key)) throw bad('Cannot provide multiple Tags with the same key', key)
    seen.add(key)
  }
  return tags.map(({ Key, Value }) => ({ Key, Value }))
}

/** The `x-amz-tagging` header. Throws InvalidArgument, InvalidTag. */
export function tagsOfHeader(text: string): S3.Tag[] {
  let pairs: readonly (readonly [string, string])[]
  try {
    pairs = parseForm(text)
  } catch {
    throw s3Error('InvalidArgument', {
      message:
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      details: { ArgumentName: 'x-amz-tagging' },
    })
  }
  return checkedTags(
    pairs.map(([Key, Value]) => ({ Key, Value })),
    mostObjectTags,
  )
}

export const tagsOf = (row: { tags: string | null }): S3.Tag[] =>
  row.tags === null ? [] : (JSON.parse(row.tags) as S3.Tag[])

export const storedTags = (tags: readonly S3.Tag[]): string | null =>
  tags.length === 0 ? null : JSON.stringify(tags)
