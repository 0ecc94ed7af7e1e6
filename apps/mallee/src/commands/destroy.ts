import { readdir, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { removeNodeHost } from '../host/node-host.ts'
import { choicesFile, layoutOf, readChoices } from '../layout.ts'
import { run } from '../program.ts'
import { parseCommand, step } from './command.ts'
import { stopAll } from './down.ts'

/** Removes the cloud whole: daemons, guests, namespaces, links, routes, and the state folder. Harmless when repeated. */
export async function runDestroy(args: string[]): Promise<void> {
  const { stateDir } = parseCommand(args, {}, { least: 0, most: 0, usage: 'destroy' })
  const choices = readChoices(stateDir)
  if (!choices) {
    step(`there is no cloud in ${stateDir}`)
    return
  }
  const layout = layoutOf(stateDir, choices)
  await stopAll(layout)
  await removeNetworkOfNode(layout.netns)
  await removeNodeHost(layout)
  await removeState(stateDir)
  step(`the cloud in ${stateDir} is gone`)
}

/** The choices go last, so that a removal that failed can be repeated; a folder that is a mount point stays, empty. */
async function removeState(stateDir: string): Promise<void> {
  const choices = path.basename(choicesFile(stateDir))
  for (const name of await readdir(stateDir)) {
    if (name !== choices && name !== 'lost+found')
      await rm(path.join(stateDir, name), { recursive: true, force: true })
  }
  await rm(choicesFile(stateDir), { force: true })
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
    const pids = (await run('ip', ['netns', 'pids', name])).split('\n').filter((pid) => pid !== '')
    for (const pid of pids) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // it ended by itself
      }
    }
    await run('ip', ['netns', 'del', name])
  }
}
