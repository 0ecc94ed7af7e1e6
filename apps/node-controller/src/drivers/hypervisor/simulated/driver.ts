import { statSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { removeUnfinished, writeAtomically } from '@mallee/base'
import { fatal, neverRan } from '../../../node-error.ts'
import {
  domainName,
  type EndReason,
  type HypervisorDriver,
  type HypervisorFingerprint,
  type LiveDisk,
  type LiveDomain,
  type LiveInterface,
} from '../driver.ts'

interface SimulatedState {
  domains: Record<string, 'running' | 'paused'>
  ended: Record<string, EndReason>
  disks?: Record<string, LiveDisk[]>
  interfaces?: Record<string, LiveInterface[]>
  /** Names only. */
  secrets?: string[]
}

/**
 * A hypervisor without machines, for scale and fault tests: a documented peer of the libvirt driver that passes the
 * same contract suite. What it runs is kept in a file, as libvirt keeps its domains beyond the agent's life. Never a
 * silent fallback and never a default.
 */
export interface SimulatedHypervisor extends HypervisorDriver {
  /** What a guest or its host does by itself. */
  inject(name: string, what: 'guest-shutdown' | 'crash'): Promise<void>
}

/** There is no volume where nobody listens. */
const nobodysPort = /<source protocol="iscsi"[^>]*>\s*<host [^>]*port="1"/

/** Guests that do nothing use nothing, and show a black screen. */
const blankScreen = Buffer.concat([Buffer.from('P6\n64 48\n255\n'), Buffer.alloc(64 * 48 * 3)])
const unused = { cpuNs: 0, diskReadBytes: 0, diskWriteBytes: 0, networkInBytes: 0, networkOutBytes: 0 }

/** The file is the host: read for every look, changed by one change at a time. */
class SimulatedHost {
  private readonly file: string
  private readonly listeners = new Set<(name: string | null) => void>()
  private queue: Promise<unknown> = Promise.resolve()

  constructor(file: string) {
    this.file = file
  }

  load(): Promise<SimulatedState> {
    return readFile(this.file, 'utf8').then(
      (text) => JSON.parse(text) as SimulatedState,
      () => ({ domains: {}, ended: {} }),
    )
  }

  change(name: string, edit: (state: SimulatedState) => boolean): Promise<void> {
    const done = this.queue.then(async () => {
      const state = await this.load()
      if (!edit(state)) return
      await writeAtomically(this.file, JSON.stringify(state))
      this.hint(name)
    })
    this.queue = done.catch(() => {})
    return done
  }

  end(name: string, reason: EndReason): Promise<void> {
    return this.change(name, (state) => {
      if (!(name in state.domains)) return false
      delete state.domains[name]
      delete state.disks?.[name]
      delete state.interfaces?.[name]
      state.ended[name] = reason
      return true
    })
  }

  start(xml: string): Promise<void> {
    const name = /<name>([^<]+)<\/name>/.exec(xml)?.[1]
    if (name === undefined) return Promise.reject(fatal('BadDomain', 'The domain XML has no name.'))
    if (nobodysPort.test(xml)) return Promise.reject(neverRan('A volume of the instance is not reached.'))
    return this.change(name, (state) => {
      if (name in state.domains) throw fatal('DomainExists', `There is a domain named ${name} already.`)
      state.domains[name] = 'running'
      state.disks = { ...state.disks, [name]: disksIn(xml) }
      state.interfaces = { ...state.interfaces, [name]: interfacesIn(xml) }
      delete state.ended[name]
      return true
    })
  }

  editDisks(name: string, edit: (disks: LiveDisk[]) => LiveDisk[]): Promise<void> {
    return this.change(name, (state) => {
      if (!(name in state.domains)) return false
      state.disks = { ...state.disks, [name]: edit(state.disks?.[name] ?? []) }
      return true
    })
  }

  editInterfaces(name: string, edit: (interfaces: LiveInterface[]) => LiveInterface[]): Promise<void> {
    return this.change(name, (state) => {
      if (!(name in state.domains)) return false
      state.interfaces = { ...state.interfaces, [name]: edit(state.interfaces?.[name] ?? []) }
      return true
    })
  }

  editSecrets(edit: (names: Set<string>) => void): Promise<void> {
    return this.change('', (state) => {
      const names = new Set(state.secrets)
      edit(names)
      state.secrets = [...names]
      return true
    })
  }

  hint(name: string): void {
    for (const listener of this.listeners) listener(name)
  }

  onHint(callback: (name: string | null) => void): () => void {
    this.listeners.add(callback)
    return () => this.listeners.delete(callback)
  }

  async settled(): Promise<void> {
    await this.queue
  }
}

/** What the XML says of disks. One that is no file here has no size until its guest is told of one. */
function disksIn(xml: string): LiveDisk[] {
  return (xml.match(/<disk\b[\s\S]*?<\/disk>/g) ?? []).map((disk) => ({
    target: /<target dev="([^"]+)"/.exec(disk)?.[1] ?? '',
    serial: /<serial>([^<]+)<\/serial>/.exec(disk)?.[1] ?? null,
    source: /<source [^>]*(?:name|file)="([^"]+)"/.exec(disk)?.[1] ?? null,
    sizeBytes: fileSize(/<source file="([^"]+)"/.exec(disk)?.[1]),
  }))
}

function interfacesIn(xml: string): LiveInterface[] {
  return (xml.match(/<interface\b[\s\S]*?<\/interface>/g) ?? []).map((entry) => ({
    mac: /<mac address="([^"]+)"/.exec(entry)?.[1] ?? '',
    tap: /<target dev="([^"]+)"/.exec(entry)?.[1] ?? null,
  }))
}

function fileSize(file: string | undefined): number {
  return file === undefined ? 0 : (statSync(file, { throwIfNoEntry: false })?.size ?? 0)
}

export async function openSimulatedHypervisor(options: {
  dir: string
  vcpus: number
  memoryMiB: number
}): Promise<SimulatedHypervisor> {
  await mkdir(options.dir, { recursive: true })
  await removeUnfinished(options.dir)
  const host = new SimulatedHost(path.join(options.dir, 'hypervisor.json'))
  const fingerprint: HypervisorFingerprint = {
    hypervisor: 'simulated',
    accelerator: 'simulated',
    acceleratorReason: 'no guest runs here',
    architecture: 'x86_64',
    vcpus: options.vcpus,
    memoryMiB: options.memoryMiB,
    problems: [],
  }
  return {
    fingerprint: () => Promise.resolve(fingerprint),
    list: async () =>
      Object.entries((await host.load()).domains).map(([name, state]): LiveDomain => ({ name, state })),
    start: (xml) => host.start(xml),
    shutdown: (name) => host.end(name, 'shutdown'),
    reboot: (name) => Promise.resolve(host.hint(`reboot ${name}`)),
    reset: () => Promise.resolve(),
    destroy: (name) => host.end(name, 'destroyed'),
    undefine: () => Promise.resolve(), // nothing is stored but what runs
    ended: async (name) => (await host.load()).ended[name] ?? null,
    async inventory() {
      const { domains } = await host.load()
      const ours = Object.entries(domains).filter(([name]) => domainName.test(name))
      return { domains: ours.map(([name, state]) => ({ name, state })), processes: [] }
    },
    async screenshot(name) {
      if (!(name in (await host.load()).domains)) return null
      return { mimeType: 'image/x-portable-pixmap', bytes: blankScreen }
    },
    counters: async () => Object.keys((await host.load()).domains).map((name) => ({ name, ...unused })),
    disks: async (name) => (await host.load()).disks?.[name] ?? [],
    attachDisk: async (name, xml) => {
      if (!(name in (await host.load()).domains)) throw fatal('NoDomain', `There is no domain named ${name}.`)
      await host.editDisks(name, (disks) => {
        const [added] = disksIn(xml)
        if (!added || disks.some((disk) => disk.target === added.target))
          throw fatal('DiskExists', `${name} has a disk there already.`)
        return [...disks, added]
      })
    },
    detachDisk: (name, target) =>
      host.editDisks(name, (disks) => disks.filter((disk) => disk.target !== target)),
    resizeDisk: (name, target, sizeBytes) =>
      host.editDisks(name, (disks) =>
        disks.map((disk) => (disk.target === target ? { ...disk, sizeBytes } : disk)),
      ),
    interfaces: async (name) => (await host.load()).interfaces?.[name] ?? [],
    attachInterface: async (name, xml) => {
      if (!(name in (await host.load()).domains)) throw fatal('NoDomain', `There is no domain named ${name}.`)
      await host.editInterfaces(name, (interfaces) => {
        const [added] = interfacesIn(xml)
        if (!added || interfaces.some((entry) => entry.mac === added.mac))
          throw fatal('InterfaceExists', `${name} has such an interface already.`)
        return [...interfaces, added]
      })
    },
    detachInterface: (name, mac) =>
      host.editInterfaces(name, (interfaces) => interfaces.filter((entry) => entry.mac !== mac)),
    setSecret: (name) => host.editSecrets((names) => names.add(name)),
    listSecrets: async () => (await host.load()).secrets ?? [],
    dropSecret: (name) => host.editSecrets((names) => names.delete(name)),
    onHint: (callback) => host.onHint(callback),
    inject: (name, what) => host.end(name, what === 'crash' ? 'crashed' : 'shutdown'),
    close: () => host.settled(),
  }
}
