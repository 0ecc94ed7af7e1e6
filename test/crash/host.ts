import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { IsolatedLibvirtd } from '@mallee/testkit'

/** The machine under the node controller, looked at from outside. */
export interface Host {
  /** What the configuration of the node controller says of its hypervisor. */
  readonly hypervisor: object
  /** Each running domain, and what tells one start of it from the next. */
  domains(): Promise<Map<string, string>>
  /** Instances that have a folder. */
  folders(): Promise<Set<string>>
  /** What else stands that belongs to none of so many guests. */
  strays(guests: number): Promise<string[]>
}

export interface DomainNotes {
  readonly startIntentAtMs?: number
  readonly rebootCount?: number
}

/** What the node noted of its domain items, by `i-…/1`. */
export async function nodeNotes(dir: string): Promise<Record<string, DomainNotes>> {
  const file = path.join(dir, 'node-controller', 'agent', 'ledger', 'notes.json')
  const notes = JSON.parse(await readFile(file, 'utf8')) as Record<string, DomainNotes>
  const ours = Object.entries(notes).filter(([name]) => name.startsWith('domain '))
  return Object.fromEntries(ours.map(([name, note]) => [name.slice('domain '.length), note]))
}

/** The simulated hypervisor keeps its host in a file; the node's notes tell when each incarnation was started. */
export function simulatedHost(dir: string): Host {
  return {
    hypervisor: { driver: 'simulated' },
    async domains() {
      const file = path.join(dir, 'node-controller', 'agent', 'simulated', 'hypervisor.json')
      const { domains } = JSON.parse(await readFile(file, 'utf8')) as { domains: object }
      const notes = Object.entries(await nodeNotes(dir))
      const startOf = (id: string) =>
        notes
          .filter(([name]) => name.startsWith(`${id}/`))
          .map(([name, note]) => `${name} ${note.startIntentAtMs}`)
          .join()
      return new Map(Object.keys(domains).map((id) => [id, startOf(id)]))
    },
    folders: async () => new Set(await readdir(path.join(dir, 'node-controller', 'instances'))),
    strays: () => Promise.resolve([]),
  }
}

/** Real QEMUs under a libvirtd of their own; a start is told from the next by its process. */
export function realHost(dir: string, libvirtd: IsolatedLibvirtd, logDir: string): Host {
  return {
    hypervisor: { driver: 'libvirt', socket: libvirtd.socketPath, logDir },
    async domains() {
      const { stdout } = await libvirtd.exec('sh', ['-c', 'pgrep -a qemu-system || true'])
      const found = [...stdout.matchAll(/^(\d+) .*guest=(i-[0-9a-f]{17})/gm)]
      return new Map(found.map((match) => [match[2]!, match[1]!]))
    },
    async folders() {
      const entries = await readdir(path.join(dir, 'node-controller', 'instances'), { recursive: true })
      return new Set(
        entries.map((name) => path.basename(name)).filter((name) => /^i-[0-9a-f]{17}/.test(name)),
      )
    },
    async strays(guests) {
      const { stdout } = await libvirtd.exec('ip', ['-o', 'link', 'show', 'type', 'tun'])
      const taps = stdout.split('\n').filter((line) => line !== '')
      return taps.length === guests ? [] : [`${taps.length} taps of ${guests} guests`]
    },
  }
}
