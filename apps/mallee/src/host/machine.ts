import path from 'node:path'
import { MalleeError } from '@mallee/base'
import { layoutOf, readChoices, type Layout } from '../layout.ts'
import { daemonConfigs, daemonSpecs, type DaemonSpec } from './daemons.ts'
import { joinedConfigs, joinedDaemons, readJoined, type Joined } from './joined.ts'
import { ensureNodeHost } from './node-host.ts'

/** What a state folder makes of this machine: a whole embedded cloud, or one agent of a cloud elsewhere. */
export interface Machine {
  readonly stateDir: string
  readonly specs: readonly DaemonSpec[]
  readonly cloud: Layout | null
  readonly joined: Joined | null
  /** What must be there before the first daemon: namespaces and links. */
  prepare(): Promise<void>
  /** Configuration files by the daemon's name, as of now: this machine's addresses are in them. */
  configs(): Record<string, object>
  file(...parts: string[]): string
}

export function openMachine(stateDir: string): Machine | null {
  const file = (...parts: string[]) => path.join(stateDir, ...parts)
  const choices = readChoices(stateDir)
  if (choices) {
    const layout = layoutOf(stateDir, choices)
    return {
      stateDir,
      specs: daemonSpecs(layout),
      configs: () => daemonConfigs(layout),
      cloud: layout,
      joined: null,
      prepare: () => ensureNodeHost(layout),
      file,
    }
  }
  const joined = readJoined(stateDir)
  if (!joined) return null
  return {
    stateDir,
    specs: joinedDaemons(stateDir, joined),
    configs: () => joinedConfigs(stateDir, joined),
    cloud: null,
    joined,
    prepare: () => Promise.resolve(),
    file,
  }
}

export function requireMachine(stateDir: string): Machine {
  const machine = openMachine(stateDir)
  if (machine) return machine
  throw new MalleeError({
    code: 'NoCloud',
    publicMessage: `There is no cloud in ${stateDir}; ./mallee up makes one, ./mallee agent join joins one.`,
  })
}
