import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { TestHost } from '@mallee/testkit'
import { figureLine, figures } from './figures.ts'

const rounds = 5
const settleMs = 20_000

/**
 * From `./mallee up` to ready, without a guest and with what was compiled before, against starting as many Node.js
 * processes that do nothing (aim: 3 s); then the idle memory of all our processes, as six daemons and a supervisor
 * (PSS, aim 300 MB) and in one process (RSS, aim 150 MB).
 */
export async function startAndMemoryBench(): Promise<void> {
  const host = new TestHost()
  await host.open()
  try {
    const up = ['up', '--detach', '--no-instance', '--port-base', String(host.portBase)]
    await host.mallee(...up) // makes the cloud and warms every cache
    const starts: number[] = []
    const bare: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      await host.mallee('down')
      const beganMs = performance.now()
      await host.mallee(...up)
      starts.push(performance.now() - beganMs)
      bare.push(await emptyProcesses(7))
    }
    const ours = figures(starts)
    const floor = figures(bare)
    process.stdout.write(`${figureLine('up to ready, no guest', 'ms', ours)}\n`)
    process.stdout.write(`${figureLine('seven empty Node.js processes', 'ms', floor)}\n`)
    process.stdout.write(`ratio of medians: ${(ours.median / floor.median).toFixed(2)}\n`)
    await pause(settleMs)
    const apart = memoryOf(host.stateDir)
    process.stdout.write(
      `idle, ${apart.count} processes: PSS ${apart.pss.toFixed(0)} MB together (aim 300), RSS ${apart.rss.toFixed(0)} MB\n`,
    )
    await host.mallee('destroy')
    await host.mallee(...up, '--one-process')
    await host.mallee('down')
    await host.mallee('up', '--detach', '--no-instance')
    await pause(settleMs)
    const together = memoryOf(`one-process-main.ts ${host.stateDir}`)
    process.stdout.write(
      `idle, one process: RSS ${together.rss.toFixed(0)} MB (aim 150), PSS ${together.pss.toFixed(0)} MB\n`,
    )
  } finally {
    await host.close()
  }
}

const pause = (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms)
  })

/** Milliseconds until as many empty programs have begun to run. */
async function emptyProcesses(count: number): Promise<number> {
  const beganMs = performance.now()
  const script = 'process.send(1); setTimeout(() => {}, 60000)'
  const children: ChildProcess[] = Array.from({ length: count }, () =>
    spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }),
  )
  await Promise.all(children.map((child) => new Promise((resolve) => child.once('message', resolve))))
  const tookMs = performance.now() - beganMs
  for (const child of children) child.kill('SIGKILL')
  return tookMs
}

/** Sums over our Node.js processes whose command line holds the text, in MB. */
function memoryOf(text: string): { count: number; pss: number; rss: number } {
  const sum = { count: 0, pss: 0, rss: 0 }
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      if (!words.includes(text) || (!words.includes('-main.ts') && !words.includes('/main.ts'))) continue
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
      const of = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(rollup)?.[1] ?? 0) / 1024
      sum.count += 1
      sum.pss += of('Pss')
      sum.rss += of('Rss')
    } catch {
      // it ended meanwhile
    }
  }
  return sum
}
