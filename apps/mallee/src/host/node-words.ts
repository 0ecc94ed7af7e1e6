import path from 'node:path'
import { repositoryRoot } from '../layout.ts'

/**
 * How our daemons' Node.js is started. A small young generation: they are many on one machine and idle most of the time,
 * and what they hold lives long.
 */
export const nodeWords: readonly string[] = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=2',
]

/**
 * Of one that answers thousands of requests a second and has each for a moment: a young generation that is full every
 * hundred requests costs a tenth of them.
 */
export const busyWords: readonly string[] = ['--max-semi-space-size=8']

/**
 * Compiled code is kept between starts: a daemon is there in a third of the time and without the memory of the program
 * that strips types.
 */
export const nodeEnvironment: Readonly<Record<string, string>> = {
  NODE_COMPILE_CACHE: path.join(repositoryRoot, '.mallee/cache/compiled'),
}
