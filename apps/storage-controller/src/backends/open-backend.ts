import path from 'node:path'
import { MalleeError, systemClock, type Log } from '@mallee/base'
import type { Ledger } from '@mallee/agent-kit'
import type { StorageControllerConfig } from '../config.ts'
import { FileDriver } from '../drivers/file-driver.ts'
import type { CephConfig } from '../drivers/rbd/ceph-config.ts'
import { CephPool } from '../drivers/rbd/ceph-pool.ts'
import { ImageFiles, imageNode } from '../drivers/rbd/image-files.ts'
import { RbdDriver } from '../drivers/rbd/rbd-driver.ts'
import { SimulatedDriver } from '../drivers/simulated-driver.ts'
import { decrypted } from '../encrypted/decrypted.ts'
import { itemKeys } from '../encrypted/item-keys.ts'
import { openVolumeFileSystem, type VolumeFileSystem } from '../host/file-system.ts'
import { canServeBlocks } from '../host/storage-daemon.ts'
import { SimulatedDaemon } from '../tgt/simulated-daemon.ts'
import { TgtDaemon } from '../tgt/tgt-daemon.ts'
import type { Backend, ServedThrough } from './backend.ts'

const backendNote = 'backend'

interface BackendDependencies {
  readonly ledger: Ledger
  readonly runDir: string
  readonly log: Log
}

/** Throws MalleeError `OtherBackend` where there are volumes of another one: they would be taken for lost. */
export async function openBackend(
  config: StorageControllerConfig,
  deps: BackendDependencies,
): Promise<Backend> {
  await claimBackend(config, deps.ledger)
  return open(config, deps)
}

async function claimBackend({ driver, ceph }: StorageControllerConfig, ledger: Ledger): Promise<void> {
  const own = driver === 'ceph-rbd' ? `ceph-rbd ${ceph!.pool}` : driver
  const before = ledger.note<string>(backendNote)
  if (before !== undefined && before !== own && ledger.list('volume').length > 0)
    throw new MalleeError({
      code: 'OtherBackend',
      publicMessage: `Volumes of the backend ${before} are here: it cannot be exchanged for ${own} while there are any.`,
    })
  if (before !== own) await ledger.setNote(backendNote, own)
}

function open(config: StorageControllerConfig, deps: BackendDependencies): Promise<Backend> {
  switch (config.driver) {
    case 'simulated':
      return Promise.resolve({
        ...{ driver: new SimulatedDriver(), daemon: new SimulatedDaemon(), files: null, served: null },
        encrypts: true,
        stop: () => Promise.resolve(),
      })
    case 'file':
      return openFiles(config, deps)
    case 'ceph-rbd':
      return openCeph(config, config.ceph!, deps)
  }
}

async function openFiles(
  config: StorageControllerConfig,
  { ledger, runDir, log }: BackendDependencies,
): Promise<Backend> {
  const files = await openVolumeFileSystem({ dataDir: config.dataDir, runDir, log })
  return {
    driver: await FileDriver.open(files, itemKeys(ledger)),
    daemon: new TgtDaemon({ runDir, listen: config.portal, within: () => files.within(), log }),
    files,
    served: servedDecrypted(files, ledger),
    encrypts: await canServeBlocks(),
    stop: () => Promise.resolve(),
  }
}

export function servedDecrypted(files: VolumeFileSystem, ledger: Ledger): ServedThrough {
  const keys = itemKeys(ledger)
  return {
    folder: {
      own: async () => path.join(await files.root(), 'open'),
      seen: path.join(files.seenByTarget, 'open'),
    },
    recipeOf(volumeId) {
      const key = keys({ volumeId })
      return key === null
        ? null
        : decrypted(path.join(files.seenByTarget, 'volumes', `${volumeId}.luks`), key)
    },
  }
}

/** Every volume is an image elsewhere. Encryption at rest is the cluster's own affair. */
async function openCeph(
  config: StorageControllerConfig,
  ceph: CephConfig,
  { runDir, log }: BackendDependencies,
): Promise<Backend> {
  const files = new ImageFiles({ ceph, runDir, clock: systemClock })
  const driver = await RbdDriver.open(new CephPool(ceph), files, systemClock)
  return {
    driver,
    daemon: new TgtDaemon({ runDir, listen: config.portal, within: () => Promise.resolve([]), log }),
    files: null,
    served: servedImages(ceph, files, driver),
    encrypts: false,
    stop: () => files.stop(),
  }
}

export function servedImages(ceph: CephConfig, files: ImageFiles, driver: RbdDriver): ServedThrough {
  return {
    folder: { own: () => Promise.resolve(files.folder), seen: files.folder },
    recipeOf: (volumeId) => ({ nodes: [imageNode(ceph, { image: volumeId }, 'volume', true)], secret: null }),
    onGrown: (volumeId, sizeBytes) => driver.noteGrowth(volumeId, sizeBytes),
  }
}
