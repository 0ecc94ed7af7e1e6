import path from 'node:path'
import { MalleeError, isAlive, readPidFile } from '@mallee/base'
import { makeBackup, sizeOf } from '../backup/make-backup.ts'
import { restoreBackup } from '../backup/restore-backup.ts'
import { daemonStates } from '../host/supervisor.ts'
import { openMachine } from '../host/machine.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, step } from './command.ts'

export async function runBackup(args: string[]): Promise<void> {
  const { stateDir, positionals } = parseCommand(args, {}, { least: 1, most: 1, usage: 'backup FILE' })
  const file = path.resolve(positionals[0]!)
  const manifest = await makeBackup(requireLayout(stateDir), file)
  const mebibytes = (await sizeOf(file)) / 2 ** 20
  step(`${file}: the record, ${manifest.blobs} object bodies and every key, ${mebibytes.toFixed(1)} MiB`)
  step('it holds every secret of the cloud: keep it as you keep those; guests and their disks are not in it')
}

export async function runRestore(args: string[]): Promise<void> {
  const { stateDir, values, positionals } = parseCommand(
    args,
    { 'in-place': { type: 'boolean' } },
    { least: 1, most: 1, usage: 'restore FILE [--in-place]' },
  )
  const inPlace = values['in-place'] === true
  await refuseUnlessFit(stateDir, inPlace)
  const manifest = await restoreBackup({ file: path.resolve(positionals[0]!), stateDir, inPlace })
  step(`the cloud of ${manifest.createdAt} is in ${stateDir}; ./mallee up starts it`)
}

async function refuseUnlessFit(stateDir: string, inPlace: boolean): Promise<void> {
  const machine = openMachine(stateDir)
  if (!inPlace) {
    if (machine)
      throw new MalleeError({
        code: 'FolderInUse',
        publicMessage: `${stateDir} holds a cloud; restore wants an empty folder, or --in-place.`,
      })
    return
  }
  if (!machine?.cloud)
    throw new MalleeError({ code: 'NoCloud', publicMessage: `There is no cloud in ${stateDir} to replace.` })
  const running = (await daemonStates(machine.specs, machine.file('run'))).filter((daemon) => daemon.running)
  if (running.length > 0 || isAlive(await readPidFile(machine.file('run', 'supervisor.pid'))))
    throw new MalleeError({
      code: 'StillRunning',
      publicMessage: 'The daemons run; ./mallee down first (guests go on).',
    })
}
