import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { daemonSpecs } from '../host/daemons.ts'
import { endProcess, readPidFile } from '../host/pid-file.ts'
import { stopDaemons } from '../host/supervisor.ts'
import { requireLayout, type Layout } from '../layout.ts'
import { parseCommand, step } from './command.ts'

export async function runDown(args: string[]): Promise<void> {
  const { stateDir } = parseCommand(args, {}, { least: 0, most: 0, usage: 'down' })
  const layout = requireLayout(stateDir)
  await stopAll(layout)
  const guests = await readdir(layout.file('node', 'instances')).catch(() => [])
  step(
    guests.length > 0
      ? 'the daemons are down; guests go on (./mallee destroy ends them)'
      : 'the daemons are down',
  )
}

/** Says that the daemons are down because somebody wants it, to an `up` that watches in another terminal. */
export function downMarker(layout: Layout): string {
  return layout.file('run', 'down')
}

/** The supervisor first, or it would start again what we stop. */
export async function stopAll(layout: Layout): Promise<void> {
  await mkdir(layout.file('run'), { recursive: true, mode: 0o700 })
  await writeFile(downMarker(layout), '')
  await endProcess(await readPidFile(layout.file('run', 'supervisor.pid')), 5_000)
  await stopDaemons(daemonSpecs(layout), layout.file('run'))
}
