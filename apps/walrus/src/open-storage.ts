import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Clock, Log } from '@mallee/base'
import { Metrics } from '@mallee/service-kit'
import type { CommitObserver } from '@mallee/state-store'
import type { WalrusConfig } from './config.ts'
import type { BlobDriver } from './drivers/blob-driver.ts'
import { BlobKeeper } from './drivers/blob-keeper.ts'
import { claimFolder } from './drivers/folder-claim.ts'
import { openDriver } from './drivers/open-driver.ts'
import { MasterKeys } from './encryption/master-keys.ts'
import { allBlobIds } from './index/blob-rows.ts'
import { openIndex } from './index/open-index.ts'
import type { Index } from './index/tables.ts'
import { registerWalrusGauges, walrusFigures } from './metrics/walrus-figures.ts'

export interface StorageDependencies {
  readonly log: Log
  /** Figures of the process that this runs in; a registry of its own where not given. */
  readonly metrics?: Metrics
  /** In tests: faults of the disk. */
  readonly faults?: (driver: BlobDriver) => BlobDriver
  /** In tests: faults of the index. */
  readonly indexFaults?: (index: Index) => Index
  /** In tests: told of each commit that is on the disk. */
  readonly onCommit?: CommitObserver
}

/**
 * Up to here a row in the index is cheaper than a file: the commit that names an object carries its bytes too. Measured
 * with `npm run bench s3`.
 */
const smallObjectBytes = 32 * 1024

/** Index and bytes, with nothing in the one that is not in the other. */
export async function openStorage(
  config: Pick<WalrusConfig, 'dir' | 'dataDir' | 'store' | 'smallObjectBytes'>,
  deps: StorageDependencies,
  clock: Clock,
) {
  const { log } = deps
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  await mkdir(config.dir, { recursive: true, mode: 0o700 })
  const giveUpFolder = await claimFolder(config.dataDir, clock)
  const opened = await openIndex(path.join(config.dataDir, 'index.db'), deps.onCommit)
  const index = deps.indexFaults?.(opened) ?? opened
  const driver = await openDriver(config.dataDir, config.store, clock)
  const figures = walrusFigures(deps.metrics ?? new Metrics())
  const blobs = new BlobKeeper({
    driver: deps.faults?.(driver) ?? driver,
    log,
    onBytes: figures,
    smallBytes: config.smallObjectBytes ?? smallObjectBytes,
    clock,
  })
  registerWalrusGauges(figures.metrics, { index, blobs })
  const known = await index.read(allBlobIds)
  const swept = await blobs.sweep((id) => known.has(id))
  if (swept > 0) log.info({ swept }, 'removed bytes that no object names')
  return { index, blobs, masterKeys: await MasterKeys.open(config.dir), figures, giveUpFolder }
}
