import { readFile } from 'node:fs/promises'
import { runProgram } from '../../../run-program.ts'

/**
 * The one place from which the driver changes a machine. Every program runs either in the node's namespace, which is
 * this process's own unless `netns` names another, or in a router's; texts go in by standard input, so that one spawn
 * carries a whole change.
 */
export interface Commands {
  /** Lines of `ip -batch`; in a router's namespace where one is named. Stops at the first line that fails. */
  ip(lines: readonly string[], router?: string): Promise<void>
  /** The answer of one `ip -json …`; an empty answer is an empty list. */
  ipJson(args: readonly string[], router?: string): Promise<unknown>
  /** Lines of `bridge -batch`, in the node's namespace. */
  bridge(lines: readonly string[]): Promise<void>
  bridgeJson(args: readonly string[]): Promise<unknown>
  /** Loads a rule set in one transaction. */
  nft(text: string, router?: string): Promise<void>
  /** Lines of `conntrack --load-file`; flows that ended meanwhile are no error. */
  conntrack(lines: readonly string[], router?: string): Promise<void>
  listFlows(): Promise<string>
  /** Writes values below /proc/sys/net. */
  sysctl(values: Readonly<Record<string, string | number>>, router?: string): Promise<void>
  readSysctl(name: string): Promise<string>
  /** Any other program. */
  run(file: string, args: readonly string[], router?: string): Promise<string>
}

export function createCommands(options: { netns: string | null }): Commands {
  const enter = (namespace: string | undefined) => {
    const name = namespace ?? options.netns
    return name === null ? [] : ['nsenter', `--net=/run/netns/${name}`]
  }
  const run = (file: string, args: readonly string[], router?: string, input?: string) => {
    const [program, ...rest] = [...enter(router), file, ...args]
    return runProgram(program!, rest, { timeoutMs: 20_000, ...(input === undefined ? {} : { input }) })
  }
  return {
    async ip(lines, router) {
      if (lines.length > 0) await run('ip', ['-batch', '-'], router, `${lines.join('\n')}\n`)
    },
    async ipJson(args, router) {
      const text = (await run('ip', ['-json', ...args], router)).trim()
      return text === '' ? [] : (JSON.parse(text) as unknown)
    },
    async bridge(lines) {
      if (lines.length > 0) await run('bridge', ['-batch', '-'], undefined, `${lines.join('\n')}\n`)
    },
    async bridgeJson(args) {
      const text = (await run('bridge', ['-json', ...args])).trim()
      return text === '' ? [] : (JSON.parse(text) as unknown)
    },
    async nft(text, router) {
      await run('nft', ['-f', '-'], router, text)
    },
    async conntrack(lines, router) {
      // It opens its standard input by name, which fails on the socket that Node makes of a pipe.
      if (lines.length > 0) await run('sh', ['-c', 'cat | conntrack -R -'], router, `${lines.join('\n')}\n`)
    },
    listFlows: () => run('conntrack', ['-L']),
    async sysctl(values, router) {
      const script = Object.entries(values).map(([name, value]) => `echo ${value} > /proc/sys/net/${name}`)
      if (script.length > 0) await run('sh', ['-e'], router, `${script.join('\n')}\n`)
    },
    async readSysctl(name) {
      const file = `/proc/sys/net/${name}`
      return (options.netns === null ? await readFile(file, 'utf8') : await run('cat', [file])).trim()
    },
    run,
  }
}
