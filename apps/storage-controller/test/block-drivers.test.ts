import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { endProcess, readPidFile, silentLog } from '@mallee/base'
import { describeBlockDriver, type BlockWorld } from '@mallee/testkit'
import { FileDriver } from '../src/drivers/file-driver.ts'
import { noDisks, SimulatedDriver } from '../src/drivers/simulated-driver.ts'
import { openVolumeFileSystem } from '../src/host/file-system.ts'
import { whyNoTargets } from './storage-world.ts'

describeBlockDriver('simulated volumes', async (): Promise<BlockWorld> => {
  const disks = noDisks()
  let driver = new SimulatedDriver(disks)
  return {
    driver,
    write: (volumeId, offset, bytes) => driver.write(volumeId, offset, bytes),
    reopen: async () => (driver = new SimulatedDriver(disks)),
    close: async () => {},
  }
})

if (whyNoTargets() === null) {
  describeBlockDriver('volumes in files', () => openFiles(null))
  describeBlockDriver('encrypted volumes in files', () => openFiles(randomBytes(32).toString('base64')))
}

async function openFiles(key: string | null): Promise<BlockWorld> {
  const dir = await mkdtemp('/tmp/mlbd-')
  const runDir = path.join(dir, 'run')
  await mkdir(runDir)
  const files = await openVolumeFileSystem({ dataDir: path.join(dir, 'data'), runDir, log: silentLog })
  const volumes = async () => path.join(await files.root(), 'volumes')
  return {
    driver: await FileDriver.open(files, () => key),
    async write(volumeId, offset, bytes) {
      if (key !== null)
        return writeEncrypted(path.join(await volumes(), `${volumeId}.luks`), { key, offset, bytes })
      const handle = await open(path.join(await volumes(), `${volumeId}.raw`), 'r+')
      await handle.write(bytes, 0, bytes.length, offset)
      await handle.sync()
      await handle.close()
    },
    reopen: () => FileDriver.open(files, () => key),
    async close() {
      await endProcess(await readPidFile(path.join(runDir, 'holder.pid')), 0)
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** By QEMU, as the storage daemon does. */
async function writeEncrypted(
  file: string,
  { key, offset, bytes }: { key: string; offset: number; bytes: Buffer },
): Promise<void> {
  const dir = await mkdtemp('/tmp/mlbk-')
  const [secret, source] = [path.join(dir, 'key'), path.join(dir, 'bytes')]
  await writeFile(secret, key, { mode: 0o600 })
  await writeFile(source, bytes)
  const image = `driver=qcow2,file.filename=${file},encrypt.format=luks,encrypt.key-secret=key`
  const commands = [`write -s ${source} ${offset} ${bytes.length}`, 'flush']
  const args = ['--object', `secret,id=key,file=${secret}`, '--image-opts', image]
  await promisify(execFile)('qemu-io', [...args, ...commands.flatMap((command) => ['-c', command])])
  await rm(dir, { recursive: true, force: true })
}
