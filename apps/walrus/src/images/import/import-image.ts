import { createReadStream } from 'node:fs'
import { mkdir, open, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError } from '@mallee/base'
import type { ImageObjectItem } from '@mallee/agent-contract'
import { BundleRefused } from '@mallee/image-bundle'
import type { ObjectSource, OpenObject } from '../../objects/open-object.ts'
import { openOwned } from '../copy-image-object.ts'
import type { ImageStream } from '../unbundle-image.ts'
import { diskReader } from './disk-reader.ts'
import { fetchFromOva, fetchObject } from './fetch-disk.ts'
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
 * A disk of another format, or as it is where it is raw or qcow2: those are looked at when they are written, as every
 * image is. All others are copied to a file, judged by our own reading of their headers, measured by QEMU, and converted
 * by it to raw. Throws BundleRefused with what is wrong.
 */
export async function importImage(
  deps: ObjectSource,
  item: ImageObjectItem,
  options: ImportOptions,
): Promise<ImageStream> {
  const { accountId, madeFrom } = item
  if (!madeFrom?.format) throw new BundleRefused('The format of the disk is not known.')
  const object = await openOwned(deps, accountId, madeFrom)
  if (typeof object === 'string') throw new BundleRefused(object)
  const { format, mostBytes } = madeFrom
  if (format === 'raw' || format === 'qcow2') return asItIs(object, mostBytes, options)
  try {
    const { freeBytes } = await deps.blobs.space()
    if (object.row.size + reservedBytes > freeBytes) throw noRoom()
    await mkdir(options.dir, { recursive: true, mode: 0o700 })
    const source = path.join(options.dir, 'source')
    const onBytes = (soFar: number) => options.onProgress(Math.floor((soFar * 20) / object.row.size))
    if (format === 'ova') await fetchFromOva(object, source, onBytes, options.signal)
    else await fetchObject(object, source, onBytes, options.signal)
    const driver = format === 'vhd' ? 'vpc' : format === 'vhdx' ? 'vhdx' : 'vmdk'
    await judge(driver, source, mostBytes)
    return await converted(deps, { driver, source }, mostBytes, options)
  } finally {
    object.release()
  }
}

/** Removes what an import left on the disk; harmless where there is nothing. */
export const finishImport = (dir: string): Promise<void> => rm(dir, { recursive: true, force: true })

function asItIs(object: OpenObject, mostBytes: number, { onProgress }: ImportOptions): ImageStream {
  const sizeBytes = object.row.size
  async function* bytes() {
    let soFar = 0
    try {
      for await (const chunk of object.bytes(0, sizeBytes)) {
        yield chunk
        soFar += chunk.length
        onProgress(Math.floor((soFar * 100) / sizeBytes))
      }
    } finally {
      object.release()
    }
  }
  if (sizeBytes > mostBytes) {
    object.release()
    throw new BundleRefused(`The disk has ${sizeBytes} bytes, which is more than is taken.`)
  }
  return { sizeBytes, bytes: bytes() }
}

type Driver = 'vmdk' | 'vpc' | 'vhdx'

async function judge(driver: Driver, source: string, mostBytes: number): Promise<void> {
  const handle = await open(source, 'r')
  try {
    const disk = await diskReader(handle)
    const refusal =
      driver === 'vmdk'
        ? await judgeVmdk(disk, mostBytes)
        : driver === 'vpc'
          ? await judgeVhd(disk, mostBytes)
          : await judgeVhdx(disk)
    if (refusal !== null) throw new BundleRefused(refusal)
  } finally {
    await handle.close()
  }
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
