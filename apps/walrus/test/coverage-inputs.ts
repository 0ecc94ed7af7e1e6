import { CreateMultipartUploadCommand, UploadPartCommand, type S3Client } from '@aws-sdk/client-s3'
import { shapeNamed, structNamed, type ServiceModel, type ShapeModel } from '@mallee/aws-protocol'

/** An input of each operation that its action takes; what is missing in it is filled by samples of the model. */
const object = { Bucket: 'covered', Key: 'k' }
const bucket = { Bucket: 'covered' }

const more: Readonly<Record<string, object>> = {
  CopyObject: {
    Bucket: 'covered',
    Key: 'copy',
    CopySource: 'plain/k',
    MetadataDirective: 'REPLACE',
    TaggingDirective: 'REPLACE',
  },
  CreateBucket: { Bucket: 'covered-too' },
  DeleteBucket: { Bucket: 'none-such' },
  DeleteObject: { Bucket: 'covered', Key: 'gone' },
  DeleteObjects: { ...bucket, Delete: { Objects: [{ Key: 'gone' }] } },
  GetObjectAttributes: { ...object, ObjectAttributes: ['ETag'] },
  PutBucketCors: {
    ...bucket,
    CORSConfiguration: { CORSRules: [{ AllowedMethods: ['GET'], AllowedOrigins: ['*'] }] },
  },
  PutBucketEncryption: {
    ...bucket,
    ServerSideEncryptionConfiguration: {
      Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
    },
  },
  PutBucketLifecycleConfiguration: {
    ...bucket,
    LifecycleConfiguration: {
      Rules: [{ Status: 'Enabled', Filter: { Prefix: 'x/' }, Expiration: { Days: 9 } }],
    },
  },
  PutBucketLogging: { Bucket: 'plain', BucketLoggingStatus: {} },
  PutBucketNotificationConfiguration: { Bucket: 'plain', NotificationConfiguration: {} },
  PutBucketOwnershipControls: {
    Bucket: 'plain',
    OwnershipControls: { Rules: [{ ObjectOwnership: 'ObjectWriter' }] },
  },
  PutBucketPolicy: {
    Bucket: 'plain',
    Policy: JSON.stringify({
      Version: '2012-10-17',
      Statement: {
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: 'arn:aws:s3:::plain/*',
      },
    }),
  },
  PutBucketRequestPayment: { ...bucket, RequestPaymentConfiguration: { Payer: 'BucketOwner' } },
  PutBucketTagging: { ...bucket, Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } },
  PutBucketVersioning: { Bucket: 'plain', VersioningConfiguration: { Status: 'Suspended' } },
  PutBucketWebsite: { ...bucket, WebsiteConfiguration: { IndexDocument: { Suffix: 'i' } } },
  PutObject: { Bucket: 'covered', Key: 'put', Body: 'x' },
  PutObjectLegalHold: { ...object, LegalHold: { Status: 'OFF' } },
  PutObjectLockConfiguration: { ...bucket, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled' } },
  PutObjectRetention: {
    ...object,
    Retention: { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + 60_000) },
    BypassGovernanceRetention: true,
  },
  PutObjectTagging: { ...object, Tagging: { TagSet: [] } },
  PutPublicAccessBlock: { Bucket: 'plain', PublicAccessBlockConfiguration: {} },
  UploadPartCopy: { CopySource: 'plain/k', PartNumber: 1 },
  UploadPart: { PartNumber: 1, Body: 'x' },
  ListBuckets: {},
}

const ofUploads = new Set([
  'AbortMultipartUpload',
  'CompleteMultipartUpload',
  'ListParts',
  'UploadPart',
  'UploadPartCopy',
])

export async function baseInputs(operation: string, client: S3Client): Promise<object> {
  if (ofUploads.has(operation)) {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...object, Key: 'upload' }))
    const upload = { Bucket: 'covered', Key: 'upload', UploadId }
    if (operation !== 'CompleteMultipartUpload') return { ...upload, ...more[operation] }
    const { ETag } = await client.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: 'x' }))
    return { ...upload, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }
  }
  return more[operation] ?? { ...object }
}

/** What the operation cannot be without, where it can be said in a header or a parameter. */
export function requiredInputs(model: ServiceModel, operation: string): Record<string, unknown> {
  const shape = model.operations[operation]?.in
  const members = shape === undefined ? [] : Object.entries(structNamed(model, shape).members)
  return Object.fromEntries(
    members.flatMap(([member, [, , traits]]) =>
      traits?.required && !traits.label ? [[member, sampleOf(model, operation, member)]] : [],
    ),
  )
}

/** Values that mean something where any text would be refused as none. */
const particular: Readonly<Record<string, unknown>> = {
  ACL: 'private',
  AccessControlPolicy: { Owner: { ID: '1'.padStart(64, '0') }, Grants: [] },
  ChecksumCRC32: 'AAAAAA==',
  ChecksumCRC32C: 'AAAAAA==',
  ChecksumCRC64NVME: 'AAAAAAAAAAA=',
  ChecksumSHA1: 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  ChecksumSHA256: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  ContinuationToken: 'MWE',
  Expires: new Date(0),
  IfNoneMatch: '*',
  Metadata: { a: 'b' },
  MpuObjectSize: 1,
  ObjectLockRetainUntilDate: new Date(Date.now() + 60_000),
  Range: 'bytes=0-1',
  ServerSideEncryption: 'AES256',
  StorageClass: 'STANDARD',
  Tagging: 'a=b',
  CopySourceRange: 'bytes=0-1',
}

/** A value of the member that a client could send; undefined where none fits into a header or a parameter. */
export function sampleOf(model: ServiceModel, operation: string, member: string): unknown {
  if (member in particular) return particular[member]
  const input = structNamed(model, model.operations[operation]?.in ?? '')
  const [shapeName] = input.members[member] ?? ['']
  return sampleOfShape(shapeNamed(model, shapeName))
}

function sampleOfShape(shape: ShapeModel): unknown {
  if (shape.kind === 'map' || 'members' in shape) return undefined
  if (shape.kind === 'list') return undefined
  if ('enum' in shape && Array.isArray(shape.enum) && shape.enum.length > 0)
    return (shape.enum as string[])[0]
  if (shape.kind === 'boolean') return true
  if (['integer', 'long', 'number'].includes(shape.kind)) return 1
  if (['timestamp', 'dateTime', 'httpDate'].includes(shape.kind)) return new Date(Date.now() - 60_000)
  return 'x'
}
