import { noSuchKey, s3Error } from '@mallee/s3-api'
import { AwsError } from '@mallee/aws-protocol'
import { versioningOf, type Bucket } from '../index/bucket-settings.ts'
import { findObject } from '../index/object-rows.ts'
import { nullVersion } from '../index/store-version.ts'
import { findVersion, newestPast, type Version } from '../index/version-rows.ts'
import type { Reader } from '../index/tables.ts'

const noSuchVersion = (key: string, versionId: string) =>
  s3Error('NoSuchVersion', { details: { Key: key, VersionId: versionId } })

/**
 * The version that a request names, or what the key holds now. Throws NoSuchKey and NoSuchVersion; for a delete marker
 * NoSuchKey (as the latest) or MethodNotAllowed (by its id), with the headers that tell of it.
 */
export async function requireVersion(
  db: Reader,
  bucket: Bucket,
  key: string,
  versionId: string | undefined,
): Promise<Version> {
  if (versionId === undefined) {
    const current = await findObject(db, bucket.name, key)
    if (current) return { row: current, marker: false, place: 'object' }
    const newest = versioningOf(bucket) === 'Off' ? null : await newestPast(db, bucket.name, key)
    throw newest?.marker ? withMarker(noSuchKey(key), newest.row.version_id) : noSuchKey(key)
  }
  if (versionId === '') throw s3Error('InvalidArgument', { message: 'Version id cannot be the empty string' })
  const found = await findVersion(db, bucket.name, key, versionId)
  if (!found) {
    if (versionId !== nullVersion && !/^[A-Za-z0-9._-]{1,200}$/.test(versionId))
      throw s3Error('InvalidArgument', { message: 'Invalid version id specified' })
    throw noSuchVersion(key, versionId)
  }
  if (!found.marker) return found
  throw withMarker(
    s3Error('MethodNotAllowed', { details: { Method: 'GET', ResourceType: 'DeleteMarker' } }),
    found.row.version_id,
    { allow: 'DELETE', 'last-modified': new Date(found.row.modified_at).toUTCString() },
  )
}

/** Headers that an error answer carries; the door adds them. */
const headersOfError = new WeakMap<AwsError, Readonly<Record<string, string>>>()

export const errorHeaders = (error: AwsError): Readonly<Record<string, string>> =>
  headersOfError.get(error) ?? {}

function withMarker(
  error: AwsError,
  versionId: string,
  more: Readonly<Record<string, string>> = {},
): AwsError {
  headersOfError.set(error, { 'x-amz-delete-marker': 'true', 'x-amz-version-id': versionId, ...more })
  return error
}
