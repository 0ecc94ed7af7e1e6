import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ImageObjectFacts, ImageObjectItem } from '@mallee/agent-contract'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

const MiB = 1024 * 1024
const Bucket = 'disks'
const into = 'made-for-alice'
const dir = mkdtempSync(path.join(tmpdir(), 'mallee-imports-'))
const file = (name: string) => path.join(dir, name)
let test: WalrusUnderTest
let count = 0

const disk = Buffer.alloc(24 * MiB)
randomBytes(5 * MiB).copy(disk, 2 * MiB)
disk.writeUInt16LE(0xaa55, 510)
disk[446 + 4] = 0x83
disk.writeUInt32LE(2048, 454)
disk.writeUInt32LE(4096, 458)

type Format = NonNullable<NonNullable<ImageObjectItem['madeFrom']>['format']>
const qemuImg = (...words: string[]) => execFileSync('qemu-img', words, { cwd: dir })
const convert = (to: string, name: string, ...options: string[]) => {
  qemuImg('convert', '-f', 'raw', '-O', to, ...options, 'disk.raw', name)
  return readFileSync(file(name))
}
const tar = (...words: string[]) =>
  execFileSync('tar', ['-C', dir, '-cf', '-', ...words], { maxBuffer: 256 * MiB })
const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

beforeAll(async () => {
  writeFileSync(file('disk.raw'), disk)
  test = await WalrusUnderTest.start()
  await test.sdk().send(new CreateBucketCommand({ Bucket }))
})
afterAll(async () => {
  await test.stop()
  rmSync(dir, { recursive: true, force: true })
})

const itemOf = (imageId: string, format: Format, key: string, more: object = {}): ImageObjectItem => ({
  ...{ imageId, accountId: alice.accountId, bucket: into, key: imageId, kind: 'machine' },
  madeFrom: {
    ...{ how: 'import', bucket: Bucket, key, format, mostBytes: 100 * MiB },
    ...{ canonicalId: alice.canonicalId, accountName: 'alice' },
  },
  ...more,
})

async function imported(
  format: Format,
  bytes: Buffer,
  more: object = {},
): Promise<ImageObjectFacts & { id: string }> {
  count += 1
  const id = `ami-${count}`
  await test.sdk().send(new PutObjectCommand({ Bucket, Key: id, Body: bytes, ContentLength: bytes.length }))
  test.cloud.putImage(itemOf(id, format, id, more))
  const facts = await eventually(() => {
    const said = test.cloud.observed('image-object', id)?.facts as ImageObjectFacts | undefined
    return said && said.state !== 'making' ? said : null
  })
  expect(await readdir(path.join(test.dir, 'data', 'converting')).catch(() => [])).toEqual([])
  return { ...facts, id }
}
const made = async (id: string) => (await test.signed({ path: `/${into}/${id}` })).body

describe('a disk', () => {
  it.each<[string, Format, () => Buffer]>([
    ['raw', 'raw', () => disk],
    ['VMDK of one file', 'vmdk', () => convert('vmdk', 'sparse.vmdk')],
    ['VMDK as a stream', 'vmdk', () => convert('vmdk', 'stream.vmdk', '-o', 'subformat=streamOptimized')],
    ['VMDK as a stream of VMware', 'vmdk', () => withFooter()],
    ['VHD that grows', 'vhd', () => convert('vpc', 'dynamic.vhd', '-o', 'force_size=on')],
    ['VHD of full size', 'vhd', () => convert('vpc', 'fixed.vhd', '-o', 'subformat=fixed,force_size=on')],
    ['VHDX', 'vhdx', () => convert('vhdx', 'disk.vhdx')],
    ['OVA', 'ova', () => ova('stream.vmdk')],
  ])('of the kind %s becomes a raw disk of the same bytes', async (_name, format, bytes) => {
    const facts = await imported(format, bytes())
    expect(facts).toMatchObject({ state: 'available', format: 'raw', layout: 'disk', sizeBytes: disk.length })
    expect(facts.sha256).toBe(sha256Of(disk))
    expect(sha256Of(await made(facts.id))).toBe(sha256Of(disk))
    const said = test.cloud.said
      .filter((one) => one.id === facts.id)
      .map((one) => one.facts as ImageObjectFacts)
    expect(said[0]).toMatchObject({ state: 'making', progress: 0 })
  })

  it('that is a qcow2 stays one', async () => {
    const bytes = convert('qcow2', 'disk.qcow2')
    const facts = await imported('qcow2', bytes)
    expect(facts).toMatchObject({ state: 'available', format: 'qcow2', virtualSizeBytes: disk.length })
    expect(sha256Of(await made(facts.id))).toBe(sha256Of(bytes))
  })
})

function ova(...disks: string[]): Buffer {
  writeFileSync(file('machine.ovf'), '<Envelope/>')
  return tar('--format=ustar', 'machine.ovf', ...disks)
}

const sparse = () => convert('vmdk', 'sparse.vmdk')
const stream = () => convert('vmdk', 'stream.vmdk', '-o', 'subformat=streamOptimized')
const changed = (bytes: Buffer, change: (bytes: Buffer) => unknown): Buffer => {
  change(bytes)
  return bytes
}
/** The descriptor's text with another in the place of a part of it, and as long. */
const descriptor = (bytes: Buffer, from: string, to: string) =>
  changed(bytes, () => {
    const at = bytes.indexOf(from)
    expect(at).toBeGreaterThan(0)
    bytes.write(to.padEnd(from.length), at, 'latin1')
  })

/** A stream as VMware writes it: its directory is told by a second header at the end. */
function withFooter(change: (footer: Buffer) => unknown = () => {}): Buffer {
  const bytes = stream()
  const footer = Buffer.from(bytes.subarray(0, 512))
  change(footer)
  bytes.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 56)
  const marker = Buffer.alloc(512)
  marker.writeUInt32LE(3, 12)
  return Buffer.concat([bytes, marker, footer, Buffer.alloc(512)])
}

describe('refused with its reason, and nothing left, is', () => {
  const secret = '/etc/hostname'
  it.each<[string, Format, string, () => Buffer]>([
    [
      'a VMDK with a parent',
      'vmdk',
      'has a parent',
      () => descriptor(sparse(), 'parentCID=ffffffff', 'parentCID=12345678'),
    ],
    [
      'a VMDK that names its parent',
      'vmdk',
      'has a parent',
      () => descriptor(sparse(), 'ddb.virtualHWVersion = "4"', `parentFileNameHint="${secret.slice(0, 5)}"`),
    ],
    [
      'a VMDK that is a text',
      'vmdk',
      'names other files',
      () =>
        Buffer.from(
          `# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 100 FLAT "${secret}" 0\n`,
        ),
    ],
    [
      'a VMDK whose header leads to its text',
      'vmdk',
      'names other files',
      () => changed(sparse(), (bytes) => bytes.writeBigUInt64LE(0n, 12)),
    ],
    [
      'a VMDK of several files',
      'vmdk',
      'of the type twoGbMaxExtentSparse',
      () =>
        changed(sparse(), (bytes) => {
          const text = bytes
            .toString('latin1', 512, 512 + 10_240)
            .replace('monolithicSparse', 'twoGbMaxExtentSparse')
          bytes.write(text.slice(0, 10_240), 512, 'latin1')
        }),
    ],
    ['a VMDK with a flat extent', 'vmdk', 'several files', () => descriptor(sparse(), 'SPARSE', 'FLAT')],
    [
      'a VMDK that says to be huge',
      'vmdk',
      'more than is taken',
      () => changed(sparse(), (bytes) => bytes.writeBigUInt64LE(2n ** 40n, 12)),
    ],
    [
      'a VMDK of an unknown version',
      'vmdk',
      'version 9',
      () => changed(sparse(), (bytes) => bytes.writeUInt32LE(9, 4)),
    ],
    [
      'a VMDK whose second header is another one',
      'vmdk',
      'does not agree',
      () => withFooter((footer) => footer.writeBigUInt64LE(2n ** 40n, 12)),
    ],
    [
      'a VMDK without a text',
      'vmdk',
      'no descriptor',
      () => changed(sparse(), (bytes) => bytes.writeBigUInt64LE(0n, 28)),
    ],
    ['a VMDK that is cut off', 'vmdk', 'cannot be read', () => sparse().subarray(0, MiB)],
    [
      'a VHD that is cut off',
      'vhd',
      'cut off',
      () => {
        const bytes = convert('vpc', 'fixed.vhd', '-o', 'subformat=fixed,force_size=on')
        return Buffer.concat([bytes.subarray(0, MiB), bytes.subarray(-512)])
      },
    ],
    ['what is no VMDK', 'vmdk', 'no VMDK', () => disk],
    [
      'a VHD on another one',
      'vhd',
      'depends on another',
      () =>
        changed(convert('vpc', 'd.vhd'), (bytes) => {
          bytes.writeUInt32BE(4, 60)
          bytes.writeUInt32BE(4, bytes.length - 512 + 60)
        }),
    ],
    [
      'a VHD that says to be huge',
      'vhd',
      'more than is taken',
      () => changed(convert('vpc', 'd.vhd'), (bytes) => bytes.writeBigUInt64BE(2n ** 50n, 48)),
    ],
    [
      'a VHD of two minds',
      'vhd',
      'does not agree',
      () => changed(convert('vpc', 'd.vhd'), (bytes) => bytes.writeUInt32BE(2, 60)),
    ],
    ['what is no VHD', 'vhd', 'no VHD', () => disk],
    ['what is no VHDX', 'vhdx', 'no VHDX', () => disk],
    [
      'a VHDX of nonsense',
      'vhdx',
      'cannot be read',
      () => Buffer.concat([Buffer.from('vhdxfile'), randomBytes(4 * MiB)]),
    ],
    [
      'a qcow2 with a backing file',
      'qcow2',
      'backing file',
      () => {
        qemuImg('create', '-q', '-f', 'qcow2', '-u', '-b', secret, '-F', 'raw', 'b.qcow2', '10M')
        return readFileSync(file('b.qcow2'))
      },
    ],
    [
      'a qcow2 with its data elsewhere',
      'qcow2',
      'another file',
      () => {
        qemuImg('create', '-q', '-f', 'qcow2', '-o', 'data_file=other.raw,data_file_raw=on', 'e.qcow2', '10M')
        return readFileSync(file('e.qcow2'))
      },
    ],
    ['a raw disk that is none', 'raw', 'no disk', () => randomBytes(MiB)],
    ['a raw disk that is too large', 'raw', 'more than is taken', () => Buffer.alloc(101 * MiB)],
    [
      'an OVA with two disks',
      'ova',
      'more than one disk',
      () => {
        stream()
        sparse()
        return ova('stream.vmdk', 'sparse.vmdk')
      },
    ],
    ['an OVA without a disk', 'ova', 'no disk', () => ova()],
    ['an OVA without a description', 'ova', 'no OVF', () => (stream(), tar('stream.vmdk'))],
    [
      'an OVA with a link',
      'ova',
      'a link, a folder',
      () => {
        rmSync(file('link.vmdk'), { force: true })
        symlinkSync(secret, file('link.vmdk'))
        return ova('link.vmdk')
      },
    ],
    [
      'an OVA with a path',
      'ova',
      'path',
      () => (stream(), ova('-P', '--transform', 's,^stream,../../stream,', 'stream.vmdk')),
    ],
    [
      'an OVA with a hostile disk',
      'ova',
      'has a parent',
      () => {
        writeFileSync(file('evil.vmdk'), descriptor(sparse(), 'parentCID=ffffffff', 'parentCID=12345678'))
        return ova('evil.vmdk')
      },
    ],
    ['an OVA that is cut off', 'ova', 'cut off', () => (stream(), ova('stream.vmdk').subarray(0, 100_000))],
    ['what is no archive', 'ova', 'no tar archive', () => disk.subarray(0, MiB)],
  ])('%s', async (_what, format, reason, bytes) => {
    const before = await test.files()
    const facts = await imported(format, bytes())
    expect(facts).toMatchObject({ state: 'failed', sha256: null })
    expect(facts.message).toContain(reason)
    expect(facts.message).not.toContain(test.dir)
    // The object that was uploaded, and nothing else.
    expect((await test.files()).length).toBe(before.length + 1)
  })

  it('another account’s disk, and one that there is not', async () => {
    expect((await imported('raw', disk, { accountId: mallory.accountId })).message).toContain(
      'not accessible',
    )
    test.cloud.putImage(itemOf('ami-none', 'vmdk', 'nothing'))
    const facts = await eventually(() => {
      const said = test.cloud.observed('image-object', 'ami-none')?.facts as ImageObjectFacts | undefined
      return said?.state === 'failed' && said
    })
    expect(facts.message).toContain('does not exist')
  })
})

it('a guest’s disk whose bytes look like another format is what it was said to be', async () => {
  // A raw disk that begins like a qcow2 with a backing file: taken for a qcow2, by our own reading, and refused.
  const evil = Buffer.from(disk)
  readFileSync(file('b.qcow2')).copy(evil, 0, 0, 440)
  expect((await imported('raw', evil)).message).toContain('backing file')
})

it('that is cancelled while it is fetched leaves nothing', async () => {
  const handle = openSync(file('long.vmdk'), 'w')
  writeSync(handle, convert('vmdk', 'sparse.vmdk'))
  writeSync(handle, randomBytes(60 * MiB))
  closeSync(handle)
  await test.sdk().send(
    new PutObjectCommand({
      Bucket,
      Key: 'long',
      Body: readFileSync(file('long.vmdk')),
      ContentLength: readFileSync(file('long.vmdk')).length,
    }),
  )
  const before = await test.files()
  test.cloud.putImage(itemOf('ami-long', 'vmdk', 'long'))
  await eventually(() => test.cloud.observed('image-object', 'ami-long'))
  test.cloud.putImage(itemOf('ami-long', 'vmdk', 'long', { remove: true }))
  await eventually(
    () =>
      (test.cloud.observed('image-object', 'ami-long')?.facts as ImageObjectFacts | undefined)?.state ===
      'gone',
  )
  expect((await test.files()).toSorted()).toEqual(before.toSorted())
  expect((await made('ami-long')).toString()).toContain('NoSuch')
})
