import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { assert } from '@mallee/base'
import { Daemon } from '../crash/daemon.ts'
import type { FullCloud } from './full-cloud.ts'
import { SmallDisk } from './small-disk.ts'

const root = path.resolve(import.meta.dirname, '../..')

interface Outcome {
  readonly code: number
  readonly said: string
}

function mallee(...args: string[]): Promise<Outcome> {
  const words = ['--disable-warning=ExperimentalWarning', `${root}/apps/mallee/src/main.ts`, ...args]
  return new Promise((resolve) => {
    execFile(process.execPath, words, { timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({
        code: error ? (typeof error.code === 'number' ? error.code : 255) : 0,
        said: stdout + stderr,
      })
    })
  })
}

/** No room where the backup goes, then none where it is put together. */
export async function fullBackup(full: FullCloud): Promise<void> {
  const { dir } = full.world
  const choices = {
    portBase: 9000,
    publicPool: '198.18.0.0/24',
    region: 'us-east-1',
    availabilityZones: ['us-east-1a'],
  }
  await writeFile(path.join(dir, 'mallee.json'), JSON.stringify(choices))
  const target = await SmallDisk.mount(path.join(dir, 'elsewhere'))
  const staging = await SmallDisk.mount(path.join(dir, 'backups'))
  try {
    const file = path.join(target.dir, 'cloud.tar')
    for (const [disk, leaving] of [
      [target, 0],
      [target, 300 * 1024],
      [staging, 0],
      [staging, 500 * 1024],
    ] as const) {
      await disk.fill(leaving)
      const { code, said } = await mallee('backup', file, '--state', dir)
      assert(code !== 0 && /There is no disk space left/.test(said), `a backup without room: ${code} ${said}`)
      assert(!said.includes('    at '), `it shows where in our code: ${said}`)
      const left = [...(await readdir(target.dir)), ...(await readdir(staging.dir))]
      assert(left.length === 0, `left behind: ${left.join()}`)
      await disk.room()
    }
    const made = await mallee('backup', file, '--state', dir)
    assert(made.code === 0, `no backup where there is room: ${made.said}`)
    assert((await readdir(target.dir)).join() === 'cloud.tar', 'more than the backup')
  } finally {
    await target.unmount()
    await staging.unmount()
  }
  await full.well()
}

/** Each file of a first start meets the end of the disk once; what was written before must not be in the next start's way. */
export async function firstStart(full: FullCloud): Promise<void> {
  const { dir } = full.world
  const disk = await SmallDisk.mount(path.join(dir, 'new-cloud'))
  const state = disk.dir
  const config = JSON.parse(await readFile(path.join(dir, 'config/cloud-controller.json'), 'utf8')) as object
  const file = path.join(dir, 'config/new-cloud.json')
  const anywhere = { host: '127.0.0.1', port: 0 }
  const own = {
    door: anywhere,
    agents: anywhere,
    admin: anywhere,
    adminSocket: path.join(dir, 'run/new.sock'),
  }
  const database = { engine: 'sqlite', file: path.join(state, 'record.db') }
  await writeFile(file, JSON.stringify({ ...config, ...own, stateDir: state, database }))
  const script = `${root}/apps/cloud-controller/src/main.ts`
  const daemon = new Daemon('new-cloud', {
    script,
    config: file,
    root: dir,
    logFile: path.join(dir, 'log/new-cloud.log'),
  })
  try {
    await disk.fill()
    let failures = 0
    for (const leaving of [0, 1, 1, 2, 8, 32, 1000, 1, 100, 100, null]) {
      if (leaving === null) await disk.room()
      else await disk.fill(leaving * 4096)
      daemon.start()
      const stands = await daemon.untilReady().then(
        () => true,
        () => false,
      )
      const left = (await readdir(state, { recursive: true })).filter((name) => name.endsWith('.new'))
      assert(left.length === 0, `left behind: ${left.join()}`)
      if (stands) break
      failures += 1
    }
    process.stdout.write(`     ${failures} starts failed for want of room\n`)
    assert(failures > 3, 'it was not told often enough that the disk is full')
    assert(daemon.alive, 'it does not start where there is room')
    const read = (name: string) => readFile(path.join(state, name), 'utf8')
    for (const name of ['keyring.json', 'credentials.json', 'pki/authority.json'])
      JSON.parse(await read(name))
    assert((await read('pki/door.pem')).trimEnd().endsWith('-----END CERTIFICATE-----'), 'half a certificate')
  } finally {
    await daemon.kill()
    await disk.unmount()
  }
}
