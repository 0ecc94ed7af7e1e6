import { createHash, randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startChecksum } from '../src/objects/checksums.ts'
import { WalrusUnderTest } from './walrus-under-test.ts'

const partBytes = 5 * 1024 * 1024
const Bucket = 'parts'
let test: WalrusUnderTest
let s3: S3Client

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => test.stop())

const begin = async (Key: string, more: object = {}) =>
  (await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }))).UploadId!
const part = async (Key: string, UploadId: string, PartNumber: number, Body: Buffer, more: object = {}) => {
  const answer = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ...more }))
  return { ...answer, PartNumber }
}
const complete = (Key: string, UploadId: string, Parts: object[], more: object = {}) =>
  s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...more }))
const bytesOf = async (Key: string, more: object = {}) =>
  Buffer.from(
    await (await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body!.transformToByteArray(),
  )
const md5 = (data: Buffer) => createHash('md5').update(data).digest()

describe('multipart uploads', () => {
  it('become objects, with S3’s ETag, by part and by range', async () => {
    const data = randomBytes(2 * partBytes + 12_345)
    const pieces = [
      data.subarray(0, partBytes),
      data.subarray(partBytes, 2 * partBytes),
      data.subarray(2 * partBytes),
    ]
    const id = await begin('whole', { ContentType: 'x/y', Metadata: { m: '1' } })
    const Parts = []
    for (const [at, piece] of pieces.entries()) Parts.push(await part('whole', id, at * 2 + 1, piece))
    await part('whole', id, 2, randomBytes(100)) // never named by the completion
    await part('whole', id, 1, randomBytes(100))
    Parts[0] = await part('whole', id, 1, pieces[0]!)
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key: 'whole', UploadId: id, MaxParts: 2 }))
    expect(listed.Parts?.map((one) => one.PartNumber)).toEqual([1, 2])
    const rest = await s3.send(
      new ListPartsCommand({
        Bucket,
        Key: 'whole',
        UploadId: id,
        PartNumberMarker: listed.NextPartNumberMarker,
      }),
    )
    expect([listed.IsTruncated, rest.IsTruncated, rest.Parts?.map((one) => one.PartNumber)]).toEqual([
      true,
      false,
      [3, 5],
    ])
    const done = await complete('whole', id, Parts)
    const etag = createHash('md5')
      .update(Buffer.concat(pieces.map(md5)))
      .digest('hex')
    expect(done.ETag).toBe(`"${etag}-3"`)
    expect(await complete('whole', id, Parts)).toMatchObject({ ETag: done.ETag })
    expect((await bytesOf('whole')).equals(data)).toBe(true)
    const middle = `bytes=${partBytes - 10}-${2 * partBytes + 9}`
    expect(
      (await bytesOf('whole', { Range: middle })).equals(data.subarray(partBytes - 10, 2 * partBytes + 10)),
    ).toBe(true)
    expect((await bytesOf('whole', { PartNumber: 3 })).equals(pieces[2]!)).toBe(true)
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'whole', PartNumber: 2 }))
    expect(head).toMatchObject({
      PartsCount: 3,
      ContentLength: partBytes,
      ContentType: 'x/y',
      Metadata: { m: '1' },
    })
    expect(await test.files()).toHaveLength(3)
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `${Bucket}/whole` }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'whole' }))
    expect((await bytesOf('copied')).equals(data)).toBe(true)
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'copied' }))
    expect(await test.files()).toHaveLength(0)
  })

  it('are checked: order, presence, size, tags', async () => {
    const id = await begin('checked')
    const big = await part('checked', id, 1, randomBytes(partBytes))
    const small = await part('checked', id, 2, randomBytes(10))
    const last = await part('checked', id, 3, randomBytes(10))
    const refused = async (parts: object[]) =>
      complete('checked', id, parts).then(String, (error: Error) => error.name)
    expect(await refused([small, big])).toBe('InvalidPartOrder')
    expect(await refused([big, big])).toBe('InvalidPartOrder')
    expect(await refused([big, { ...last, PartNumber: 9 }])).toBe('InvalidPart')
    expect(await refused([{ ...big, ETag: '"00"' }])).toBe('InvalidPart')
    expect(await refused([big, small, last])).toBe('EntityTooSmall')
    expect(await refused([])).toBe('MalformedXML')
    await expect(part('checked', id, 10_001, Buffer.alloc(1))).rejects.toMatchObject({
      name: 'InvalidArgument',
    })
    await expect(part('other', id, 1, Buffer.alloc(1))).rejects.toMatchObject({ name: 'NoSuchUpload' })
    await expect(complete('checked', id, [big, last], { MpuObjectSize: 7 })).rejects.toMatchObject({
      name: 'InvalidRequest',
    })
    await complete('checked', id, [big, last], { MpuObjectSize: partBytes + 10 })
    expect(await bytesOf('checked')).toHaveLength(partBytes + 10)
    const exists = await begin('checked')
    const again = await part('checked', exists, 1, randomBytes(1))
    await expect(complete('checked', exists, [again], { IfNoneMatch: '*' })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    })
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'checked', UploadId: exists }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'checked' }))
  })

  it('carry checksums of both types', async () => {
    const data = randomBytes(partBytes + 77)
    const pieces = [data.subarray(0, partBytes), data.subarray(partBytes)]
    for (const [algorithm, type] of [
      ['CRC32', 'FULL_OBJECT'],
      ['CRC64NVME', 'FULL_OBJECT'],
      ['CRC32C', 'COMPOSITE'],
      ['SHA256', 'COMPOSITE'],
    ] as const) {
      const id = await begin('summed', { ChecksumAlgorithm: algorithm, ChecksumType: type })
      const Parts = []
      for (const [at, piece] of pieces.entries()) {
        const running = startChecksum(algorithm)
        running.update(piece)
        const value = { [`Checksum${algorithm}`]: running.digest().toString('base64') }
        Parts.push(await part('summed', id, at + 1, piece, value))
      }
      await complete('summed', id, Parts, { ChecksumType: type })
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'summed', ChecksumMode: 'ENABLED' }))
      const running = startChecksum(algorithm)
      if (type === 'FULL_OBJECT') running.update(data)
      else
        for (const piece of pieces) {
          const one = startChecksum(algorithm)
          one.update(piece)
          running.update(one.digest())
        }
      const expected = running.digest().toString('base64') + (type === 'COMPOSITE' ? '-2' : '')
      expect(head).toMatchObject({ [`Checksum${algorithm}`]: expected, ChecksumType: type })
    }
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'summed' }))
  })

  it('copy parts from objects, are listed, aborted, and end with their bucket', async () => {
    const data = randomBytes(100_000)
    await s3.send(new PutObjectCommand({ Bucket, Key: 'from', Body: data }))
    const id = await begin('to')
    const copied = await s3.send(
      new UploadPartCopyCommand({
        Bucket,
        Key: 'to',
        UploadId: id,
        PartNumber: 1,
        CopySource: `${Bucket}/from`,
        CopySourceRange: 'bytes=10-99',
      }),
    )
    await complete('to', id, [{ PartNumber: 1, ETag: copied.CopyPartResult!.ETag }])
    expect((await bytesOf('to')).equals(data.subarray(10, 100))).toBe(true)

    const ids = [await begin('l/a'), await begin('l/a'), await begin('l/b/c'), await begin('z')]
    const seen: string[] = []
    let marker: { KeyMarker?: string; UploadIdMarker?: string } = {}
    for (;;) {
      const page = await s3.send(new ListMultipartUploadsCommand({ Bucket, MaxUploads: 1, ...marker }))
      seen.push(...(page.Uploads ?? []).map((one) => one.UploadId!))
      if (!page.IsTruncated) break
      marker = { KeyMarker: page.NextKeyMarker!, UploadIdMarker: page.NextUploadIdMarker! }
    }
    expect(seen).toEqual([...ids.slice(0, 2).toSorted(), ids[2], ids[3]])
    const folded = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'l/', Delimiter: '/' }))
    expect([folded.Uploads?.length, folded.CommonPrefixes?.[0]?.Prefix]).toEqual([2, 'l/b/'])
    await part('z', ids[3]!, 1, randomBytes(10))
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'l/a', UploadId: ids[0]! }))
    await expect(
      s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'l/a', UploadId: ids[0]! })),
    ).rejects.toMatchObject({ name: 'NoSuchUpload' })
    for (const Key of ['from', 'to']) await s3.send(new DeleteObjectCommand({ Bucket, Key }))
    await s3.send(new DeleteBucketCommand({ Bucket }))
    expect(await test.files()).toEqual([])
  })
})
