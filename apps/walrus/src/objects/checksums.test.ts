import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checksumNames, startChecksum, statedChecksum } from './checksums.ts'
import { combineCrcs } from './combine-crcs.ts'

const digestOf = (name: (typeof checksumNames)[number], ...chunks: Buffer[]) => {
  const running = startChecksum(name)
  for (const chunk of chunks) running.update(chunk)
  return running.digest()
}

describe('checksums', () => {
  it('give the check values of their definitions', () => {
    const check = Buffer.from('123456789')
    expect(digestOf('CRC32', check).toString('hex')).toBe('cbf43926')
    expect(digestOf('CRC32C', check).toString('hex')).toBe('e3069283')
    expect(digestOf('CRC64NVME', check).toString('hex')).toBe('ae8b14860a799888')
    expect(digestOf('SHA1', check).toString('hex')).toBe('f7c3bc1d808e04732adf679965ccc34ca7ae3441')
  })

  it('do not depend on how the bytes come', () => {
    const data = randomBytes(5000)
    for (const name of checksumNames) {
      const pieces = [data.subarray(0, 3), data.subarray(3, 20), data.subarray(20, 4001), data.subarray(4001)]
      expect(digestOf(name, ...pieces)).toEqual(digestOf(name, data))
    }
  })

  it('combine from parts', () => {
    const data = randomBytes(70_000)
    const cuts = [0, 10_000, 20_000, 20_001, 65_537, 70_000]
    for (const name of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
      const parts = cuts.slice(1).map((end, index) => {
        const part = data.subarray(cuts[index], end)
        return { crc: digestOf(name, part), sizeBytes: part.length }
      })
      expect(combineCrcs(name, parts)).toEqual(digestOf(name, data))
    }
  })

  it('are read from a request, one at most, and refused where we do not compute them', () => {
    expect(statedChecksum({ ChecksumCRC32: 'y/Q5Jg==' }, [])).toEqual({ name: 'CRC32', value: 'y/Q5Jg==' })
    expect(statedChecksum({}, ['x-amz-checksum-sha1'])).toEqual({ name: 'SHA1', value: undefined })
    expect(() => statedChecksum({ ChecksumCRC32: 'y/Q5Jg==' }, ['x-amz-checksum-sha1'])).toThrow('single')
    expect(() => statedChecksum({ ChecksumCRC32: 'nonsense' }, [])).toThrow('invalid')
    expect(() => statedChecksum({}, ['x-amz-checksum-xxhash64'])).toThrow('not implemented')
  })
})
