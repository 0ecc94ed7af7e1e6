import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import path from 'node:path'
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

if (whyNoTargets() === null) describeBlockDriver('volumes in files', openFiles)

async function openFiles(): Promise<BlockWorld> {
  const dir = await mkdtemp('/tmp/mlbd-')
  const runDir = path.join(dir, 'run')
  await mkdir(runDir)
  const files = await openVolumeFileSystem({ dataDir: path.join(dir, 'data'), runDir, log: silentLog })
  return {
    driver: await FileDriver.open(files),
    async write(volumeId, offset, bytes) {
      const handle = await open(path.join(await files.root(), 'volumes', `${volumeId}.raw`), 'r+')
      await handle.write(bytes, 0, bytes.length, offset)
      await handle.sync()
      await handle.close()
    },
    reopen: () => FileDriver.open(files),
    async close() {
      await endProcess(await readPidFile(path.join(runDir, 'holder.pid')), 0)
      await rm(dir, { recursive: true, force: true })
    },
  }
}
