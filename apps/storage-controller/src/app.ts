import { mkdir, statfs } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError, errorMessage, systemClock, type Log } from '@mallee/base'
import {
  AgentLoop,
  CloudClient,
  InventoryKeeper,
  keepCertificate,
  Ledger,
  obtainIdentity,
  type InventorySource,
} from '@mallee/agent-kit'
import { Metrics, startHealthServer, type HealthListen, type Service } from '@mallee/service-kit'
import type { StorageControllerConfig } from './config.ts'

export { storageControllerSchema, type StorageControllerConfig } from './config.ts'

const fingerprintEveryMs = 30_000

/**
 * The storage controller as far as it goes today: an agent of its kind that joins by token and says what space it has.
 * It serves no volumes yet, so the cloud gives it none and answers CreateVolume with `UnsupportedOperation`.
 */
export async function startStorageController(
  config: StorageControllerConfig,
  deps: { log: Log },
): Promise<Service> {
  const { log } = deps
  const stopping = new AbortController()
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const identity = await obtainIdentity(config, { log, signal: stopping.signal })
  if (!identity) throw new Error('stopped before it could join')
  const ledger = await Ledger.open({ dir: path.join(config.dir, 'ledger'), privateKey: identity.key, log })
  const { authority, key, certificate } = identity
  const client = new CloudClient({ url: config.cloudUrl, authority, key, certificate })
  let fingerprint = await takeFingerprint(config.dataDir)
  const inventory = new InventoryKeeper({
    ledger,
    source: nothingHeld,
    send: (blob) => client.inventory(blob),
    clock: systemClock,
    log,
  })
  const loop = new AgentLoop({
    cloud: client,
    ledger,
    log,
    onDesired: () => inventory.refresh(),
    fingerprint: () => fingerprint,
  })
  const timer = setInterval(() => {
    takeFingerprint(config.dataDir).then(
      (now) => {
        fingerprint = now
        loop.refreshFingerprint()
      },
      (error: unknown) => log.warn({ reason: errorMessage(error) }, 'no fingerprint'),
    )
  }, fingerprintEveryMs)
  void keepCertificate({
    identity,
    client,
    dir: config.dir,
    log,
    signal: stopping.signal,
  })
  loop.start()
  const health = config.health ? await serveHealth(config.health, () => fingerprint, log) : null
  return {
    address: null,
    async close() {
      clearInterval(timer)
      await health?.close()
      stopping.abort()
      await loop.stop()
      await inventory.stop()
      await client.close()
    },
  }
}

function serveHealth(listen: HealthListen, fingerprint: () => Record<string, unknown>, log: Log) {
  const metrics = new Metrics().ofProcess()
  metrics.gauge('storage_free_bytes', 'Bytes that are free where volumes will lie.', [], (gauge) =>
    gauge.set(Number(fingerprint()['freeBytes'])),
  )
  return startHealthServer({ listen, metrics, ready: () => Promise.resolve({ storage: null }), log })
}

/** It holds no volumes yet, so it has nothing to say and nothing to remove. */
const nothingHeld: InventorySource = {
  take: () => Promise.resolve({ entries: [], problems: [] }),
  remove: ({ kind }) =>
    Promise.reject(new MalleeError({ code: 'NotRemovable', publicMessage: `There is no ${kind} here.` })),
}

async function takeFingerprint(dataDir: string): Promise<Record<string, unknown>> {
  const info = await statfs(dataDir)
  return {
    drivers: [],
    totalBytes: info.blocks * info.bsize,
    freeBytes: info.bavail * info.bsize,
    healthy: true,
    problems: ['serves no volumes yet'],
  }
}
