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
const quality = 85

/** The JPEG that EC2 promises, of the PNG or PPM that QEMU gives. */
export function screenJpeg(mimeType: string, bytes: Buffer): Buffer {
  const pixels = mimeType === 'image/png' ? readPng(bytes) : readPpm(bytes)
  return jpeg.encode(pixels, quality).data
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
