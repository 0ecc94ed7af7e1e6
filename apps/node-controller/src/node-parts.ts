import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { must, type Log } from '@mallee/base'
import { Metrics, Tracer } from '@mallee/service-kit'
import { CloudClient, Ledger, obtainIdentity, type AgentIdentity } from '@mallee/agent-kit'
import type { NodeControllerConfig } from './config.ts'
import type { HypervisorDriver } from './drivers/hypervisor/driver.ts'
import { hypervisorDrivers } from './drivers/hypervisor/drivers.ts'
import type { NetworkDriver } from './drivers/network/driver.ts'
import { networkDrivers } from './drivers/network/drivers.ts'
import { flowLogSender, type SendRecords } from './flow-logs/flow-log-sender.ts'
import { NcHooks } from './hooks/nc-hooks.ts'
import { ImageCache } from './images/image-cache.ts'
import { walrusFetcher } from './images/walrus-client.ts'
import { nodeFigures, registerNodeGauges, type NodeFigures } from './metrics/node-figures.ts'
import type { GuestPreparer } from './steps/guest-preparer.ts'
import { LibvirtPreparer } from './steps/libvirt-preparer.ts'
import { simulatedPreparer } from './steps/simulated-preparer.ts'
import { VolumeDisks } from './volumes/volume-disks.ts'

/** What a node controller works with: its identity, its ledger and its drivers. */
export interface NodeParts {
  readonly config: NodeControllerConfig
  readonly log: Log
  readonly identity: AgentIdentity
  readonly ledger: Ledger
  readonly client: CloudClient
  readonly hooks: NcHooks
  readonly hypervisor: HypervisorDriver
  readonly network: NetworkDriver
  readonly preparer: GuestPreparer
  readonly cache: ImageCache
  readonly sendRecords: SendRecords
  readonly volumeDisks: VolumeDisks
  readonly figures: NodeFigures
  readonly tracer: Tracer
  close(): Promise<void>
}

export async function openNodeParts(config: NodeControllerConfig, log: Log): Promise<NodeParts> {
  const figures = nodeFigures(new Metrics().ofProcess())
  const tracer = new Tracer({ service: 'node-controller', config: config.tracing, log })
  const hooks = new NcHooks({
    onRun: figures.hook,
    dir: path.join(config.customDir, 'nc-hooks'),
    home: '',
    timeoutMs: config.hookTimeoutMs,
    log,
  })
  await hooks.run('euca-nc-pre-init')
  const identity = must(await obtainIdentity(config, { log }), 'the identity')
  const ledger = await Ledger.open({ dir: path.join(config.dir, 'ledger'), privateKey: identity.key, log })
  const hypervisor = figures.measured(await hypervisorDrivers[config.hypervisor.driver](config, log))
  const network = await networkDrivers[config.network.driver](config, log)
  const walrus = walrusFetcher({ url: config.walrusUrl, identity })
  const records = flowLogSender({ url: config.walrusUrl, identity })
  const cache = new ImageCache({ dir: config.imagesDir, fetch: walrus.fetch, log })
  await cache.open()
  await mkdir(config.instancesDir, { recursive: true, mode: 0o750 })
  const client = new CloudClient({
    url: config.cloudUrl,
    authority: identity.authority,
    key: identity.key,
    certificate: identity.certificate,
  })
  const volumeDisks = new VolumeDisks({
    ...{ ledger, hypervisor, hooks, log },
    instancesDir: config.instancesDir,
    customDir: config.customDir,
    cloudHost: new URL(config.cloudUrl).hostname,
  })
  registerNodeGauges(figures.metrics, { hypervisor, network, imagesDir: config.imagesDir })
  return {
    figures,
    tracer,
    config,
    log,
    identity,
    ledger,
    client,
    hooks,
    hypervisor,
    network,
    cache,
    sendRecords: records.send,
    volumeDisks,
    preparer: preparerOf(config, { cache, hooks, hypervisor, log, volumeDisks }),
    async close() {
      await Promise.all([
        hypervisor.close(),
        network.close(),
        walrus.close(),
        records.close(),
        client.close(),
      ])
      await tracer.close()
    },
  }
}

function preparerOf(
  config: NodeControllerConfig,
  deps: {
    cache: ImageCache
    hooks: NcHooks
    hypervisor: HypervisorDriver
    log: Log
    volumeDisks: VolumeDisks
  },
): GuestPreparer {
  if (config.hypervisor.driver === 'simulated')
    return simulatedPreparer(config.instancesDir, deps.volumeDisks)
  return new LibvirtPreparer({
    ...deps,
    instancesDir: config.instancesDir,
    customDir: config.customDir,
    virtio: config.virtio,
    tbCacheMiB: config.tbCacheMiB,
    hypervisorType: async () =>
      (await deps.hypervisor.fingerprint()).accelerator === 'kvm' ? 'kvm' : 'qemu',
  })
}
