import { execFile } from 'node:child_process'
import { MalleeError } from '@mallee/base'

/** Runs a program to its end, in bounded time; never through a shell. Rejects with what it said on stderr. */
export function runProgram(
  file: string,
  args: readonly string[],
  options: { timeoutMs?: number; input?: string; maxBytes?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      {
        timeout: options.timeoutMs ?? 30_000,
        killSignal: 'SIGKILL',
        maxBuffer: options.maxBytes ?? 16 * 1024 * 1024,
        encoding: 'utf8',
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        const reason = error.killed
          ? `did not end within ${options.timeoutMs ?? 30_000} ms`
          : stderr.trim() || error.message
        reject(
          new MalleeError({
            code: 'ProgramFailed',
            publicMessage: `${file}: ${reason.slice(0, 500)}`,
            cause: error,
          }),
        )
      },
    )
    child.stdin?.on('error', () => {}) // a program that reads nothing may end before we wrote
    child.stdin?.end(options.input ?? '')
  })
}
