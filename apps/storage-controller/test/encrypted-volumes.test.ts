import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readPidFile, writePidFile, type Log } from '@mallee/base'
import { OpenDisk, qemuIo } from '@mallee/testkit'
import { MemoryStore, StorageWorld, whyNoTargets } from './storage-world.ts'
import { exported, newId, until, withdrawn } from './wishes.ts'

const missing = existsSync('/usr/bin/qemu-storage-daemon')
  ? whyNoTargets()
  : 'qemu-storage-daemon is not installed'
const MiB = 1024 ** 2
const accountId = '000000000001'
const sizeBytes = 64 * MiB
const newKey = () => randomBytes(32).toString('base64')
const snapshotKey = { id: 'key-1', secret: newKey() }

let world: StorageWorld
const store = new MemoryStore()
const logged: string[] = []
const keys: string[] = [snapshotKey.secret]

async function volume(dataKey: string | null, source: object | null = null): Promise<string> {
  const volumeId = newId('vol')
  const key = dataKey === null ? {} : { dataKey }
  if (dataKey !== null) keys.push(dataKey)
  await world.want('volume', volumeId, { volumeId, accountId, sizeBytes, source, remove: false, ...key })
  await until(() => world.facts('volume', volumeId)?.state === 'available')
  return volumeId
}

async function snapshot(volumeId: string, dataKey: string | null, extra: object = {}) {
  const snapshotId = newId('snap')
  const key = dataKey === null ? {} : { dataKey, snapshotKey }
  const item = { snapshotId, accountId, volumeId, sizeBytes, remove: false, ...key, ...extra }
  await world.want('snapshot', snapshotId, item)
  await until(() => world.facts('snapshot', snapshotId)?.state === 'completed')
  const { index } = world.facts('snapshot', snapshotId)!
  return { snapshotId, index: index!, snapshotKey }
}

const fileOf = async (volumeId: string) =>
  path.join(await world.driver['files'].root(), 'volumes', `${volumeId}.luks`)
const serverOf = async (volumeId: string) =>
  (await readPidFile(path.join(world.runDir, `served-${volumeId}.pid`)))?.pid ?? 0
const read = (volumeId: string, offset: number, length: number) =>
  world.driver.read({ volumeId }, offset, length)

/** A volume of which somebody wrote 8 MiB of a pattern, and the pattern. */
async function written(dataKey: string) {
  const id = await volume(dataKey)
  const access = await exported(world, id)
  const wrote = await qemuIo(access, ['write -P 0x5a 8M 8M', 'write -P 0x77 20M 64k'])
  expect(wrote.ok, wrote.said).toBe(true)
  return { id, access }
}

describe.skipIf(missing !== null)('encrypted volumes', () => {
  beforeAll(async () => {
    world = await StorageWorld.start(store)
    await world.drop()
    const keep = (...words: unknown[]) => void logged.push(JSON.stringify(words))
    const log = { debug: keep, info: keep, warn: keep, error: keep, fatal: keep, trace: keep }
    world.log = { ...log, child: () => world.log } as unknown as Log
    await world.open()
  }, 60_000)
  afterAll(() => world?.stop(), 60_000)

  test('read zeros when new, then what was written, zeros where a guest made them; nothing lies there in the clear', async () => {
    const id = await volume(newKey())
    const access = await exported(world, id)
    const said = await qemuIo(access, [
      ...['read -P 0 0 64M', 'write -P 0x5a 8M 8M', 'read -P 0x5a 8M 8M', 'read -P 0 0 8M'],
      // Less than the file's own clusters, with and without giving the room back.
      ...['write -z -u 8196k 4k', 'read -P 0 8196k 4k', 'write -z 9M 512', 'read -P 0 9M 512'],
      ...['read -P 0x5a 8M 4k', 'read -P 0x5a 8200k 4k'],
    ])
    expect(said.ok, said.said).toBe(true)
    expect((await readFile(await fileOf(id))).includes(Buffer.alloc(64, 0x5a))).toBe(false)
    await snapshot(id, (world.ledger.get('volume', id)!.body as { dataKey: string }).dataKey)
    const objects = [...store.objects].filter(([key]) => key.includes(`/${accountId}/encrypted/`))
    expect(objects.length).toBeGreaterThan(0)
    const { zstdDecompressSync } = await import('node:zlib')
    for (const [, bytes] of store.objects) {
      expect(bytes.includes(Buffer.alloc(64, 0x5a))).toBe(false)
      expect(
        bytes.toString('latin1', 0, 4) === 'MSB1' || zstdDecompressSync(bytes).includes('mallee snapshot 2'),
      ).toBe(true)
    }
  })

  test('come out of walrus as they were, under a key of their own, and by a clone under the same', async () => {
    const key = newKey()
    const { id } = await written(key)
    const source = await snapshot(id, key)
    const clone = await volume(key, source)
    const other = await volume(newKey(), source)
    for (const copy of [clone, other]) {
      const said = await qemuIo(await exported(world, copy), [
        ...['read -P 0x5a 8M 8M', 'read -P 0x77 20M 64k', 'read -P 0 0 8M', 'write -P 1 8M 4k'],
      ])
      expect(said.ok, said.said).toBe(true)
    }
    expect((await read(id, 8 * MiB, 4096)).equals(Buffer.alloc(4096, 0x5a))).toBe(true)
  })

  test('of the next snapshot only what changed is read and stored', async () => {
    const key = newKey()
    const { id, access } = await written(key)
    await snapshot(id, key)
    const before = store.objects.size
    expect((await qemuIo(access, ['write -P 0x33 12M 4k'])).ok).toBe(true)
    const reads: number[] = []
    const real = world.driver.read.bind(world.driver)
    world.driver.read = (what, offset, length) => {
      reads.push(offset)
      return real(what, offset, length)
    }
    const next = await snapshot(id, key)
    world.driver.read = real
    expect(reads).toEqual([12 * MiB])
    expect(store.objects.size).toBe(before + 2) // the block and the list
    const copy = await volume(newKey(), next)
    expect(
      (await read(copy, 12 * MiB, 8192)).equals(
        Buffer.concat([Buffer.alloc(4096, 0x33), Buffer.alloc(4096, 0x5a)]),
      ),
    ).toBe(true)
    expect((await read(copy, 20 * MiB, 4096)).equals(Buffer.alloc(4096, 0x77))).toBe(true)
  })

  test('a copy of a plain snapshot is encrypted, and so is a volume that is made of a plain one', async () => {
    const plain = await volume(null)
    const file = path.join(await world.driver['files'].root(), 'volumes', `${plain}.raw`)
    const handle = await open(file, 'r+')
    await handle.write(Buffer.alloc(MiB, 0x5a), 0, MiB, 4 * MiB)
    await handle.close()
    const { index, snapshotId } = await snapshot(plain, null)
    const copy = await snapshot(plain, null, { copyOf: index, snapshotKey })
    const names = (kind: string) =>
      [...store.objects.keys()]
        .filter((key) => key.includes(`/${kind}/`))
        .map((key) => key.split('/').at(-1)!)
    expect(names('encrypted').length).toBeGreaterThan(0)
    expect(names('encrypted').filter((name) => names('blocks').includes(name))).toEqual([])
    for (const source of [{ snapshotId, index }, copy]) {
      const id = await volume(newKey(), source)
      expect((await readFile(await fileOf(id))).includes(Buffer.alloc(64, 0x5a))).toBe(false)
      expect((await read(id, 4 * MiB, MiB)).equals(Buffer.alloc(MiB, 0x5a))).toBe(true)
      expect((await read(id, 0, MiB)).equals(Buffer.alloc(MiB))).toBe(true)
    }
  })

  test('another key opens nothing: neither the files nor the blocks in walrus', async () => {
    const key = newKey()
    const { id, access } = await written(key)
    const source = await snapshot(id, key)
    await withdrawn(world, access)
    await until(async () => (await serverOf(id)) === 0)
    const body = world.ledger.get('volume', id)!.body
    await world.want('volume', id, { ...body, dataKey: newKey() })
    const item = { ...access, attachmentId: 'wrong', withdraw: false }
    await world.want('export', 'wrong', item)
    await until(() => logged.some((line) => line.includes(id) && line.includes('Invalid password')))
    expect(world.facts('export', 'wrong')?.state).not.toBe('ready')
    await expect(read(id, 8 * MiB, 4096)).rejects.toThrow('its key is another')
    await world.want('export', 'wrong', { ...item, withdraw: true })
    const failed = newId('vol')
    const other = { ...source, snapshotKey: { ...snapshotKey, secret: newKey() } }
    await world.want('volume', failed, {
      ...{ volumeId: failed, accountId, sizeBytes, source: other, remove: false, dataKey: newKey() },
    })
    await until(() => world.facts('volume', failed)?.state === 'failed')
    expect(existsSync(await fileOf(failed))).toBe(false)
  })

  test('a guest writes on while we are killed and come back', async () => {
    const key = newKey()
    const { id, access } = await written(key)
    const disk = await OpenDisk.open(access)
    const before = await serverOf(id)
    await world.drop()
    expect(await disk.tell('write -P 0x11 30M 64k')).toContain('wrote')
    await world.open()
    await until(() => world.facts('export', access.attachmentId)?.state === 'ready')
    expect(await disk.tell('write -P 0x12 31M 64k')).toContain('wrote')
    expect(await serverOf(id)).toBe(before)
    expect(await disk.tell('read -P 0x11 30M 64k')).toContain('read 65536')
    await disk.close()
  })

  test('what serves one dies: another does, and nothing that was acknowledged is lost', async () => {
    const { id, access } = await written(newKey())
    const disk = await OpenDisk.open(access, { isWriteBack: true })
    for (const write of ['write -P 0x21 40M 1M', 'write -P 0x22 50M 4k'])
      expect(await disk.tell(write)).toContain('wrote')
    const before = await serverOf(id)
    process.kill(before, 'SIGKILL')
    await until(async () => ![0, before].includes(await serverOf(id)))
    await until(async () => !world.served.isPaused(id) && (await world.exports.lookIfServed(id)))
    await disk.close()
    const said = await qemuIo(access, ['read -P 0x21 40M 1M', 'read -P 0x22 50M 4k', 'read -P 0x5a 8M 8M'])
    expect(said.ok, said.said).toBe(true)
  })

  test('of what we died over while it started, nothing is left, and another serves', async () => {
    const { id, access } = await written(newKey())
    await world.drop()
    process.kill(await serverOf(id), 'SIGKILL')
    const inside = ['-t', String(await world.daemonPid()), '-m', '--']
    execFileSync('nsenter', [...inside, 'umount', '-l', world.served.pathOf(id)!]) // as before a start
    const idle = ['--chardev', 'null,id=control', '--monitor', 'chardev=control']
    const unfinished = spawn('qemu-storage-daemon', idle, { stdio: 'ignore' })
    await writePidFile(path.join(world.runDir, `served-${id}.pid`), unfinished.pid!)
    await world.open()
    await until(async () => ![0, unfinished.pid].includes(await serverOf(id)))
    expect(unfinished.signalCode ?? unfinished.exitCode).not.toBeNull()
    await until(async () => !world.served.isPaused(id) && (await world.exports.lookIfServed(id)))
    const said = await qemuIo(access, ['read -P 0x5a 8M 8M'])
    expect(said.ok, said.said).toBe(true)
  })

  test('the target daemon and what holds the file system are replaced under it', async () => {
    const { id, access } = await written(newKey())
    const disk = await OpenDisk.open(access)
    expect(await disk.tell('write -P 6 50M 4k')).toContain('wrote')
    const [daemon, before] = [await world.daemonPid(), await serverOf(id)]
    process.kill((await readPidFile(path.join(world.runDir, 'holder.pid')))!.pid, 'SIGKILL')
    process.kill(daemon, 'SIGKILL')
    world.refresh()
    expect(await disk.tell('read -P 6 50M 4k')).toContain('read 4096')
    expect(await disk.tell('write -P 7 51M 4k')).toContain('wrote')
    expect(await serverOf(id)).not.toBe(before)
    expect(existsSync(`/proc/${before}`)).toBe(false)
    await disk.close()
  })

  test('grows while it is attached, and while it is not; what is new is zeros', async () => {
    const { id, access } = await written(newKey())
    const disk = await OpenDisk.open(access)
    const grown = async (bytes: number) => {
      await world.want('volume', id, { ...world.ledger.get('volume', id)!.body, sizeBytes: bytes })
      await until(() => world.facts('volume', id)?.sizeBytes === bytes)
    }
    await grown(96 * MiB)
    await disk.close()
    const said = await qemuIo(access, ['read -P 0 64M 32M', 'write -P 9 95M 1M', 'read -P 0x5a 8M 8M'])
    expect(said.ok, said.said).toBe(true)
    await withdrawn(world, access)
    await until(async () => (await serverOf(id)) === 0)
    await grown(128 * MiB)
    const again = await qemuIo(await exported(world, id), ['read -P 0 96M 32M', 'read -P 9 95M 1M'])
    expect(again.ok, again.said).toBe(true)
  })

  test('leaves nothing behind: no process, no file, no key', async () => {
    const { id, access } = await written(newKey())
    const server = await serverOf(id)
    expect(server).toBeGreaterThan(0)
    await withdrawn(world, access)
    await until(() => !existsSync(`/proc/${server}`))
    await world.want('volume', id, { ...world.ledger.get('volume', id)!.body, remove: true })
    await until(() => world.facts('volume', id)?.state === 'gone')
    const root = await world.driver['files'].root()
    for (const folder of ['volumes', 'open'])
      expect((await readdir(path.join(root, folder))).filter((name) => name.startsWith(id))).toEqual([])
    expect((await readdir(world.runDir)).filter((name) => name.includes(id))).toEqual([])
  })

  test('keys are in no argument, no environment, no log and no file', async () => {
    const { id } = await written(newKey())
    const said: [string, string][] = [['log', logged.join('\n')]]
    const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
    for (const pid of processes)
      for (const file of ['cmdline', 'environ'])
        said.push([`${pid} ${file}`, await readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '')])
    for (const dir of [world.runDir, path.join(world.dir, 'ledger'), path.join(world.dir, 'indexes')])
      for (const name of await readdir(dir, { recursive: true }))
        said.push([name, await readFile(path.join(dir, name), 'latin1').catch(() => '')])
    expect(said.some(([name]) => name === `served-${id}.pid`)).toBe(true)
    for (const key of keys)
      expect(said.filter(([, text]) => text.includes(key)).map(([name]) => name)).toEqual([])
  })
})
