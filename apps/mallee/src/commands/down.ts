import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { endProcess, readPidFile } from '@mallee/base'
import { requireMachine, type Machine } from '../host/machine.ts'
import { stopDaemons } from '../host/supervisor.ts'
import { parseCommand, step } from './command.ts'

export async function runDown(args: string[]): Promise<void> {
  const { stateDir } = parseCommand(args, {}, { least: 0, most: 0, usage: 'down' })
  const machine = requireMachine(stateDir)
  await stopAll(machine)
  const instances = machine.cloud ? machine.file('node', 'instances') : machine.file('instances')
  const guests = await readdir(instances).catch(() => [])
  step(
    guests.length > 0
      ? 'the daemons are down; guests go on (./mallee destroy ends them)'
      : 'the daemons are down',
  )
}

/** Says that the daemons are down because somebody wants it, to an `up` that watches in another terminal. */
export function downMarker(machine: Machine): string {
  return machine.file('run', 'down')
}

/** The supervisor first, or it would start again what we stop. */
export async function stopAll(machine: Machine): Promise<void> {
  await mkdir(machine.file('run'), { recursive: true, mode: 0o700 })
  await writeFile(downMarker(machine), '')
  await endProcess(await readPidFile(machine.file('run', 'supervisor.pid')), 5_000)
  await stopDaemons(machine.specs, machine.file('run'))
}
