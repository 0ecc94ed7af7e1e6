import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { isAlive, readPidFile, readProcessMark, type ProcessMark } from '@mallee/base'
import { claimName } from '@mallee/service-kit'
import { nodeWords } from './node-words.ts'

/**
 * Waits for a process to be gone (or to be a corpse that nobody buries) and then becomes the program that it was given,
 * unless the marker says that this end was wanted. A shell: it costs a megabyte, and there is little in it to fail.
 */
const watchScript = `
while read -r stat 2>/dev/null < "/proc/$1/stat"; do
  case $stat in *") Z "*|*") X "*) break ;; esac
  sleep 1
done
down=$2
shift 2
[ -e "$down" ] || exec "$@"
`

/** Starts the process that starts the supervisor again when it dies of anything but our own word. */
export function startStandby(options: {
  supervisorPid: number
  downMarker: string
  script: string
  stateDir: string
}): ProcessMark | null {
  const { supervisorPid, downMarker, script, stateDir } = options
  const words = [watchScript, 'mallee-standby', String(supervisorPid), downMarker]
  const child = spawn('/bin/sh', ['-c', ...words, ...nodeWords, script, stateDir], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    cwd: '/',
  })
  child.on('error', () => {})
  child.unref()
  return child.pid === undefined ? null : readProcessMark(child.pid)
}

/** Whether a supervisor lives, or comes to live in a moment: it takes the name first and writes its file then. */
async function laterAlive(pidFile: string): Promise<boolean> {
  for (let tries = 0; tries < 20; tries += 1) {
    if (isAlive(await readPidFile(pidFile))) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}

/**
 * There is one supervisor for a state folder: the one that holds its name, which goes with its holder. False where another
 * one holds it. Such names are anybody's to take: one that is taken while the pid file names nobody who lives is
 * somebody's mischief, and does not stop us.
 */
export async function claimSupervision(stateDir: string, pidFile: string): Promise<boolean> {
  const tag = createHash('sha256').update(realpathSync(stateDir)).digest('hex').slice(0, 16)
  const claim = await claimName(`mallee-supervisor-${tag}`) // held until this process ends
  return claim !== null || !(await laterAlive(pidFile))
}
