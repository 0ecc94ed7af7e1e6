/** A walrus with two workers in a process that a test may kill: tells where it is and who serves. */
import { silentLog } from '@mallee/base'
import { WalrusUnderTest } from './walrus-under-test.ts'

export interface Started {
  readonly dir: string
  readonly workers: readonly number[]
}

const walrus = await WalrusUnderTest.start(silentLog, { workers: 2, logLevel: 'error' })
const started: Started = { dir: walrus.dir, workers: [...walrus.walrus.workerPids().values()] }
process.send?.(started)
