import { execFile, type ExecFileOptions } from 'node:child_process'
import { MalleeError } from '@mallee/base'

/** Runs a program to its end and answers what it printed; rejects with what it said. Never through a shell. */
export function run(
  file: string,
  args: readonly string[],
  options: ExecFileOptions & { input?: string } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const { input, ...rest } = options
    const child = execFile(
      file,
      args,
      { maxBuffer: 64 * 1024 * 1024, timeout: 600_000, ...rest, encoding: 'utf8' },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        const said = String(stderr).trim() || String(stdout).trim() || error.message
        reject(
          new MalleeError({
            code: 'ProgramFailed',
            publicMessage: `${file} ${args[0] ?? ''}: ${said.slice(-800)}`,
            cause: error,
          }),
        )
      },
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(input ?? '')
  })
}

/** Whether the program ends with success. */
export async function succeeds(file: string, args: readonly string[]): Promise<boolean> {
  return run(file, args).then(
    () => true,
    () => false,
  )
}
