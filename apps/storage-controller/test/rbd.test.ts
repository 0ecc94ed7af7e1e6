import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { systemClock } from '@mallee/base'
import { describeBlockDriver, startPrivateCeph, whyNoCeph, type BlockWorld } from '@mallee/testkit'
import { CephPool } from '../src/drivers/rbd/ceph-pool.ts'
import { ImageFiles } from '../src/drivers/rbd/image-files.ts'
import { RbdDriver } from '../src/drivers/rbd/rbd-driver.ts'

/** Real Ceph: `npm run long ceph`, since it is a dozen processes and packages that nothing else here needs. */
const missing = process.env['MALLEE_CEPH'] === undefined ? 'MALLEE_CEPH is not set' : whyNoCeph()
if (missing) console.warn(`SKIPPED: volumes in Ceph, because ${missing}`)
else describeBlockDriver('volumes in Ceph', openCeph)

async function openCeph(): Promise<BlockWorld> {
  const cluster = await startPrivateCeph()
  const dir = await mkdtemp('/tmp/mlrbd-')
  const runDir = path.join(dir, 'run')
  await mkdir(runDir)
  const { conf, user, pool: name } = cluster
  const ceph = { conf, user, pool: name }
  const pool = new CephPool(ceph)
  let files = new ImageFiles({ ceph, runDir, clock: systemClock })
  return {
    driver: await RbdDriver.open(pool, files, systemClock),
    async write(volumeId, offset, bytes) {
      const writer = await files.writer(volumeId)
      await writer.handle.write(bytes, 0, bytes.length, offset)
      await writer.handle.sync()
      await writer.close()
    },
    async reopen() {
      await files.stop()
      files = new ImageFiles({ ceph, runDir, clock: systemClock })
      return RbdDriver.open(pool, files, systemClock)
    },
    async close() {
      await files.stop()
      await cluster.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
