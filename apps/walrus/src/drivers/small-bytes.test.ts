import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { silentLog, systemClock } from '@mallee/base'
import type { BlobDriver, BlobWriter } from './blob-driver.ts'
import { BlobKeeper } from './blob-keeper.ts'
import { isSmall } from './small-bytes.ts'

const written: Buffer[] = []
const removed: string[] = []
const driver = {
  name: 'test',
  create: (): Promise<BlobWriter> =>
    Promise.resolve({
      write: async (chunk) => void written.push(chunk),
      finish: async () => ({ id: 'a'.repeat(32), sizeBytes: 0, blockCrcs: new Uint8Array() }),
      discard: async () => {},
    }),
  remove: async (id: string) => void removed.push(id),
} as unknown as BlobDriver
const keeper = new BlobKeeper({ driver, log: silentLog, smallBytes: 100, clock: systemClock })

it('keeps few bytes with their row, gives more to the driver whole and in order', async () => {
  const data = randomBytes(150)
  const little = await keeper.create()
  await little.write(data.subarray(0, 40))
  await little.write(data.subarray(40, 100))
  const small = await little.finish()
  expect(small && isSmall(small.id)).toBe(true)
  expect(Buffer.from(small!.bytes!)).toEqual(data.subarray(0, 100))
  expect(keeper.readSmall(small!, 10, 50)).toEqual(data.subarray(10, 50))
  const much = await keeper.create()
  await much.write(data.subarray(0, 90))
  await much.write(data.subarray(90))
  expect((await much.finish())?.id).toBe('a'.repeat(32))
  expect(Buffer.concat(written)).toEqual(data)
  const none = await keeper.create()
  expect(await none.finish()).toBe(null)
})

it('gives no damaged byte of them, and asks the driver for none', async () => {
  const writer = await keeper.create()
  await writer.write(Buffer.from('precious'))
  const blob = (await writer.finish())!
  const damaged = { ...blob, bytes: Buffer.from('precioux') }
  expect(() => keeper.readSmall(damaged, 0, 3)).toThrow(/not what was written/)
  expect(() => keeper.readSmall({ ...blob, bytes: Buffer.from('prec') }, 0, 3)).toThrow(
    /not what was written/,
  )
  keeper.forget([blob.id])
  await keeper.removeNow(blob.id)
  await keeper.settled()
  expect(removed).toEqual([])
})
