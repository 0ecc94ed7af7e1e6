import { readdirSync, existsSync } from 'node:fs'
import { assert } from '@mallee/base'
import { Chapters, CloudClient, TestHost, until } from '@mallee/testkit'
import { filesOf } from './kill-moments.ts'
import { KillPoints } from './kill-points.ts'
import { gone, reachable, type Story } from './launches.ts'

/**
 * Twelve deaths of what has a hand in a volume: storage controller, target daemon, node controller and QEMU, killed in
 * the middle of create, attach, snapshot, restore, detach and delete, with a real guest that writes stamps. Each time it
 * settles alone, and the guest reads what it was told is on the disk.
 */
const host = new TestHost()
const told = new Chapters()

async function nothingIsLeft(story: Story): Promise<void> {
  await host.mallee('fsck')
  const runDir = `${host.stateDir}/storage/run`
  const tgtadm = (mode: string) =>
    host.must('tgtadm', ['-C', '1', '--lld', 'iscsi', '--mode', mode, '--op', 'show'], {
      env: { TGT_IPC_SOCKET: `${runDir}/tgt` },
    })
  const targets = await tgtadm('target')
  assert(targets.trim() === '', `targets are left: ${targets}`)
  const accounts = (await tgtadm('account')).trim().split('\n').slice(1)
  assert(accounts.length === 0, `secrets are left: ${accounts.length} users`)
  const left = readdirSync(runDir).filter((name) => /^(?:restore|served|image|nbd)-/.test(name))
  assert(left.length === 0, `left in the run folder: ${left.join(', ')}`)
  const files = filesOf(story)
  const folders = ['volumes', 'snapshots', 'lazy', 'open'].map((name) => `${files}/${name}`)
  for (const folder of [...folders, `${host.stateDir}/storage/agent/indexes`]) {
    const names = existsSync(folder) ? readdirSync(folder) : []
    assert(names.length === 0, `left in ${folder}: ${names.join(', ')}`)
  }
}

async function tellAll(story: Story): Promise<void> {
  const [first] = await story.client.guests()
  const [guest] = await reachable(story, [first!.id])
  await story.client.inGuest(guest!.publicIp, `echo ${guest!.id} > /root/mine; sync`)
  const kills = new KillPoints(story, guest!)
  for (const [name, work] of Object.entries(kills.points)) if (!(await told.tell(name, work))) return
  await told.tell('nothing is left', async () => {
    await gone(story, [guest!.id])
    await kills.removeRest()
    await until('the storage controller has removed all', 60, () => nothingIsLeft(story).then(() => true))
  })
}

await host.open()
try {
  let story: Story | null = null
  await told.tell('the cloud is up', async () => {
    await host.mallee('up', '--detach', '--port-base', String(host.portBase))
    story = { host, client: await CloudClient.connect(host) }
  })
  if (story) await tellAll(story)
  if (told.failed > 0)
    process.stdout.write((await host.run('sh', ['-c', `tail -n 40 ${host.stateDir}/log/*.log`])).stdout)
} finally {
  await host.close()
}
process.exit(told.end('volume-kills'))
