import { s3Error } from '@mallee/s3-api'
import { queueEvent } from '../events/queue-event.ts'
import { sameBucket } from '../index/bucket-rows.ts'
import { updateVersion } from '../index/store-version.ts'
import { requireVersion } from '../objects/find-version.ts'
import { versionAnswer } from '../objects/new-version.ts'
import { checkedTags, mostBucketTags, mostObjectTags, storedTags, tagsOf } from '../objects/object-tags.ts'
import { setBucket } from './bucket-setting.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

const getBucketTags = defineBucketAction('GetBucketTagging', [], async ({ bucket }) => {
  if (!bucket.set.tags?.length) throw s3Error('NoSuchTagSet', { details: { BucketName: bucket.name } })
  return { output: { TagSet: [...bucket.set.tags] } }
})

const putBucketTags = defineBucketAction(
  'PutBucketTagging',
  ['Tagging', 'ContentMD5', 'ChecksumAlgorithm'],
  async (context, { Tagging: { TagSet: tags } }) => {
    await setBucket(context, { tags: checkedTags(tags, mostBucketTags) })
    return { output: {} }
  },
)

const deleteBucketTags = defineBucketAction('DeleteBucketTagging', [], async (context) => {
  await setBucket(context, { tags: undefined })
  return { output: {} }
})

const getObjectTags = defineBucketAction('GetObjectTagging', ['Key', 'VersionId'], async (context, input) => {
  const { bucket, index } = context
  const { row } = await index.read((db) => requireVersion(db, bucket, input.Key, input.VersionId))
  return { output: { TagSet: tagsOf(row), ...versionAnswer(bucket, row.version_id) } }
})

const putObjectTags = defineBucketAction(
  'PutObjectTagging',
  ['Key', 'VersionId', 'Tagging', 'ContentMD5', 'ChecksumAlgorithm'],
  async (context, input) => {
    const tags = storedTags(checkedTags(input.Tagging.TagSet, mostObjectTags))
    return { output: await change(context, input, tags, 'ObjectTagging:Put') }
  },
)

const deleteObjectTags = defineBucketAction(
  'DeleteObjectTagging',
  ['Key', 'VersionId'],
  async (context, input) => ({ output: await change(context, input, null, 'ObjectTagging:Delete') }),
)

function change(
  context: BucketContext,
  input: { Key: string; VersionId?: string | undefined },
  tags: string | null,
  event: string,
) {
  return context.index.transaction('action', async (tx) => {
    const bucket = await sameBucket(tx.db, context.bucket)
    const version = await requireVersion(tx.db, bucket, input.Key, input.VersionId)
    await updateVersion(tx, version, { tags })
    await queueEvent(tx, context, bucket, event, version.row)
    return versionAnswer(bucket, version.row.version_id)
  })
}

export const taggingActions: readonly S3Action[] = [
  getBucketTags,
  putBucketTags,
  deleteBucketTags,
  getObjectTags,
  putObjectTags,
  deleteObjectTags,
]
