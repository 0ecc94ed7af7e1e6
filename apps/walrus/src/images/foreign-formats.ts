import type { ImageBytes } from './image-verdict.ts'

interface Signature {
  readonly name: string
  readonly at: number
  readonly magic: Buffer
}

const ascii = (name: string, at: number, magic: string): Signature => ({
  name,
  at,
  magic: Buffer.from(magic, 'latin1'),
})

const heads: readonly Signature[] = [
  ascii('a VMDK disk', 0, 'KDMV'),
  ascii('a VMDK disk', 0, 'COWD'),
  ascii('a VMDK disk', 0, '# Disk DescriptorFile'),
  ascii('a VHDX disk', 0, 'vhdxfile'),
  ascii('a VHD disk', 0, 'conectix'),
  ascii('a VDI disk', 0x40, '\u007f\u0010\u00da\u00be'),
  ascii('a QED disk', 0, 'QED\u0000'),
  ascii('a Parallels disk', 0, 'WithoutFreeSpace'),
  ascii('a Parallels disk', 0, 'WithouFreSpacExt'),
  ascii('a Bochs disk', 0, 'Bochs Virtual HD Image'),
  ascii('a LUKS volume', 0, 'LUKS\u00ba\u00be'),
  ascii('an ISO 9660 image', 32_769, 'CD001'),
  ascii('compressed by gzip', 0, '\u001f\u008b'),
  ascii('compressed by xz', 0, '\u00fd7zXZ\u0000'),
  ascii('compressed by zstd', 0, '\u0028\u00b5\u002f\u00fd'),
  ascii('compressed by bzip2', 0, 'BZh'),
  ascii('a ZIP archive', 0, 'PK\u0003\u0004'),
  ascii('a tar archive', 257, 'ustar'),
]

const tails: readonly Signature[] = [ascii('a VHD disk', 0, 'conectix'), ascii('a DMG disk', 0, 'koly')]

/** A format that is not ours, by name; null where none is recognised. */
export function foreignFormat({ head, tail }: ImageBytes): string | null {
  const found =
    heads.find((signature) => matches(head, signature)) ?? tails.find((signature) => matches(tail, signature))
  return found?.name ?? null
}

function matches(bytes: Buffer, { at, magic }: Signature): boolean {
  return bytes.length >= at + magic.length && bytes.subarray(at, at + magic.length).equals(magic)
}
