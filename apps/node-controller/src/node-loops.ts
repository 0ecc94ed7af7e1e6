import path from 'node:path'
import { GiB, errorMessage, systemClock } from '@mallee/base'
import {
  maxBlobBytes,
  type DesiredItem,
  type DomainFacts,
  type NodeFingerprint,
  type VpcFacts,
} from '@mallee/agent-contract'
import { AgentLoop, InventoryKeeper } from '@mallee/agent-kit'
import { lookForStrangers } from './adopt-domains.ts'
import { DomainKeeper } from './domain-keeper.ts'
import { takeFingerprint } from './fingerprint.ts'
import { checkedHypervisor } from './hooks/checked-hypervisor.ts'
import { AskedBlobs } from './guests/asked-blobs.ts'
import { BundleKeeper } from './guests/bundle-keeper.ts'
import { FlowLogKeeper } from './flow-logs/flow-log-keeper.ts'
import { FlowSpool } from './flow-logs/flow-spool.ts'
import { formUploader } from './guests/form-upload.ts'
import { SampleKeeper } from './guests/sample-keeper.ts'
import { screenJpeg } from './guests/screen-jpeg.ts'
import { InterfaceKeeper } from './interfaces/interface-keeper.ts'
import { VolumeKeeper } from './volumes/volume-keeper.ts'
import { nodeInventory } from './inventory/node-inventory.ts'
import { NetworkKeeper } from './network-keeper.ts'
import { giveUp } from './give-up.ts'
import type { NodeParts } from './node-parts.ts'
import type { GuestPreparer } from './steps/guest-preparer.ts'

/** A look at everything this often, in case a hint was lost. */
const lookEveryMs = 2_000
const fingerprintEveryMs = 15_000

/** The loops that bring a node to what the cloud wants, and tell the cloud what is. */
export class NodeLoops {
  private readonly parts: NodeParts
  private readonly loop: AgentLoop
  private readonly networkKeeper: NetworkKeeper
  private readonly domains: DomainKeeper
  private readonly console: AskedBlobs
  private readonly screens: AskedBlobs
  private readonly samples: SampleKeeper
  private readonly inventory: InventoryKeeper
  private readonly bundles: BundleKeeper
  private readonly flowLogs: FlowLogKeeper
  private readonly timers: NodeJS.Timeout[] = []
  private givenUp = false
  /** The connections as they were when secrets were last looked at. */
  private secretsOf: string | null = null
  private readonly stopping = new AbortController()
  private hooksVeto: string | null = null
  private fingerprint: NodeFingerprint

  private constructor(parts: NodeParts, fingerprint: NodeFingerprint) {
    this.parts = parts
    this.fingerprint = fingerprint
    const { client, hooks, hypervisor, ledger, log, network, preparer } = parts
    this.loop = new AgentLoop({
      cloud: client,
      ledger,
      log,
      onDesired: () => this.refresh(),
      onForgotten: () => void this.giveUp(),
      fingerprint: () => this.fingerprint,
    })
    this.console = consoleBlobs(parts)
    this.screens = screenBlobs(parts)
    this.samples = sampleKeeper(parts)
    this.inventory = inventoryKeeper(parts)
    this.bundles = new BundleKeeper({
      ...{ ledger, hypervisor, preparer, log },
      upload: formUploader({ url: parts.config.walrusUrl, authority: parts.identity.authority }),
      observe: (item, facts) =>
        this.loop.observe({ kind: 'bundle', id: item.id, generation: item.generation, facts }),
    })
    this.flowLogs = flowLogKeeper(parts)
    this.networkKeeper = new NetworkKeeper({
      driver: network,
      items: () => ledger.list('vpc'),
      observe: (item, applied, message) => this.observeVpc(item, { applied, message }),
      log,
    })
    this.domains = new DomainKeeper({
      ledger,
      hypervisor: checkedHypervisor(hypervisor, hooks, (veto) => (this.hooksVeto = veto)),
      network: this.networkKeeper,
      preparer: this.withLastWords(preparer),
      volumes: new VolumeKeeper({ hypervisor, disks: parts.volumeDisks, clock: systemClock, log }),
      interfaces: new InterfaceKeeper({
        ...{ hypervisor, preparer, log },
        network: this.networkKeeper,
        clock: systemClock,
      }),
      clock: systemClock,
      log,
      accelerator: () => this.fingerprint.accelerator,
      observe: (item, facts) => this.observeDomain(item, facts),
      tracer: parts.tracer,
      onLaunchStep: parts.figures.launchStep,
    })
  }

  static async open(parts: NodeParts): Promise<NodeLoops> {
    const fingerprint = await takeFingerprint({
      ...parts,
      instancesDir: parts.config.instancesDir,
      hooksVeto: null,
    })
    parts.log.info({ fingerprint }, 'what this node is')
    return new NodeLoops(parts, fingerprint)
  }

  /** The network stands again before anything else: guests that run need their DHCP and their rules. */
  async restoreNetwork(): Promise<void> {
    await this.networkKeeper.refresh().catch(() => {}) // said to the cloud and to the log by the keeper
  }

  /** What stands in a launch's way, as the cloud was last told. */
  problems(): readonly string[] {
    return this.fingerprint.problems
  }

  start(): void {
    const { hypervisor, log } = this.parts
    hypervisor.onHint((name) => (name === null ? this.refresh() : this.domains.refresh(name)))
    this.timers.push(setInterval(() => this.refresh(), lookEveryMs))
    this.timers.push(
      setInterval(() => {
        this.refingerprint().catch((error: unknown) =>
          log.warn({ reason: errorMessage(error) }, 'no fingerprint'),
        )
      }, fingerprintEveryMs),
    )
    const { sampleSeconds } = this.parts.config
    this.timers.push(setInterval(() => void this.samples.look(systemClock.now()), sampleSeconds * 1000))
    this.loop.start()
    this.refresh()
  }

  /** Guests belong to libvirt: stopping us stops none of them. */
  async stop(): Promise<void> {
    this.stopping.abort()
    for (const timer of this.timers) clearInterval(timer)
    await this.loop.stop()
    await this.domains.stop()
    await this.bundles.stop()
    await this.flowLogs.stop()
    await this.inventory.stop()
  }

  private async giveUp(): Promise<void> {
    const { config, hypervisor, log, network } = this.parts
    for (const timer of this.timers) clearInterval(timer)
    this.givenUp = true
    await this.domains.stop()
    await this.bundles.stop()
    await this.flowLogs.stop()
    await giveUp({ dir: config.dir, hypervisor, network, log, signal: this.stopping.signal })
  }

  private refresh(): void {
    if (this.givenUp) return
    const { hypervisor, ledger } = this.parts
    void this.restoreNetwork()
    this.domains.refreshAll()
    this.console.refresh(ledger.list('domain'))
    this.screens.refresh(ledger.list('domain'))
    this.inventory.refresh()
    this.bundles.refresh()
    void this.flowLogs.refresh()
    this.dropSecrets()
    void lookForStrangers(hypervisor, ledger, this.loop)
  }

  /** When connections went; what cannot be done now is done with the next look. */
  private dropSecrets(): void {
    const connections = this.parts.ledger.list('connection').map((item) => item.id)
    const now = connections.toSorted().join()
    if (now === this.secretsOf) return
    this.parts.volumeDisks.dropSecrets().then(
      () => (this.secretsOf = now),
      (error: unknown) => this.parts.log.warn({ reason: errorMessage(error) }, 'secrets were not dropped'),
    )
  }

  private async refingerprint(): Promise<void> {
    const { config, hypervisor, network } = this.parts
    this.fingerprint = await takeFingerprint({
      hypervisor,
      network,
      instancesDir: config.instancesDir,
      hooksVeto: this.hooksVeto,
    })
    this.loop.refreshFingerprint()
    await this.evictImages()
  }

  /** Images that no instance of this node needs are kept while there is room for them. */
  private async evictImages(): Promise<void> {
    const { cache, config, ledger, log } = this.parts
    const needed = ledger.list('domain').flatMap(({ body }) => [body.machine, body.kernel, body.ramdisk])
    const inUse = new Set(needed.flatMap((artifact) => (artifact ? [cache.pathOf(artifact)] : [])))
    const removed = await cache.evict({ inUse, keepBytes: config.imageCacheGiB * GiB })
    if (removed.length > 0) log.info({ removed: removed.length }, 'images evicted from the cache')
  }

  private observeVpc(item: DesiredItem<'vpc'>, facts: VpcFacts): void {
    this.loop.observe({ kind: 'vpc', id: item.id, generation: item.generation, facts })
  }

  private observeDomain(item: DesiredItem<'domain'>, facts: DomainFacts): void {
    this.loop.observe({ kind: 'domain', id: item.id, generation: item.generation, facts })
  }

  /** The console of an instance is sent once more before its files go, so that it can still be read afterwards. */
  private withLastWords(preparer: GuestPreparer): GuestPreparer {
    const { ledger } = this.parts
    return {
      prepare: (item, ports, signal) => preparer.prepare(item, ports, signal),
      progress: (item) => preparer.progress?.(item) ?? null,
      interfaceXml: (item, entry, port) => preparer.interfaceXml(item, entry, port),
      disk: (item) => preparer.disk(item),
      hasDisk: (item) => preparer.hasDisk(item),
      readConsole: (item, maxBytes) => preparer.readConsole(item, maxBytes),
      remove: async (item) => {
        const held = ledger.list('domain').find((entry) => entry.body.instanceId === item.instanceId)
        if (held) await this.console.push(held)
        await preparer.remove(item)
      },
    }
  }
}

function consoleBlobs({ client, log, preparer }: NodeParts): AskedBlobs {
  return new AskedBlobs({
    what: 'console',
    clock: systemClock,
    log,
    countOf: (body) => body.consoleCount,
    async send(body, count) {
      const output = await preparer.readConsole(body, maxBlobBytes)
      const takenAtMs = systemClock.now()
      await client.console(body.instanceId, { count, takenAtMs, output: output.toString('base64') })
    },
  })
}

function screenBlobs({ client, hypervisor, log }: NodeParts): AskedBlobs {
  return new AskedBlobs({
    what: 'screen',
    clock: systemClock,
    log,
    countOf: (body) => body.screenshotCount ?? 0,
    async send(body, count) {
      const picture = await hypervisor.screenshot(body.instanceId)
      const image = picture ? screenJpeg(picture.mimeType, picture.bytes).toString('base64') : null
      await client.screenshot(body.instanceId, { count, takenAtMs: systemClock.now(), image })
    },
  })
}

function sampleKeeper({ client, hypervisor, ledger, log }: NodeParts): SampleKeeper {
  return new SampleKeeper({
    counters: () => hypervisor.counters(),
    items: () => ledger.list('domain'),
    send: (samples) => client.samples({ samples }),
    log,
  })
}

function flowLogKeeper({ config, identity, ledger, log, network, sendRecords }: NodeParts): FlowLogKeeper {
  return new FlowLogKeeper({
    ...{ agentId: identity.agentId, network, log, clock: systemClock },
    items: () => ledger.list('vpc'),
    spool: new FlowSpool(path.join(config.dir, 'flow-logs')),
    send: sendRecords,
  })
}

function inventoryKeeper(parts: NodeParts): InventoryKeeper {
  const { cache, client, config, hypervisor, ledger, log, network } = parts
  const folders = { instances: config.instancesDir, images: config.imagesDir, agent: config.dir }
  return new InventoryKeeper({
    ledger,
    source: nodeInventory({ hypervisor, network, ledger, cache, folders }),
    send: (blob) => client.inventory(blob),
    clock: systemClock,
    log,
  })
}
