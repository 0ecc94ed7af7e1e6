import { execFile, spawnSync } from 'node:child_process'

/** Runs a program to its end; rejects with what it said on stderr. Tests only. */
export function run(
  file: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      { timeout: options.timeoutMs ?? 20_000, encoding: 'utf8' },
      (error, out, err) =>
        error ? reject(new Error(`${file} ${args.join(' ')}: ${err.trim() || error.message}`)) : resolve(out),
    )
    child.stdin?.on('error', () => {}) // it may end before it read
    child.stdin?.end(options.input ?? '')
  })
}

export function runs(file: string, args: readonly string[]): boolean {
  return spawnSync(file, args, { stdio: 'ignore' }).status === 0
}
