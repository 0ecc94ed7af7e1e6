import { existsSync } from 'node:fs'
import { endProcess, readProcessMark } from '@mallee/base'
import { run } from '../program.ts'

/** Removes a network namespace by its name, and ends what still runs in it. Harmless when there is none. */
export async function removeNetns(name: string): Promise<void> {
  if (!existsSync(`/run/netns/${name}`)) return
  const pids = (await run('ip', ['netns', 'pids', name])).split('\n').filter((pid) => pid !== '')
  for (const pid of pids) await endProcess(readProcessMark(Number(pid)), 0)
  await run('ip', ['netns', 'del', name])
}
