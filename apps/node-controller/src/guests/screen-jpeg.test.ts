import jpeg from 'jpeg-js'
import { PNG } from 'pngjs'
import { expect, test } from 'vitest'
import { screenJpeg } from './screen-jpeg.ts'

const red = [220, 20, 10] as const

function near(jpegBytes: Buffer, width: number, height: number): void {
  const back = jpeg.decode(jpegBytes)
  expect([back.width, back.height]).toEqual([width, height])
  for (const [index, value] of red.entries()) expect(Math.abs(back.data[index]! - value)).toBeLessThan(12)
}

test('QEMU’s two forms become a JPEG of the same picture', () => {
  const ppm = Buffer.concat([Buffer.from('P6\n16 8\n255\n'), Buffer.alloc(16 * 8 * 3, Buffer.from(red))])
  near(screenJpeg('image/x-portable-pixmap', ppm), 16, 8)
  const png = new PNG({ width: 16, height: 8 })
  png.data.fill(Buffer.from([...red, 255]))
  near(screenJpeg('image/png', PNG.sync.write(png)), 16, 8)
})

test('what is cut short, of no form or too large is refused', () => {
  expect(() => screenJpeg('image/x-portable-pixmap', Buffer.from('P6\n16 8\n255\nabc'))).toThrow('screen')
  expect(() => screenJpeg('image/x-portable-pixmap', Buffer.from('P6\n99999 99999\n255\n'))).toThrow('screen')
  expect(() => screenJpeg('text/html', Buffer.from('<html>'))).toThrow('screen')
  const bomb = Buffer.alloc(32)
  bomb.writeUInt32BE(0xffffffff, 16)
  bomb.writeUInt32BE(0xffffffff, 20)
  expect(() => screenJpeg('image/png', bomb)).toThrow('screen')
})
