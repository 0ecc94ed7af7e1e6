/**
 * What each operation of S3 needs leave for.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html and, for what comes on top
 * with a header, the page of each operation in https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
 */
import type { ActionOn, S3PolicyAction } from './policy-actions.ts'

/** `source` is the object that CopySource names. */
export type PermissionOn = ActionOn | 'source'

/** The few operations that other services' actions guard: directory buckets and Object Lambda, which are not built. */
type ForeignAction =
  | 's3express:CreateSession'
  | 's3express:ListAllMyDirectoryBuckets'
  | 's3-object-lambda:WriteGetObjectResponse'
export type PermissionAction = S3PolicyAction | ForeignAction

export interface S3Permission {
  readonly action: PermissionAction
  /** Instead of `action` where a version is named. */
  readonly versionAction?: S3PolicyAction
  readonly on: PermissionOn
  /** Once for each object that the body names, by `VersionId` of each. */
  readonly each?: 'Delete.Objects'
  readonly additional?: readonly AdditionalPermission[]
}

export interface AdditionalPermission extends Omit<S3Permission, 'additional' | 'each'> {
  /** One of these members of the input must say something; without it, it is always needed. */
  readonly when?: readonly string[]
  /** Only where the object that is copied has tags. */
  readonly whenSourceHasTags?: true
}

const bucket = (action: PermissionAction): S3Permission => ({ action, on: 'bucket' })
const object = (action: PermissionAction, versionAction?: S3PolicyAction): S3Permission =>
  versionAction ? { action, versionAction, on: 'object' } : { action, on: 'object' }
const service = (action: PermissionAction): S3Permission => ({ action, on: 'service' })

const grants = ['GrantFullControl', 'GrantRead', 'GrantReadACP', 'GrantWriteACP']
const bypass: AdditionalPermission = {
  action: 's3:BypassGovernanceRetention',
  on: 'object',
  when: ['BypassGovernanceRetention'],
}
const withAclAndLock: readonly AdditionalPermission[] = [
  { action: 's3:PutObjectAcl', on: 'object', when: ['ACL', ...grants] },
  { action: 's3:PutObjectRetention', on: 'object', when: ['ObjectLockMode', 'ObjectLockRetainUntilDate'] },
  { action: 's3:PutObjectLegalHold', on: 'object', when: ['ObjectLockLegalHoldStatus'] },
]
const written: S3Permission = {
  action: 's3:PutObject',
  on: 'object',
  additional: [{ action: 's3:PutObjectTagging', on: 'object', when: ['Tagging'] }, ...withAclAndLock],
}
const readSource: AdditionalPermission = {
  action: 's3:GetObject',
  versionAction: 's3:GetObjectVersion',
  on: 'source',
}
const copied: S3Permission = {
  action: 's3:PutObject',
  on: 'object',
  additional: [
    readSource,
    {
      action: 's3:GetObjectTagging',
      versionAction: 's3:GetObjectVersionTagging',
      on: 'source',
      whenSourceHasTags: true,
    },
    { action: 's3:PutObjectTagging', on: 'object', when: ['Tagging'] },
    { action: 's3:PutObjectTagging', on: 'object', whenSourceHasTags: true },
    ...withAclAndLock,
  ],
}
const bucketMade: S3Permission = {
  action: 's3:CreateBucket',
  on: 'bucket',
  additional: [
    { action: 's3:PutBucketAcl', on: 'bucket', when: ['ACL', ...grants, 'GrantWrite'] },
    { action: 's3:PutBucketObjectLockConfiguration', on: 'bucket', when: ['ObjectLockEnabledForBucket'] },
    { action: 's3:PutBucketVersioning', on: 'bucket', when: ['ObjectLockEnabledForBucket'] },
    { action: 's3:PutBucketOwnershipControls', on: 'bucket', when: ['ObjectOwnership'] },
    { action: 's3:TagResource', on: 'bucket', when: ['CreateBucketConfiguration.Tags'] },
  ],
}

/** By operation of AWS's model. */
export const s3Permissions = {
  AbortMultipartUpload: object('s3:AbortMultipartUpload'),
  CompleteMultipartUpload: object('s3:PutObject'),
  CopyObject: copied,
  CreateBucket: bucketMade,
  CreateBucketMetadataConfiguration: bucket('s3:CreateBucketMetadataTableConfiguration'),
  CreateBucketMetadataTableConfiguration: bucket('s3:CreateBucketMetadataTableConfiguration'),
  CreateMultipartUpload: written,
  CreateSession: bucket('s3express:CreateSession'),
  DeleteBucket: bucket('s3:DeleteBucket'),
  DeleteBucketAnalyticsConfiguration: bucket('s3:PutAnalyticsConfiguration'),
  DeleteBucketCors: bucket('s3:PutBucketCORS'),
  DeleteBucketEncryption: bucket('s3:PutEncryptionConfiguration'),
  DeleteBucketIntelligentTieringConfiguration: bucket('s3:PutIntelligentTieringConfiguration'),
  DeleteBucketInventoryConfiguration: bucket('s3:PutInventoryConfiguration'),
  DeleteBucketLifecycle: bucket('s3:PutLifecycleConfiguration'),
  DeleteBucketMetadataConfiguration: bucket('s3:DeleteBucketMetadataTableConfiguration'),
  DeleteBucketMetadataTableConfiguration: bucket('s3:DeleteBucketMetadataTableConfiguration'),
  DeleteBucketMetricsConfiguration: bucket('s3:PutMetricsConfiguration'),
  DeleteBucketOwnershipControls: bucket('s3:PutBucketOwnershipControls'),
  DeleteBucketPolicy: bucket('s3:DeleteBucketPolicy'),
  DeleteBucketReplication: bucket('s3:PutReplicationConfiguration'),
  DeleteBucketTagging: bucket('s3:PutBucketTagging'),
  DeleteBucketWebsite: bucket('s3:DeleteBucketWebsite'),
  DeleteObject: { ...object('s3:DeleteObject', 's3:DeleteObjectVersion'), additional: [bypass] },
  DeleteObjectAnnotation: object('s3:DeleteObjectAnnotation'),
  DeleteObjectTagging: object('s3:DeleteObjectTagging', 's3:DeleteObjectVersionTagging'),
  DeleteObjects: {
    ...object('s3:DeleteObject', 's3:DeleteObjectVersion'),
    each: 'Delete.Objects',
    additional: [bypass],
  },
  DeletePublicAccessBlock: bucket('s3:PutBucketPublicAccessBlock'),
  GetBucketAbac: bucket('s3:GetBucketAbac'),
  GetBucketAccelerateConfiguration: bucket('s3:GetAccelerateConfiguration'),
  GetBucketAcl: bucket('s3:GetBucketAcl'),
  GetBucketAnalyticsConfiguration: bucket('s3:GetAnalyticsConfiguration'),
  GetBucketCors: bucket('s3:GetBucketCORS'),
  GetBucketEncryption: bucket('s3:GetEncryptionConfiguration'),
  GetBucketIntelligentTieringConfiguration: bucket('s3:GetIntelligentTieringConfiguration'),
  GetBucketInventoryConfiguration: bucket('s3:GetInventoryConfiguration'),
  GetBucketLifecycleConfiguration: bucket('s3:GetLifecycleConfiguration'),
  GetBucketLocation: bucket('s3:GetBucketLocation'),
  GetBucketLogging: bucket('s3:GetBucketLogging'),
  GetBucketMetadataConfiguration: bucket('s3:GetBucketMetadataTableConfiguration'),
  GetBucketMetadataTableConfiguration: bucket('s3:GetBucketMetadataTableConfiguration'),
  GetBucketMetricsConfiguration: bucket('s3:GetMetricsConfiguration'),
  GetBucketNotificationConfiguration: bucket('s3:GetBucketNotification'),
  GetBucketOwnershipControls: bucket('s3:GetBucketOwnershipControls'),
  GetBucketPolicy: bucket('s3:GetBucketPolicy'),
  GetBucketPolicyStatus: bucket('s3:GetBucketPolicyStatus'),
  GetBucketReplication: bucket('s3:GetReplicationConfiguration'),
  GetBucketRequestPayment: bucket('s3:GetBucketRequestPayment'),
  GetBucketTagging: bucket('s3:GetBucketTagging'),
  GetBucketVersioning: bucket('s3:GetBucketVersioning'),
  GetBucketWebsite: bucket('s3:GetBucketWebsite'),
  GetObject: object('s3:GetObject', 's3:GetObjectVersion'),
  GetObjectAcl: object('s3:GetObjectAcl', 's3:GetObjectVersionAcl'),
  GetObjectAnnotation: object('s3:GetObjectAnnotation'),
  GetObjectAttributes: {
    ...object('s3:GetObjectAttributes', 's3:GetObjectVersionAttributes'),
    additional: [{ action: 's3:GetObject', versionAction: 's3:GetObjectVersion', on: 'object' }],
  },
  GetObjectLegalHold: object('s3:GetObjectLegalHold'),
  GetObjectLockConfiguration: bucket('s3:GetBucketObjectLockConfiguration'),
  GetObjectRetention: object('s3:GetObjectRetention'),
  GetObjectTagging: object('s3:GetObjectTagging', 's3:GetObjectVersionTagging'),
  GetObjectTorrent: object('s3:GetObjectTorrent'),
  GetPublicAccessBlock: bucket('s3:GetBucketPublicAccessBlock'),
  HeadBucket: bucket('s3:ListBucket'),
  HeadObject: object('s3:GetObject', 's3:GetObjectVersion'),
  ListBucketAnalyticsConfigurations: bucket('s3:GetAnalyticsConfiguration'),
  ListBucketIntelligentTieringConfigurations: bucket('s3:GetIntelligentTieringConfiguration'),
  ListBucketInventoryConfigurations: bucket('s3:GetInventoryConfiguration'),
  ListBucketMetricsConfigurations: bucket('s3:GetMetricsConfiguration'),
  ListBuckets: service('s3:ListAllMyBuckets'),
  ListDirectoryBuckets: service('s3express:ListAllMyDirectoryBuckets'),
  ListMultipartUploads: bucket('s3:ListBucketMultipartUploads'),
  ListObjectAnnotations: object('s3:ListObjectAnnotations'),
  ListObjectVersions: bucket('s3:ListBucketVersions'),
  ListObjects: bucket('s3:ListBucket'),
  ListObjectsV2: bucket('s3:ListBucket'),
  ListParts: object('s3:ListMultipartUploadParts'),
  PutBucketAbac: bucket('s3:PutBucketAbac'),
  PutBucketAccelerateConfiguration: bucket('s3:PutAccelerateConfiguration'),
  PutBucketAcl: bucket('s3:PutBucketAcl'),
  PutBucketAnalyticsConfiguration: bucket('s3:PutAnalyticsConfiguration'),
  PutBucketCors: bucket('s3:PutBucketCORS'),
  PutBucketEncryption: bucket('s3:PutEncryptionConfiguration'),
  PutBucketIntelligentTieringConfiguration: bucket('s3:PutIntelligentTieringConfiguration'),
  PutBucketInventoryConfiguration: bucket('s3:PutInventoryConfiguration'),
  PutBucketLifecycleConfiguration: bucket('s3:PutLifecycleConfiguration'),
  PutBucketLogging: bucket('s3:PutBucketLogging'),
  PutBucketMetricsConfiguration: bucket('s3:PutMetricsConfiguration'),
  PutBucketNotificationConfiguration: bucket('s3:PutBucketNotification'),
  PutBucketOwnershipControls: bucket('s3:PutBucketOwnershipControls'),
  PutBucketPolicy: bucket('s3:PutBucketPolicy'),
  PutBucketReplication: bucket('s3:PutReplicationConfiguration'),
  PutBucketRequestPayment: bucket('s3:PutBucketRequestPayment'),
  PutBucketTagging: bucket('s3:PutBucketTagging'),
  PutBucketVersioning: bucket('s3:PutBucketVersioning'),
  PutBucketWebsite: bucket('s3:PutBucketWebsite'),
  PutObject: written,
  PutObjectAcl: object('s3:PutObjectAcl', 's3:PutObjectVersionAcl'),
  PutObjectAnnotation: object('s3:PutObjectAnnotation'),
  PutObjectLegalHold: object('s3:PutObjectLegalHold'),
  PutObjectLockConfiguration: bucket('s3:PutBucketObjectLockConfiguration'),
  PutObjectRetention: { ...object('s3:PutObjectRetention'), additional: [bypass] },
  PutObjectTagging: object('s3:PutObjectTagging', 's3:PutObjectVersionTagging'),
  PutPublicAccessBlock: bucket('s3:PutBucketPublicAccessBlock'),
  RenameObject: bucket('s3express:CreateSession'),
  RestoreObject: object('s3:RestoreObject'),
  SelectObjectContent: object('s3:GetObject'),
  UpdateBucketMetadataAnnotationTableConfiguration: bucket(
    's3:UpdateBucketMetadataAnnotationTableConfiguration',
  ),
  UpdateBucketMetadataInventoryTableConfiguration: bucket(
    's3:UpdateBucketMetadataInventoryTableConfiguration',
  ),
  UpdateBucketMetadataJournalTableConfiguration: bucket('s3:UpdateBucketMetadataJournalTableConfiguration'),
  UpdateObjectEncryption: object('s3:UpdateObjectEncryption'),
  UploadPart: object('s3:PutObject'),
  UploadPartCopy: { ...object('s3:PutObject'), additional: [readSource] },
  WriteGetObjectResponse: service('s3-object-lambda:WriteGetObjectResponse'),
} as const satisfies Readonly<Record<string, S3Permission>>

export type S3Operation = keyof typeof s3Permissions

/** One thing that a request must be allowed. */
export interface NeededPermission {
  readonly action: PermissionAction
  readonly on: PermissionOn
}

/**
 * All that a request needs leave for. Of DeleteObjects it is what one object needs: call it with that object's
 * `VersionId` beside the members of the whole.
 */
export function neededPermissions(
  operation: S3Operation,
  input: Readonly<Record<string, unknown>>,
  facts: { readonly sourceHasTags?: boolean } = {},
): NeededPermission[] {
  const { additional = [], ...first }: S3Permission = s3Permissions[operation]
  const also = additional.filter(
    ({ when, whenSourceHasTags }) =>
      (when === undefined || when.some((member) => says(input, member))) &&
      (whenSourceHasTags === undefined ||
        (facts.sourceHasTags === true && input['TaggingDirective'] !== 'REPLACE')),
  )
  return [first, ...also].map(({ action, versionAction, on }) => ({
    action: versionAction && namesVersion(input, on) ? versionAction : action,
    on,
  }))
}

function namesVersion(input: Readonly<Record<string, unknown>>, on: PermissionOn): boolean {
  if (on !== 'source') return says(input, 'VersionId')
  const source = input['CopySource']
  return typeof source === 'string' && /\?versionId=[^&]/.test(source)
}

/** Whether a member, or one within it, is there and is neither empty nor false. */
function says(input: Readonly<Record<string, unknown>>, member: string): boolean {
  const value = member
    .split('.')
    .reduce<unknown>((within, name) => (within as Record<string, unknown> | undefined)?.[name], input)
  return (
    value !== undefined &&
    value !== null &&
    value !== '' &&
    value !== false &&
    !(Array.isArray(value) && value.length === 0)
  )
}
