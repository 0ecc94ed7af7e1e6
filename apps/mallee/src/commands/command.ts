import path from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { MalleeError } from '@mallee/base'
import { defaultStateDir } from '../layout.ts'

export interface Command {
  readonly help: string
  /** Answers the exit code; nothing is 0. */
  run(args: string[]): Promise<number | void>
}

type Options = NonNullable<ParseArgsConfig['options']>

/** Parses a subcommand's arguments; every one of them takes `--state DIR`, or MALLEE_STATE. */
export function parseCommand<const O extends Options>(
  args: string[],
  options: O,
  positionals: { least: number; most: number; usage: string },
) {
  try {
    const parsed = parseArgs({
      args,
      options: { ...options, state: { type: 'string' as const } },
      allowPositionals: true,
      strict: true,
    })
    const count = parsed.positionals.length
    if (count < positionals.least || count > positionals.most) throw new Error('wrong number of arguments')
    const state =
      (parsed.values as { state?: string }).state ?? process.env['MALLEE_STATE'] ?? defaultStateDir
    return { values: parsed.values, positionals: parsed.positionals, stateDir: path.resolve(state) }
  } catch (error) {
    throw new MalleeError({
      code: 'Usage',
      publicMessage: `${(error as Error).message}\nusage: ./mallee ${positionals.usage} [--state DIR]`,
      cause: error,
    })
  }
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Progress goes to stderr, so that what is printed can be used. */
export function step(line: string): void {
  process.stderr.write(`mallee: ${line}\n`)
}
