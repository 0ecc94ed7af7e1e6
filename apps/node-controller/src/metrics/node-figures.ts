import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError, errorMessage } from '@mallee/base'
import { stopwatch, type Metrics, type Readiness } from '@mallee/service-kit'
import { LibvirtTimeoutError } from '@mallee/libvirt'
import type { HypervisorDriver } from '../drivers/hypervisor/driver.ts'
import type { NetworkDriver } from '../drivers/network/driver.ts'

/** What a node controller counts while it works. */
export interface NodeFigures {
  readonly metrics: Metrics
  /** Seconds of one step of a launch. */
  launchStep(step: 'prepare' | 'network' | 'start' | 'whole', seconds: number): void
  hook(event: string, outcome: 'ok' | 'veto', seconds: number): void
  /** The driver with its calls timed. */
  measured(driver: HypervisorDriver): HypervisorDriver
}

export function nodeFigures(metrics: Metrics): NodeFigures {
  const launches = metrics.histogram('launch_step_duration_seconds', 'Steps of launches on this node.', [
    'step',
  ])
  const hooks = metrics.histogram('hook_duration_seconds', 'Hooks of the administrator.', [
    'event',
    'outcome',
  ])
  const calls = metrics.histogram(
    'hypervisor_call_duration_seconds',
    'Calls of the hypervisor, libvirt or simulated.',
    ['verb', 'outcome'],
  )
  const timeouts = metrics.counter('hypervisor_timeouts_total', 'Calls that were not answered in time.', [
    'verb',
  ])
  const timed = async <T>(verb: string, call: () => Promise<T>): Promise<T> => {
    const seconds = stopwatch()
    let outcome = 'ok'
    try {
      return await call()
    } catch (error) {
      outcome = outcomeOf(error)
      if (outcome === 'timeout') timeouts.inc({ verb })
      throw error
    } finally {
      calls.observe({ verb, outcome }, seconds())
    }
  }
  return {
    metrics,
    launchStep: (step, seconds) => launches.observe({ step }, seconds),
    hook: (event, outcome, seconds) => hooks.observe({ event, outcome }, seconds),
    measured: (driver) => ({
      fingerprint: () => timed('fingerprint', () => driver.fingerprint()),
      list: () => timed('list', () => driver.list()),
      start: (xml) => timed('start', () => driver.start(xml)),
      shutdown: (name) => timed('shutdown', () => driver.shutdown(name)),
      reboot: (name) => timed('reboot', () => driver.reboot(name)),
      reset: (name) => timed('reset', () => driver.reset(name)),
      destroy: (name) => timed('destroy', () => driver.destroy(name)),
      undefine: (name) => timed('undefine', () => driver.undefine(name)),
      ended: (name) => driver.ended(name),
      inventory: () => timed('inventory', () => driver.inventory()),
      screenshot: (name) => timed('screenshot', () => driver.screenshot(name)),
      counters: () => timed('counters', () => driver.counters()),
      disks: (name) => timed('disks', () => driver.disks(name)),
      attachDisk: (name, xml) => timed('attach', () => driver.attachDisk(name, xml)),
      detachDisk: (name, target) => timed('detach', () => driver.detachDisk(name, target)),
      resizeDisk: (name, target, sizeBytes) =>
        timed('resize', () => driver.resizeDisk(name, target, sizeBytes)),
      interfaces: (name) => timed('interfaces', () => driver.interfaces(name)),
      attachInterface: (name, xml) => timed('attach', () => driver.attachInterface(name, xml)),
      detachInterface: (name, mac) => timed('detach', () => driver.detachInterface(name, mac)),
      setSecret: (name, value) => timed('secret', () => driver.setSecret(name, value)),
      listSecrets: () => timed('secrets', () => driver.listSecrets()),
      dropSecret: (name) => driver.dropSecret(name),
      onHint: (callback) => driver.onHint(callback),
      close: () => driver.close(),
    }),
  }
}

function outcomeOf(error: unknown): string {
  if (!(error instanceof MalleeError)) return 'failed'
  if (error.cause instanceof LibvirtTimeoutError) return 'timeout'
  return error.retryable ? 'away' : 'refused'
}

/** Figures that are looked up when a monitor asks. */
export function registerNodeGauges(
  metrics: Metrics,
  sources: { hypervisor: HypervisorDriver; network: Pick<NetworkDriver, 'bytes'>; imagesDir: string },
): void {
  metrics.gauge('domains', 'Domains of the hypervisor by state.', ['state'], async (gauge) => {
    gauge.reset()
    const domains = await sources.hypervisor.list().catch(() => null)
    if (!domains) return // a hypervisor that is away has no figures, and its calls say so
    for (const state of ['running', 'paused', 'ending'] as const)
      gauge.set({ state }, domains.filter((domain) => domain.state === state).length)
  })
  metrics.gauge(
    'interface_bytes',
    'Bytes of an interface since it came to this node: inside its VPC, and outside.',
    ['interface', 'direction', 'side'],
    async (gauge) => {
      gauge.reset()
      for (const { interfaceId, ...both } of await sources.network.bytes().catch(() => []))
        for (const direction of ['sent', 'received'] as const)
          for (const side of ['inside', 'outside'] as const)
            gauge.set({ interface: interfaceId, direction, side }, both[direction][side])
    },
  )
  metrics.gauge('image_cache_bytes', 'Bytes on the disk of cached images.', [], async (gauge) => {
    let bytes = 0
    for (const name of await readdir(sources.imagesDir).catch(() => []))
      bytes += (await stat(path.join(sources.imagesDir, name)).catch(() => null))?.blocks ?? 0
    gauge.set(bytes * 512)
  })
}

/** A node is ready when its hypervisor and its network stand in no launch's way. */
export async function nodeReadiness(sources: {
  hypervisor: HypervisorDriver
  problems: () => readonly string[]
}): Promise<Readiness> {
  const hypervisor = await sources.hypervisor.list().then(
    () => null,
    (error: unknown) => errorMessage(error),
  )
  return { hypervisor, node: sources.problems().join(' ') || null }
}
