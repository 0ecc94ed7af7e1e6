import { spawn } from 'node:child_process'
import { openSync, closeSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import {
  errorMessage,
  type Log,
  endProcess,
  isAlive,
  readPidFile,
  writePidFile,
  type ProcessMark,
} from '@mallee/base'
import type { DaemonSpec } from './daemons.ts'
import { nodeEnvironment } from './node-words.ts'

const lookEveryMs = 250
const firstBackOffMs = 250
const longestBackOffMs = 15_000
/** One that ran this long is well: its next end is answered at once. */
const wellMs = 20_000

/**
 * Keeps daemons running. They are no children of its life: each is started in a session of its own and known by its
 * pid file, so the supervisor may be killed and started again and finds them as they are.
 */
export class Supervisor {
  private readonly specs: readonly DaemonSpec[]
  private readonly runDir: string
  private readonly logDir: string
  private readonly log: Log
  private readonly failures = new Map<string, number>()
  private readonly dueAtMs = new Map<string, number>()
  private readonly startedAtMs = new Map<string, number>()
  private readonly everyLook: () => void
  private stopping = false

  constructor(options: {
    specs: readonly DaemonSpec[]
    runDir: string
    logDir: string
    log: Log
    everyLook?: () => void
  }) {
    this.specs = options.specs
    this.runDir = options.runDir
    this.logDir = options.logDir
    this.log = options.log
    this.everyLook = options.everyLook ?? (() => {})
  }

  /** Runs until `stop`; every look starts whatever is due and not alive. */
  async run(): Promise<void> {
    await mkdir(this.runDir, { recursive: true, mode: 0o700 })
    await mkdir(this.logDir, { recursive: true, mode: 0o750 })
    while (!this.stopping) {
      this.everyLook()
      for (const spec of this.specs) {
        if (this.stopping) break
        await this.look(spec).catch((error: unknown) => {
          this.log.error({ daemon: spec.name, reason: errorMessage(error) }, 'could not be started')
          this.backOff(spec)
        })
      }
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
    }
  }

  stop(): void {
    this.stopping = true
  }

  private async look(spec: DaemonSpec): Promise<void> {
    const mark = await readPidFile(this.pidFile(spec))
    const now = Date.now()
    if (isAlive(mark)) {
      if (now - (this.startedAtMs.get(spec.name) ?? now) > wellMs) this.failures.delete(spec.name)
      return
    }
    if (this.startedAtMs.has(spec.name) && !this.dueAtMs.has(spec.name)) {
      this.log.warn({ daemon: spec.name }, 'ended')
      this.backOff(spec)
    }
    if (now < (this.dueAtMs.get(spec.name) ?? 0)) return
    this.dueAtMs.delete(spec.name)
    await this.start(spec)
  }

  private async start(spec: DaemonSpec): Promise<void> {
    const [file, ...args] = await spec.command()
    const output = openSync(path.join(this.logDir, `${spec.name}.log`), 'a', 0o640)
    try {
      const child = spawn(file!, args, {
        detached: true,
        stdio: ['ignore', output, output],
        env: { ...process.env, ...nodeEnvironment },
      })
      child.on('error', () => {})
      child.unref()
      if (child.pid === undefined) throw new Error(`${file} cannot be run`)
      await writePidFile(this.pidFile(spec), child.pid).catch((error: unknown) => {
        child.kill('SIGKILL') // one that nobody knows would be started again beside itself
        throw error
      })
      this.startedAtMs.set(spec.name, Date.now())
      this.log.info({ daemon: spec.name, pid: child.pid }, 'started')
    } finally {
      closeSync(output)
    }
  }

  private backOff(spec: DaemonSpec): void {
    const count = (this.failures.get(spec.name) ?? 0) + 1
    this.failures.set(spec.name, count)
    this.startedAtMs.set(spec.name, Date.now())
    this.dueAtMs.set(spec.name, Date.now() + Math.min(firstBackOffMs * 2 ** (count - 1), longestBackOffMs))
  }

  private pidFile(spec: DaemonSpec): string {
    return daemonPidFile(this.runDir, spec.name)
  }
}

export function daemonPidFile(runDir: string, name: string): string {
  return path.join(runDir, `${name}.pid`)
}

/** Ends daemons in the reverse order of their start. */
export async function stopDaemons(specs: readonly DaemonSpec[], runDir: string): Promise<void> {
  for (const spec of specs.toReversed())
    await endProcess(await readPidFile(daemonPidFile(runDir, spec.name)), spec.graceMs)
}

export async function daemonStates(
  specs: readonly DaemonSpec[],
  runDir: string,
): Promise<{ name: string; running: boolean; pid: number | null }[]> {
  const states = []
  for (const spec of specs) {
    const mark: ProcessMark | null = await readPidFile(daemonPidFile(runDir, spec.name))
    states.push({ name: spec.name, running: isAlive(mark), pid: isAlive(mark) ? mark.pid : null })
  }
  return states
}
