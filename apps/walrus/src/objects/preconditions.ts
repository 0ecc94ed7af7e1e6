/** Conditional requests, RFC 9110 section 13.2.2 and S3's own for writing. */
import { noSuchKey, s3Error } from '@mallee/s3-api'

interface Validators {
  readonly etag: string
  readonly modified_at: number
}

export interface ReadConditions {
  readonly IfMatch?: string | undefined
  readonly IfNoneMatch?: string | undefined
  readonly IfModifiedSince?: Date | undefined
  readonly IfUnmodifiedSince?: Date | undefined
}

/** Answers whether the client's copy is still good. Throws PreconditionFailed. */
export function isNotModified(object: Validators, conditions: ReadConditions): boolean {
  const { IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince } = conditions
  // HTTP dates have whole seconds.
  const modifiedAt = Math.floor(object.modified_at / 1000) * 1000
  if (IfMatch !== undefined) {
    if (!names(IfMatch, object.etag)) throw failed('If-Match')
  } else if (IfUnmodifiedSince && modifiedAt > IfUnmodifiedSince.getTime())
    throw failed('If-Unmodified-Since')
  if (IfNoneMatch !== undefined) return names(IfNoneMatch, object.etag)
  return IfModifiedSince !== undefined && modifiedAt <= IfModifiedSince.getTime()
}

/** For the source of a copy, where there is no copy of the client's to be good. Throws PreconditionFailed. */
export function requireUnchanged(object: Validators, conditions: ReadConditions): void {
  if (isNotModified(object, conditions)) throw failed('x-amz-copy-source-if-none-match')
}

export interface WriteConditions {
  readonly IfMatch?: string | undefined
  readonly IfNoneMatch?: string | undefined
}

/** Throws PreconditionFailed, NoSuchKey for If-Match on nothing, NotImplemented for what S3 has not either. */
export function checkWrite(present: Validators | null, conditions: WriteConditions, key: string): void {
  if (conditions.IfNoneMatch !== undefined) {
    if (conditions.IfNoneMatch !== '*')
      throw s3Error('NotImplemented', {
        message:
          'A header you provided implies functionality that is not implemented: If-None-Match other than *',
      })
    if (present) throw failed('If-None-Match')
  }
  if (conditions.IfMatch === undefined) return
  if (!present) throw noSuchKey(key)
  if (!names(conditions.IfMatch, present.etag)) throw failed('If-Match')
}

const failed = (condition: string): Error =>
  s3Error('PreconditionFailed', { details: { Condition: condition } })

function names(list: string, etag: string): boolean {
  return list.split(',').some((part) => {
    const tag = part.trim().replace(/^W\//, '')
    return tag === '*' || tag === etag || tag === `"${etag}"`
  })
}
