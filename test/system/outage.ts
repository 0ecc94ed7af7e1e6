import { spawn } from 'node:child_process'
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { assert } from '@mallee/base'
import { Chapters, CloudClient, TestHost, until, type Guest } from '@mallee/testkit'
import { gone, launch, pidOf, qemuOf, reachable, type Story } from './launches.ts'

/**
 * The control plane is gone for minutes: front door, cloud controller, walrus and the supervisor that would start them
 * again; the node controller, too, for a third of that time. Guests do not notice: network, names, DHCP and metadata go
 * on, and when the control plane is back it ends nothing.
 */
const outageMs = Number(process.env['MALLEE_OUTAGE_SECONDS'] ?? 180) * 1000
const controlPlane = ['front-door', 'cloud-controller', 'walrus']
const host = new TestHost()
const told = new Chapters()
let story: Story
let first: Guest
let second: Guest
let brief: Guest
const qemus = new Map<string, number>()
let nodeNetns = ''

const statOf = (pid: number) => {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

async function killed(daemon: string): Promise<void> {
  const pid = pidOf(host.stateDir, daemon)
  process.kill(pid, 'SIGKILL')
  await until(`the end of ${daemon}`, 10, () => Promise.resolve(!lives(pid)))
}

const lives = (pid: number) => existsSync(`/proc/${pid}`) && !'ZX'.includes(statOf(pid)[0]!)

/** As its supervisor would start it, which is away itself; its pid file is written as the supervisor would. */
function startNodeController(): void {
  const log = openSync(`${host.stateDir}/log/node-controller.log`, 'a')
  const config = `${host.stateDir}/config/node-controller.json`
  const script = `${host.root}/apps/node-controller/src/main.ts`
  const words = [`--net=/run/netns/${nodeNetns}`, process.execPath, '--disable-warning=ExperimentalWarning']
  const child = spawn('nsenter', [...words, script, config], { detached: true, stdio: ['ignore', log, log] })
  child.unref()
  const mark = { pid: child.pid!, startTicks: statOf(child.pid!)[19]! }
  writeFileSync(`${host.stateDir}/run/node-controller.pid`, JSON.stringify(mark), { mode: 0o600 })
}

/** When each lease of DHCP ends, in seconds since 1970, by private address. */
async function leases(): Promise<Map<string, number>> {
  const dir = `${host.stateDir}/node/network`
  const files = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('/leases'))
  const lines = files.flatMap((name) => readFileSync(`${dir}/${name}`, 'utf8').trim().split('\n'))
  return new Map(lines.map((line) => [line.split(' ')[2] ?? '', Number(line.split(' ')[0])]))
}

/** The guest's own DHCP client asks again at once; dnsmasq answers and notes the new end. */
async function renew(guest: Guest): Promise<void> {
  const before = (await leases()).get(guest.privateIp) ?? 0
  assert(before > 0, `no lease of ${guest.privateIp}`)
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  await until(`${guest.id} renews its lease`, 20, async () => {
    await story.client.inGuest(guest.publicIp, 'kill -USR1 $(pidof udhcpc)')
    return ((await leases()).get(guest.privateIp) ?? 0) > before
  })
}

async function networkGoesOn(): Promise<void> {
  for (const [guest, other] of [
    [first, second],
    [second, first],
  ] as const) {
    const said = await story.client.inGuest(
      guest.publicIp,
      `nc -w 3 ${other.privateIp} 22 </dev/null | head -c 3; true`,
    )
    assert(said === 'SSH', `${guest.id} does not reach ${other.id}: ${said}`)
    assert(lives(qemus.get(guest.id)!), `the QEMU of ${guest.id} ended`)
  }
}

async function metadataGoesOn(): Promise<void> {
  const ask = '. /etc/mallee/metadata.sh; get_token; metadata meta-data/instance-id'
  const id = await story.client.inGuest(first.publicIp, ask)
  assert(id === first.id, `metadata says ${id}`)
}

/** Repeats the work until so much of the outage is over; answers how often. */
async function during(untilMs: number, work: () => Promise<void>): Promise<void> {
  let rounds = 0
  do {
    await work()
    rounds += 1
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Math.min(3_000, untilMs - Date.now()))))
  } while (Date.now() < untilMs)
  process.stdout.write(`     ${rounds} rounds\n`)
}

let beganMs = 0

const chapters: Readonly<Record<string, () => Promise<void>>> = {
  async 'three guests run'() {
    ;[first, second, brief] = (await reachable(story, await launch(story, '--count', '3'))) as [
      Guest,
      Guest,
      Guest,
    ]
    for (const guest of [first, second, brief]) qemus.set(guest.id, qemuOf(guest.id))
    assert(
      [...qemus.values()].every((pid) => pid > 0),
      'a guest has no QEMU',
    )
    const named = await host.must('ip', [
      'netns',
      'identify',
      String(pidOf(host.stateDir, 'node-controller')),
    ])
    nodeNetns = named.trim()
  },

  async 'without a control plane network, names, DHCP and metadata go on'() {
    writeFileSync(`${host.stateDir}/run/down`, '') // or its standby would start the supervisor again
    const supervisor = pidOf(host.stateDir, 'supervisor')
    process.kill(supervisor, 'SIGTERM')
    await until('the end of the supervisor', 15, () => Promise.resolve(!lives(supervisor)))
    beganMs = Date.now()
    for (const daemon of controlPlane) await killed(daemon)
    await renew(first)
    await during(beganMs + outageMs / 3, async () => {
      await networkGoesOn()
      await metadataGoesOn()
    })
  },

  async 'without a node controller as well, network and DHCP go on'() {
    await killed('node-controller')
    await renew(second)
    await during(beganMs + (outageMs * 2) / 3, networkGoesOn)
  },

  async 'a node controller that starts alone serves what it knows, and ends nothing'() {
    startNodeController()
    await until('metadata again', 60, async () => {
      await metadataGoesOn()
      return true
    })
    await story.client.ssh(brief.publicIp, 'poweroff', 4_000)
    await until('the guest that wanted to end has ended', 60, () =>
      Promise.resolve(!lives(qemus.get(brief.id)!)),
    )
    await during(beganMs + outageMs, async () => {
      await networkGoesOn()
      await metadataGoesOn()
    })
    await renew(first)
    for (const daemon of controlPlane) assert(!lives(pidOf(host.stateDir, daemon)), `${daemon} lives`)
    process.stdout.write(`     away for ${((Date.now() - beganMs) / 1000).toFixed(0)} s\n`)
  },

  async 'the control plane is back: it tells the truth and ends nothing'() {
    await host.mallee('up', '--detach', '--no-instance')
    await until('the guest that ended itself is told as ended', 60, async () =>
      ['terminated', 'stopped'].includes((await story.client.guests(brief.id))[0]!.state),
    )
    const stillMs = Date.now() + 20_000
    await during(stillMs, async () => {
      for (const guest of await story.client.guests(first.id, second.id))
        assert(guest.state === 'running', `${guest.id} is ${guest.state}`)
      await networkGoesOn()
      await metadataGoesOn()
    })
    for (const guest of [first, second])
      assert(qemuOf(guest.id) === qemus.get(guest.id), `${guest.id} has another QEMU`)
    await host.mallee('fsck')
    const [id] = (await launch(story)) as [string]
    await reachable(story, [id])
    await gone(story, [id, first.id, second.id])
    await host.mallee('fsck')
  },
}

await host.open()
try {
  const up = await told.tell('the cloud is up', async () => {
    await host.mallee('up', '--detach', '--port-base', String(host.portBase))
    story = { host, client: await CloudClient.connect(host) }
  })
  if (up) for (const [name, work] of Object.entries(chapters)) if (!(await told.tell(name, work))) break
  if (told.failed > 0)
    process.stdout.write((await host.run('sh', ['-c', `tail -n 25 ${host.stateDir}/log/*.log`])).stdout)
} finally {
  await host.close()
}
process.exit(told.end('outage'))
