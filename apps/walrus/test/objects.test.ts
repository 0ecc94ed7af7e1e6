import { createHash, randomBytes } from 'node:crypto'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WalrusUnderTest } from './walrus-under-test.ts'

const md5 = (data: Buffer) => createHash('md5').update(data).digest('hex')

let test: WalrusUnderTest
let s3: S3Client
const Bucket = 'first-bucket'

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => test.stop())

const bytesOf = async (Key: string, Range?: string) => {
  const answer = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range ? { Range } : {}) }))
  return Buffer.from(await answer.Body!.transformToByteArray())
}

describe('buckets', () => {
  it('are made, found, located, listed and deleted', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'second-bucket' }))
    await s3.send(new CreateBucketCommand({ Bucket: 'second-bucket' }))
    await s3.send(new HeadBucketCommand({ Bucket: 'second-bucket' }))
    const location = await s3.send(new GetBucketLocationCommand({ Bucket: 'second-bucket' }))
    expect(location.LocationConstraint).toBeUndefined()
    const names = async () => (await s3.send(new ListBucketsCommand({}))).Buckets?.map((one) => one.Name)
    expect(await names()).toEqual([Bucket, 'second-bucket'])
    await s3.send(new DeleteBucketCommand({ Bucket: 'second-bucket' }))
    expect(await names()).toEqual([Bucket])
    await expect(s3.send(new DeleteBucketCommand({ Bucket: 'second-bucket' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    })
  })

  it('have names as S3 wants them, and none that is a path of ours', async () => {
    for (const name of [
      'Upper',
      'ab',
      'a..b',
      '1.2.3.4',
      'healthz',
      'services',
      'latest',
      'xn--a',
      'a-s3alias',
      '-a-',
    ]) {
      const answer = await test.signed({ method: 'PUT', path: `/${name}` })
      expect([name, answer.code]).toEqual([name, 'InvalidBucketName'])
    }
    const elsewhere =
      '<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>'
    const answer = await test.signed({ method: 'PUT', path: '/elsewhere', body: elsewhere })
    expect(answer.code).toBe('IllegalLocationConstraintException')
  })

  it('are not deleted while they hold something', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'full-bucket' }))
    await s3.send(new PutObjectCommand({ Bucket: 'full-bucket', Key: 'a', Body: 'a' }))
    await expect(s3.send(new DeleteBucketCommand({ Bucket: 'full-bucket' }))).rejects.toMatchObject({
      name: 'BucketNotEmpty',
    })
  })
})

describe('objects', () => {
  it('come back as they went, with their headers and metadata', async () => {
    const data = randomBytes(3 * 1024 * 1024 + 17)
    const put = await s3.send(
      new PutObjectCommand({
        Bucket,
        Key: 'dir/with space+plus/ü?#%.bin',
        Body: data,
        ContentType: 'application/x-thing',
        CacheControl: 'no-cache',
        Metadata: { one: '1', two: 'zwei' },
      }),
    )
    expect(put.ETag).toBe(`"${md5(data)}"`)
    const Key = 'dir/with space+plus/ü?#%.bin'
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key }))
    expect(head).toMatchObject({
      ContentLength: data.length,
      ContentType: 'application/x-thing',
      CacheControl: 'no-cache',
      Metadata: { one: '1', two: 'zwei' },
      AcceptRanges: 'bytes',
    })
    expect((await bytesOf(Key)).equals(data)).toBe(true)
    for (const [range, from, to] of [
      ['bytes=0-0', 0, 1],
      ['bytes=1048570-2097160', 1_048_570, 2_097_161],
      ['bytes=3000000-', 3_000_000, data.length],
      ['bytes=-5', data.length - 5, data.length],
      ['bytes=3145740-99999999', 3_145_740, data.length],
    ] as const) {
      expect([range, (await bytesOf(Key, range)).equals(data.subarray(from, to))]).toEqual([range, true])
    }
    const beyond = await test.signed({ path: `/${Bucket}/none`, headers: { range: 'bytes=5-' } })
    expect(beyond.code).toBe('NoSuchKey')
  })

  it('answer ranges with their place, and 416 beyond their end', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'ten', Body: '0123456789' }))
    const part = await test.signed({ path: `/${Bucket}/ten`, headers: { range: 'bytes=2-4' } })
    expect([part.status, part.text, part.headers['content-range']]).toEqual([206, '234', 'bytes 2-4/10'])
    const beyond = await test.signed({ path: `/${Bucket}/ten`, headers: { range: 'bytes=10-' } })
    expect([beyond.status, beyond.code, beyond.headers['content-range']]).toEqual([
      416,
      'InvalidRange',
      'bytes */10',
    ])
    const nonsense = await test.signed({ path: `/${Bucket}/ten`, headers: { range: 'lines=1-2' } })
    expect([nonsense.status, nonsense.text]).toEqual([200, '0123456789'])
    const given = await test.signed({
      path: `/${Bucket}/ten?response-content-type=text%2Fx&response-cache-control=no-store`,
    })
    expect(given.headers).toMatchObject({ 'content-type': 'text/x', 'cache-control': 'no-store' })
  })

  it('can be empty', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: '' }))
    expect(await bytesOf('empty')).toHaveLength(0)
    const head = await test.signed({ method: 'HEAD', path: `/${Bucket}/empty` })
    expect(head.headers['content-length']).toBe('0')
  })

  it('are replaced and deleted with their bytes', async () => {
    const before = (await test.files()).length
    for (let round = 0; round < 3; round += 1)
      await s3.send(new PutObjectCommand({ Bucket, Key: 'again', Body: `round ${round}` }))
    expect(await test.files()).toHaveLength(before + 1)
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'again' }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'again' }))
    expect(await test.files()).toHaveLength(before)
    await expect(bytesOf('again')).rejects.toMatchObject({ name: 'NoSuchKey' })
  })

  it('keep conditions', async () => {
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: 'conditional', Body: 'x' }))
    const get = (headers: Record<string, string>) =>
      test.signed({ path: `/${Bucket}/conditional`, headers }).then((answer) => answer.status)
    const past = new Date(Date.now() - 86_400_000).toUTCString()
    const future = new Date(Date.now() + 86_400_000).toUTCString()
    expect(await get({ 'if-match': ETag! })).toBe(200)
    expect(await get({ 'if-match': '"other"' })).toBe(412)
    expect(await get({ 'if-none-match': ETag! })).toBe(304)
    expect(await get({ 'if-none-match': '"other"' })).toBe(200)
    expect(await get({ 'if-modified-since': future })).toBe(304)
    expect(await get({ 'if-modified-since': past })).toBe(200)
    expect(await get({ 'if-unmodified-since': past })).toBe(412)
    expect(await get({ 'if-match': ETag!, 'if-unmodified-since': past })).toBe(200)
    const put = (input: object) =>
      s3.send(new PutObjectCommand({ Bucket, Key: 'conditional', Body: 'y', ...input }))
    await expect(put({ IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    await expect(put({ IfMatch: '"other"' })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    await put({ IfMatch: ETag! })
    await s3.send(new PutObjectCommand({ Bucket, Key: 'conditional-new', Body: 'y', IfNoneMatch: '*' }))
  })

  it('are copied, with their metadata or with new', async () => {
    const data = randomBytes(100_000)
    await s3.send(new PutObjectCommand({ Bucket, Key: 'source ü', Body: data, Metadata: { kept: 'yes' } }))
    const CopySource = `/${Bucket}/${encodeURIComponent('source ü')}`
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource }))
    await s3.send(
      new CopyObjectCommand({
        Bucket,
        Key: 'renamed',
        CopySource,
        MetadataDirective: 'REPLACE',
        Metadata: { new: '1' },
      }),
    )
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'source ü' }))
    expect((await bytesOf('copy')).equals(data)).toBe(true)
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'copy' }))).Metadata).toEqual({ kept: 'yes' })
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'renamed' }))).Metadata).toEqual({ new: '1' })
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'copy' }))
    expect((await bytesOf('renamed')).equals(data)).toBe(true)
    const self = new CopyObjectCommand({ Bucket, Key: 'renamed', CopySource: `${Bucket}/renamed` })
    await expect(s3.send(self)).rejects.toMatchObject({ name: 'InvalidRequest' })
  })

  it('are deleted many at a time', async () => {
    for (const Key of ['m/1', 'm/2', 'm/3']) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
    const answer = await s3.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Objects: [{ Key: 'm/1' }, { Key: 'm/2' }, { Key: 'm/none' }] },
      }),
    )
    expect(answer.Deleted?.map((one) => one.Key)).toEqual(['m/1', 'm/2', 'm/none'])
    const left = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'm/' }))
    expect(left.Contents?.map((one) => one.Key)).toEqual(['m/3'])
  })
})

describe('listings', () => {
  const keys = ['a', 'b/1', 'b/2', 'b/c/3', 'd e', 'ü', 'z&<']
  beforeAll(async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'listed' }))
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket: 'listed', Key, Body: Key }))
  })

  it('page exactly, in both versions', async () => {
    for (const size of [1, 2, 3, 7, 8]) {
      const seen: string[] = []
      let token: string | undefined
      do {
        const page = await s3.send(
          new ListObjectsV2Command({
            Bucket: 'listed',
            MaxKeys: size,
            ...(token ? { ContinuationToken: token } : {}),
          }),
        )
        seen.push(...(page.Contents ?? []).map((one) => one.Key!))
        expect(page.IsTruncated).toBe(page.NextContinuationToken !== undefined)
        token = page.NextContinuationToken
      } while (token)
      expect(seen).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
      const older: string[] = []
      let marker: string | undefined
      for (;;) {
        const page = await s3.send(
          new ListObjectsCommand({
            Bucket: 'listed',
            MaxKeys: size,
            Delimiter: '/',
            ...(marker ? { Marker: marker } : {}),
          }),
        )
        older.push(
          ...(page.Contents ?? []).map((one) => one.Key!),
          ...(page.CommonPrefixes ?? []).map((one) => one.Prefix!),
        )
        if (!page.IsTruncated) break
        marker = page.NextMarker
      }
      expect(older.toSorted()).toEqual(['a', 'b/', 'd e', 'z&<', 'ü'].toSorted())
    }
  })

  it('start after a key, under a prefix, and encode keys for XML', async () => {
    const after = await s3.send(
      new ListObjectsV2Command({ Bucket: 'listed', StartAfter: 'b/2', FetchOwner: true }),
    )
    expect(after.Contents?.map((one) => one.Key)).toEqual(['b/c/3', 'd e', 'z&<', 'ü'])
    expect(after.Contents?.[0]?.Owner?.DisplayName).toBe('alice')
    const under = await s3.send(new ListObjectsV2Command({ Bucket: 'listed', Prefix: 'b/', Delimiter: '/' }))
    expect([under.KeyCount, under.CommonPrefixes?.[0]?.Prefix]).toEqual([3, 'b/c/'])
    const encoded = await test.signed({ path: '/listed?encoding-type=url&list-type=2&prefix=d%20' })
    expect(encoded.text).toContain('<Key>d%20e</Key>')
    const none = await s3.send(new ListObjectsV2Command({ Bucket: 'listed', MaxKeys: 0 }))
    expect([none.KeyCount, none.IsTruncated]).toEqual([0, false])
    expect((await test.signed({ path: '/listed?max-keys=-1' })).code).toBe('InvalidArgument')
    expect((await test.signed({ path: '/listed?list-type=2&continuation-token=%20' })).code).toBe(
      'InvalidArgument',
    )
  })
})
