import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError, writeAtomically, isAlive, readPidFile } from '@mallee/base'
import { adminSettings } from './admin-settings.ts'
import { readFormats, stepsFrom } from './backup/formats.ts'
import { refuseUnfinishedRestore } from './backup/restore-backup.ts'
import { downMarker } from './commands/down.ts'
import { step } from './commands/command.ts'
import { installCustomisables } from './customisables.ts'
import type { Machine } from './host/machine.ts'
import { nodeEnvironment, nodeWords } from './host/node-words.ts'
import { repositoryRoot } from './layout.ts'
import { waitFor } from './wait-for.ts'

const supervisorMs = 20_000

/** Writes every daemon's configuration and starts the supervisor, which starts them. Harmless when repeated. */
export async function startDaemons(machine: Machine): Promise<void> {
  await writeConfigs(machine)
  await startSupervisor(machine)
}

/** A folder of an older release is not migrated by the way: `upgrade` makes a backup first. */
export function refuseUnlessCurrent(stateDir: string): void {
  refuseUnfinishedRestore(stateDir)
  if (stepsFrom(readFormats(stateDir)).length === 0) return
  throw new MalleeError({
    code: 'OlderRelease',
    publicMessage: `${stateDir} was written by an older release; ./mallee upgrade brings it to this one (guests go on).`,
  })
}

/** Whatever starts daemons comes through here, and is refused a folder that is not this release's. */
export async function writeConfigs(machine: Machine): Promise<void> {
  refuseUnlessCurrent(machine.stateDir)
  await mkdir(machine.file('config'), { recursive: true, mode: 0o700 })
  await mkdir(machine.file('run'), { recursive: true, mode: 0o700 })
  await mkdir(machine.file('log'), { recursive: true, mode: 0o750 })
  for (const [name, config] of Object.entries(machine.configs())) {
    const whole = { ...config, ...(await adminSettings(machine, name)) }
    await writeAtomically(machine.file('config', `${name}.json`), `${JSON.stringify(whole, null, 2)}\n`)
  }
  await installCustomisables(machine)
  await rm(downMarker(machine), { force: true })
}

/** Starts the supervisor unless it lives. */
export async function startSupervisor(machine: Machine): Promise<void> {
  const pidFile = machine.file('run', 'supervisor.pid')
  if (isAlive(await readPidFile(pidFile))) return
  step('starting the daemons')
  const output = openSync(machine.file('log', 'supervisor.log'), 'a', 0o640)
  const script = path.join(repositoryRoot, 'apps/mallee/src/supervisor-main.ts')
  const child = spawn(nodeWords[0]!, [...nodeWords.slice(1), script, machine.stateDir], {
    detached: true,
    env: { ...process.env, ...nodeEnvironment },
    stdio: ['ignore', output, output],
    cwd: '/',
  })
  closeSync(output)
  child.unref()
  // It writes its own pid file once it holds the claim; another one may have been quicker.
  await waitFor(async () => isAlive(await readPidFile(pidFile)), {
    timeoutMs: supervisorMs,
    failure: `the supervisor did not start; see ${machine.file('log', 'supervisor.log')}`,
  })
}
