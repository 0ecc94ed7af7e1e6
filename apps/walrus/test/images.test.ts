import { createHash } from 'node:crypto'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import type { ImageObjectFacts } from '@mallee/agent-contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

const Bucket = 'images'
let test: WalrusUnderTest

const disk = Buffer.alloc(3 * 1024 * 1024)
disk.writeUInt16LE(0xaa55, 510)
disk[446 + 4] = 0x83
disk.writeUInt32LE(2048, 454)
disk.writeUInt32LE(4096, 458)

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

async function inspected(imageId: string, key: string, more: { bucket?: string; accountId?: string } = {}) {
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
      sha256: createHash('sha256').update(disk).digest('hex'),
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
})
