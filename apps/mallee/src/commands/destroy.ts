import { readdir, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { createLog } from '@mallee/service-kit'
import { joinedConfigFile, joinedFile } from '../host/joined.ts'
import { storageRunDir } from '../host/daemons.ts'
import { openMachine, type Machine } from '../host/machine.ts'
import { nodeWords } from '../host/node-words.ts'
import { endStorageHost } from '../host/storage-host.ts'
import { Supervisor } from '../host/supervisor.ts'
import { removeNetns } from '../host/netns.ts'
import { removeNodeHost } from '../host/node-host.ts'
import { choicesFile, repositoryRoot } from '../layout.ts'
import { run, succeeds } from '../program.ts'
import { waitFor } from '../wait-for.ts'
import { parseCommand, step } from './command.ts'
import { stopAll } from './down.ts'

const libvirtdMs = 30_000

/**
 * Removes what the state folder made of this machine; of a cloud everything: daemons, guests, namespaces, links, routes,
 * and the state folder. Harmless when repeated.
 */
export async function runDestroy(args: string[]): Promise<void> {
  const { stateDir } = parseCommand(args, {}, { least: 0, most: 0, usage: 'destroy' })
  const machine = openMachine(stateDir)
  if (!machine) {
    step(`there is no cloud in ${stateDir}`)
    return
  }
  if (machine.cloud) {
    await stopAll(machine)
    await removeNetworkOfNode(machine.cloud.netns)
    await removeNodeHost(machine.cloud)
    await endStorageHost(storageRunDir(machine.cloud))
    await removeState(stateDir, path.basename(choicesFile(stateDir)))
    return step(`the cloud in ${stateDir} is gone`)
  }
  // libvirtd goes last: it ends the guests.
  await stopAll({ ...machine, specs: machine.specs.filter((spec) => spec.name !== 'libvirtd') })
  await removeGuests(machine)
  await stopAll(machine)
  await endStorageHost(machine.file('run-storage'))
  await removeState(stateDir, path.basename(joinedFile(stateDir)))
  step('this machine is no longer part of a cloud; ./mallee agent forget says so there')
}

/** On a machine that joined: our domains and our part of its network go, everything else of it stays. */
async function removeGuests(machine: Machine): Promise<void> {
  if (machine.joined?.kind !== 'node') return
  await ensureLibvirtd(machine)
  const script = path.join(repositoryRoot, 'apps/node-controller/src/remove-main.ts')
  const config = joinedConfigFile(machine.stateDir, 'node')
  await run(nodeWords[0]!, [...nodeWords.slice(1), script, config])
}

/** Guests may run although libvirtd does not: where it is ours to run, it is started to end them. */
async function ensureLibvirtd(machine: Machine): Promise<void> {
  const specs = machine.specs.filter((spec) => spec.name === 'libvirtd')
  if (specs.length === 0) return
  const log = createLog({ name: 'destroy', level: 'error' })
  const options = { specs, runDir: machine.file('run'), logDir: machine.file('log'), log }
  const supervisor = new Supervisor(options)
  const running = supervisor.run()
  try {
    await waitFor(() => succeeds('virsh', ['-c', 'qemu:///system', 'version']), {
      timeoutMs: libvirtdMs,
      failure: `libvirtd does not start; see ${machine.file('log', 'libvirtd.log')}`,
    })
  } finally {
    supervisor.stop()
    await running
  }
}

/** The choices go last, so that a removal that failed can be repeated; a folder that is a mount point stays, empty. */
async function removeState(stateDir: string, choices: string): Promise<void> {
  for (const name of await readdir(stateDir)) {
    if (name !== choices && name !== 'lost+found')
      await rm(path.join(stateDir, name), { recursive: true, force: true })
  }
  await rm(path.join(stateDir, choices), { force: true })
  await rmdir(stateDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EBUSY' && error.code !== 'ENOTEMPTY') throw error
  })
}

/** Routers are namespaces of their own, named after the node's; what runs in them (DHCP) ends with them. */
async function removeNetworkOfNode(netns: string): Promise<void> {
  const list = await run('ip', ['-o', 'netns', 'list'])
  for (const line of list.split('\n')) {
    const name = line.split(' ')[0] ?? ''
    if (!name.startsWith(`${netns}-`)) continue
    await removeNetns(name)
  }
}
