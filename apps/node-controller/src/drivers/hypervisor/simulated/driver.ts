import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { writeAtomically } from '@mallee/agent-kit'
import { fatal } from '../../../node-error.ts'
import type { EndReason, HypervisorDriver, HypervisorFingerprint, LiveDomain } from '../driver.ts'

interface SimulatedState {
  domains: Record<string, 'running' | 'paused'>
  ended: Record<string, EndReason>
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

export async function openSimulatedHypervisor(options: {
  dir: string
  vcpus: number
  memoryMiB: number
}): Promise<SimulatedHypervisor> {
  const file = path.join(options.dir, 'hypervisor.json')
  await mkdir(options.dir, { recursive: true })
  const state: SimulatedState = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as SimulatedState,
    () => ({ domains: {}, ended: {} }),
  )
  const listeners = new Set<(name: string | null) => void>()
  let saving: Promise<void> = Promise.resolve()
  const save = (name: string): Promise<void> => {
    const text = JSON.stringify(state)
    saving = saving.then(() => writeAtomically(file, text))
    return saving.then(() => listeners.forEach((listener) => listener(name)))
  }
  const end = async (name: string, reason: EndReason): Promise<void> => {
    if (!(name in state.domains)) return
    delete state.domains[name]
    state.ended[name] = reason
    await save(name)
  }
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
    list: () =>
      Promise.resolve(
        Object.entries(state.domains).map(([name, live]): LiveDomain => ({ name, state: live })),
      ),
    async start(xml) {
      const name = /<name>([^<]+)<\/name>/.exec(xml)?.[1]
      if (name === undefined) throw fatal('BadDomain', 'The domain XML has no name.')
      if (name in state.domains) throw fatal('DomainExists', `There is a domain named ${name} already.`)
      state.domains[name] = 'running'
      delete state.ended[name]
      await save(name)
    },
    shutdown: (name) => end(name, 'shutdown'),
    async reboot(name) {
      for (const listener of listeners) listener(`reboot ${name}`)
    },
    reset: () => Promise.resolve(),
    destroy: (name) => end(name, 'destroyed'),
    ended: (name) => Promise.resolve(state.ended[name] ?? null),
    onHint(callback) {
      listeners.add(callback)
      return () => listeners.delete(callback)
    },
    inject: (name, what) => end(name, what === 'crash' ? 'crashed' : 'shutdown'),
    close: () => saving,
  }
}
