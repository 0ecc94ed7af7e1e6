import { execFileSync } from 'node:child_process'
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GiB, MiB } from '@mallee/base'
import { ensurePartitionDisk, swapHeader } from './partition-disk.ts'
import { partitionLayout } from './partition-layout.ts'

const uuid = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
let dir: string
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'mallee-partition-'))
})
afterEach(() => rm(dir, { recursive: true }))

/** An image with something at its beginning, its middle and its end, and nothing between. */
async function image(sizeBytes: number): Promise<string> {
  const file = path.join(dir, 'image.raw')
  const handle = await open(file, 'w')
  await handle.truncate(sizeBytes)
  for (const [at, text] of [
    [0, 'first'],
    [Math.floor(sizeBytes / 2), 'middle'],
    [sizeBytes - 4, 'last'],
  ] as const)
    await handle.write(Buffer.from(text), 0, undefined, at)
  await handle.close()
  return file
}

describe('the layout', () => {
  it('has the image, the rest and 512 MiB of swap', () => {
    const { partitions, diskBytes } = partitionLayout({ imageBytes: 100 * MiB + 512, diskGiB: 5 })
    expect(diskBytes).toBe(5 * GiB)
    expect(partitions).toEqual([
      { name: 'root', number: 1, startBytes: MiB, sizeBytes: 100 * MiB + 512 },
      { name: 'ephemeral0', number: 2, startBytes: 102 * MiB, sizeBytes: 5 * GiB - 614 * MiB },
      { name: 'swap', number: 3, startBytes: 5 * GiB - 512 * MiB, sizeBytes: 512 * MiB },
    ])
  })

  it('shares what is left where that is little, and leaves it where it is of no use', () => {
    const sizes = (imageBytes: number) =>
      partitionLayout({ imageBytes, diskGiB: 1 }).partitions.map(({ sizeBytes }) => sizeBytes / MiB)
    expect(sizes(923 * MiB)).toEqual([923, 50, 50])
    expect(sizes(1000 * MiB)).toEqual([1000])
    expect(sizes(1023 * MiB)).toEqual([1023])
  })

  it('stays within what the table can say', () => {
    const { partitions } = partitionLayout({ imageBytes: GiB, diskGiB: 4096 })
    const last = partitions.at(-1)!
    expect((last.startBytes + last.sizeBytes) / 512).toBeLessThan(2 ** 32)
  })
})

describe('the disk', () => {
  const make = async (imageBytes: number) =>
    ensurePartitionDisk({
      instanceDir: dir,
      imagePath: await image(imageBytes),
      imageBytes,
      diskGiB: 1,
      uuid,
    })

  it('has what sfdisk, blkid and fsck expect, and holes for what is nothing', async () => {
    const imageBytes = 20 * MiB
    const file = await make(imageBytes)
    const table = JSON.parse(execFileSync('sfdisk', ['--json', file], { encoding: 'utf8' })) as {
      partitiontable: { id: string; partitions: { start: number; size: number; type: string }[] }
    }
    expect(table.partitiontable.id).toBe('0x33221100')
    const layout = partitionLayout({ imageBytes, diskGiB: 1 }).partitions
    expect(table.partitiontable.partitions.map(({ start, size, type }) => [start, size, type])).toEqual(
      layout.map(({ startBytes, sizeBytes, name }) => [
        startBytes / 512,
        sizeBytes / 512,
        name === 'swap' ? '82' : '83',
      ]),
    )
    for (const [index, [type, label]] of [
      [1, ['ext4', 'ephemeral0']],
      [2, ['swap', '']],
    ] as const) {
      const { startBytes, sizeBytes } = layout[index]!
      const args = ['-p', '-o', 'export', '-O', String(startBytes), '-S', String(sizeBytes), file]
      const said = execFileSync('blkid', args, { encoding: 'utf8' })
      expect(said).toContain(`TYPE=${type}`)
      if (label !== '') expect(said).toContain(`LABEL=${label}`)
    }
    const info = await stat(file)
    expect(info.size).toBe(GiB)
    expect(info.blocks * 512).toBeLessThan(8 * MiB)
    const disk = await open(file, 'r')
    const { buffer: root } = await disk.read(Buffer.alloc(imageBytes), 0, imageBytes, MiB)
    await disk.close()
    expect(root.equals(await readFile(path.join(dir, 'image.raw')))).toBe(true)
    // Throws where something is amiss.
    execFileSync('e2fsck', ['-f', '-n', `${file}?offset=${layout[1]!.startBytes}`], { stdio: 'ignore' })
  })

  it('is made once, and what a crash left of it is made anew', async () => {
    await writeFile(path.join(dir, 'root.raw.part'), 'half')
    const file = await make(50 * MiB)
    await writeFile(file, 'written by the guest')
    expect(await make(50 * MiB)).toBe(file)
    expect(await readFile(file, 'utf8')).toBe('written by the guest')
  })

  it('leaves nothing where it cannot be made', async () => {
    const imagePath = await image(10 * MiB)
    const options = { instanceDir: dir, imagePath, imageBytes: 20 * MiB, diskGiB: 1, uuid }
    await expect(ensurePartitionDisk(options)).rejects.toThrow('not as long')
    expect(await readdir(dir)).toEqual(['image.raw'])
  })
})

it('swap is what mkswap makes of it', async () => {
  const file = path.join(dir, 'swap')
  await writeFile(file, Buffer.alloc(20 * MiB), { mode: 0o600 })
  execFileSync('mkswap', ['-U', '00112233-4455-6677-8899-aabbccddeeff', file], { stdio: 'ignore' })
  const made = await readFile(file)
  expect(swapHeader(20 * MiB, uuid).equals(made.subarray(0, 4096))).toBe(true)
})
