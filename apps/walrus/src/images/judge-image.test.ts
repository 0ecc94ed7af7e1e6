import { describe, expect, it } from 'vitest'
import { headBytes, tailBytes, type ImageBytes } from './image-verdict.ts'
import { judgeImage } from './judge-image.ts'

const MiB = 1024 * 1024

const imageOf = (file: Buffer): ImageBytes => ({
  sizeBytes: file.length,
  head: file.subarray(0, headBytes),
  tail: file.subarray(-tailBytes),
})
const judge = (file: Buffer, kind: 'machine' | 'kernel' | 'ramdisk' = 'machine') =>
  judgeImage(kind, imageOf(file))
const refusal = (file: Buffer, kind: 'machine' | 'kernel' | 'ramdisk' = 'machine') => {
  const verdict = judge(file, kind)
  return 'refused' in verdict ? verdict.refused : verdict.format
}

function mbr(
  options: { size?: number; start?: number; count?: number; type?: number; status?: number } = {},
): Buffer {
  const file = Buffer.alloc(options.size ?? 4 * MiB)
  file.writeUInt16LE(0xaa55, 510)
  file[446] = options.status ?? 0x80
  file[450] = options.type ?? 0x83
  file.writeUInt32LE(options.start ?? 2048, 454)
  file.writeUInt32LE(options.count ?? 4096, 458)
  return file
}

function gpt(lastUsable: number): Buffer {
  const file = mbr({ type: 0xee, start: 1, count: 0xffffffff, status: 0 })
  file.write('EFI PART', 512)
  file.writeUInt32LE(92, 512 + 12)
  file.writeBigUInt64LE(1n, 512 + 24)
  file.writeBigUInt64LE(BigInt(lastUsable), 512 + 48)
  file.fill(7, 512 + 56, 512 + 72)
  file.writeUInt32LE(128, 512 + 84)
  return file
}

function ext4(blocks = 1024): Buffer {
  const file = Buffer.alloc(4 * MiB)
  file.writeUInt32LE(blocks, 1024 + 4)
  file.writeUInt32LE(2, 1024 + 24)
  file.writeUInt16LE(0xef53, 1024 + 56)
  return file
}

/** A sound qcow2 of 10 MiB with clusters of 64 KiB, changed by `change`. */
function qcow2(change: (file: Buffer) => void = () => {}, version = 3): Buffer {
  const file = Buffer.alloc(4 * 65_536)
  file.writeUInt32BE(0x514649fb, 0)
  file.writeUInt32BE(version, 4)
  file.writeUInt32BE(16, 20)
  file.writeBigUInt64BE(BigInt(10 * MiB), 24)
  file.writeUInt32BE(1, 36)
  file.writeBigUInt64BE(3n * 65_536n, 40)
  file.writeBigUInt64BE(65_536n, 48)
  file.writeUInt32BE(1, 56)
  if (version === 3) {
    file.writeUInt32BE(4, 96)
    file.writeUInt32BE(104, 100)
  }
  change(file)
  return file
}

describe('machine images', () => {
  it('that are raw disks are known by their partition table', () => {
    const raw = { format: 'raw', virtualSizeBytes: 4 * MiB, layout: 'disk' }
    expect(judge(mbr())).toEqual(raw)
    expect(judge(gpt(8000))).toEqual(raw)
  })

  it('that are one partition are known by their file system, a boot sector in it or not', () => {
    const raw = { format: 'raw', virtualSizeBytes: 4 * MiB, layout: 'partition' }
    expect(judge(ext4())).toEqual(raw)
    const withBootSector = ext4()
    withBootSector.writeUInt16LE(0xaa55, 510)
    expect(judge(withBootSector)).toEqual(raw)
    const xfs = Buffer.alloc(4 * MiB)
    xfs.write('XFSB')
    xfs.writeUInt32BE(4096, 4)
    xfs.writeBigUInt64BE(1024n, 8)
    expect(judge(xfs)).toEqual(raw)
    const btrfs = Buffer.alloc(4 * MiB)
    btrfs.write('_BHRfS_M', 65_536 + 64)
    btrfs.writeBigUInt64LE(BigInt(4 * MiB), 65_536 + 112)
    expect(judge(btrfs)).toEqual(raw)
  })

  it('that are cut off or odd are refused with the reason', () => {
    expect(refusal(mbr({ count: 100_000 }))).toContain('cut off')
    expect(refusal(gpt(9000))).toContain('cut off')
    expect(refusal(ext4(1025))).toContain('cut off')
    expect(refusal(Buffer.concat([mbr(), Buffer.alloc(100)]))).toContain('multiple of 512')
    expect(refusal(mbr({ type: 0xee }))).toContain('GUID')
    expect(refusal(mbr({ status: 0x41 }))).toContain('no disk')
    expect(refusal(mbr({ start: 0 }))).toContain('no disk')
    expect(refusal(Buffer.alloc(0))).toContain('empty')
    expect(refusal(Buffer.alloc(MiB))).toContain('no disk')
    expect(refusal(Buffer.from('hello'))).toContain('no disk')
  })

  it('that are qcow2 tell their virtual size', () => {
    expect(judge(qcow2())).toEqual({ format: 'qcow2', virtualSizeBytes: 10 * MiB, layout: 'disk' })
    expect(judge(qcow2(() => {}, 2))).toEqual({ format: 'qcow2', virtualSizeBytes: 10 * MiB, layout: 'disk' })
  })

  it.each<[string, (file: Buffer) => unknown]>([
    ['backing file', (file) => file.writeBigUInt64BE(600n, 8)],
    ['another file', (file) => file.writeBigUInt64BE(4n, 72)],
    ['names another file', (file) => (file.writeUInt32BE(0x44415441, 104), file.writeUInt32BE(8, 108))],
    ['encrypted', (file) => file.writeUInt32BE(1, 32)],
    ['corrupt', (file) => file.writeBigUInt64BE(2n, 72)],
    ['unknown (0x20)', (file) => file.writeBigUInt64BE(32n, 72)],
    ['version 4', (file) => file.writeUInt32BE(4, 4)],
    ['clusters of', (file) => file.writeUInt32BE(40, 20)],
    ['virtual size', (file) => file.writeBigUInt64BE(2n ** 60n, 24)],
    ['virtual size', (file) => file.writeBigUInt64BE(0n, 24)],
    ['virtual size', (file) => file.writeBigUInt64BE(1000n, 24)],
    ['first table is smaller', (file) => file.writeUInt32BE(0, 36)],
    ['first table is too large', (file) => file.writeUInt32BE(0x7fffffff, 36)],
    ['first table lies outside', (file) => file.writeBigUInt64BE(2n ** 40n, 40)],
    ['size of its table of reference counts', (file) => file.writeUInt32BE(0x7fffffff, 56)],
    ['reference counts lies outside', (file) => file.writeBigUInt64BE(2n ** 50n, 48)],
    ['width of its reference counts', (file) => file.writeUInt32BE(7, 96)],
    ['snapshots', (file) => file.writeUInt32BE(0x7fffffff, 60)],
    ['its length', (file) => file.writeUInt32BE(72, 100)],
    ['unknown way', (file) => (file.writeUInt32BE(112, 100), (file[104] = 9))],
  ])('that are qcow2 with %s are refused', (reason, change) => {
    expect(refusal(qcow2((file) => void change(file)))).toContain(reason)
  })

  it('that are cut off in their header are refused', () => {
    expect(refusal(qcow2().subarray(0, 80))).toContain('cut off')
  })

  it.each<[string, number, string]>([
    ['VMDK', 0, 'KDMV'],
    ['VMDK', 0, '# Disk DescriptorFile'],
    ['VHDX', 0, 'vhdxfile'],
    ['VHD', 0, 'conectix'],
    ['VDI', 0x40, '\u007f\u0010\u00da\u00be'],
    ['ISO', 32_769, 'CD001'],
    ['gzip', 0, '\u001f\u008b'],
    ['VHD', 4 * MiB - 512, 'conectix'],
  ])('of the kind %s at %i are refused by name, even with a partition table', (name, at, magic) => {
    const file = mbr()
    file.write(magic, at, 'latin1')
    expect(refusal(file)).toContain(name)
  })
})

describe('kernels and ramdisks', () => {
  it('are known by their magic', () => {
    const bzImage = Buffer.alloc(2048)
    bzImage.writeUInt16LE(0xaa55, 0x1fe)
    bzImage.write('HdrS', 0x202)
    const elf = Buffer.alloc(128)
    elf.write('\u007fELF\u0002\u0001', 'latin1')
    elf.writeUInt16LE(2, 16)
    elf.writeUInt16LE(62, 18)
    for (const file of [bzImage, elf]) expect(refusal(file, 'kernel')).toBe('kernel')
    for (const magic of ['1f8b08', 'fd377a585a00', '28b52ffd', '02214c18', '425a68', '303730373031'])
      expect(refusal(Buffer.from(`${magic}00000000`, 'hex'), 'ramdisk')).toBe('ramdisk')
    expect(refusal(mbr(), 'kernel')).toContain('no kernel')
    expect(refusal(mbr(), 'ramdisk')).toContain('no initial ramdisk')
    expect(refusal(bzImage)).toContain('no disk')
  })
})
