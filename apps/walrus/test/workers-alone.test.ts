import { fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { systemClock, type Clock } from '@mallee/base'
import { claimFolder } from '../src/drivers/folder-claim.ts'
import { eventually } from './walrus-under-test.ts'
import type { Started } from './workers-main.ts'

/** Tries at once as often as others would in ten seconds. */
function hurried(): Clock {
  let ahead = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    sleep: (ms) => {
      ahead += ms
      return Promise.resolve()
    },
  }
}

it('a worker whose first process was killed keeps the folder from another walrus as long as it lives', async () => {
  const child = fork(path.join(import.meta.dirname, 'workers-main.ts'), { stdio: 'inherit' })
  const [{ dir, workers }] = (await once(child, 'message')) as [Started]
  const dataDir = path.join(dir, 'data')
  const sleeper = workers[0] as number
  try {
    expect(workers.length).toBe(2)
    process.kill(sleeper, 'SIGSTOP') // as one that waits for the disk, and has not noticed
    child.kill('SIGKILL')
    await once(child, 'exit')
    await expect(claimFolder(dataDir, hurried())).rejects.toMatchObject({ code: 'DataFolderInUse' })
    process.kill(sleeper, 'SIGCONT')
    // It ends by itself, as the other one has; then the folder is free.
    await eventually(() => !workers.some(isAlive))
    await (await claimFolder(dataDir, systemClock)).giveUp()
  } finally {
    for (const pid of workers.filter(isAlive)) process.kill(pid, 'SIGKILL')
    await rm(dir, { recursive: true, force: true })
  }
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
