import { statfs } from 'node:fs/promises'
import os from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { MiB, errorMessage, type Log } from '@mallee/base'
import {
  connectLibvirt,
  LibvirtError,
  LibvirtTimeoutError,
  type DomainRef,
  type LibvirtConnection,
  type TypedParams,
} from '@mallee/libvirt'
import { fatal, hasNeverRun, neverRan, passing } from '../../../node-error.ts'
import { within } from '../../../within.ts'
import type {
  EndReason,
  GuestCounters,
  HypervisorDriver,
  HypervisorFingerprint,
  HypervisorInventory,
  LiveDisk,
  LiveDomain,
  LiveInterface,
  Picture,
} from '../driver.ts'
import { domainName } from '../driver.ts'
import { probeAccelerator, type Accelerator } from './accelerator.ts'
import { attachDisk, detachDisk, dropSecret, listSecrets, readDisks, setSecret } from './domain-disks.ts'
import { attachInterface, detachInterface, readInterfaces } from './domain-interfaces.ts'
import { readEndReason } from './ended-log.ts'
import { findProcesses, isOurs } from './own-domains.ts'

const callMs = 10_000
/** A start stages nothing: what takes longer is a libvirtd that hangs. */
const startMs = 30_000
/** The first connection of a new libvirtd probes every QEMU binary. */
const connectMs = 60_000

export interface LibvirtOptions {
  readonly socket: string
  /** libvirt's own folder of domain logs. */
  readonly logDir: string
  /** Of all instances; a domain whose XML names it is ours. */
  readonly instancesDir: string
  /** What the node may give away; physical figures where not set. */
  readonly vcpus: number
  readonly memoryMiB: number
  readonly log: Log
}

/**
 * Domains through libvirtd's socket. The connection is made anew whenever it was lost; every call is bounded, and a
 * call that timed out may have worked, so callers look again. Events are hints and never facts.
 */
const fingerprintMs = 3_000
/** A screen is looked at so often, with a pause between, before it counts as none. */
const screenLooks = 5
const screenPauseMs = 200
/** A picture on its way for longer never comes: libvirt now and then does not end the stream. */
const screenReadMs = 3_000
/** A screen of 4096 by 4096 in QEMU's largest form. */
const largestScreenBytes = 64 * MiB

export class LibvirtDriver implements HypervisorDriver {
  private readonly options: LibvirtOptions
  private readonly listeners = new Set<(name: string | null) => void>()
  private connecting: Promise<LibvirtConnection> | null = null
  private connection: LibvirtConnection | null = null
  private accelerator: Promise<Accelerator> | null = null
  private closed = false

  constructor(options: LibvirtOptions) {
    this.options = options
  }

  async fingerprint(): Promise<HypervisorFingerprint> {
    this.accelerator ??= probeAccelerator()
    const { accelerator, reason } = await this.accelerator
    const base = {
      accelerator,
      acceleratorReason: reason,
      architecture: os.arch() === 'arm64' ? ('arm64' as const) : ('x86_64' as const),
      vcpus: this.options.vcpus,
      memoryMiB: this.options.memoryMiB,
    }
    try {
      // A wedged libvirtd makes this node degraded soon, and its controller's start no slower.
      const version = await within(
        fingerprintMs,
        'libvirtd',
        this.with((connection) => connection.getLibVersion({ timeoutMs: callMs })),
      )
      return { ...base, hypervisor: `libvirt ${versionText(Number(version))}`, problems: [] }
    } catch (error) {
      return {
        ...base,
        hypervisor: 'libvirt',
        problems: [`libvirtd does not answer: ${errorMessage(error)}`],
      }
    }
  }

  async list(): Promise<LiveDomain[]> {
    return this.with(async (connection) => {
      const domains = await connection.listAllDomains(['active'], { timeoutMs: callMs })
      const live: LiveDomain[] = []
      for (const domain of domains) {
        const state = await connection.domainGetState(domain, { timeoutMs: callMs }).catch(ignoreMissing)
        if (!state || state.state === 'shutoff') continue
        live.push({ name: domain.name, state: liveState(state.state) })
      }
      return live
    })
  }

  async start(xml: string): Promise<void> {
    await this.with((connection) =>
      connection.domainCreateXml(xml, [], { timeoutMs: startMs }).catch(namingLostVolume),
    )
  }

  async shutdown(name: string): Promise<void> {
    await this.onDomain(name, (connection, domain) =>
      connection.domainShutdownFlags(domain, ['acpi-power-btn'], { timeoutMs: callMs }),
    )
  }

  async reboot(name: string): Promise<void> {
    await this.onDomain(name, (connection, domain) =>
      connection.domainReboot(domain, [], { timeoutMs: callMs }),
    )
  }

  async reset(name: string): Promise<void> {
    await this.onDomain(name, (connection, domain) => connection.domainReset(domain, { timeoutMs: callMs }))
  }

  async destroy(name: string): Promise<void> {
    await this.onDomain(name, (connection, domain) =>
      connection.domainDestroyFlags(domain, [], { timeoutMs: startMs }),
    )
  }

  async undefine(name: string): Promise<void> {
    await this.onDomain(name, (connection, domain) =>
      connection.domainUndefine(domain, [], { timeoutMs: callMs }),
    )
  }

  ended(name: string): Promise<EndReason | null> {
    return readEndReason(this.options.logDir, name)
  }

  async inventory(): Promise<HypervisorInventory> {
    const { instancesDir } = this.options
    const domains = await this.with(async (connection) => {
      const found: HypervisorInventory['domains'][number][] = []
      for (const domain of await connection.listAllDomains([], { timeoutMs: callMs })) {
        if (!domainName.test(domain.name)) continue
        const xml = await connection.domainGetXmlDesc(domain, [], { timeoutMs: callMs }).catch(ignoreMissing)
        const state = await connection.domainGetState(domain, { timeoutMs: callMs }).catch(ignoreMissing)
        if (xml === undefined || !state || !isOurs(xml, instancesDir)) continue
        found.push({
          name: domain.name,
          state: state.state === 'shutoff' ? 'shutoff' : liveState(state.state),
        })
      }
      return found
    })
    return { domains, processes: await findProcesses(instancesDir) }
  }

  async screenshot(name: string): Promise<Picture | null> {
    return this.with(async (connection) => {
      const domain = await connection.domainLookupByName(name, { timeoutMs: callMs }).catch(ignoreMissing)
      if (!domain) return null
      try {
        // QEMU that has not drawn yet gives a picture without a byte.
        for (let look = 0; look < screenLooks; look += 1) {
          const { mimeType, stream } = await connection.domainScreenshot(domain, 0, { timeoutMs: callMs })
          const bytes = await stream
            .readAll(largestScreenBytes, { timeoutMs: screenReadMs })
            .catch(noneInTime)
          if (bytes.length > 0) return { mimeType, bytes }
          await setTimeout(screenPauseMs)
        }
        return null
      } catch (error) {
        // A guest without a video device, or one that ended meanwhile.
        if (error instanceof LibvirtError) return null
        throw error
      }
    })
  }

  async counters(): Promise<GuestCounters[]> {
    return this.with(async (connection) => {
      const stats = await connection.getAllDomainStats(
        { stats: ['cpu-total', 'interface', 'block'], flags: ['active', 'nowait'] },
        { timeoutMs: callMs },
      )
      return stats.map(({ domain, params }) => countersOf(domain.name, params))
    })
  }

  async disks(name: string): Promise<LiveDisk[]> {
    return this.with(async (connection) => {
      const domain = await connection.domainLookupByName(name, { timeoutMs: callMs }).catch(ignoreMissing)
      return domain ? ((await readDisks(connection, domain).catch(ignoreMissing)) ?? []) : []
    })
  }

  async attachDisk(name: string, xml: string): Promise<void> {
    await this.with(async (connection) => {
      const domain = await connection.domainLookupByName(name, { timeoutMs: callMs })
      await attachDisk(connection, domain, xml)
    })
  }

  async detachDisk(name: string, target: string): Promise<void> {
    await this.onDomain(name, (connection, domain) => detachDisk(connection, domain, target))
  }

  async interfaces(name: string): Promise<LiveInterface[]> {
    return this.with(async (connection) => {
      const domain = await connection.domainLookupByName(name, { timeoutMs: callMs }).catch(ignoreMissing)
      return domain ? ((await readInterfaces(connection, domain).catch(ignoreMissing)) ?? []) : []
    })
  }

  async attachInterface(name: string, xml: string): Promise<void> {
    await this.with(async (connection) => {
      const domain = await connection.domainLookupByName(name, { timeoutMs: callMs })
      await attachInterface(connection, domain, xml)
    })
  }

  async detachInterface(name: string, mac: string): Promise<void> {
    await this.onDomain(name, (connection, domain) => detachInterface(connection, domain, mac))
  }

  async resizeDisk(name: string, target: string, sizeBytes: number): Promise<void> {
    await this.onDomain(name, (connection, domain) =>
      connection.domainBlockResize(domain, target, sizeBytes, { timeoutMs: callMs }),
    )
  }

  async setSecret(name: string, value: string): Promise<void> {
    await this.with((connection) => setSecret(connection, name, value))
  }

  async listSecrets(): Promise<string[]> {
    return this.with(async (connection) => (await listSecrets(connection)).map((secret) => secret.usageID))
  }

  async dropSecret(name: string): Promise<void> {
    await this.with((connection) => dropSecret(connection, name))
  }

  onHint(callback: (name: string | null) => void): () => void {
    this.listeners.add(callback)
    void this.connect().catch(() => {})
    return () => this.listeners.delete(callback)
  }

  async close(): Promise<void> {
    this.closed = true
    await this.connection?.close()
  }

  /** A domain that is gone meanwhile makes a verb succeed: there is nothing to do. */
  private async onDomain(
    name: string,
    verb: (connection: LibvirtConnection, domain: DomainRef) => Promise<unknown>,
  ): Promise<void> {
    await this.with(async (connection) => {
      const domain = await connection.domainLookupByName(name, { timeoutMs: callMs }).catch(ignoreMissing)
      if (domain) await verb(connection, domain).catch(ignoreMissing)
    })
  }

  private async with<T>(work: (connection: LibvirtConnection) => Promise<T>): Promise<T> {
    try {
      return await work(await this.connect())
    } catch (error) {
      if (hasNeverRun(error)) throw error
      if (error instanceof LibvirtError) throw fatal('LibvirtRefused', `libvirt: ${error.message}`, error)
      throw passing('LibvirtAway', `libvirtd: ${errorMessage(error)}`, error)
    }
  }

  private connect(): Promise<LibvirtConnection> {
    if (this.connection && !this.connection.isClosed) return Promise.resolve(this.connection)
    if (this.closed) return Promise.reject(passing('Closing', 'the node controller is stopping'))
    this.connecting ??= this.open().finally(() => {
      this.connecting = null
    })
    return this.connecting
  }

  private async open(): Promise<LibvirtConnection> {
    const connection = await connectLibvirt({
      socketPath: this.options.socket,
      timeoutMs: callMs,
      connectTimeoutMs: connectMs,
      keepaliveIntervalMs: 5_000,
    })
    connection.on('close', () => {
      if (this.closed) return
      this.options.log.warn({}, 'libvirtd went away')
      this.hint(null)
    })
    await connection.onDomainEvent('lifecycle', ({ domain }) => this.hint(domain.name))
    await connection.onDomainEvent('device-removed', ({ domain }) => this.hint(domain.name))
    await connection.onDomainEvent('reboot', ({ domain }) => this.hint(`reboot ${domain.name}`))
    this.connection = connection
    this.options.log.info({}, 'connected to libvirtd')
    this.hint(null)
    return connection
  }

  private hint(name: string | null): void {
    for (const listener of this.listeners) listener(name)
  }
}

function countersOf(name: string, params: TypedParams): GuestCounters {
  const sum = (pattern: RegExp) =>
    Object.entries(params).reduce((total, [key, value]) => total + (pattern.test(key) ? Number(value) : 0), 0)
  return {
    name,
    cpuNs: Number(params['cpu.time'] ?? 0),
    diskReadBytes: sum(/^block\.\d+\.rd\.bytes$/),
    diskWriteBytes: sum(/^block\.\d+\.wr\.bytes$/),
    networkInBytes: sum(/^net\.\d+\.rx\.bytes$/),
    networkOutBytes: sum(/^net\.\d+\.tx\.bytes$/),
  }
}

function liveState(state: string): LiveDomain['state'] {
  if (state === 'running' || state === 'blocked') return 'running'
  return state === 'paused' || state === 'pmsuspended' ? 'paused' : 'ending'
}

/**
 * QEMU ends before the guest runs where its initiator is not let in at once: the target daemon is being replaced, or the
 * volume's target is made anew because all of its snapshot has arrived.
 */
function namingLostVolume(error: unknown): never {
  if (error instanceof LibvirtError && error.message.includes('iSCSI: Failed to connect to LUN'))
    throw neverRan('A volume of the instance is not reached.', error)
  throw error
}

function ignoreMissing(error: unknown): undefined {
  if (
    error instanceof LibvirtError &&
    (error.codeName === 'no-domain' || error.codeName === 'operation-invalid')
  )
    return undefined
  throw error
}

function noneInTime(error: unknown): Buffer {
  if (error instanceof LibvirtTimeoutError) return Buffer.alloc(0)
  throw error
}

function versionText(version: number): string {
  return `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1000) % 1000}.${version % 1000}`
}

/** What this machine can give to guests: processors shared several times over, memory never. */
export function physicalCapacity(options: { vcpusPerCore: number; reservedMemoryMiB: number }): {
  vcpus: number
  memoryMiB: number
} {
  return {
    vcpus: os.availableParallelism() * options.vcpusPerCore,
    memoryMiB: Math.max(0, Math.floor(os.totalmem() / MiB) - options.reservedMemoryMiB),
  }
}

/** Space for instance disks under a folder, in GiB: its whole file system, since the record knows what is promised. */
export async function diskCapacityGiB(dir: string): Promise<number> {
  const info = await statfs(dir)
  return Math.floor((info.blocks * info.bsize) / (1024 * MiB))
}
