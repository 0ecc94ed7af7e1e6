import { open, type FileHandle } from 'node:fs/promises'
import { BundleRefused, tarMembers } from '@mallee/image-bundle'
import type { DiskSource } from './disk-source.ts'

/** Bytes of an OVF beside its disks. */
const ovaSlackBytes = 64 * 1024 * 1024
const diskNames = /\.(?:vmdk|vhd|vhdx|img|raw|qcow2)$/i

/** Copies a disk's bytes to a file that is not there yet. */
export async function fetchDisk(
  source: DiskSource,
  file: string,
  onBytes: (soFar: number) => void,
  signal: AbortSignal,
): Promise<void> {
  await copyTo(file, source.bytes(), onBytes, signal)
}

/**
 * The one disk of an OVA, copied to a file: an archive with a description and its disks, of which one alone can become an
 * image. Throws BundleRefused.
 */
export async function fetchFromOva(
  source: DiskSource,
  file: string,
  onBytes: (soFar: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { sizeBytes } = source
  let described = false
  let disk: string | null = null
  for await (const member of tarMembers(source.bytes(), sizeBytes + ovaSlackBytes)) {
    signal.throwIfAborted()
    if (member.name.endsWith('.ovf')) described = true
    if (!diskNames.test(member.name)) continue
    if (disk !== null) throw new BundleRefused('The OVA holds more than one disk; an image is made of one.')
    disk = member.name
    if (!disk.toLowerCase().endsWith('.vmdk'))
      throw new BundleRefused(`The disk ${disk} of the OVA is no VMDK.`)
    await copyTo(file, member.bytes, onBytes, signal)
  }
  if (!described) throw new BundleRefused('The object is no OVA: it holds no OVF.')
  if (disk === null) throw new BundleRefused('The OVA holds no disk.')
}

async function copyTo(
  file: string,
  chunks: AsyncIterable<Buffer>,
  onBytes: (soFar: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let handle: FileHandle | null = null
  let soFar = 0
  try {
    handle = await open(file, 'wx', 0o600)
    for await (const chunk of chunks) {
      signal.throwIfAborted()
      await handle.writeFile(chunk)
      soFar += chunk.length
      onBytes(soFar)
    }
  } finally {
    await handle?.close()
  }
}
