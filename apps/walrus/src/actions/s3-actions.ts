import { bucketActions } from './buckets.ts'
import { completeUpload } from './complete-upload.ts'
import { copyObject } from './copy-object.ts'
import { deleteActions } from './delete-objects.ts'
import { getActions } from './get-object.ts'
import { listActions } from './list-objects.ts'
import { multipartActions } from './multipart.ts'
import { putObject } from './put-object.ts'
import type { S3Action } from './s3-context.ts'
import { partActions } from './upload-part.ts'

/** Every operation of S3 that walrus performs; the model knows the others, and they are refused by name. */
export const s3Actions: ReadonlyMap<string, S3Action> = new Map(
  [
    ...bucketActions,
    putObject,
    ...getActions,
    copyObject,
    ...deleteActions,
    ...listActions,
    ...multipartActions,
    ...partActions,
    completeUpload,
  ].map((action) => [action.name, action]),
)
