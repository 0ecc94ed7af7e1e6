import { readdirSync, readFileSync } from 'node:fs'

const ticksPerSecond = 100

/** Processor time that a process and its children have used so far: what a shared machine does not take from it. */
export function cpuSeconds(pid: number): number {
  const own = ticksOf(pid)
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === pid)
  return (own + children.reduce((sum, child) => sum + ticksOf(Number(child)), 0)) / ticksPerSecond
}

const fieldsOf = (pid: number | string): string[] => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
  } catch {
    return [] // ended meanwhile
  }
}
const parentOf = (pid: string): number => Number(fieldsOf(pid)[1])
const ticksOf = (pid: number): number => Number(fieldsOf(pid)[11] ?? 0) + Number(fieldsOf(pid)[12] ?? 0)
