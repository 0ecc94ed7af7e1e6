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

test('a screen that is too busy for the cloud’s limit becomes coarser, and then smaller', () => {
  const noise = (width: number, height: number) => {
    const data = Buffer.alloc(width * height * 3)
    let state = 1
    for (let at = 0; at < data.length; at += 1) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
      data[at] = state >> 16
    }
    return Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), data])
  }
  const large = screenJpeg('image/x-portable-pixmap', noise(1024, 768))
  expect(large.toString('base64').length).toBeLessThan(700_000)
  expect(jpeg.decode(large)).toMatchObject({ width: 1024, height: 768 })
  const small = screenJpeg('image/x-portable-pixmap', noise(201, 99), 4_000)
  expect(small.length).toBeLessThan(4_000)
  expect(jpeg.decode(small)).toMatchObject({ width: 100, height: 49 })
  const tiny = jpeg.decode(screenJpeg('image/x-portable-pixmap', noise(9, 1), 1))
  expect([tiny.width, tiny.height]).toEqual([1, 1])
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
