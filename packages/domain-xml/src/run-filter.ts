/**
 * A program as a filter: text in, text out, within a time and a size. It runs in a process group of its own,
 * so that at the end of its time whatever it started goes with it.
 */
import { spawn } from 'node:child_process'

export interface FilterOptions {
  file: string
  args: string[]
  /** null: nothing to read. */
  stdin: string | null
  env: Record<string, string>
  timeoutMs: number
  maxOutputBytes: number
}

/** How it ended; `failure` is null when it ended well. */
export interface FilterResult {
  stdout: string
  stderr: string
  failure: string | null
}

const MAX_STDERR_BYTES = 64 * 1024

/** Runs the program. Never rejects: what goes wrong is in `failure`. */
export function runFilter(options: FilterOptions): Promise<FilterResult> {
  const { file, args, env, timeoutMs, maxOutputBytes } = options
  return new Promise((resolve) => {
    const out: Buffer[] = []
    const err: Buffer[] = []
    let outBytes = 0
    let errBytes = 0
    let failure: string | null = null
    const child = spawn(file, args, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
    const giveUp = (reason: string) => {
      failure ??= reason
      killGroup(child.pid)
    }
    const timer = setTimeout(() => giveUp(`did not end within ${timeoutMs} ms`), timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => {
      outBytes += chunk.length
      if (outBytes > maxOutputBytes) giveUp(`gave more than ${maxOutputBytes} bytes`)
      else out.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      errBytes += chunk.length
      if (errBytes <= MAX_STDERR_BYTES) err.push(chunk)
    })
    // A program may end without reading everything; that is its right.
    child.stdin.on('error', () => {})
    child.stdin.end(options.stdin ?? '')
    child.on('error', (cause) => (failure ??= `cannot be run: ${cause.message}`))
    // 'close', not 'exit': only then all output is here. It comes after 'error' too.
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (failure === null && signal !== null) failure = `was ended by ${signal}`
      if (failure === null && code !== 0) failure = `ended with ${code}`
      resolve({ stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString(), failure })
    })
  })
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // ended already
  }
}
