import { AwsError } from '@mallee/aws-protocol'
import { noSuchKey, s3Error, type S3 } from '@mallee/s3-api'
import { queueEvent } from '../events/queue-event.ts'
import { sameBucket } from '../index/bucket-rows.ts'
import { versioningOf, type Bucket } from '../index/bucket-settings.ts'
import { findObject } from '../index/object-rows.ts'
import { deleteKey, deleteVersion } from '../index/store-version.ts'
import type { Tx } from '../index/tables.ts'
import { findVersion } from '../index/version-rows.ts'
import { newObjectId, newVersionId } from '../objects/object-id.ts'
import { refuseDeleting } from '../objects/object-lock.ts'
import { checkWrite } from '../objects/preconditions.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

const keysPerRequest = 1000

interface Asked {
  readonly key: string
  readonly versionId: string | undefined
  /** Whether locks of the mode GOVERNANCE do not count. */
  readonly bypass: boolean
}

interface Outcome {
  readonly dropped: string[]
  readonly deleteMarker: boolean
  /** Of the version that went, or of the marker that came. */
  readonly versionId: string | undefined
}

async function deleteOneIn(tx: Tx, context: BucketContext, bucket: Bucket, asked: Asked): Promise<Outcome> {
  const { key, versionId } = asked
  const nowMs = context.clock.now()
  if (versionId !== undefined) {
    const present = await findVersion(tx.db, bucket.name, key, versionId)
    if (present && !present.marker) refuseDeleting(present.row, nowMs, asked.bypass)
    const { deleted, dropped } = await deleteVersion(tx, bucket.name, key, versionId)
    if (deleted) await queueEvent(tx, context, bucket, 'ObjectRemoved:Delete', deleted.row)
    return { dropped, deleteMarker: deleted?.marker ?? false, versionId }
  }
  const versioning = versioningOf(bucket)
  const present = versioning === 'Off' ? await findObject(tx.db, bucket.name, key) : null
  const marker = { id: newObjectId(context.random), versionId: newVersionId(context.random), nowMs }
  const made = await deleteKey(tx, { bucket: bucket.name, key }, marker, versioning)
  if (made.marker) await queueEvent(tx, context, bucket, 'ObjectRemoved:DeleteMarkerCreated', made.marker)
  else if (present) await queueEvent(tx, context, bucket, 'ObjectRemoved:Delete', present)
  return { dropped: made.dropped, deleteMarker: made.marker !== null, versionId: made.marker?.version_id }
}

const deleteOne = defineBucketAction(
  'DeleteObject',
  ['Key', 'VersionId', 'IfMatch', 'BypassGovernanceRetention'],
  async (context, input) => {
    const { bucket, gate } = context
    const bypass = input.BypassGovernanceRetention === true && (await gate.mayBypass(bucket, input.Key))
    if (input.VersionId === '') throw emptyVersion()
    await gate.requireComparing(bucket, input.Key, input.IfMatch)
    const outcome = await context.index.transaction('action', async (tx) => {
      const now = await sameBucket(tx.db, bucket)
      if (input.IfMatch !== undefined) {
        const present = input.VersionId
          ? ((await findVersion(tx.db, bucket.name, input.Key, input.VersionId))?.row ?? null)
          : await findObject(tx.db, bucket.name, input.Key)
        checkWrite(present, { IfMatch: input.IfMatch }, input.Key)
      }
      return deleteOneIn(tx, context, now, { key: input.Key, versionId: input.VersionId, bypass })
    })
    context.blobs.forget(outcome.dropped)
    return {
      output: {
        ...(outcome.deleteMarker ? { DeleteMarker: true } : {}),
        ...(outcome.versionId === undefined ? {} : { VersionId: outcome.versionId }),
      },
    }
  },
)

const deleteMany = defineBucketAction(
  'DeleteObjects',
  ['Delete', 'ChecksumAlgorithm', 'BypassGovernanceRetention'],
  async (context, input) => {
    const { Objects: objects, Quiet: quiet } = input.Delete
    if (objects.length === 0 || objects.length > keysPerRequest) throw s3Error('MalformedXML')
    const { bucket, gate } = context
    const deleted: S3.DeletedObject[] = []
    const errors: S3.AwsError[] = []
    const allowed = new Map<S3.ObjectIdentifier, { bypass: boolean }>()
    for (const identifier of objects) {
      const bypass =
        input.BypassGovernanceRetention === true && (await gate.mayBypass(bucket, identifier.Key))
      const compares = identifier.ETag ?? identifier.Size ?? identifier.LastModifiedTime
      const mayCompare =
        compares === undefined || (await gate.allows({ action: 's3:GetObject', bucket, key: identifier.Key }))
      if (mayCompare && (await gate.mayDelete(bucket, identifier.Key, identifier.VersionId)))
        allowed.set(identifier, { bypass })
    }
    const dropped = await context.index.transaction('action', async (tx) => {
      deleted.length = 0
      errors.length = 0
      const now = await sameBucket(tx.db, bucket)
      const blobs: string[] = []
      for (const identifier of objects) {
        const { Key: key, VersionId: versionId } = identifier
        try {
          const may = allowed.get(identifier)
          if (key === '') throw noSuchKey(key)
          if (versionId === '') throw emptyVersion()
          if (!may) throw s3Error('AccessDenied')
          await checkIdentifier(tx, now, identifier)
          const outcome = await deleteOneIn(tx, context, now, { key, versionId, bypass: may.bypass })
          blobs.push(...outcome.dropped)
          deleted.push(shown(identifier, outcome))
        } catch (error) {
          if (!(error instanceof AwsError)) throw error
          errors.push({ Key: key, VersionId: versionId, Code: error.code, Message: error.message })
        }
      }
      return blobs
    })
    context.blobs.forget(dropped)
    return { output: { Deleted: quiet === true ? [] : deleted, Errors: errors } }
  },
)

const emptyVersion = () => s3Error('InvalidArgument', { message: 'Version id cannot be the empty string' })

function shown({ Key, VersionId }: S3.ObjectIdentifier, outcome: Outcome): S3.DeletedObject {
  return {
    Key,
    VersionId,
    ...(outcome.deleteMarker ? { DeleteMarker: true, DeleteMarkerVersionId: outcome.versionId } : {}),
  }
}

/** Conditions that S3 lets each key have. Throws PreconditionFailed, NoSuchKey. */
async function checkIdentifier(tx: Tx, bucket: Bucket, identifier: S3.ObjectIdentifier): Promise<void> {
  const { Key: key, VersionId: versionId, ETag: etag, Size: size, LastModifiedTime: modified } = identifier
  if (etag === undefined && size === undefined && modified === undefined) return
  const row = versionId
    ? ((await findVersion(tx.db, bucket.name, key, versionId))?.row ?? null)
    : await findObject(tx.db, bucket.name, key)
  if (!row) throw noSuchKey(key)
  if (etag !== undefined) checkWrite(row, { IfMatch: etag }, key)
  const seconds = (ms: number) => Math.floor(ms / 1000)
  const differs =
    (size !== undefined && size !== row.size) ||
    (modified !== undefined && seconds(modified.getTime()) !== seconds(row.modified_at))
  if (differs) throw s3Error('PreconditionFailed')
}

export const deleteActions: readonly S3Action[] = [deleteOne, deleteMany]
