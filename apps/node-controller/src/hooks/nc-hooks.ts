import { spawn } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Log } from '@mallee/base'
import { stopwatch } from '@mallee/service-kit'
import { fatal } from '../node-error.ts'

/** The eight events of Eucalyptus' node controller, unchanged since its version 3.1. */
export type HookEvent =
  | 'euca-nc-pre-init'
  | 'euca-nc-post-init'
  | 'euca-nc-pre-hyp-check'
  | 'euca-nc-pre-boot'
  | 'euca-nc-pre-adopt'
  | 'euca-nc-pre-clean'
  | 'euca-nc-pre-attach'
  | 'euca-nc-post-detach'

const keptOutputBytes = 8192
/** What a hook started and left behind may hold its output open; that is not waited for longer than this. */
const outputGraceMs = 250

/**
 * Runs the admin's hooks: every executable file of the folder, by name, one after the other, with the event, the home
 * folder and the event's parameter as arguments. The first that fails or does not end in time vetoes and stops the
 * rest. No folder, no hooks. Output goes to the log with the instance's id, never further.
 */
export class NcHooks {
  private readonly dir: string
  private readonly home: string
  private readonly timeoutMs: number
  private readonly log: Log
  private readonly onRun: (event: HookEvent, outcome: 'ok' | 'veto', seconds: number) => void

  constructor(options: {
    dir: string
    home: string
    timeoutMs: number
    log: Log
    /** Told of each run, for figures. */
    onRun?: (event: HookEvent, outcome: 'ok' | 'veto', seconds: number) => void
  }) {
    this.onRun = options.onRun ?? (() => {})
    this.dir = options.dir
    this.home = options.home
    this.timeoutMs = options.timeoutMs
    this.log = options.log
  }

  async run(
    event: HookEvent,
    parameter = '',
    about: { instanceId?: string; request_id?: string | null } = {},
  ): Promise<void> {
    for (const file of await this.executables()) {
      const seconds = stopwatch()
      const result = await this.runOne(file, [event, this.home, parameter])
      this.onRun(event, result.ok ? 'ok' : 'veto', seconds())
      const fields = { hook: path.basename(file), event, ...about, output: result.output }
      if (result.ok) this.log.info(fields, 'hook ran')
      else {
        this.log.warn({ ...fields, reason: result.reason }, 'hook vetoed')
        throw fatal('HookVeto', `The hook ${path.basename(file)} refused ${event}: ${result.reason}.`)
      }
    }
  }

  private async executables(): Promise<string[]> {
    let names: string[]
    try {
      names = await readdir(this.dir)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw fatal('HooksUnreadable', 'The folder of hooks cannot be read.', error)
    }
    const files: string[] = []
    for (const name of names.toSorted()) {
      const file = path.join(this.dir, name)
      const info = await stat(file).catch(() => null)
      if (info?.isFile() && (info.mode & 0o111) !== 0) files.push(file)
    }
    return files
  }

  private runOne(file: string, args: string[]): Promise<{ ok: boolean; reason: string; output: string }> {
    return new Promise((resolve) => {
      // A group of its own, so that a hook that hangs in a child of its own ends too.
      const child = spawn(file, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
        env: { ...process.env, EUCALYPTUS: this.home },
      })
      let output = ''
      let late = false
      const keep = (chunk: Buffer) => {
        if (output.length < keptOutputBytes)
          output += chunk.toString('utf8').slice(0, keptOutputBytes - output.length)
      }
      child.stdout.on('data', keep)
      child.stderr.on('data', keep)
      const timer = setTimeout(() => {
        late = true
        try {
          process.kill(-child.pid!, 'SIGKILL')
        } catch {
          // it ended in this very moment
        }
        child.stdout.destroy()
        child.stderr.destroy()
      }, this.timeoutMs)
      const end = (ok: boolean, reason: string) => {
        clearTimeout(timer)
        resolve({
          ok: ok && !late,
          reason: late ? `it did not end within ${this.timeoutMs} ms` : reason,
          output,
        })
      }
      child.on('error', (error) => end(false, error.message))
      child.on('exit', (code, signal) => {
        clearTimeout(timer)
        const said = () => end(code === 0, signal ? `it was ended by ${signal}` : `exit code ${code}`)
        const grace = setTimeout(() => {
          child.stdout.destroy()
          child.stderr.destroy()
          said()
        }, outputGraceMs)
        child.on('close', () => {
          clearTimeout(grace)
          said()
        })
      })
    })
  }
}
