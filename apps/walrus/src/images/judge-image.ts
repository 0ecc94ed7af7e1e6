import { foreignFormat } from './foreign-formats.ts'
import type { ImageBytes, ImageVerdict } from './image-verdict.ts'
import { refuse } from './image-verdict.ts'
import { isQcow, judgeQcow2 } from './qcow2-header.ts'
import { judgeRaw } from './raw-disk.ts'

/**
 * Says what an image is by our own reading of its bytes; QEMU never probes a file that a customer gave (it would follow
 * a backing file or an external data file to any path of the host).
 */
export function judgeImage(kind: 'machine' | 'kernel' | 'ramdisk', image: ImageBytes): ImageVerdict {
  if (image.sizeBytes === 0) return refuse('The object is empty.')
  if (kind === 'kernel') return judgeKernel(image)
  if (kind === 'ramdisk') return judgeRamdisk(image)
  if (isQcow(image.head)) return judgeQcow2(image)
  const foreign = foreignFormat(image)
  if (foreign) return refuse(`The object is ${foreign}; only raw and qcow2 disks are accepted.`)
  return judgeRaw(image)
}

function judgeKernel({ head, sizeBytes }: ImageBytes): ImageVerdict {
  const bzImage =
    head.length >= 0x206 && head.readUInt16LE(0x1fe) === 0xaa55 && text(head, 0x202, 4) === 'HdrS'
  const elf = head.length >= 64 && text(head, 0, 4) === '\u007fELF' && head[4] === 2 && head[5] === 1
  // 62: x86-64, 183: arm64; executables and what a boot loader may move.
  const machine = elf && [62, 183].includes(head.readUInt16LE(18)) && [2, 3].includes(head.readUInt16LE(16))
  const arm64 = head.length >= 64 && text(head, 56, 4) === 'ARM\u0064'
  if (bzImage || machine || arm64) return { format: 'kernel', virtualSizeBytes: sizeBytes }
  return refuse('The object is no kernel: neither a bzImage nor an ELF file that boots.')
}

const ramdiskMagics = [
  '1f8b', // gzip
  'fd377a585a00', // xz
  '28b52ffd', // zstd
  '02214c18', // lz4, legacy frame
  '04224d18', // lz4
  '425a68', // bzip2
  '303730373031', // cpio, new
  '303730373032', // cpio, new with checksums
]

function judgeRamdisk({ head, sizeBytes }: ImageBytes): ImageVerdict {
  const start = head.toString('hex', 0, 8)
  if (ramdiskMagics.some((magic) => start.startsWith(magic)))
    return { format: 'ramdisk', virtualSizeBytes: sizeBytes }
  return refuse(
    'The object is no initial ramdisk: neither a cpio archive nor one compressed by gzip, xz, zstd, lz4 or bzip2.',
  )
}

const text = (bytes: Buffer, at: number, length: number): string => bytes.toString('latin1', at, at + length)
