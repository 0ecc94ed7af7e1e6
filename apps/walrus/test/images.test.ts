import { createHash } from 'node:crypto'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import type { ImageObjectFacts, ImageObjectItem } from '@mallee/agent-contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

const Bucket = 'images'
let test: WalrusUnderTest

const disk = Buffer.alloc(3 * 1024 * 1024)
disk.writeUInt16LE(0xaa55, 510)
disk[446 + 4] = 0x83
disk.writeUInt32LE(2048, 454)
disk.writeUInt32LE(4096, 458)

const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

beforeAll(async () => {
  test = await WalrusUnderTest.start()
  await test.sdk().send(new CreateBucketCommand({ Bucket }))
  for (const [Key, Body] of [
    ['disk.raw', disk],
    ['garbage', Buffer.from('garbage')],
    ['empty', Buffer.alloc(0)],
  ] as const)
    await test.sdk().send(new PutObjectCommand({ Bucket, Key, Body, ContentLength: Body.length }))
})
afterAll(() => test.stop())

async function inspected(imageId: string, key: string, more: Partial<ImageObjectItem> = {}) {
  test.cloud.putImage({ imageId, accountId: alice.accountId, bucket: Bucket, key, kind: 'machine', ...more })
  const found = await eventually(() => test.cloud.observed('image-object', imageId))
  return found.facts as ImageObjectFacts
}

describe('image objects', () => {
  it('are read whole once, and told by format, sizes and digest', async () => {
    expect(await inspected('ami-disk', 'disk.raw')).toEqual({
      state: 'available',
      message: null,
      format: 'raw',
      sizeBytes: disk.length,
      virtualSizeBytes: disk.length,
      sha256: sha256Of(disk),
      layout: 'disk',
    })
  })

  it('that are no images fail with a sentence', async () => {
    const failed = async (...args: Parameters<typeof inspected>) => {
      const facts = await inspected(...args)
      expect(facts).toMatchObject({ state: 'failed', format: null, sha256: null })
      return facts.message
    }
    expect(await failed('ami-garbage', 'garbage')).toContain('no disk')
    expect(await failed('ami-empty', 'empty')).toContain('empty')
    expect(await failed('ami-none', 'none')).toContain('does not exist')
    expect(await failed('ami-nowhere', 'none', { bucket: 'nowhere' })).toContain('does not exist')
    expect(await failed('ami-foreign', 'disk.raw', { accountId: mallory.accountId })).toContain(
      'not accessible',
    )
  })

  it('are not read again after a restart, but said again', async () => {
    await inspected('ami-again', 'disk.raw')
    const before = test.cloud.lastReport!.sequence
    await test.signed({ method: 'DELETE', path: `/${Bucket}/disk.raw` })
    await test.restart()
    const said = await eventually(() =>
      test.cloud.lastReport!.sequence > before
        ? test.cloud.lastReport!.observations.find((one) => one.id === 'ami-again')
        : null,
    )
    expect(said.facts).toMatchObject({ state: 'available', format: 'raw' })
  })

  const copyOf = (key: string, digest = sha256Of(disk)) => ({
    bucket: Bucket,
    key,
    sha256: digest,
    canonicalId: alice.canonicalId,
    accountName: 'alice',
  })
  const put = (Key: string, Body: Buffer) =>
    test.sdk().send(new PutObjectCommand({ Bucket, Key, Body, ContentLength: Body.length }))

  it('that are to be copies get an object of their own, which outlives the first', async () => {
    await put('first.raw', disk)
    const bucket = 'amis-for-alice'
    const facts = await inspected('ami-copy', 'ami-copy', { bucket, copyOf: copyOf('first.raw') })
    expect(facts).toMatchObject({ state: 'available', format: 'raw', sha256: sha256Of(disk) })
    await test.sdk().send(new DeleteObjectCommand({ Bucket, Key: 'first.raw' }))
    const answer = await test.sdk().send(new GetObjectCommand({ Bucket: bucket, Key: 'ami-copy' }))
    expect(sha256Of(Buffer.from(await answer.Body!.transformToByteArray()))).toBe(sha256Of(disk))
    // The source is gone; the copy stands by itself under another item too.
    expect(
      await inspected('ami-copy-again', 'ami-copy', { bucket, copyOf: copyOf('first.raw') }),
    ).toMatchObject({ state: 'available' })
  })

  it('are no copies of what changed, went, or is another’s, and leave no object', async () => {
    await put('changed.raw', disk)
    const bucket = 'amis-for-nobody'
    const failed = async (id: string, more: Partial<ImageObjectItem>) => {
      const facts = await inspected(id, id, { bucket, ...more })
      expect(facts).toMatchObject({ state: 'failed', sha256: null })
      return facts.message
    }
    expect(await failed('ami-changed', { copyOf: copyOf('changed.raw', 'c'.repeat(64)) })).toContain(
      'not the one any more',
    )
    expect(await failed('ami-gone', { copyOf: copyOf('gone.raw') })).toContain('gone.raw does not exist')
    expect(
      await failed('ami-theirs', { accountId: mallory.accountId, copyOf: copyOf('changed.raw') }),
    ).toContain('not accessible')
    await test.sdk(mallory).send(new CreateBucketCommand({ Bucket: 'squatted' }))
    expect(await failed('ami-squatted', { bucket: 'squatted', copyOf: copyOf('changed.raw') })).toContain(
      'not accessible',
    )
    expect((await test.signed({ method: 'GET', path: `/${bucket}` })).status).toBe(404)
  })
})
