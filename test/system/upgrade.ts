import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { assert } from '@mallee/base'
import { Chapters, CloudClient, TestHost, until, type Guest } from '@mallee/testkit'
import { checkOutFormerRelease, formerCommit, hasFormerRelease } from './former-release.ts'
import { gone, launch, qemuOf, reachable, type Json, type Story } from './launches.ts'

/**
 * A cloud of the former release with a running guest is upgraded, backed up while it runs, lost, and restored on an
 * empty machine, where every describe answers the same bytes.
 */
const host = new TestHost()
const told = new Chapters()
let story: Story
let guest: Guest
let formerDir = ''

const describes = [
  'describe-instances',
  'describe-images',
  'describe-key-pairs',
  'describe-vpcs',
  'describe-subnets',
  'describe-security-groups',
  'describe-network-interfaces',
  'describe-addresses',
  'describe-tags',
]

async function answers(): Promise<Json[]> {
  const all: Json[] = []
  for (const action of describes) all.push(await story.client.aws('ec2', action))
  return [...all, await story.client.aws('s3api', 'list-buckets', '--query', 'Buckets[].Name')]
}

const everything = async () => JSON.stringify(await answers())

/**
 * Where the later says less than the former, or something else; null where it does not. A newer release may say more of
 * a thing, and things may come in another order.
 */
function lostIn(former: Json, later: Json, at: string): string | null {
  if (Array.isArray(former)) {
    if (!Array.isArray(later) || later.length !== former.length) return `${at} has another number of things`
    const missing = former.find((item) => !later.some((other) => lostIn(item, other, at) === null))
    return missing === undefined ? null : `${at}: ${JSON.stringify(missing)}`
  }
  if (typeof former !== 'object' || former === null)
    return former === later ? null : `${at}: ${JSON.stringify(former)} became ${JSON.stringify(later)}`
  for (const [key, value] of Object.entries(former)) {
    const lost = lostIn(value, (later as Record<string, Json>)?.[key], `${at}.${key}`)
    if (lost !== null) return lost
  }
  return null
}

const backupFile = () => path.join(path.dirname(host.stateDir), `${path.basename(host.stateDir)}.tar`)
let before = ''

/**
 * The former release sometimes let a guest boot before its metadata could be read, and then waited for it in vain: what
 * it could not do is not what is tested here, so it may try again.
 */
async function upAsFormerly(mallee: string): Promise<void> {
  const state = ['--state', host.stateDir]
  for (let attempt = 1; ; attempt += 1) {
    const words = ['up', '--detach', '--port-base', String(host.portBase), ...state]
    const up = await host.run(mallee, words, { timeoutMs: 90_000 })
    if (up.code === 0) return
    if (attempt === 3) throw new Error(`the former release does not come up: ${up.stderr.slice(-500)}`)
    await host.must(mallee, ['destroy', ...state], { timeoutMs: 120_000 })
  }
}

const chapters: Readonly<Record<string, () => Promise<void>>> = {
  async 'a cloud of the former release has a guest'() {
    formerDir = checkOutFormerRelease(host.root)
    await upAsFormerly(path.join(formerDir, 'mallee'))
    story = { host, client: await CloudClient.connect(host) }
    const ids = (await story.client.guests()).map((entry) => entry.id)
    guest = (await reachable(story, ids))[0]!
  },

  async 'up refuses what must be upgraded, and upgrade keeps guest and data'() {
    const pid = qemuOf(guest.id)
    const described = await answers()
    const refused = await host.run(path.join(host.root, 'mallee'), [
      'up',
      '--detach',
      '--state',
      host.stateDir,
    ])
    assert(refused.code !== 0 && refused.stderr.includes('./mallee upgrade'), `up says ${refused.stderr}`)
    await host.mallee('upgrade')
    assert(qemuOf(guest.id) === pid && pid !== 0, 'the guest was touched')
    const lost = lostIn(described, await answers(), 'describe')
    assert(lost === null, `what is described has changed: ${lost}`)
    await story.client.inGuest(guest.publicIp, 'true')
    const backups = readdirSync(path.join(host.stateDir, 'backups'))
    assert(
      backups.some((name) => name.startsWith('before-upgrade-')),
      'there is no backup',
    )
    const again = await host.mallee('upgrade', '--plan')
    assert(again.startsWith('every format is current'), `a second upgrade would do ${again}`)
  },

  async 'the upgraded cloud launches and terminates'() {
    const [fresh] = await reachable(story, await launch(story))
    await gone(story, [fresh!.id])
  },

  async 'a backup of the running cloud is restored on an empty machine, to the byte'() {
    before = await everything()
    await host.mallee('backup', backupFile())
    await host.mallee('destroy')
    assert(!existsSync(path.join(host.stateDir, 'cloud')), 'the cloud is still there')
    await host.mallee('restore', backupFile())
    await host.mallee('up', '--detach', '--no-instance')
    assert((await everything()) === before, 'what is described differs from before')
    const refused = await host.run(path.join(host.root, 'mallee'), [
      'restore',
      backupFile(),
      '--state',
      host.stateDir,
    ])
    assert(refused.code !== 0, 'a restore went over a living cloud')
  },

  async 'the restored cloud launches, and its lost node is given up by its admin only'() {
    const [fresh] = await reachable(story, await launch(story))
    assert(fresh!.publicIp !== guest.publicIp, 'an address was given twice')
    const agents = JSON.parse(await host.mallee('agent', 'list', '--json')) as Json[]
    const lost = agents.find((agent) => agent.kind === 'node' && agent.silentSinceMs !== null)
    assert(lost?.name === 'node', `the lost node is ${JSON.stringify(lost)}`)
    assert((await story.client.guests(guest.id))[0]!.state === 'running', 'silence ended a guest')
    await host.mallee('agent', 'forget', 'node', '--fenced')
    await until(
      'its guest is terminated',
      30,
      async () => (await story.client.guests(guest.id))[0]!.state === 'terminated',
    )
    await gone(story, [fresh!.id])
  },
}

if (!hasFormerRelease(host.root)) {
  process.stdout.write(`SKIPPED: this clone does not hold ${formerCommit}; the upgrade is not tested here\n`)
  process.exit(0)
}
await host.open()
try {
  for (const [name, work] of Object.entries(chapters)) if (!(await told.tell(name, work))) break
  if (told.failed > 0)
    process.stdout.write((await host.run('sh', ['-c', `tail -n 25 ${host.stateDir}/log/*.log`])).stdout)
} finally {
  await host.close()
  rmSync(backupFile(), { force: true })
  if (formerDir !== '') rmSync(formerDir, { recursive: true, force: true })
}
process.exit(told.end('upgrade'))
