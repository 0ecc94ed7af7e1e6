import { fork, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { CrashPlan } from './crash-points.ts'

const readyMs = 60_000

/** One daemon as a real process with its crash points, started again after its death as a supervisor would. */
export class Daemon {
  readonly name: string
  /** The newest process has answered that it is ready. */
  private ready: Promise<void> = Promise.resolve()
  private child: ChildProcess | null = null
  private ended: Promise<void> = Promise.resolve()
  private readonly options: { script: string; config: string; root: string; logFile: string }

  constructor(name: string, options: Daemon['options']) {
    this.name = name
    this.options = options
  }

  get alive(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null
  }

  /** Starts the process; with a plan, its points count from the first line on. */
  start(plan: CrashPlan = { mode: 'off' }): void {
    const log = openSync(this.options.logFile, 'a')
    const child = fork(this.options.script, [this.options.config], {
      execArgv: [
        '--disable-warning=ExperimentalWarning',
        '--import',
        new URL('./crash-points.ts', import.meta.url).href,
      ],
      env: {
        ...process.env,
        MALLEE_CRASH_ROOT: this.options.root,
        MALLEE_CRASH_PLAN: JSON.stringify(plan),
      },
      stdio: ['ignore', log, log, 'ipc'],
    })
    closeSync(log)
    this.child = child
    this.ended = new Promise((resolve) => {
      child.once('exit', () => resolve())
    })
    this.ready = new Promise((resolve, reject) => {
      child.on('message', (message: { ready?: true }) => message.ready && resolve())
      child.once('exit', (code, signal) => reject(new Error(`${this.name} ended (${code ?? signal})`)))
    })
    this.ready.catch(() => {}) // awaited by whoever needs it to be ready
  }

  async untilReady(): Promise<void> {
    const timer = setTimeout(() => this.child?.kill('SIGKILL'), readyMs)
    try {
      await this.ready
    } finally {
      clearTimeout(timer)
    }
  }

  async arm(plan: CrashPlan): Promise<void> {
    await this.ask({ arm: plan }, 'armed')
  }

  /** The points that it passed since it was armed to record. */
  async collect(): Promise<string[]> {
    return (await this.ask({ collect: true }, 'recorded')) as string[]
  }

  /** Starts it again if it is dead. */
  async revive(): Promise<boolean> {
    if (this.alive) return false
    await this.ended
    this.start()
    await this.untilReady()
    return true
  }

  untilEnded(): Promise<void> {
    return this.ended
  }

  async kill(): Promise<void> {
    this.child?.kill('SIGKILL')
    await this.ended
  }

  private ask(message: object, answer: string): Promise<unknown> {
    const child = this.child!
    return new Promise((resolve, reject) => {
      const take = (value: Record<string, unknown>) => {
        if (value[answer] === undefined) return
        child.off('message', take)
        resolve(value[answer])
      }
      child.on('message', take)
      child.send(message, (error) => error && reject(error))
    })
  }
}
