import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test, vi } from 'vitest'
import { silentLog, endProcess, isAlive, readPidFile } from '@mallee/base'
import { Supervisor } from './supervisor.ts'

test('a daemon whose pid file does not fit on the disk is ended, and started again when there is room', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-supervisor-'))
  const runDir = path.join(dir, 'run')
  await mkdir(runDir)
  await symlink('/dev/full', path.join(runDir, 'sleeper.pid.new'))
  const started: unknown[] = []
  const troubles: unknown[] = []
  const log = {
    ...silentLog,
    info: (fields: object) => void started.push(fields),
    error: (fields: object) => void troubles.push(fields),
  }
  const spec = { name: 'sleeper', graceMs: 1_000, command: () => Promise.resolve(['sleep', '600']) }
  const supervisor = new Supervisor({ specs: [spec], runDir, logDir: path.join(dir, 'log'), log })
  const running = supervisor.run()
  const pidFile = path.join(runDir, 'sleeper.pid')
  try {
    await vi.waitFor(async () => expect(isAlive(await readPidFile(pidFile))).toBe(true), 10_000)
    expect(troubles).toEqual([expect.objectContaining({ daemon: 'sleeper' })])
    expect(started.length).toBe(1)
  } finally {
    supervisor.stop()
    await running
    await endProcess(await readPidFile(pidFile), 0)
    await rm(dir, { recursive: true })
  }
})
