import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
let s3: S3Client
const Bucket = 'sealed'

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => test.stop())

const customer = (key: Buffer) => ({
  SSECustomerAlgorithm: 'AES256',
  SSECustomerKey: key.toString('base64'),
  SSECustomerKeyMD5: createHash('md5').update(key).digest('base64'),
})
const bytesOf = async (Key: string, more: object = {}) =>
  Buffer.from(
    await (await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body!.transformToByteArray(),
  )

/** Every byte that lies in walrus' data folder. */
async function onDisk(): Promise<Buffer[]> {
  const root = path.join(test.dir, 'data')
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return Promise.all(files.map((file) => readFile(path.join(file.parentPath, file.name))))
}

const marker = Buffer.from('this text must not be on the disk ')

it('SSE-S3: what lies on the disk is not what was sent, and every range comes back', async () => {
  const data = Buffer.concat([marker, randomBytes(2_500_000), marker])
  const put = await s3.send(
    new PutObjectCommand({ Bucket, Key: 'a', Body: data, ServerSideEncryption: 'AES256' }),
  )
  expect(put.ServerSideEncryption).toBe('AES256')
  expect(put.ETag).toBe(`"${createHash('md5').update(data).digest('hex')}"`)
  expect((await onDisk()).some((file) => file.includes(marker))).toBe(false)
  expect((await bytesOf('a')).equals(data)).toBe(true)
  for (const [start, end] of [
    [0, 0],
    [10, 1_048_575],
    [1_048_575, 1_048_576],
    [1_048_576, 2_097_152],
    [2_499_000, data.length - 1],
  ] as const)
    expect(
      (await bytesOf('a', { Range: `bytes=${start}-${end}` })).equals(data.subarray(start, end + 1)),
    ).toBe(true)
  await test.restart()
  s3 = test.sdk()
  expect((await bytesOf('a')).equals(data)).toBe(true)
})

it('a changed byte is never sent, whatever its checksum says', async () => {
  const data = randomBytes(300_000)
  await s3.send(new PutObjectCommand({ Bucket, Key: 'flip', Body: data, ServerSideEncryption: 'AES256' }))
  const blobs = path.join(test.dir, 'data', 'blobs')
  const entries = await readdir(blobs, { recursive: true, withFileTypes: true })
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = path.join(entry.parentPath, entry.name)
    const bytes = await readFile(file)
    if (bytes.length !== data.length) continue
    bytes[1000]! ^= 1
    await writeFile(file, bytes)
  }
  await expect(bytesOf('flip')).rejects.toThrow()
})

it('SSE-C: only with the very key, which is kept nowhere', async () => {
  const key = randomBytes(32)
  const data = Buffer.concat([marker, randomBytes(100_000)])
  await s3.send(new PutObjectCommand({ Bucket, Key: 'c', Body: data, ...customer(key) }))
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'c', ...customer(key) }))
  expect(head).toMatchObject({ SSECustomerAlgorithm: 'AES256', ContentLength: data.length })
  expect((await bytesOf('c', customer(key))).equals(data)).toBe(true)
  await expect(bytesOf('c')).rejects.toMatchObject({ name: 'InvalidRequest' })
  await expect(bytesOf('c', customer(randomBytes(32)))).rejects.toMatchObject({ name: 'AccessDenied' })
  await expect(bytesOf('a', customer(key))).rejects.toMatchObject({ name: 'InvalidRequest' })
  const disk = await onDisk()
  for (const secret of [marker, key, Buffer.from(key.toString('base64')), Buffer.from(key.toString('hex'))])
    expect(disk.some((file) => file.includes(secret))).toBe(false)
})

it('an empty object has a key of its client’s too', async () => {
  const key = randomBytes(32)
  await s3.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: '', ...customer(key) }))
  await expect(bytesOf('empty', customer(randomBytes(32)))).rejects.toMatchObject({ name: 'AccessDenied' })
  expect(await bytesOf('empty', customer(key))).toHaveLength(0)
})

it('parts and copies are encrypted as they are asked to be', async () => {
  const key = randomBytes(32)
  const upload = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'm', ...customer(key) }))
  const at = { Bucket, Key: 'm', UploadId: upload.UploadId! }
  const parts = [Buffer.concat([marker, randomBytes(5 * 1024 * 1024)]), randomBytes(1000)]
  const done = []
  for (const [index, Body] of parts.entries()) {
    const part = await s3.send(
      new UploadPartCommand({ ...at, PartNumber: index + 1, Body, ...customer(key) }),
    )
    done.push({ PartNumber: index + 1, ETag: part.ETag! })
  }
  await expect(
    s3.send(new UploadPartCommand({ ...at, PartNumber: 3, Body: 'x', ...customer(randomBytes(32)) })),
  ).rejects.toMatchObject({ name: 'AccessDenied' })
  const copied = await s3.send(
    new UploadPartCopyCommand({
      ...at,
      PartNumber: 2,
      CopySource: `${Bucket}/a`,
      CopySourceRange: 'bytes=5-104',
      ...customer(key),
    }),
  )
  done[1] = { PartNumber: 2, ETag: copied.CopyPartResult!.ETag! }
  await s3.send(new CompleteMultipartUploadCommand({ ...at, MultipartUpload: { Parts: done } }))
  const whole = await bytesOf('m', customer(key))
  const piece = await bytesOf('a', { Range: 'bytes=5-104' })
  expect(whole.equals(Buffer.concat([parts[0]!, piece]))).toBe(true)
  expect((await onDisk()).some((file) => file.includes(marker))).toBe(false)

  const other = randomBytes(32)
  await s3.send(
    new CopyObjectCommand({
      Bucket,
      Key: 'copy',
      CopySource: `${Bucket}/m`,
      CopySourceSSECustomerAlgorithm: 'AES256',
      CopySourceSSECustomerKey: customer(key).SSECustomerKey,
      CopySourceSSECustomerKeyMD5: customer(key).SSECustomerKeyMD5,
      ...customer(other),
    }),
  )
  expect((await bytesOf('copy', customer(other))).equals(whole)).toBe(true)
  await expect(bytesOf('copy', customer(key))).rejects.toMatchObject({ name: 'AccessDenied' })
  await s3.send(
    new CopyObjectCommand({
      Bucket,
      Key: 'plain',
      CopySource: `${Bucket}/copy`,
      CopySourceSSECustomerAlgorithm: 'AES256',
      CopySourceSSECustomerKey: customer(other).SSECustomerKey,
      CopySourceSSECustomerKeyMD5: customer(other).SSECustomerKeyMD5,
    }),
  )
  expect((await bytesOf('plain')).equals(whole)).toBe(true)
})

it('a bucket’s default is that of each new object', async () => {
  await s3.send(new CreateBucketCommand({ Bucket: 'by-default' }))
  const put = (Algorithm: 'AES256' | 'aws:kms') =>
    s3.send(
      new PutBucketEncryptionCommand({
        Bucket: 'by-default',
        ServerSideEncryptionConfiguration: {
          Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: Algorithm } }],
        },
      }),
    )
  await expect(put('aws:kms')).rejects.toMatchObject({ name: 'NotImplemented' })
  await put('AES256')
  const stored = await s3.send(new PutObjectCommand({ Bucket: 'by-default', Key: 'k', Body: marker }))
  expect(stored.ServerSideEncryption).toBe('AES256')
  const source = `by-default/k`
  const copied = await s3.send(new CopyObjectCommand({ Bucket: 'by-default', Key: 'k2', CopySource: source }))
  expect(copied.ServerSideEncryption).toBe('AES256')
})

it('keys that are none are refused', async () => {
  const key = randomBytes(32)
  const bad = (more: object) => s3.send(new PutObjectCommand({ Bucket, Key: 'bad', Body: 'x', ...more }))
  const invalid = { name: 'InvalidArgument' }
  await expect(bad({ ...customer(key), SSECustomerAlgorithm: 'DES' })).rejects.toMatchObject({
    name: 'InvalidEncryptionAlgorithmError',
  })
  await expect(bad(customer(randomBytes(16)))).rejects.toMatchObject(invalid)
  const headers = {
    'x-amz-server-side-encryption-customer-algorithm': 'AES256',
    'x-amz-server-side-encryption-customer-key': customer(key).SSECustomerKey,
    'x-amz-server-side-encryption-customer-key-md5': customer(randomBytes(32)).SSECustomerKeyMD5,
  }
  const wrongSum = await test.signed({ method: 'PUT', path: `/${Bucket}/bad`, headers, body: 'x' })
  expect(wrongSum.code).toBe('InvalidArgument')
  await expect(bad({ ...customer(key), ServerSideEncryption: 'AES256' })).rejects.toMatchObject(invalid)
})
