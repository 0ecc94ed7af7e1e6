import { aclActions } from './acls.ts'
import { bucketAccessActions } from './bucket-access.ts'
import { configurationActions } from './bucket-configurations.ts'
import { bucketActions } from './buckets.ts'
import { completeUpload } from './complete-upload.ts'
import { copyObject } from './copy-object.ts'
import { deleteActions } from './delete-objects.ts'
import { getActions } from './get-object.ts'
import { listActions } from './list-objects.ts'
import { listVersions } from './list-versions.ts'
import { multipartActions } from './multipart.ts'
import { getObjectAttributes } from './object-attributes.ts'
import { lockActions } from './object-locks.ts'
import { putObject } from './put-object.ts'
import type { S3Action } from './s3-context.ts'
import { taggingActions } from './tagging.ts'
import { partActions } from './upload-part.ts'

/** Every operation of S3 that walrus performs; the model knows the others, and they are refused by name. */
export const s3Actions: ReadonlyMap<string, S3Action> = new Map(
  [
    ...bucketActions,
    ...bucketAccessActions,
    ...configurationActions,
    ...aclActions,
    ...taggingActions,
    ...lockActions,
    putObject,
    ...getActions,
    getObjectAttributes,
    copyObject,
    ...deleteActions,
    ...listActions,
    listVersions,
    ...multipartActions,
    ...partActions,
    completeUpload,
  ].map((action) => [action.name, action]),
)
