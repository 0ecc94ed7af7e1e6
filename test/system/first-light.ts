import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { assert, isAlive, readProcessMark } from '@mallee/base'
import { customising } from './customising-chapters.ts'
import { directSnapshots } from './direct-chapters.ts'
import { closing, opening } from './first-light-chapters.ts'
import { flowLogs } from './flow-log-chapters.ts'
import { identities } from './identity-chapters.ts'
import { encryption } from './encryption-chapters.ts'
import { kills } from './kill-chapters.ts'
import { images } from './image-chapters.ts'
import { imports } from './import-chapters.ts'
import { networks } from './network-chapters.ts'
import { volumes } from './volume-chapters.ts'
import { Chapters, CloudClient, TestHost } from '@mallee/testkit'

/**
 * The whole story with the real daemons and an unmodified aws: a bare state folder, one command, guests that boot, get
 * their address by DHCP, read their metadata, run their owner's script and let him in; daemons that die while guests
 * live; and nothing left at the end. With --tls every call goes over TLS with the cloud's own authority, with
 * --one-process the daemons share a process. Everything happens in a network namespace of the test's own.
 */
const tls = process.argv.includes('--tls')
const oneProcess = process.argv.includes('--one-process')
const host = new TestHost()
const story = new Chapters()

/** Those that do not depend on how the daemons are run or reached are not told twice. */
const toldOnce: ReadonlySet<string> = new Set([
  'a reboot boots the same guest',
  'the admin’s stylesheet and hook shape the next domain',
  'a stylesheet that fails fails the launch and leaves nothing',
  'the documented edit to legacy IDE boots from IDE',
  'a stylesheet that knows no disk format gets a raw disk, and boots',
  ...Object.keys(images),
  ...Object.keys(imports),
  ...Object.keys(networks),
  ...Object.keys(flowLogs),
  ...Object.keys(identities),
  ...Object.keys(volumes),
  ...Object.keys(encryption),
  ...Object.keys(kills),
  ...Object.keys(directSnapshots),
  'launches are shared with two simulated nodes, and explain tells why',
])

const nodeOf = (stateDir: string) =>
  `mallee-${createHash('sha256').update(stateDir).digest('hex').slice(0, 6)}`

async function processesIn(namespace: string) {
  const { stdout } = await host.run('ip', ['netns', 'pids', namespace])
  const pids = stdout.split('\n').filter((pid) => pid !== '')
  return pids.map((pid) => readProcessMark(Number(pid)))
}

await host.open()
try {
  let sshLine = ''
  const up = await story.tell('up settles ready and prints an ssh line that logs in', async () => {
    sshLine = (
      await host.mallee(
        'up',
        '--detach',
        '--port-base',
        String(host.portBase),
        ...(oneProcess ? ['--one-process'] : []),
      )
    ).trim()
    assert(sshLine.startsWith('ssh '), `no ssh line but ${sshLine}`)
    const [file, ...args] = sshLine.split(' ')
    const said = await host.must(file!, [...args, 'hostname'])
    assert(said.startsWith('ip-172-31-'), `the first instance calls itself ${said}`)
    const status = JSON.parse(await host.mallee('status', '--json')) as { ready: boolean }
    assert(status.ready, 'status does not say ready')
  })
  if (up) {
    const client = await CloudClient.connect(host, { tls })
    for (const [name, work] of Object.entries({
      ...opening,
      ...customising,
      ...images,
      ...imports,
      ...networks,
      ...flowLogs,
      ...identities,
      ...volumes,
      ...encryption,
      ...kills,
      ...directSnapshots,
      ...closing,
    }))
      if (!oneProcess || !toldOnce.has(name)) await story.tell(name, () => work({ host, client }))
  }
  if (story.failed > 0)
    process.stdout.write(
      await host.run('sh', ['-c', `tail -n 25 ${host.stateDir}/log/*.log`]).then((outcome) => outcome.stdout),
    )
} finally {
  const before = host.stateDir
  const inNode = await processesIn(nodeOf(before))
  const namesSeen = execFileSync('ip', ['netns'], { encoding: 'utf8' })
  await host.close()
  await story.tell('destroy leaves nothing behind', async () => {
    const namespaces = execFileSync('ip', ['netns'], { encoding: 'utf8' })
    const name = nodeOf(before)
    assert(inNode.length > 0, 'nothing ran in the node, and this test looks in the wrong place')
    const stay = inNode.filter(isAlive)
    assert(stay.length === 0, `of the node ${JSON.stringify(stay)} still run`)
    assert(
      namesSeen.includes(name),
      `the cloud's namespace is not called ${name}, and this test looks for the wrong one`,
    )
    assert(!namespaces.includes(name), `namespaces remain: ${namespaces}`)
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    assert(
      !processes.includes(before),
      `processes remain:\n${processes
        .split('\n')
        .filter((line) => line.includes(before))
        .join('\n')}`,
    )
    const mounts = execFileSync('cat', ['/proc/mounts'], { encoding: 'utf8' })
    assert(!mounts.includes(before), 'mounts remain')
  })
}
process.exit(story.end('system'))
