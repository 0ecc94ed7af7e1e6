import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { isAlive, readPidFile, readProcessMark, type ProcessMark } from './pid-file.ts'

/**
 * Waits for a process to be gone (or to be a corpse that nobody buries) and then becomes the program that it was given,
 * unless the marker says that this end was wanted. A shell: it costs a megabyte, and there is little in it to fail.
 */
const watchScript = `
while read -r stat 2>/dev/null < "/proc/$1/stat"; do
  case $stat in *") Z "*|*") X "*) break ;; esac
  sleep 1
done
[ -e "$2" ] || exec "$3" --disable-warning=ExperimentalWarning "$4" "$5"
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
  const child = spawn('/bin/sh', ['-c', ...words, process.execPath, script, stateDir], {
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
 * There is one supervisor for a state folder: the one that holds this name in the kernel's table, which forgets it when
 * its holder dies (an abstract socket, unix(7)). Null where another one holds it. Such names are anybody's to take: one
 * that is taken while the pid file names nobody who lives is somebody's mischief, and does not stop us.
 */
export function claimSupervision(stateDir: string, pidFile: string): Promise<Server | null> {
  const tag = createHash('sha256').update(realpathSync(stateDir)).digest('hex').slice(0, 16)
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error)
      void laterAlive(pidFile).then((alive) => resolve(alive ? null : server))
    })
    server.listen(`\0mallee-supervisor-${tag}`, () => {
      server.unref()
      resolve(server)
    })
  })
}
