import jpeg from 'jpeg-js'
import { PNG } from 'pngjs'
import { fatal } from '../node-error.ts'

interface Pixels {
  readonly width: number
  readonly height: number
  /** Red, green, blue and alpha of each pixel. */
  readonly data: Buffer
}

/** No guest of ours has more than this; what claims to is not decoded. */
const mostPixels = 64 * 1024 * 1024
/** What we would like, and what we settle for before the picture gets smaller. */
const qualities = [85, 60, 35, 15]
/** In base64 it is a third more, and the cloud takes 700,000 characters. */
const mostBytes = 500_000

/**
 * The JPEG that EC2 promises, of the PNG or PPM that QEMU gives. It is shorter than 500,000 bytes: a screen that is too
 * busy for that loses quality first and then size, since a coarse picture says more than a refused one.
 */
export function screenJpeg(mimeType: string, bytes: Buffer, longestBytes = mostBytes): Buffer {
  let pixels = mimeType === 'image/png' ? readPng(bytes) : readPpm(bytes)
  for (;;) {
    for (const quality of qualities) {
      const { data } = jpeg.encode(pixels, quality)
      // A single pixel cannot be halved.
      if (data.length < longestBytes || pixels.width * pixels.height === 1) return data
    }
    pixels = halved(pixels)
  }
}

/** Each pixel the average of four; of an odd last row or column the outermost are left out. */
function halved({ width, height, data }: Pixels): Pixels {
  const half = { width: Math.max(1, width >> 1), height: Math.max(1, height >> 1) }
  const right = width > 1 ? 4 : 0
  const below = height > 1 ? width * 4 : 0
  const smaller = Buffer.alloc(half.width * half.height * 4)
  for (let y = 0; y < half.height; y += 1) {
    for (let x = 0; x < half.width; x += 1) {
      const from = (y * 2 * width + x * 2) * 4
      const to = (y * half.width + x) * 4
      for (let part = 0; part < 4; part += 1) {
        const at = from + part
        const sum = data[at]! + data[at + right]! + data[at + below]! + data[at + right + below]!
        smaller[to + part] = sum >> 2
      }
    }
  }
  return { ...half, data: smaller }
}

function readPng(bytes: Buffer): Pixels {
  const size = bytes.length >= 24 ? bytes.readUInt32BE(16) * bytes.readUInt32BE(20) : 0
  if (size === 0 || size > mostPixels) throw unreadable()
  return PNG.sync.read(bytes)
}

/** Netpbm's binary form: `P6`, width, height, 255, and then three bytes a pixel. */
function readPpm(bytes: Buffer): Pixels {
  const head = /^P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s/.exec(bytes.subarray(0, 64).toString('latin1'))
  if (!head) throw unreadable()
  const width = Number(head[1])
  const height = Number(head[2])
  const body = bytes.subarray(head[0].length)
  if (width * height > mostPixels || body.length < width * height * 3) throw unreadable()
  const data = Buffer.alloc(width * height * 4, 0xff)
  for (let pixel = 0; pixel < width * height; pixel += 1) body.copy(data, pixel * 4, pixel * 3, pixel * 3 + 3)
  return { width, height, data }
}

function unreadable(): Error {
  return fatal('UnreadableScreen', 'The hypervisor gave a picture of the screen that cannot be read.')
}
