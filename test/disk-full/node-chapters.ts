import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { assert } from '@mallee/base'
import { until } from '../crash/until.ts'
import type { FullCloud } from './full-cloud.ts'
import { endAllBut } from './record-chapters.ts'
import { SmallDisk } from './small-disk.ts'

/** The node's ledger, its notes and the folders of instances. */
export async function fullNode(full: FullCloud): Promise<void> {
  const { world, disks } = full
  const victim = await launched(full, 'victim')
  await full.running(victim)
  await disks.node.fill()
  assert(await disks.node.isFull(), 'the disk has room')
  const stuck = await launched(full, 'on a full node')
  assert(
    (await world.client.ec2('TerminateInstances', { 'InstanceId.1': victim }))?.status === 200,
    'refused',
  )
  await until('the node says that it is stuck', async () =>
    (await readFile(path.join(world.dir, 'log', 'node-controller.log'), 'utf8')).includes('no desired set'),
  )
  assert((await full.state(stuck)) === 'pending', 'a launch that the node cannot keep is not pending')
  assert((await full.state(world.bystander.id)) === 'running', 'the bystander suffers')
  assert(full.alive, 'a daemon ended')
  await world.node.kill()
  const stood = await world.node.revive().then(
    () => true,
    () => false,
  )
  process.stdout.write(`     on a full disk the node controller ${stood ? 'starts' : 'does not start'}\n`)
  assert((await full.state(world.bystander.id)) === 'running', 'silence ended the bystander')
  await disks.node.room()
  await full.restarted(world.node)
  await full.running(stuck)
  await until('the end of the other', async () => (await full.state(victim)) === 'terminated')
  await full.well()
  await endAllBut(full)
}

/** Lines are lost and nothing else. */
export async function fullLogs(full: FullCloud): Promise<void> {
  const { world, disks } = full
  await disks.log.fill()
  assert(await disks.log.isFull(), 'the disk has room')
  const id = await launched(full, 'without a log')
  await full.running(id)
  for (let number = 0; number < 400; number += 1)
    assert((await world.client.s3('GET', '/images/none'))?.status === 404, 'walrus does not answer')
  assert(full.alive, 'a daemon ended')
  await disks.log.room()
  const file = path.join(world.dir, 'log', 'walrus.log')
  await until('lines again', async () => {
    await world.client.s3('GET', '/images/after-the-flood')
    return (await readFile(file, 'utf8')).trimEnd().endsWith('}')
  })
  await full.well()
  await endAllBut(full)
}

/** An agent that joins onto a full disk buys nothing that it could not keep, and joins by itself when there is room. */
export async function fullJoin(full: FullCloud): Promise<void> {
  const { world } = full
  const name = 'joiner'
  const disk = await SmallDisk.mount(path.join(world.dir, name))
  try {
    await world.newToken('node', name)
    const joiner = await world.extraNode(name)
    await mkdir(path.join(world.dir, name, 'agent'), { recursive: true })
    await disk.fill()
    joiner.start()
    const log = path.join(world.dir, 'log', `${name}.log`)
    await until('its complaint', async () => (await readFile(log, 'utf8')).includes('could not join yet'))
    assert(joiner.alive, 'it gave up')
    await disk.fill(4096) // the key, and not what it buys
    await new Promise((resolve) => setTimeout(resolve, 2500))
    await disk.room()
    await full.restarted(joiner)
    await joiner.untilReady()
    type Status = { agents: { name: string; fingerprint: { healthy?: boolean } | null }[] }
    const agents = async () =>
      (await world.admin<Status>('GET', '/admin/v1/status')).agents.filter((agent) => agent.name === name)
    await until('a node that is well', async () => (await agents())[0]?.fingerprint?.healthy === true)
    assert((await agents()).length === 1, 'one token made two agents')
    const left = (await readdir(path.join(world.dir, name, 'agent'))).filter((file) =>
      /new$|\.key$/.test(file),
    )
    assert(left.length === 0, `left behind: ${left.join()}`)
    await joiner.kill()
    await until('a node that can be forgotten', async () =>
      Boolean(await world.admin('POST', `/admin/v1/agents/${name}/forget`, { fenced: true })),
    )
  } finally {
    await disk.unmount()
    await rm(path.join(world.dir, name), { recursive: true, force: true })
  }
  await full.well()
  await writeFile(path.join(world.dir, 'joined'), '')
}

async function launched(full: FullCloud, token: string): Promise<string> {
  const answer = await full.world.launch(token)
  assert(answer?.status === 200, answer?.text ?? 'no answer')
  return answer.xml.instancesSet.item[0].instanceId as string
}
