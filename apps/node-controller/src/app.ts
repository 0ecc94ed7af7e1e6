import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { errorMessage, systemClock, type Log } from '@mallee/base'
import type { DesiredItem, DomainFacts, NodeFingerprint, VpcFacts } from '@mallee/agent-contract'
import {
  AgentLoop,
  CloudClient,
  joinCloud,
  keepCertificate,
  Ledger,
  loadIdentity,
  type AgentIdentity,
} from '@mallee/agent-kit'
import type { Service } from '@mallee/service-kit'
import { ConsoleKeeper } from './console/console-keeper.ts'
import type { NodeControllerConfig } from './config.ts'
import { DomainKeeper } from './domain-keeper.ts'
import type { HypervisorDriver } from './drivers/hypervisor/driver.ts'
import { hypervisorDrivers } from './drivers/hypervisor/drivers.ts'
import { networkDrivers } from './drivers/network/drivers.ts'
import { takeFingerprint } from './fingerprint.ts'
import { NcHooks } from './hooks/nc-hooks.ts'
import { ImageCache } from './images/image-cache.ts'
import { walrusFetcher } from './images/walrus-client.ts'
import { startMetadataServer } from './metadata/metadata-server.ts'
import { NetworkKeeper } from './network-keeper.ts'
import type { GuestPreparer } from './steps/guest-preparer.ts'
import { LibvirtPreparer } from './steps/libvirt-preparer.ts'
import { simulatedPreparer } from './steps/simulated-preparer.ts'

export { planDomain, type DomainNote, type DomainStep } from './planner/plan-domain.ts'

/** A look at everything this often, in case a hint was lost. */
const lookEveryMs = 2_000
const fingerprintEveryMs = 15_000
const tokenEveryMs = 250

/** The identity that this agent has, or the one that its join token buys; waits for the token to appear. */
async function obtainIdentity(config: NodeControllerConfig, log: Log): Promise<AgentIdentity> {
  const present = await loadIdentity(config.dir)
  if (present) return { ...present, cloudUrl: config.cloudUrl }
  for (let said = false; ; said = true) {
    const token = await readFile(config.joinTokenFile, 'utf8').catch(() => null)
    if (token !== null) {
      try {
        const identity = await joinCloud({ url: config.cloudUrl, token, name: config.name, dir: config.dir })
        await rm(config.joinTokenFile, { force: true })
        log.info({ agentId: identity.agentId }, 'joined the cloud')
        return identity
      } catch (error) {
        log.warn({ reason: errorMessage(error) }, 'could not join yet')
        await systemClock.sleep(2_000)
      }
    } else if (!said) log.info({ file: config.joinTokenFile }, 'waiting for a join token')
    await systemClock.sleep(tokenEveryMs)
  }
}

/** Runs the node controller: one agent, its drivers, and the loops that bring them to what the cloud wants. */
export async function startNodeController(
  config: NodeControllerConfig,
  deps: { log: Log },
): Promise<Service> {
  const { log } = deps
  const hooks = new NcHooks({
    dir: path.join(config.customDir, 'nc-hooks'),
    home: '',
    timeoutMs: config.hookTimeoutMs,
    log,
  })
  await hooks.run('euca-nc-pre-init')
  const identity = await obtainIdentity(config, log)
  const ledger = await Ledger.open({ dir: path.join(config.dir, 'ledger'), privateKey: identity.key, log })
  const hypervisor = await hypervisorDrivers[config.hypervisor.driver](config, log)
  const network = await networkDrivers[config.network.driver](config, log)
  const walrus = walrusFetcher({ url: config.walrusUrl, identity })
  const cache = new ImageCache({ dir: config.imagesDir, fetch: walrus.fetch, log })
  await cache.open()
  await mkdir(config.instancesDir, { recursive: true, mode: 0o750 })
  const client = new CloudClient({
    url: config.cloudUrl,
    authority: identity.authority,
    key: identity.key,
    certificate: identity.certificate,
  })

  let hooksVeto: string | null = null
  const checkedHypervisor = withHypCheck(hypervisor, hooks, (veto) => (hooksVeto = veto))
  const print = () => takeFingerprint({ hypervisor, network, instancesDir: config.instancesDir, hooksVeto })
  let fingerprint: NodeFingerprint = await print()
  log.info({ fingerprint }, 'what this node is')
  const preparer = preparerOf(config, { cache, hooks, hypervisor, log })
  const console = new ConsoleKeeper({
    preparer,
    clock: systemClock,
    log,
    send: (id, blob) => client.console(id, blob),
  })
  const lastWords: GuestPreparer = {
    prepare: (item, ports, signal) => preparer.prepare(item, ports, signal),
    hasDisk: (item) => preparer.hasDisk(item),
    readConsole: (item, maxBytes) => preparer.readConsole(item, maxBytes),
    async remove(item) {
      const held = ledger.list('domain').find((entry) => entry.body.instanceId === item.instanceId)
      if (held) await console.push(held)
      await preparer.remove(item)
    },
  }

  const loop: AgentLoop = new AgentLoop({
    cloud: client,
    ledger,
    log,
    onDesired: () => refresh(),
    fingerprint: () => fingerprint,
  })
  const networkKeeper = new NetworkKeeper({
    driver: network,
    items: () => ledger.list('vpc'),
    observe: (item, applied, message) =>
      loop.observe({
        kind: 'vpc',
        id: item.id,
        generation: item.generation,
        facts: { applied, message } satisfies VpcFacts,
      }),
    log,
  })
  const domains = new DomainKeeper({
    ledger,
    hypervisor: checkedHypervisor,
    network: networkKeeper,
    preparer: lastWords,
    clock: systemClock,
    log,
    accelerator: () => fingerprint.accelerator,
    observe: (item: DesiredItem<'domain'>, facts: DomainFacts) =>
      loop.observe({ kind: 'domain', id: item.id, generation: item.generation, facts }),
  })
  const refresh = () => {
    void networkKeeper.refresh().catch(() => {}) // said to the cloud and to the log by the keeper
    domains.refreshAll()
    console.refresh(ledger.list('domain'))
    void lookForStrangers(hypervisor, ledger, loop)
  }
  // The network stands again before anything else: guests that run need their DHCP and their rules.
  await networkKeeper.refresh().catch(() => {})
  const metadata =
    config.network.driver === 'simulated'
      ? null
      : await startMetadataServer({
          ...network.metadataAddress,
          askerAt: (address) => network.askerAt(address),
          itemOf: (interfaceId) =>
            ledger
              .list('domain')
              .find((item) => item.body.interfaces.some((entry) => entry.interfaceId === interfaceId))
              ?.body ?? null,
          log,
        })
  await adopt({ ledger, hypervisor, hooks, instancesDir: config.instancesDir, log })
  await hooks.run('euca-nc-post-init')
  hypervisor.onHint((name) => (name === null ? refresh() : domains.refresh(name)))
  const looking = setInterval(refresh, lookEveryMs)
  const printing = setInterval(() => {
    void print().then(
      (now) => {
        fingerprint = now
        loop.refreshFingerprint()
      },
      (error: unknown) => log.warn({ reason: errorMessage(error) }, 'no fingerprint'),
    )
  }, fingerprintEveryMs)
  const stopping = new AbortController()
  void keepCertificate({
    identity,
    client,
    dir: config.dir,
    log,
    signal: stopping.signal,
    onRenewed: () => {},
  })
  loop.start()
  refresh()
  return {
    address: null,
    async close() {
      // Guests belong to libvirt: stopping us stops none of them.
      clearInterval(looking)
      clearInterval(printing)
      stopping.abort()
      await loop.stop()
      await domains.stop()
      await metadata?.close()
      await Promise.all([hypervisor.close(), network.close(), walrus.close(), client.close()])
    },
  }
}

function preparerOf(
  config: NodeControllerConfig,
  deps: { cache: ImageCache; hooks: NcHooks; hypervisor: HypervisorDriver; log: Log },
): GuestPreparer {
  if (config.hypervisor.driver === 'simulated') return simulatedPreparer(config.instancesDir)
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

/** Eucalyptus asks its hooks before every use of the hypervisor; ours are asked before every start, and say why not. */
function withHypCheck(
  hypervisor: HypervisorDriver,
  hooks: NcHooks,
  veto: (sentence: string | null) => void,
): HypervisorDriver {
  return {
    fingerprint: () => hypervisor.fingerprint(),
    list: () => hypervisor.list(),
    shutdown: (name) => hypervisor.shutdown(name),
    reboot: (name) => hypervisor.reboot(name),
    reset: (name) => hypervisor.reset(name),
    destroy: (name) => hypervisor.destroy(name),
    ended: (name) => hypervisor.ended(name),
    onHint: (callback) => hypervisor.onHint(callback),
    close: () => hypervisor.close(),
    async start(xml) {
      try {
        await hooks.run('euca-nc-pre-hyp-check')
        veto(null)
      } catch (error) {
        veto(errorMessage(error))
        throw error
      }
      await hypervisor.start(xml)
    },
  }
}

/** Domains that ran through our own restart are taken up again; a hook may veto, and then the domain is left alone. */
async function adopt(deps: {
  ledger: Ledger
  hypervisor: HypervisorDriver
  hooks: NcHooks
  instancesDir: string
  log: Log
}): Promise<void> {
  const live = await deps.hypervisor.list().catch(() => [])
  for (const domain of live) {
    const item = deps.ledger.list('domain').find((entry) => entry.body.instanceId === domain.name)
    if (!item) continue
    const dir = path.join(deps.instancesDir, item.body.accountId, item.body.instanceId)
    try {
      await deps.hooks.run('euca-nc-pre-adopt', dir, { instanceId: domain.name })
      deps.log.info({ instanceId: domain.name, state: domain.state }, 'adopted')
    } catch (error) {
      deps.log.warn(
        { instanceId: domain.name, reason: errorMessage(error) },
        'a hook spoke against the adoption; the domain goes on unadopted',
      )
    }
  }
}

/** Domains named like ours that no item declares: said to the cloud, never touched. */
async function lookForStrangers(
  hypervisor: HypervisorDriver,
  ledger: Ledger,
  loop: AgentLoop,
): Promise<void> {
  const live = await hypervisor.list().catch(() => null)
  if (!live) return
  const known = new Set(ledger.list('domain').map((item) => item.body.instanceId))
  loop.observeUndeclared(
    live.map((domain) => domain.name).filter((name) => /^i-[0-9a-f]{8,17}$/.test(name) && !known.has(name)),
  )
}
