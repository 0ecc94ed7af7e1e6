import { MalleeError } from '@mallee/base'
import { runAccount } from './commands/account.ts'
import { runAgent } from './commands/agent.ts'
import { runBackup, runRestore } from './commands/backup.ts'
import type { Command } from './commands/command.ts'
import { runDestroy } from './commands/destroy.ts'
import { runDoctor } from './commands/doctor.ts'
import { runDown } from './commands/down.ts'
import { runEnv } from './commands/env.ts'
import { runExplain } from './commands/explain.ts'
import { runFsck } from './commands/fsck.ts'
import { runAudit } from './commands/audit.ts'
import { runHistory } from './commands/history.ts'
import { runPrice } from './commands/price.ts'
import { runKeys } from './commands/keys.ts'
import { runQuota } from './commands/quota.ts'
import { runUsage } from './commands/usage.ts'
import { runImage } from './commands/image.ts'
import { runSetup } from './commands/setup.ts'
import { runStatus } from './commands/status.ts'
import { runSupervise } from './commands/supervise.ts'
import { runTest } from './commands/test.ts'
import { runUp } from './commands/up.ts'
import { runUpgrade } from './commands/upgrade.ts'

const commands: Record<string, Command> = {
  setup: { run: runSetup, help: 'install the Debian packages that are missing, and nothing else' },
  up: {
    run: runUp,
    help: 'bring the cloud up to a first instance and print its ssh line\n               [--detach] [--no-instance] [--one-process]\n               [--port-base N] [--public-pool CIDR] [--region R] [--zones A,B]\n               [--legacy | --no-legacy] (whether old clients may sign by SigV2; off)',
  },
  env: { run: runEnv, help: 'print export lines for aws; use: eval "$(./mallee env)" [--tls]' },
  status: { run: runStatus, help: 'what runs and whether launches will succeed [--json]' },
  doctor: { run: runDoctor, help: 'check this machine and say what to do about it' },
  supervise: { run: runSupervise, help: 'keep the daemons running, in the foreground; for systemd' },
  down: { run: runDown, help: 'stop the daemons; guests go on' },
  backup: { run: runBackup, help: 'FILE: write the whole cloud but its guests into one file, while it runs' },
  restore: { run: runRestore, help: 'FILE [--in-place]: make an empty machine that cloud' },
  upgrade: {
    run: runUpgrade,
    help: 'bring the state to this release, with a backup before [--plan] [--no-backup]',
  },
  destroy: { run: runDestroy, help: 'remove the cloud with its guests, namespaces, links and data' },
  account: { run: runAccount, help: 'create NAME [--email E] [--json]' },
  agent: {
    run: runAgent,
    help: 'token | join | list | enable | disable | drain | forget: the machines of the cloud',
  },
  image: {
    run: runImage,
    help: 'import FILE | list | bundle FILE --bucket B | unbundle FROM FILE | download ID FILE',
  },
  explain: { run: runExplain, help: 'i-…: why an instance is on its node' },
  fsck: {
    run: runFsck,
    help: 'whether everything is as the record says [--repair [--orphan i-…]] [--grace SECONDS] [--json]',
  },
  history: {
    run: runHistory,
    help: 'ID: what happened to an instance, an image or any other resource [--json]',
  },
  usage: {
    run: runUsage,
    help: '[--from D --to D] [--by account|user|day|resource|tag:KEY] [--format table|csv|json|cur]',
  },
  price: { run: runPrice, help: 'show | set FILE: what is taken for what is used' },
  audit: {
    run: runAudit,
    help: 'show [--account ID] [--after SEQUENCE] [--refused] | verify: who called what, without a gap',
  },
  keys: { run: runKeys, help: 'status | rotate | retire: the keys that wrap secrets' },
  quota: { run: runQuota, help: 'list | set | requests | approve | deny: how much accounts may have' },
  test: { run: runTest, help: 'everything that CI runs' },
}

function usage(): string {
  const lines = Object.entries(commands).map(([name, command]) => `  ${name.padEnd(12)} ${command.help}`)
  return ['usage: ./mallee COMMAND [--state DIR]', '', ...lines, ''].join('\n')
}

// Whoever reads us may stop early, as head does: that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const [name = 'help', ...args] = process.argv.slice(2)
const command = commands[name]
if (!command) {
  const asked = ['help', '--help', '-h'].includes(name)
  ;(asked ? process.stdout : process.stderr).write(usage())
  process.exit(asked ? 0 : 2)
}
try {
  process.exitCode = (await command.run(args)) ?? 0
} catch (error) {
  const sentence =
    error instanceof MalleeError
      ? error.publicMessage
      : error instanceof Error
        ? error.message
        : String(error)
  process.stderr.write(`mallee: ${sentence}\n`)
  if (process.env['MALLEE_DEBUG']) console.error(error)
  process.exitCode = 1
}
