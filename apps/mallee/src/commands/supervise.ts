import { spawn } from 'node:child_process'
import path from 'node:path'
import { requireMachine } from '../host/machine.ts'
import { nodeEnvironment, nodeWords } from '../host/node-words.ts'
import { repositoryRoot } from '../layout.ts'
import { writeConfigs } from '../start-daemons.ts'
import { parseCommand } from './command.ts'

/** The supervisor in the foreground, for systemd, which is its standby; daemons and guests outlive it. */
export async function runSupervise(args: string[]): Promise<number> {
  const { stateDir } = parseCommand(args, {}, { least: 0, most: 0, usage: 'supervise' })
  const machine = requireMachine(stateDir)
  await writeConfigs(machine)
  const script = path.join(repositoryRoot, 'apps/mallee/src/supervisor-main.ts')
  const child = spawn(nodeWords[0]!, [...nodeWords.slice(1), script, stateDir, '--alone'], {
    env: { ...process.env, ...nodeEnvironment },
    stdio: 'inherit',
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}
