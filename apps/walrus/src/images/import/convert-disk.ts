import { createReadStream } from 'node:fs'
import { mkdir, open, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError } from '@mallee/base'
import type { DiskImportItem } from '@mallee/agent-contract'
import { BundleRefused } from '@mallee/image-bundle'
import type { ObjectSource } from '../../objects/open-object.ts'
import { isQcow, judgeQcow2 } from '../qcow2-header.ts'
import { headBytes } from '../image-verdict.ts'
import type { ImageStream } from '../unbundle-image.ts'
import { diskReader, type DiskReader } from './disk-reader.ts'
import type { DiskSource } from './disk-source.ts'
import { fetchDisk, fetchFromOva } from './fetch-disk.ts'
import { imageOf, runQemuImg, type Limits } from './run-qemu-img.ts'
import { judgeVhd, judgeVhdx } from './vhd-header.ts'
import { judgeVmdk } from './vmdk-header.ts'

const convertMs = 3 * 3_600_000
const reservedBytes = 256 * 1024 * 1024

export interface ImportOptions {
  /** A folder of this import's own; it is made, and removed by `finishImport`. */
  readonly dir: string
  readonly signal: AbortSignal
  readonly onProgress: (percent: number) => void
}

/**
 * A disk of another format as raw bytes: copied to a file, judged by our own reading of its headers, measured by QEMU, and
 * converted by it. Releases the source. Throws BundleRefused with what is wrong.
 */
export async function convertDisk(
  deps: ObjectSource,
  source: DiskSource,
  format: Exclude<DiskImportItem['format'], 'raw'>,
  options: ImportOptions & { readonly mostBytes: number },
): Promise<ImageStream> {
  try {
    const { freeBytes } = await deps.blobs.space()
    if (source.sizeBytes + reservedBytes > freeBytes) throw noRoom()
    await mkdir(options.dir, { recursive: true, mode: 0o700 })
    const file = path.join(options.dir, 'source')
    const onBytes = (soFar: number) => options.onProgress(Math.floor((soFar * 20) / source.sizeBytes))
    if (format === 'ova') await fetchFromOva(source, file, onBytes, options.signal)
    else await fetchDisk(source, file, onBytes, options.signal)
    const driver = drivers[format]
    await judge(driver, file, options.mostBytes)
    return await converted(deps, { driver, source: file }, options.mostBytes, options)
  } finally {
    source.release()
  }
}

/** Removes what an import left on the disk; harmless where there is nothing. */
export const finishImport = (dir: string): Promise<void> => rm(dir, { recursive: true, force: true })

/** A disk whose bytes are taken as they are. Releases the source when they were read. */
export function diskAsItIs(
  source: DiskSource,
  mostBytes: number,
  onProgress: (percent: number) => void,
): ImageStream {
  const { sizeBytes } = source
  async function* bytes() {
    let soFar = 0
    try {
      for await (const chunk of source.bytes()) {
        yield chunk
        soFar += chunk.length
        onProgress(Math.floor((soFar * 100) / sizeBytes))
      }
    } finally {
      source.release()
    }
  }
  if (sizeBytes > mostBytes) {
    source.release()
    throw new BundleRefused(`The disk has ${sizeBytes} bytes, which is more than is taken.`)
  }
  return { sizeBytes, bytes: bytes() }
}

/** What QEMU calls them; an OVA holds a VMDK. */
const drivers = { ova: 'vmdk', qcow2: 'qcow2', vhd: 'vpc', vhdx: 'vhdx', vmdk: 'vmdk' } as const

type Driver = (typeof drivers)[keyof typeof drivers]

async function judge(driver: Driver, source: string, mostBytes: number): Promise<void> {
  const handle = await open(source, 'r')
  try {
    const disk = await diskReader(handle)
    const refusal = await refusalOf(driver, disk, mostBytes)
    if (refusal !== null) throw new BundleRefused(refusal)
  } finally {
    await handle.close()
  }
}

function refusalOf(driver: Driver, disk: DiskReader, mostBytes: number): Promise<string | null> {
  switch (driver) {
    case 'vmdk':
      return judgeVmdk(disk, mostBytes)
    case 'vpc':
      return judgeVhd(disk, mostBytes)
    case 'vhdx':
      return judgeVhdx(disk)
    case 'qcow2':
      return judgeQcow2File(disk)
  }
}

async function judgeQcow2File(disk: DiskReader): Promise<string | null> {
  const head = await disk.read(0, headBytes)
  if (!isQcow(head)) return 'The object is no qcow2 disk.'
  const verdict = judgeQcow2({ sizeBytes: disk.sizeBytes, head, tail: Buffer.alloc(0) })
  return 'refused' in verdict ? verdict.refused : null
}

async function converted(
  deps: ObjectSource,
  { driver, source }: { driver: Driver; source: string },
  mostBytes: number,
  { dir, signal, onProgress }: ImportOptions,
): Promise<ImageStream> {
  const limits: Limits = { fileBytes: 0, timeoutMs: 60_000, signal }
  const info = JSON.parse(await runQemuImg(['info', '--output=json', imageOf(driver, source)], limits)) as {
    'virtual-size'?: number
    'backing-filename'?: string
  }
  const virtual = info['virtual-size'] ?? 0
  if (info['backing-filename'] !== undefined)
    throw new BundleRefused('The disk has a backing file, which is not accepted.')
  if (virtual <= 0 || virtual > mostBytes)
    throw new BundleRefused(`The disk has ${virtual} bytes, which is more than is taken.`)
  // What lies beyond the end of a VMDK would be read as empty.
  if (driver === 'vmdk') await runQemuImg(['check', '--output=json', imageOf(driver, source)], limits)
  const { freeBytes } = await deps.blobs.space()
  if (2 * virtual + reservedBytes > freeBytes) throw noRoom()
  const raw = path.join(dir, 'raw')
  // Its progress: `    (12.34/100%)`.
  const onOutput = (text: string) => {
    const [, percent] = /\((\d{1,3}\.\d+)\/100%\)[^(]*$/.exec(text) ?? []
    if (percent !== undefined) onProgress(20 + Math.floor(Number(percent) * 0.5))
  }
  const words = ['convert', '-p', '-O', 'raw', imageOf(driver, source), raw]
  await runQemuImg(words, { fileBytes: virtual, timeoutMs: convertMs, signal }, onOutput)
  await rm(source)
  const { size } = await stat(raw)
  return { sizeBytes: size, bytes: reading(raw, size, onProgress) }
}

async function* reading(file: string, sizeBytes: number, onProgress: (percent: number) => void) {
  let soFar = 0
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    yield chunk as Buffer
    soFar += (chunk as Buffer).length
    onProgress(70 + Math.floor((soFar * 30) / sizeBytes))
  }
}

const noRoom = () =>
  new MalleeError({ code: 'NoRoom', publicMessage: 'There is no room for the disk while it is converted.' })
