/** AWS's newest SDK for JavaScript, as npm has it: checksums in trailers, streams, parts, versions, conditions. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  paginateListObjectsV2,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  waitUntilBucketExists,
  type ChecksumAlgorithm,
} from '@aws-sdk/client-s3'
import { assert, must } from '@mallee/base'

const tls = process.env['MALLEE_TLS'] === '1'
const name = must(process.env['MALLEE_FLOW'], 'a name')
const Bucket = `s3-${name}`.toLowerCase()
const s3 = new S3Client({
  endpoint: `${tls ? 'https' : 'http'}://${process.env['MALLEE_HOST']}:${process.env['MALLEE_PORT']}`,
  region: 'us-east-1',
  forcePathStyle: true,
})
const step = (text: string) => process.stdout.write(`step ${text}\n`)
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const bytesOf = async (Key: string, more: object = {}) =>
  must((await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body, 'a body').transformToByteArray()

step('bucket')
await s3.send(new CreateBucketCommand({ Bucket }))
await waitUntilBucketExists({ client: s3, maxWaitTime: 10 }, { Bucket })
await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))

step('streams with checksums in their trailers')
const data = randomBytes(3_000_000)
for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as ChecksumAlgorithm[]) {
  const Body = Readable.from([data.subarray(0, 1_000_000), data.subarray(1_000_000)])
  await s3.send(
    new PutObjectCommand({
      Bucket,
      Key: ChecksumAlgorithm,
      Body,
      ContentLength: data.length,
      ChecksumAlgorithm,
    }),
  )
  assert(
    sha256(await bytesOf(ChecksumAlgorithm, { ChecksumMode: 'ENABLED' })) === sha256(data),
    ChecksumAlgorithm,
  )
}

step('parts')
const upload = await s3.send(
  new CreateMultipartUploadCommand({
    Bucket,
    Key: 'parts',
    ChecksumAlgorithm: 'CRC32',
    ChecksumType: 'FULL_OBJECT',
  }),
)
const parts = await Promise.all(
  [randomBytes(5 << 20), randomBytes(5 << 20), randomBytes(100)].map(async (Body, at) => {
    const at1 = { Bucket, Key: 'parts', UploadId: upload.UploadId, PartNumber: at + 1 }
    const sent = await s3.send(new UploadPartCommand({ ...at1, Body, ChecksumAlgorithm: 'CRC32' }))
    return { Body, done: { PartNumber: at + 1, ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32 } }
  }),
)
const completed = await s3.send(
  new CompleteMultipartUploadCommand({
    Bucket,
    Key: 'parts',
    UploadId: upload.UploadId,
    MultipartUpload: { Parts: parts.map(({ done }) => done) },
  }),
)
assert(completed.ChecksumType === 'FULL_OBJECT', 'the checksum is not over the whole')
assert(
  sha256(await bytesOf('parts')) === sha256(Buffer.concat(parts.map(({ Body }) => Body))),
  'parts differ',
)

step('conditions')
await s3.send(new PutObjectCommand({ Bucket, Key: 'once', Body: '1', IfNoneMatch: '*' }))
const again = s3.send(new PutObjectCommand({ Bucket, Key: 'once', Body: '2', IfNoneMatch: '*' }))
assert((await again.catch((error: Error) => error.name)) === 'PreconditionFailed', 'written twice')
const racing = await Promise.allSettled(
  Array.from({ length: 8 }, (_value, at) =>
    s3.send(new PutObjectCommand({ Bucket, Key: 'race', Body: `${at}`, IfNoneMatch: '*' })),
  ),
)
assert(racing.filter((one) => one.status === 'fulfilled').length === 1, 'more than one was first')

step('pages')
await Promise.all(
  Array.from({ length: 30 }, (_value, at) =>
    s3.send(new PutObjectCommand({ Bucket, Key: `p/${at}`, Body: '' })),
  ),
)
let listed = 0
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 7 }, { Bucket, Prefix: 'p/' }))
  listed += page.Contents?.length ?? 0
assert(listed === 30, `${listed} keys are listed`)

step('nothing is left')
const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }))
const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({
  Key: Key!,
  VersionId: VersionId!,
}))
await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
await s3.send(new DeleteBucketCommand({ Bucket }))
step('done')
