import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  growImage,
  ImageFiller,
  readImage,
  readMap,
  writeEmptyImage,
} from '../src/encrypted/encrypted-file.ts'

const run = promisify(execFile)
const [MiB, GiB] = [1024 ** 2, 1024 ** 3]
const key = randomBytes(32).toString('base64')
let dir: string
let file: string
beforeEach(async () => {
  dir = await mkdtemp('/tmp/mlef-')
  file = path.join(dir, 'volume.luks')
  await writeFile(path.join(dir, 'key'), key)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const image = () => [
  ...['--object', `secret,id=key,file=${path.join(dir, 'key')}`, '--image-opts'],
  `driver=qcow2,file.filename=${file},encrypt.format=luks,encrypt.key-secret=key`,
]
const qemuIo = (...commands: string[]) =>
  run('qemu-io', [...image(), ...commands.flatMap((command) => ['-c', command])])
/** Fails for what leaks, is used twice, or is not counted. */
const check = () => run('qemu-img', ['check', ...image()])

describe.skipIf(!existsSync('/usr/bin/qemu-io'))('the file of an encrypted volume', () => {
  test('is one of QEMU: it finds nothing wrong with it, reads what we wrote, and we what it did', async () => {
    const handle = await open(file, 'w+')
    const filler = await ImageFiller.begin(handle, 70 * GiB, key)
    // In no order, over several tables.
    const block = Buffer.alloc(512 * 1024, 0x41)
    for (const at of [69 * GiB, 0, 33 * GiB, 512 * 1024]) await filler.write(block, at)
    await filler.finish()
    await check()
    await qemuIo('read -P 0x41 0 1M', 'read -P 0x41 33G 512k', 'read -P 0x41 69G 512k', 'read -P 0 1M 64M')
    await qemuIo('write -P 0x42 5000000512 1024', 'write -z 33G 64k', 'write -P 0x43 512 512')
    await check()
    const at = (offset: number, length: number) => readImage(handle, key, offset, length)
    expect((await at(5_000_000_000, 2048)).subarray(512, 1536).equals(Buffer.alloc(1024, 0x42))).toBe(true)
    expect((await at(33 * GiB, 65_537)).equals(Buffer.concat([Buffer.alloc(65_536), Buffer.from('A')]))).toBe(
      true,
    )
    expect((await at(510, 4)).toString('latin1')).toBe('AACC')
    expect((await readMap(handle)).some(({ offset }) => offset === 33 * GiB)).toBe(false)
    await expect(readImage(handle, 'another', 0, 512)).rejects.toThrow('its key is another')
    await handle.close()
  })

  test('grows by a number, and QEMU takes it so', async () => {
    const handle = await open(file, 'w+')
    await writeEmptyImage(handle, GiB, key)
    await qemuIo('write -P 1 1023M 1M')
    await growImage(handle, 900 * GiB)
    await growImage(handle, GiB) // never back
    await qemuIo('read -P 1 1023M 1M', 'read -P 0 1G 64M', 'write -P 2 899G 1M')
    await check()
    expect((await readImage(handle, key, 899 * GiB, MiB)).equals(Buffer.alloc(MiB, 2))).toBe(true)
    await handle.close()
  })

  test('counts more clusters than one block of counts holds', async () => {
    const handle = await open(file, 'w+')
    const filler = await ImageFiller.begin(handle, 4 * GiB, key)
    const [from, leftOut] = [filler['next'], 32_700]
    filler['next'] += leftOut // as if they had been filled: nothing names them, so that they count as leaked
    const block = Buffer.alloc(MiB, 0x44)
    for (let at = 0; at < 8 * MiB; at += MiB) await filler.write(block, GiB + at)
    await filler.finish()
    await handle.close()
    expect(from + leftOut).toBeLessThan(32_768)
    const { stdout } = await run('qemu-img', ['check', '--output=json', ...image()], {
      maxBuffer: GiB,
    }).catch((error: { stdout: string }) => error)
    expect(JSON.parse(stdout)).toMatchObject({ leaks: leftOut, 'check-errors': 0 })
    expect(JSON.parse(stdout)).not.toHaveProperty('corruptions')
    await qemuIo('read -P 0x44 1G 8M', 'write -P 0x45 2G 8M', 'read -P 0x45 2G 8M')
  })
})
