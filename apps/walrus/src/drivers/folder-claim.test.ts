import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { systemClock, type Clock } from '@mallee/base'
import { claimFolder } from './folder-claim.ts'

it('gives a folder to one at a time', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-claim-'))
  try {
    let waitedMs = 0
    const quick: Clock = {
      ...systemClock,
      now: () => waitedMs,
      sleep: (delayMs) => {
        waitedMs += delayMs
        return Promise.resolve()
      },
    }
    const { giveUp } = await claimFolder(dir, quick)
    await expect(claimFolder(dir, quick)).rejects.toMatchObject({ code: 'DataFolderInUse' })
    expect(waitedMs).toBeGreaterThan(1000)
    await giveUp()
    await (await claimFolder(dir, quick)).giveUp()
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
