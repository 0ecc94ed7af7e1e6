import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { readProcessMark } from '@mallee/base'
import { expect, test } from 'vitest'
import { removeStale } from './make-backup.ts'

test('what a killed backup left goes; what one that runs puts together stays, and backups do', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-stale-'))
  try {
    const { pid, startTicks } = readProcessMark(process.pid)
    const running = `.staging-${pid}-${startTicks}`
    // An id that another process has by now, and the name that earlier releases gave.
    for (const name of [running, `.staging-${pid}-1`, '.staging-4194305-1', `.staging-${pid}`, 'monday.tar'])
      await mkdir(path.join(dir, name))
    await removeStale(dir)
    expect((await readdir(dir)).toSorted()).toEqual([running, 'monday.tar'].toSorted())
  } finally {
    await rm(dir, { recursive: true })
  }
})
