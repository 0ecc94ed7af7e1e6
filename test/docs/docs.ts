import { readFileSync, rmSync, mkdtempSync } from 'node:fs'
import path from 'node:path'
import { assert } from '@mallee/base'
import { Chapters, TestHost, TestMachine, until } from '@mallee/testkit'
import { readPage, type Block } from './read-page.ts'

/**
 * The administrator's pages, followed to the letter on a fresh cloud: every command of every `sh` block, in order, on the
 * machine that the block names. A command that fails fails its page.
 */
const pages = [
  'install',
  'machines',
  'operate',
  'networks',
  'images',
  'volumes',
  'direct-snapshots',
  'buckets',
  'identities',
  'audit-and-bill',
  'backup-and-upgrade',
]
const host = new TestHost()
const second = new TestMachine(host)
const told = new Chapters()
const home = mkdtempSync('/tmp/mlhome-')
let token = ''
/** Variables that one block sets and a later one reads. */
const kept = path.join(home, 'variables')

async function runBlock(block: Block): Promise<void> {
  if (block.kind === 'directive') return directives[block.text]!()
  const text = block.text.replaceAll('CLOUD', second.hostAddress).replaceAll('TOKEN', token)
  const script = [
    'set -euo pipefail',
    `cd ${host.root}`,
    'shopt -s expand_aliases',
    `export HOME=${home} AWS_PAGER= AWS_EC2_METADATA_DISABLED=true`,
    `export MALLEE_STATE=${block.machine === 'second' ? second.stateDir : host.stateDir}`,
    `[ ! -e ${kept} ] || . ${kept}`,
    text,
    // Aliases and variables live as long as the reader's shell does.
    `{ declare -p | grep -E ' (AWS_[A-Z_]+|ID|IMAGE|VPC|SUBNET|GATEWAY|TABLE|ADDRESS|NAT)='; alias -p; } > ${kept} || true`,
  ].join('\n')
  const outcome =
    block.machine === 'second'
      ? await second.run('bash', ['-c', script])
      : // Read line by line: an alias holds from the next line on.
        await host.run('bash', ['-s'], { input: script, timeoutMs: 400_000 })
  const shown = `${outcome.stdout}\n${outcome.stderr}`
  assert(outcome.code === 0, `ended with ${outcome.code}:\n${text}\n${shown.slice(-1500)}`)
  token = / --token (\S+)/.exec(outcome.stdout)?.[1] ?? token
  if (block.text.includes('agent join')) await secondIsHere()
}

/** What a reader sees by looking again after a moment. */
async function secondIsHere(): Promise<void> {
  await until('the second machine is here and well', 60, async () => {
    const agents = JSON.parse(await host.mallee('agent', 'list', '--json')) as {
      name: string
      silentSinceMs: number | null
      fingerprint: { healthy?: boolean } | null
    }[]
    const agent = agents.find((entry) => entry.name === 'second')
    return agent?.silentSinceMs === null && agent.fingerprint?.healthy === true
  })
}

const directives: Readonly<Record<string, () => Promise<void>>> = {
  async 'power off second'() {
    await second.powerOff()
    await until('the cloud notices', 30, async () => {
      const agents = JSON.parse(await host.mallee('agent', 'list', '--json')) as {
        name: string
        silentSinceMs: number | null
      }[]
      return agents.find((entry) => entry.name === 'second')?.silentSinceMs !== null
    })
  },
  'power on second': () => second.powerOn(),
  async 'lose the cloud'() {
    await host.mallee('destroy')
  },
}

await host.open()
try {
  await second.open()
  for (const page of pages) {
    const blocks = readPage(readFileSync(path.join(host.root, 'docs/admin', `${page}.md`), 'utf8'))
    const unknown = blocks.find((block) => block.kind === 'directive' && !(block.text in directives))
    assert(!unknown, `${page}.md has an unknown directive: ${unknown?.text}`)
    const commands = blocks.filter((block) => block.kind === 'commands').length
    const followed = await told.tell(`${page}.md, ${commands} blocks`, async () => {
      for (const block of blocks) await runBlock(block)
    })
    if (!followed) break
  }
} finally {
  await second.close()
  await host.close()
  rmSync(home, { recursive: true, force: true })
}
process.exit(told.end('docs'))
