import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Clock, Log } from '@mallee/base'
import { Metrics } from '@mallee/service-kit'
import type { CommitObserver } from '@mallee/state-store'
import type { WalrusConfig } from './config.ts'
import type { BlobDriver } from './drivers/blob-driver.ts'
import { BlobKeeper, type BlobOwner, type OtherProcesses } from './drivers/blob-keeper.ts'
import { claimFolder } from './drivers/folder-claim.ts'
import { joinDriver, openDriver } from './drivers/open-driver.ts'
import { MasterKeys } from './encryption/master-keys.ts'
import { allBlobIds } from './index/blob-rows.ts'
import { openIndex } from './index/open-index.ts'
import type { Index } from './index/tables.ts'
import { registerWalrusGauges, walrusFigures, type WalrusFigures } from './metrics/walrus-figures.ts'

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
  /** Workers that read and write the same. */
  readonly others?: OtherProcesses
}

/**
 * Up to here a row in the index is cheaper than a file: the commit that names an object carries its bytes too. Measured
 * with `npm run bench s3`.
 */
const smallObjectBytes = 32 * 1024

type Where = Pick<WalrusConfig, 'dir' | 'dataDir' | 'store' | 'smallObjectBytes'>

/** Index and bytes, with nothing in the one that is not in the other. */
export async function openStorage(config: Where, deps: StorageDependencies, clock: Clock) {
  const { log } = deps
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  await mkdir(config.dir, { recursive: true, mode: 0o700 })
  const claim = await claimFolder(config.dataDir, clock)
  const opened = await openIndex(indexFile(config), {
    onCommit: deps.onCommit,
    shared: deps.others !== undefined,
  })
  const index = deps.indexFaults?.(opened) ?? opened
  const driver = await openDriver(config.dataDir, config.store, clock)
  const figures = walrusFigures(deps.metrics ?? new Metrics())
  const blobs = new BlobKeeper({
    driver: deps.faults?.(driver) ?? driver,
    log,
    onBytes: figures,
    smallBytes: config.smallObjectBytes ?? smallObjectBytes,
    clock,
    ...(deps.others ? { others: deps.others } : {}),
  })
  registerWalrusGauges(figures.metrics, { index, blobs })
  const known = await index.read(allBlobIds)
  const swept = await blobs.sweep((id) => known.has(id))
  if (swept > 0) log.info({ swept }, 'removed bytes that no object names')
  return { index, blobs, masterKeys: await MasterKeys.open(config.dir), figures, claim }
}

/** The same storage for a worker, when the first process has opened it. */
export async function joinStorage(
  config: Where,
  deps: { log: Log; figures: WalrusFigures; tag: string; owner: BlobOwner; clock: Clock },
) {
  const { log, figures, tag, owner, clock } = deps
  const index = await openIndex(indexFile(config), { shared: true })
  const driver = await joinDriver(config.dataDir, config.store, { tag, clock })
  const smallBytes = config.smallObjectBytes ?? smallObjectBytes
  const blobs = new BlobKeeper({ ...{ driver, log, smallBytes, clock, owner }, onBytes: figures })
  return { index, blobs, masterKeys: await MasterKeys.open(config.dir) }
}

const indexFile = (config: Where): string => path.join(config.dataDir, 'index.db')
