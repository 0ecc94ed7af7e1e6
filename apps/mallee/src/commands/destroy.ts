import { rm } from 'node:fs/promises'
import { removeNodeHost } from '../host/node-host.ts'
import { readChoices, layoutOf } from '../layout.ts'
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
  await removeNetworkOfNode(layout.file('node', 'network'), layout.netns)
  await removeNodeHost(layout)
  await rm(stateDir, { recursive: true, force: true })
  step(`the cloud in ${stateDir} is gone`)
}

/** Routers are namespaces of their own, named after the node's; what runs in them (DHCP) ends with them. */
async function removeNetworkOfNode(_runDir: string, netns: string): Promise<void> {
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
