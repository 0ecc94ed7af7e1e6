import { MalleeError } from '@mallee/base'
import { readFormats, stepsFrom, writeFormats } from '../backup/formats.ts'
import { makeBackup } from '../backup/make-backup.ts'
import { refuseUnfinishedRestore } from '../backup/restore-backup.ts'
import { requireMachine } from '../host/machine.ts'
import { startDaemons } from '../start-daemons.ts'
import { parseCommand, print, step } from './command.ts'
import { stopAll } from './down.ts'
import { setup } from './setup.ts'
import { waitReady } from './up.ts'

/**
 * Brings a state folder to this release: backup, daemons down, daemons of this release up, which migrate what they own.
 * Guests run through it. Said again it finds nothing to do.
 */
export async function runUpgrade(args: string[]): Promise<void> {
  const options = { plan: { type: 'boolean' }, 'no-backup': { type: 'boolean' } } as const
  const usage = 'upgrade [--plan] [--no-backup]'
  const { stateDir, values } = parseCommand(args, options, { least: 0, most: 0, usage })
  const machine = requireMachine(stateDir)
  refuseUnfinishedRestore(stateDir)
  const steps = stepsFrom(readFormats(stateDir))
  for (const { format, from, to } of steps) print(`${format}: ${from} to ${to}`)
  if (steps.length === 0) print('every format is current; the daemons are restarted with this release')
  if (values.plan) return
  await setup()
  let backup: string | null = null
  if (machine.cloud && !values['no-backup']) {
    backup = machine.file('backups', `before-upgrade-${new Date().toISOString().replaceAll(':', '')}.tar`)
    await makeBackup(machine.cloud, backup)
    step(`backup: ${backup}`)
  }
  step('stopping the daemons of the former release (guests go on)')
  await stopAll(machine)
  await writeFormats(stateDir)
  try {
    await startDaemons(machine)
    if (machine.cloud) await waitReady(machine.cloud)
  } catch (error) {
    throw new MalleeError({
      code: 'UpgradeFailed',
      publicMessage: `The upgrade failed: ${error instanceof MalleeError ? error.publicMessage : String(error)}${backup === null ? '' : `\nTo go back: ./mallee down, ./mallee restore ${backup} --in-place, then put the former release back and say ./mallee up there.`}`,
      cause: error,
    })
  }
  step('upgraded')
}
