import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ImageObjectFacts, ImageObjectItem, ManifestFacts } from '@mallee/agent-contract'
import { bundleImage, newBundleKey, wrapKey, writeManifest, type BundleManifest } from '@mallee/image-bundle'
import { createSigningCertificate } from '@mallee/pki'
import type { BlobDriver } from '../src/drivers/blob-driver.ts'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

const MiB = 1024 * 1024
const Bucket = 'bundles'
const disks = 'disks-of-alice'
const keyOfCloud = await createSigningCertificate('cloud', Date.now())
const stranger = await createSigningCertificate('stranger', Date.now())
let test: WalrusUnderTest

/** A raw disk of incompressible bytes behind a partition table. */
function diskOf(sizeBytes: number): Buffer {
  const disk = randomBytes(sizeBytes)
  disk.fill(0, 440, 512)
  disk.writeUInt16LE(0xaa55, 510)
  disk[446 + 4] = 0x83
  disk.writeUInt32LE(1, 454)
  disk.writeUInt32LE(100, 458)
  return disk
}

const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const put = (Key: string, Body: Buffer, as = alice, into = Bucket) =>
  test.sdk(as).send(new PutObjectCommand({ Bucket: into, Key, Body, ContentLength: Body.length }))

interface Choices {
  certificate?: string
  manifest?: Partial<BundleManifest>
  parts?: (parts: Map<string, Buffer>) => void
}

/** Bundles and uploads; answers the manifest's key. */
async function upload(name: string, image: Buffer, choices: Choices = {}): Promise<string> {
  const key = newBundleKey()
  const parts = new Map<string, Buffer>()
  async function* source() {
    yield image
  }
  const made = await bundleImage({
    ...{ source: source(), sizeBytes: image.length, name, prefix: name, mtimeMs: 0, key },
    writePart: async (part, bytes) => void parts.set(part.filename, bytes),
  })
  const wrapped = wrapKey(key, choices.certificate ?? keyOfCloud.certificate)
  const manifest = {
    bundler: { name: 'test', version: '1', release: '0' },
    ...{ architecture: 'x86_64', blockDevices: [{ virtual: 'ami', device: 'sda1' }], productCodes: [] },
    ...{ kernelId: 'eki-12345678', ramdiskId: null, name, user: alice.accountId, type: 'machine' as const },
    ...{ cloudKey: wrapped.key, cloudIv: wrapped.iv, userKey: '', userIv: '', ancestors: [] },
    ...made,
    sizeBytes: image.length,
    ...choices.manifest,
  }
  choices.parts?.(parts)
  for (const [filename, bytes] of parts) await put(`to/${filename}`, bytes)
  await put(`to/${name}.manifest.xml`, Buffer.from(writeManifest(manifest)))
  return `to/${name}.manifest.xml`
}

const itemOf = (imageId: string, key: string, more: Partial<ImageObjectItem> = {}): ImageObjectItem => ({
  ...{ imageId, accountId: alice.accountId, bucket: disks, key: imageId, kind: 'machine' },
  madeFrom: {
    ...{ how: 'bundle', bucket: Bucket, key, format: null, mostBytes: 100 * MiB },
    ...{ canonicalId: alice.canonicalId, accountName: 'alice' },
  },
  ...more,
})

async function register(imageId: string, key: string, more: Partial<ImageObjectItem> = {}) {
  test.cloud.putImage(itemOf(imageId, key, more))
  return eventually(() => {
    const facts = test.cloud.observed('image-object', imageId)?.facts as ImageObjectFacts | undefined
    return facts && facts.state !== 'making' ? facts : null
  })
}

const remove = async (imageId: string, key: string) => {
  test.cloud.putImage(itemOf(imageId, key, { remove: true }))
  await eventually(
    () =>
      (test.cloud.observed('image-object', imageId)?.facts as ImageObjectFacts | undefined)?.state === 'gone',
  )
}

const made = (imageId: string) => test.signed({ path: `/${disks}/${imageId}` })

beforeEach(async () => {
  test = await WalrusUnderTest.start()
  test.cloud.putItem('bundling-key', 'cloud', {
    certificate: keyOfCloud.certificate,
    privateKey: keyOfCloud.key,
  })
  await test.sdk().send(new CreateBucketCommand({ Bucket }))
})
afterEach(() => test.stop())

describe('a bundle', () => {
  it('becomes a disk of its own, told with its progress, and goes when it is to go', async () => {
    const disk = diskOf(21 * MiB)
    const key = await upload('good', disk)
    const before = await test.files()
    expect(await register('ami-good', key)).toEqual({
      ...{ state: 'available', message: null, format: 'raw', layout: 'disk' },
      ...{ sizeBytes: disk.length, virtualSizeBytes: disk.length, sha256: sha256Of(disk) },
    })
    const said = test.cloud.said
      .filter((one) => one.id === 'ami-good')
      .map((one) => one.facts as ImageObjectFacts)
    expect(said[0]).toMatchObject({ state: 'making', progress: 0 })
    const answer = await made('ami-good')
    expect([answer.status, sha256Of(answer.body)]).toEqual([200, sha256Of(disk)])
    await remove('ami-good', key)
    expect((await made('ami-good')).status).toBe(404)
    expect((await test.files()).toSorted()).toEqual(before.toSorted())
    await remove('ami-good', key) // again: nothing is nothing
  })

  it('that holds a kernel or a ramdisk becomes one', async () => {
    const ramdisk = Buffer.concat([Buffer.from('070701'), randomBytes(5000)])
    const key = await upload('initrd', ramdisk, {
      manifest: { type: 'ramdisk', kernelId: null, ramdiskId: 'true' },
    })
    expect(await register('ari-1', key, { kind: 'ramdisk' })).toMatchObject({
      state: 'available',
      format: 'ramdisk',
    })
    expect((await register('ami-2', key)).message).toContain('any more')
  })

  it.each<[string, string, Choices]>([
    [
      'a damaged part',
      'Part 1 (bad.part.01) is damaged',
      { parts: (parts) => parts.get('bad.part.01')!.writeUInt8(7, 99) },
    ],
    ['a missing part', 'Part 2 (bad.part.02) is missing', { parts: (parts) => parts.delete('bad.part.02') }],
    ['another cloud’s key', 'not encrypted for this cloud', { certificate: stranger.certificate }],
    ['a wrong digest', 'digest of the unpacked', { manifest: { digest: '0'.repeat(40) } }],
    ['a lie about its size', 'its manifest says', { manifest: { sizeBytes: 1000 } }],
    ['too large an image', 'more than is taken', { manifest: { sizeBytes: 101 * MiB } }],
    ['more bytes than there is room', 'no room', { manifest: { sizeBytes: 90 * MiB } }],
  ])('with %s fails with a sentence and leaves nothing', async (what, sentence, choices) => {
    const key = await upload('bad', diskOf(21 * MiB), choices)
    if (what.includes('room')) {
      test.faults = little
      await test.restart()
    }
    const before = await test.files()
    const facts = await register('ami-bad', key)
    expect([facts.state, facts.sha256]).toEqual(['failed', null])
    expect(facts.message).toContain(sentence)
    expect((await made('ami-bad')).status).toBe(404)
    expect((await test.files()).toSorted()).toEqual(before.toSorted())
  })

  it('whose image is no disk, or that is another’s, or nowhere, fails', async () => {
    const key = await upload('text', Buffer.from('no disk at all'))
    expect((await register('ami-text', key)).message).toContain('no disk')
    expect((await register('ami-none', 'to/none.manifest.xml')).message).toContain('does not exist')
    expect((await register('ami-other', key, { accountId: mallory.accountId })).message).toContain(
      'not accessible',
    )
    await put('xml.manifest.xml', Buffer.from('<!DOCTYPE a [<!ENTITY b "c">]><manifest>&b;</manifest>'))
    expect((await register('ami-xml', 'xml.manifest.xml')).message).toContain('document type')
    await test.sdk(mallory).send(new CreateBucketCommand({ Bucket: 'squatted' }))
    const good = await upload('fine', diskOf(MiB))
    expect((await register('ami-squatted', good, { bucket: 'squatted' })).message).toContain(
      'another account',
    )
  })

  it('waits for the key, and is not made again after a restart', async () => {
    test.cloud.drop('bundling-key', 'cloud')
    const key = await upload('late', diskOf(MiB))
    test.cloud.putImage(itemOf('ami-late', key))
    await eventually(() => test.cloud.observed('image-object', 'ami-late'))
    test.cloud.putItem('bundling-key', 'cloud', {
      certificate: keyOfCloud.certificate,
      privateKey: keyOfCloud.key,
    })
    await eventually(
      () =>
        (test.cloud.observed('image-object', 'ami-late')!.facts as ImageObjectFacts).state === 'available',
    )
    await test.signed({ method: 'DELETE', path: `/${Bucket}/${key}` })
    const files = await test.files()
    const sequence = test.cloud.lastReport!.sequence
    await test.restart()
    const again = await eventually(() =>
      test.cloud.lastReport!.sequence > sequence
        ? test.cloud.lastReport!.observations.find((one) => one.id === 'ami-late')
        : null,
    )
    expect(again.facts).toMatchObject({ state: 'available' })
    // The item changed in nothing that matters: what was found is said of it too.
    expect(await register('ami-late', key, { requestId: 'another' })).toMatchObject({ state: 'available' })
    expect(await test.files()).toEqual(files)
  })

  it('that is to go while it is unpacked is given up at once', async () => {
    const gate = gated()
    test.faults = gate.driver
    await test.restart()
    const key = await upload('slow', diskOf(21 * MiB))
    const before = await test.files()
    gate.close()
    test.cloud.putImage(itemOf('ami-slow', key))
    await eventually(() => gate.waiting() > 0)
    test.cloud.putImage(itemOf('ami-slow', key, { remove: true }))
    gate.open()
    await eventually(
      () => (test.cloud.observed('image-object', 'ami-slow')!.facts as ImageObjectFacts).state === 'gone',
    )
    expect((await made('ami-slow')).status).toBe(404)
    expect((await test.files()).toSorted()).toEqual(before.toSorted())
  })

  it('is unpacked anew by the next start after kill -9 in the middle', async () => {
    const gate = gated()
    test.faults = gate.driver
    await test.restart()
    const disk = diskOf(80 * MiB)
    const key = await upload('killed', disk)
    gate.close()
    test.cloud.putImage(itemOf('ami-killed', key))
    await eventually(() => gate.waiting() > 0)
    const closed = test.walrus.close() // its ledger knows the item
    gate.open()
    await closed
    const incoming = path.join(test.dir, 'data', 'incoming')
    await writeFile(path.join(test.dir, 'walrus.json'), JSON.stringify(test.config))
    const main = path.join(import.meta.dirname, '../src/main.ts')
    const child = spawn(process.execPath, [main, path.join(test.dir, 'walrus.json')], { stdio: 'ignore' })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    await eventually(async () => (await readdir(incoming).catch(() => [])).length > 0)
    child.kill('SIGKILL')
    await ended
    expect(await readdir(incoming)).toHaveLength(1)
    test.faults = null
    await test.open()
    await eventually(
      () =>
        (test.cloud.observed('image-object', 'ami-killed')?.facts as ImageObjectFacts | undefined)?.state ===
        'available',
    )
    expect(sha256Of((await made('ami-killed')).body)).toBe(sha256Of(disk))
    expect(await readdir(incoming)).toEqual([])
  })
})

describe('a manifest', () => {
  const ask = async (id: string, key: string, accountId = alice.accountId) => {
    test.cloud.putItem('manifest', id, { accountId, bucket: Bucket, key })
    return (await eventually(() => test.cloud.observed('manifest', id))).facts as ManifestFacts
  }

  it('that somebody asks about is told', async () => {
    const key = await upload('asked', diskOf(MiB))
    expect(await ask('1', key)).toEqual({
      ...{ state: 'read', message: null, kind: 'machine', architecture: 'x86_64', sizeBytes: MiB },
      ...{ kernelId: 'eki-12345678', ramdiskId: null, rootDevice: 'sda1' },
    })
    expect(await ask('2', key, mallory.accountId)).toMatchObject({ state: 'unreadable', kind: null })
    expect(await ask('3', 'to/nothing.manifest.xml')).toMatchObject({ state: 'unreadable', kind: null })
    expect(await ask('4', 'to/asked.part.00')).toMatchObject({ state: 'malformed', kind: null })
    await put('huge.manifest.xml', Buffer.alloc(3 * MiB, 32))
    expect(await ask('5', 'huge.manifest.xml')).toMatchObject({ state: 'malformed', kind: null })
  })
})

/** A disk with room for 300 MiB. */
const little = (driver: BlobDriver): BlobDriver =>
  Object.assign(Object.create(driver) as BlobDriver, {
    space: async () => ({ totalBytes: 1e9, freeBytes: 300 * MiB }),
  })

/** A disk whose reads wait while the gate is closed. */
function gated() {
  let opened = Promise.resolve()
  let open = () => {}
  let waiting = 0
  return {
    close: () => void (opened = new Promise((resolve) => (open = resolve))),
    open: () => open(),
    waiting: () => waiting,
    driver: (driver: BlobDriver): BlobDriver =>
      Object.assign(Object.create(driver) as BlobDriver, {
        async *read(...args: Parameters<BlobDriver['read']>) {
          waiting += 1
          await opened
          waiting -= 1
          yield* driver.read(...args)
        },
      }),
  }
}
