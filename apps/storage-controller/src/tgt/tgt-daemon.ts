import { spawn } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import path from 'node:path'
import {
  endProcess,
  errorMessage,
  isAlive,
  MalleeError,
  readPidFile,
  readProcessMark,
  writePidFile,
  type Log,
  type ProcessMark,
} from '@mallee/base'
import { findDaemons, isTgtd } from './find-daemons.ts'
import type { TargetDaemon } from './target-daemon.ts'
import { TgtClient, TgtSilent } from './tgt-client.ts'

const startMs = 10_000
/** The number with which its socket's name ends: daemons are told apart by their folders. */
const control = '1'
/** It is asked again before it is held for wedged: a machine may have slept. */
const silencesBeforeKill = 2

/**
 * The target daemon: started detached, so that guests go on while we restart, found again by its pid file, and replaced
 * where it died or does not answer. QEMU's initiators wait meanwhile and go on by themselves; tgt keeps no state, so
 * whoever has targets makes them again (`onStarted`).
 */
export class TgtDaemon implements TargetDaemon {
  private readonly options: {
    readonly runDir: string
    readonly listen: { readonly host: string; readonly port: number }
    readonly within: () => Promise<readonly string[]>
    readonly log: Log
  }
  readonly client: TgtClient
  private silences = 0

  constructor(options: TgtDaemon['options']) {
    this.options = options
    this.client = new TgtClient(path.join(options.runDir, `tgt.${control}`))
  }

  get pidFile(): string {
    return path.join(this.options.runDir, 'tgtd.pid')
  }

  /** Resolves when a daemon answers; whether it was started anew. */
  async ensure(): Promise<{ started: boolean }> {
    if (await this.living()) {
      try {
        await this.client.call({ mode: 'system', operation: 'show' })
        this.silences = 0
        return { started: false }
      } catch (error) {
        if (!(error instanceof TgtSilent)) throw error
        this.silences += 1
        this.options.log.warn(
          { reason: errorMessage(error), times: this.silences },
          'the target daemon is silent',
        )
        if (this.silences < silencesBeforeKill) throw error
        await this.kill()
      }
    }
    await this.start()
    this.silences = 0
    return { started: true }
  }

  /** Ends it at once; it does not end by being asked while it has targets. */
  async kill(): Promise<void> {
    await endProcess(await this.living(), 0)
    await rm(this.pidFile, { force: true })
  }

  /** Null while there is none. */
  async pid(): Promise<number | null> {
    return (await this.living())?.pid ?? null
  }

  /** The one that we noted, or one that we started and did not get to note. */
  private async living(): Promise<ProcessMark | null> {
    const noted = await readPidFile(this.pidFile)
    if (isAlive(noted) && (await isTgtd(noted.pid))) return noted
    const [found, ...more] = await findDaemons(this.socketPrefix)
    for (const pid of more) await endProcess(readProcessMark(pid), 0)
    if (found === undefined) return null
    this.options.log.warn({ pid: found }, 'a target daemon of ours was not noted')
    return writePidFile(this.pidFile, found)
  }

  private get socketPrefix(): string {
    return path.join(this.options.runDir, 'tgt')
  }

  private async start(): Promise<void> {
    const { runDir, listen, within, log } = this.options
    await rm(path.join(runDir, `tgt.${control}`), { force: true })
    await rm(path.join(runDir, `tgt.${control}.lock`), { force: true })
    const [file, ...before] = [...(await within()), '/usr/sbin/tgtd']
    const args = [...before, '-f', '-C', control, '--iscsi', `portal=${listen.host}:${listen.port}`]
    const output = await open(path.join(runDir, 'tgtd.log'), 'w', 0o640)
    const child = spawn(file!, args, {
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: { ...process.env, TGT_IPC_SOCKET: this.socketPrefix },
      cwd: '/',
    })
    await output.close()
    child.unref()
    // At once: whoever comes after our death must find it, or there would be two.
    if (child.pid !== undefined) await writePidFile(this.pidFile, child.pid)
    let failed: string | null = null
    child.on('error', (error) => (failed = error.message))
    child.on('exit', (code) => (failed = `it ended with ${code}`))
    const endsAt = performance.now() + startMs
    for (;;) {
      const answered = await this.client.call({ mode: 'system', operation: 'show' }).then(
        () => true,
        () => false,
      )
      if (answered) break
      if (failed !== null || performance.now() > endsAt) throw notStarted(failed)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    log.info({ pid: child.pid }, 'target daemon started')
  }
}

function notStarted(why: string | null): MalleeError {
  const what = why ?? 'it does not answer'
  return new MalleeError({
    code: 'NoTargetDaemon',
    publicMessage: `The target daemon could not be started: ${what}.`,
    retryable: true,
  })
}
