import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { writeAtomically } from './atomic-file.ts'

/** A process by its id and its start: an id alone may have been given to another since. */
export interface ProcessMark {
  readonly pid: number
  /** Clock ticks between boot and the process's start, field 22 of /proc/PID/stat. */
  readonly startTicks: string
}

function statOf(pid: number): { state: string; startTicks: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, startTicks: fields[19]! }
  } catch {
    return null
  }
}

/** Whether that very process lives; one that waits for its burial does not. */
export function isAlive(mark: ProcessMark | null): mark is ProcessMark {
  if (!mark) return false
  const stat = statOf(mark.pid)
  return stat !== null && stat.startTicks === mark.startTicks && stat.state !== 'Z' && stat.state !== 'X'
}

export async function readPidFile(file: string): Promise<ProcessMark | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessMark
  } catch {
    return null
  }
}

/** The process as it is now; one that is gone by then has no ticks and counts as dead. */
export function readProcessMark(pid: number): ProcessMark {
  return { pid, startTicks: statOf(pid)?.startTicks ?? '' }
}

export async function writePidFile(file: string, pid: number): Promise<ProcessMark> {
  const mark = readProcessMark(pid)
  await writeAtomically(file, JSON.stringify(mark))
  return mark
}

/** Asks the process to end, waits, and ends it. */
export async function endProcess(mark: ProcessMark | null, graceMs: number): Promise<void> {
  if (!isAlive(mark)) return
  signal(mark.pid, 'SIGTERM')
  const deadline = Date.now() + graceMs
  while (isAlive(mark)) {
    if (Date.now() > deadline) signal(mark.pid, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A process that ended between the look and the signal is what was wanted. */
function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
