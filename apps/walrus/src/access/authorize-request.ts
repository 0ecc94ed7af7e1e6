import type { AwsError } from '@mallee/aws-protocol'
import { neededPermissions, s3Error, type S3Operation } from '@mallee/s3-api'
import { anonymous, initiatorId, type Caller } from '../identity/caller.ts'
import { findObject } from '../index/object-rows.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import type { Index } from '../index/tables.ts'
import { findUpload, initiatorOf } from '../index/upload-rows.ts'
import { newestPast } from '../index/version-rows.ts'
import type { Gate } from './gate.ts'

/** Operations that make an object: what they need on top of s3:PutObject is about what is not there yet. */
const makers: ReadonlySet<string> = new Set(['PutObject', 'CopyObject', 'CreateMultipartUpload'])

type Input = Readonly<Record<string, unknown>>

/**
 * Lets the caller in, or throws AccessDenied. What is asked of each object that a body names, or of the source of a copy,
 * is asked by the action.
 */
export async function authorizeRequest(
  deps: { gate: Gate; caller: Caller; index: Index },
  operation: string,
  input: Input,
  bucket: Bucket | null,
): Promise<void> {
  const { gate, caller } = deps
  if (!bucket) {
    // Lists one's own buckets, or makes one: everybody's who has an account.
    if (caller === anonymous) throw s3Error('AccessDenied')
    for (const { action } of neededPermissions(operation as S3Operation, input))
      gate.requireAtHome(action, input['Bucket'] as string | undefined)
    return
  }
  // An upload is somebody's: nobody knows later who nobody was.
  if (operation === 'CreateMultipartUpload' && caller === anonymous) throw s3Error('AccessDenied')
  if (operation === 'DeleteObjects') return
  for (const { action, on } of neededPermissions(operation as S3Operation, input)) {
    if (on === 'source' || on === 'service' || action === 's3:BypassGovernanceRetention') continue
    const key = on === 'object' ? (input['Key'] as string) : undefined
    const versionId = on === 'object' ? (input['VersionId'] as string | undefined) : undefined
    const context = contextOf(input)
    const creating = makers.has(operation)
    const answer = await gate.decide({ action, bucket, key, versionId, creating, context })
    if (answer === 'allow') continue
    if (ownersRefuge(operation, caller, bucket)) continue
    if (answer === 'implicitDeny' && (await isInitiator(deps, operation, input))) continue
    if (answer === 'implicitDeny' && (await isMissing(deps, operation, input, bucket))) continue
    throw s3Error('AccessDenied')
  }
}

/** Who may read a key but not list the bucket does not learn whether there is such a key. */
export async function hideMissing(gate: Gate, bucket: Bucket | null, error: AwsError): Promise<AwsError> {
  if (error.code !== 'NoSuchKey' || !bucket) return error
  const mayKnow = await gate.allows({ action: 's3:ListBucket', bucket })
  return mayKnow ? error : s3Error('AccessDenied')
}

/** The root of the owner's account can always mend a policy that locks everybody out. */
function ownersRefuge(operation: string, caller: Caller, bucket: Bucket): boolean {
  const mends = ['GetBucketPolicy', 'PutBucketPolicy', 'DeleteBucketPolicy'].includes(operation)
  return mends && caller.principal.kind === 'root' && caller.accountId === bucket.account_id
}

/** Who began an upload may look at it and give it up, whatever else it may do. */
async function isInitiator(
  { caller, index }: { caller: Caller; index: Index },
  operation: string,
  input: Input,
): Promise<boolean> {
  if (caller === anonymous || !['AbortMultipartUpload', 'ListParts'].includes(operation)) return false
  const upload = await index.read((db) => findUpload(db, input['UploadId'] as string))
  return upload !== null && initiatorOf(upload) === initiatorId(caller)
}

/** Who may list learns from a read that there is no such key; nobody else does. */
async function isMissing(
  { gate, index }: { gate: Gate; index: Index },
  operation: string,
  input: Input,
  bucket: Bucket,
): Promise<boolean> {
  if (!['GetObject', 'HeadObject'].includes(operation)) return false
  const key = input['Key'] as string
  const present = await index.read(
    async (db) => (await findObject(db, bucket.name, key)) ?? (await newestPast(db, bucket.name, key)),
  )
  return present === null && (await gate.allows({ action: 's3:ListBucket', bucket }))
}

function contextOf(input: Input): Record<string, string | string[]> {
  const tagging = input['Tagging'] as { TagSet?: { Key: string; Value: string }[] } | string | undefined
  if (typeof tagging !== 'object' || !tagging.TagSet) return {}
  return {
    's3:RequestObjectTagKeys': tagging.TagSet.map((tag) => tag.Key),
    ...Object.fromEntries(tagging.TagSet.map((tag) => [`s3:RequestObjectTag/${tag.Key}`, tag.Value])),
  }
}
