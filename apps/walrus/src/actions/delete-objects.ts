import { noSuchKey, s3Error, type S3 } from '@mallee/s3-api'
import { deleteObject, findObject } from '../index/object-rows.ts'
import { checkWrite } from '../objects/preconditions.ts'
import { callersBucket } from './refuse-unknown.ts'
import { defineAction, type S3Action } from './s3-context.ts'

const keysPerRequest = 1000

const deleteOne = defineAction(
  'DeleteObject',
  ['Bucket', 'Key', 'ExpectedBucketOwner', 'IfMatch'],
  async (context, input) => {
    const dropped = await context.index.transaction('action', async (tx) => {
      await callersBucket(tx.db, context.caller.accountId, input)
      if (input.IfMatch !== undefined)
        checkWrite(await findObject(tx.db, input.Bucket, input.Key), { IfMatch: input.IfMatch }, input.Key)
      return deleteObject(tx, input.Bucket, input.Key)
    })
    context.blobs.forget(dropped)
    return { output: {} }
  },
)

const deleteMany = defineAction(
  'DeleteObjects',
  ['Bucket', 'Delete', 'ExpectedBucketOwner', 'ChecksumAlgorithm'],
  async (context, input) => {
    const { Objects: objects, Quiet: quiet } = input.Delete
    if (objects.length === 0 || objects.length > keysPerRequest) throw s3Error('MalformedXML')
    const deleted: S3.DeletedObject[] = []
    const errors: S3.AwsError[] = []
    const dropped = await context.index.transaction('action', async (tx) => {
      deleted.length = 0
      errors.length = 0
      await callersBucket(tx.db, context.caller.accountId, input)
      const blobs: string[] = []
      for (const object of objects) {
        const refusal = refusalOf(object)
        if (refusal) errors.push(refusal)
        else {
          blobs.push(...(await deleteObject(tx, input.Bucket, object.Key)))
          deleted.push({ Key: object.Key, ...(object.VersionId ? { VersionId: object.VersionId } : {}) })
        }
      }
      return blobs
    })
    context.blobs.forget(dropped)
    return { output: { ...(quiet ? {} : { Deleted: deleted }), Errors: errors } }
  },
)

/** Conditions and versions that are not built are refused for their key, and the others are deleted. */
function refusalOf(object: S3.ObjectIdentifier): S3.AwsError | null {
  const { Key, VersionId, ETag, LastModifiedTime, Size } = object
  const of = (error: { code: string; message: string }) => ({ Key, Code: error.code, Message: error.message })
  if (Key === '') return of(noSuchKey(Key))
  if (VersionId !== undefined && VersionId !== 'null') return { ...of(s3Error('NoSuchVersion')), VersionId }
  if (ETag !== undefined || LastModifiedTime !== undefined || Size !== undefined)
    return of(s3Error('NotImplemented'))
  return null
}

export const deleteActions: readonly S3Action[] = [deleteOne, deleteMany]
