import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { errorMessage, MiB, systemClock, type Log } from '@mallee/base'
import type { StorageFingerprint } from '@mallee/agent-contract'
import {
  AgentLoop,
  CloudClient,
  InventoryKeeper,
  keepCertificate,
  Ledger,
  obtainIdentity,
  type AgentIdentity,
} from '@mallee/agent-kit'
import { Metrics, startHealthServer, type HealthListen, type Service } from '@mallee/service-kit'
import type { Backend } from './backends/backend.ts'
import { openBackend } from './backends/open-backend.ts'
import type { StorageControllerConfig } from './config.ts'
import { ServedVolumes } from './exports/served-volumes.ts'
import { exportedVolumes, restoreKeys } from './encrypted/item-keys.ts'
import { ExportKeeper } from './exports/export-keeper.ts'
import { LazyRestores } from './restore/lazy-restores.ts'
import { LocalIndexes } from './snapshots/local-indexes.ts'
import { walrusStore } from './snapshots/object-store.ts'
import { SnapshotKeeper } from './snapshots/snapshot-keeper.ts'
import { storageInventory } from './storage-inventory.ts'
import { VolumeKeeper } from './volumes/volume-keeper.ts'

export { storageControllerSchema, type StorageControllerConfig } from './config.ts'

const fingerprintEveryMs = 15_000
/** Coarse, so that every write is no news. */
const freeStepBytes = 64 * MiB

/**
 * The storage controller: an agent that holds volumes as files, exports them over iSCSI, and brings snapshots to walrus.
 * The target daemon and what holds its file system outlive it.
 */
export async function startStorageController(
  config: StorageControllerConfig,
  deps: { log: Log },
): Promise<Service> {
  const { log } = deps
  const stopping = new AbortController()
  const identity = await obtainIdentity(config, { log, signal: stopping.signal })
  if (!identity) throw new Error('stopped before it could join')
  const runDir = config.runDir ?? path.join(config.dir, 'run')
  await mkdir(runDir, { recursive: true, mode: 0o700 })
  const parts = await openParts({ config, identity, runDir, log })
  const { client, served, exports, inventory, lazy, loop, snapshots, volumes } = parts
  await snapshots.open()
  await lazy?.open()
  await served?.open()
  const timer = setInterval(() => void parts.refingerprint(), fingerprintEveryMs)
  void keepCertificate({
    ...{ identity, client, dir: config.dir, log, signal: stopping.signal },
    onRenewed: (renewed) => parts.store?.renewed(renewed),
  })
  parts.refresh() // the ledger answers before the cloud does
  loop.start()
  const health = config.health ? await serveHealth(config.health, parts.fingerprint, log) : null
  return {
    address: null,
    async close() {
      clearInterval(timer)
      await health?.close()
      stopping.abort()
      await loop.stop()
      await lazy?.stop()
      await served?.stop()
      await Promise.all([volumes.stop(), exports.stop(), snapshots.stop(), inventory.stop()])
      await parts.backend.stop()
      await parts.store?.close()
      await client.close()
    },
  }
}

async function openParts(of: {
  config: StorageControllerConfig
  identity: AgentIdentity
  runDir: string
  log: Log
}) {
  const { config, identity, runDir, log } = of
  const { agentId, authority, key, certificate } = identity
  const ledger = await Ledger.open({ dir: path.join(config.dir, 'ledger'), privateKey: key, log })
  const client = new CloudClient({ url: config.cloudUrl, authority, key, certificate })
  const backend = await openBackend(config, { ledger, runDir, log })
  const { driver, daemon, files } = backend
  const indexes = await LocalIndexes.open(path.join(config.dir, 'indexes'))
  const store = config.walrusUrl === undefined ? null : walrusStore({ url: config.walrusUrl, identity })
  const shared = { ledger, driver, store, indexes, clock: systemClock, log }
  const observed = <K extends 'volume' | 'export' | 'snapshot'>(kind: K) => {
    return (item: { id: string; generation: number }, facts: unknown) =>
      loop.observe({ kind, id: item.id, generation: item.generation, facts } as never)
  }
  const lazy: LazyRestores | null =
    files && store
      ? new LazyRestores({
          ...{ files, store, runDir, clock: systemClock, log },
          daemonPid: () => daemon.pid(),
          keysOf: (volumeId) => restoreKeys(ledger, volumeId),
          lookIfServed: (volumeId) => exports.lookIfServed(volumeId),
          hold: (volumeId, list) => snapshots.hold(volumeId, list),
          release: (volumeId, list) => snapshots.release(volumeId, list),
          onChange: (volumeId) => {
            volumes.refresh(volumeId)
            served?.refresh()
            exports.refresh()
            if (!lazy?.has(volumeId)) snapshots.refresh()
          },
        })
      : null
  const served: ServedVolumes | null = backend.served
    ? new ServedVolumes({
        ...{ ...backend.served, runDir, clock: systemClock, log },
        daemonPid: () => daemon.pid(),
        lookIfServed: (volumeId) => exports.lookIfServed(volumeId),
        wanted: () => exportedVolumes(ledger),
        // While it comes another front stands before it.
        recipeOf: (volumeId) => (lazy?.has(volumeId) ? null : backend.served!.recipeOf(volumeId)),
        isThere: async (volumeId) => (await driver.volumeSize(volumeId)) !== null,
        onChange: () => exports.refresh(),
      })
    : null
  const exports: ExportKeeper = new ExportKeeper({
    fronts: [lazy, served].filter((front) => front !== null),
    ...{ ledger, driver, daemon, clock: systemClock, log },
    portal: { host: config.portal.advertise ?? null, port: config.portal.port },
    observe: observed('export'),
    onChange: () => volumes.refreshAll(),
  })
  const volumes: VolumeKeeper = new VolumeKeeper({
    ...{ ...shared, lazy, served },
    observe: observed('volume'),
    isServed: (volumeId) => exports.serves(volumeId),
    servedBytes: (volumeId) => exports.servedBytes(volumeId),
    onChange: () => exports.refresh(),
  })
  const snapshots = new SnapshotKeeper({
    ...{ ...shared, agentId, observe: observed('snapshot') },
    isComing: (volumeId) => lazy?.has(volumeId) ?? false,
  })
  let fingerprint = await takeFingerprint(backend, exports)
  const inventory = new InventoryKeeper({
    ledger,
    source: storageInventory({
      agentId,
      ledger,
      driver,
      exports,
      snapshots,
      indexes,
      store,
      lazy,
      served,
    }),
    send: (blob) => client.inventory(blob),
    clock: systemClock,
    log,
  })
  const refresh = () => {
    snapshots.refresh() // first: a moment is to be fixed
    volumes.refreshAll()
    served?.refresh()
    exports.refresh()
    inventory.refresh()
  }
  const loop: AgentLoop = new AgentLoop({
    cloud: client,
    ledger,
    log,
    onDesired: refresh,
    fingerprint: () => fingerprint as unknown as Record<string, unknown>,
  })
  const refingerprint = async () => {
    try {
      fingerprint = await takeFingerprint(backend, exports)
      loop.refreshFingerprint()
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, 'no fingerprint')
    }
  }
  return {
    ...{
      backend,
      client,
      served,
      exports,
      inventory,
      lazy,
      loop,
      refresh,
      refingerprint,
      snapshots,
      store,
      volumes,
    },
    fingerprint: () => fingerprint,
  }
}

async function takeFingerprint(
  { driver, encrypts }: Backend,
  exports: ExportKeeper,
): Promise<StorageFingerprint> {
  const { totalBytes, freeBytes } = await driver.space()
  const problems = exports.problem === null ? [] : [exports.problem]
  return {
    driver: driver.name,
    totalBytes,
    freeBytes: Math.floor(freeBytes / freeStepBytes) * freeStepBytes,
    healthy: problems.length === 0,
    problems,
    encrypts,
  }
}

function serveHealth(listen: HealthListen, fingerprint: () => StorageFingerprint, log: Log) {
  const metrics = new Metrics().ofProcess()
  metrics.gauge('storage_free_bytes', 'Bytes that are free where volumes will lie.', [], (gauge) =>
    gauge.set(fingerprint().freeBytes),
  )
  return startHealthServer({ listen, metrics, ready: () => Promise.resolve({ storage: null }), log })
}
