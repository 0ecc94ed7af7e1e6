import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
let s3: S3Client

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  s3 = test.sdk()
})
afterAll(() => test.stop())

const put = (Bucket: string, Key: string, Body: string) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body }))
const get = async (Bucket: string, Key: string, VersionId?: string) => {
  const answer = await s3.send(new GetObjectCommand({ Bucket, Key, ...(VersionId ? { VersionId } : {}) }))
  return answer.Body!.transformToString()
}
const status = (Bucket: string, Status: 'Enabled' | 'Suspended') =>
  s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))
const history = async (Bucket: string) => {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }))
  return [...Versions, ...DeleteMarkers].map(
    (one) =>
      `${one.Key} ${one.VersionId === 'null' ? 'null' : 'id'} ${one.IsLatest ? 'latest' : 'old'} ${'Size' in one ? one.Size : 'marker'}`,
  )
}

async function fresh(name: string, versioning?: 'Enabled' | 'Suspended'): Promise<string> {
  await s3.send(new CreateBucketCommand({ Bucket: name }))
  if (versioning) await status(name, versioning)
  return name
}

describe('a bucket that keeps versions', () => {
  it('keeps what was overwritten and what was deleted, and gives it back', async () => {
    const Bucket = await fresh('kept')
    await put(Bucket, 'k', 'before')
    expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBeUndefined()
    await status(Bucket, 'Enabled')
    expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled')
    const one = await put(Bucket, 'k', 'one')
    const two = await put(Bucket, 'k', 'two!')
    expect(one.VersionId).toMatch(/^[\w.-]{20,}$/)
    expect(two.VersionId).not.toBe(one.VersionId)
    expect(await get(Bucket, 'k')).toBe('two!')
    expect(await get(Bucket, 'k', one.VersionId)).toBe('one')
    expect(await get(Bucket, 'k', 'null')).toBe('before')
    const gone = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k' }))
    expect(gone).toMatchObject({ DeleteMarker: true, VersionId: expect.stringMatching(/./) })
    const missing = await test.signed({ path: `/${Bucket}/k` })
    expect([missing.status, missing.code]).toEqual([404, 'NoSuchKey'])
    expect(missing.headers).toMatchObject({
      'x-amz-delete-marker': 'true',
      'x-amz-version-id': gone.VersionId,
    })
    const marker = await test.signed({ path: `/${Bucket}/k?versionId=${gone.VersionId}` })
    expect([marker.status, marker.code, marker.headers.allow]).toEqual([405, 'MethodNotAllowed', 'DELETE'])
    expect((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0)
    expect(await history(Bucket)).toEqual(['k id old 4', 'k id old 3', 'k null old 6', 'k id latest marker'])
    expect(await get(Bucket, 'k', two.VersionId)).toBe('two!')
    await expect(s3.send(new DeleteBucketCommand({ Bucket }))).rejects.toMatchObject({
      name: 'BucketNotEmpty',
    })

    // The marker goes, and what was there is there again; then version by version.
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: gone.VersionId! }))
    expect(await get(Bucket, 'k')).toBe('two!')
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: two.VersionId! }))
    expect(await get(Bucket, 'k')).toBe('one')
    const copied = await s3.send(
      new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/k?versionId=null` }),
    )
    expect(copied.CopySourceVersionId).toBe('null')
    expect(await get(Bucket, 'copy')).toBe('before')
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }))
    const cleared = await s3.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Objects: Versions.map(({ Key, VersionId }) => ({ Key: Key!, VersionId: VersionId! })) },
      }),
    )
    expect(cleared.Errors ?? []).toEqual([])
    expect(await history(Bucket)).toEqual([])
    await s3.send(new DeleteBucketCommand({ Bucket }))
    expect(await test.files()).toEqual([])
  })

  it('keeps one version named null while suspended', async () => {
    const Bucket = await fresh('suspended', 'Enabled')
    const first = await put(Bucket, 'k', '1')
    await status(Bucket, 'Suspended')
    const second = await put(Bucket, 'k', '22')
    expect(second.VersionId).toBe('null')
    await put(Bucket, 'k', '333')
    expect(await history(Bucket)).toEqual(['k null latest 3', 'k id old 1'])
    const gone = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k' }))
    expect(gone).toMatchObject({ DeleteMarker: true, VersionId: 'null' })
    expect(await history(Bucket)).toEqual(['k id old 1', 'k null latest marker'])
    await put(Bucket, 'k', '4444')
    expect(await history(Bucket)).toEqual(['k null latest 4', 'k id old 1'])
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: 'null' }))
    expect(await get(Bucket, 'k')).toBe('1')
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: first.VersionId! }))
    expect(await history(Bucket)).toEqual([])
  })

  it('refuses what is no version of it', async () => {
    const Bucket = await fresh('odd-versions', 'Enabled')
    await put(Bucket, 'k', 'x')
    expect((await test.signed({ path: `/${Bucket}/k?versionId=${'a'.repeat(32)}` })).code).toBe(
      'NoSuchVersion',
    )
    expect((await test.signed({ path: `/${Bucket}/k?versionId=null` })).code).toBe('NoSuchVersion')
    expect((await test.signed({ path: `/${Bucket}/k?versionId=` })).code).toBe('InvalidArgument')
    expect((await test.signed({ path: `/${Bucket}/k?versionId=%20;drop` })).code).toBe('InvalidArgument')
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', VersionId: 'a'.repeat(32) }))
    expect(await get(Bucket, 'k')).toBe('x')
    const both = `<VersioningConfiguration><Status>Sometimes</Status></VersioningConfiguration>`
    expect((await test.signed({ method: 'PUT', path: `/${Bucket}?versioning`, body: both })).code).toBe(
      'MalformedXML',
    )
  })

  it('lists every version once in pages of every size, folded and not', async () => {
    const Bucket = await fresh('paged', 'Enabled')
    const keys = ['a', 'b/1', 'b/2', 'c', 'é']
    for (const key of keys) for (let round = 0; round < 3; round += 1) await put(Bucket, key, `${round}`)
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'b/2' }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'c' }))
    for (const Delimiter of [undefined, '/']) {
      const whole = await pages(Bucket, 1000, Delimiter)
      expect(whole).toHaveLength(Delimiter ? 11 : 17)
      for (let size = 1; size <= 18; size += 1) expect(await pages(Bucket, size, Delimiter)).toEqual(whole)
    }
  })

  async function pages(Bucket: string, MaxKeys: number, Delimiter: string | undefined): Promise<string[]> {
    const found: string[] = []
    let marker: { KeyMarker?: string; VersionIdMarker?: string } = {}
    for (;;) {
      const page = await s3.send(
        new ListObjectVersionsCommand({ Bucket, MaxKeys, ...(Delimiter ? { Delimiter } : {}), ...marker }),
      )
      const shown = [
        ...(page.Versions ?? []).map((one) => `${one.Key} ${one.VersionId} ${one.IsLatest}`),
        ...(page.DeleteMarkers ?? []).map((one) => `${one.Key} ${one.VersionId} ${one.IsLatest} marker`),
        ...(page.CommonPrefixes ?? []).map((one) => one.Prefix!),
      ]
      expect(shown.length).toBeLessThanOrEqual(MaxKeys)
      found.push(...shown)
      if (!page.IsTruncated) return found.toSorted()
      marker = {
        KeyMarker: page.NextKeyMarker!,
        ...(page.NextVersionIdMarker ? { VersionIdMarker: page.NextVersionIdMarker } : {}),
      }
    }
  }

  it('survives a restart', async () => {
    const Bucket = await fresh('again', 'Enabled')
    const one = await put(Bucket, 'k', 'one')
    await put(Bucket, 'k', 'two')
    await test.restart()
    s3 = test.sdk()
    expect(await get(Bucket, 'k', one.VersionId)).toBe('one')
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }))
    expect(head.VersionId).toMatch(/./)
  })
})
