import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { assert } from '@mallee/base'
import { until } from '@mallee/testkit'
import { gone, launch, reachable, type Json, type Story, type StoryChapters } from './launches.ts'
import { attach, detach, newVolume, snapshotOf } from './volume-chapters.ts'

/** Stories of the EBS direct APIs, told by `aws ebs` and by guests: the same bytes over iSCSI and block by block. */

const blockBytes = 524_288
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest()

/** A block as `aws ebs get-snapshot-block` writes it. */
async function block(story: Story, snapshotId: string, index: number, token: string): Promise<Buffer> {
  const file = path.join(story.host.stateDir, 'block')
  const of = ['--snapshot-id', snapshotId, '--block-index', String(index), '--block-token', token]
  const answer = await story.client.aws('ebs', 'get-snapshot-block', ...of, file)
  const bytes = readFileSync(file)
  assert(answer.Checksum === digest(bytes).toString('base64'), `block ${index} is not that of its checksum`)
  return bytes
}

async function put(story: Story, snapshotId: string, index: number, bytes: Buffer): Promise<void> {
  const file = path.join(story.host.stateDir, 'block')
  writeFileSync(file, bytes)
  await story.client.aws(
    ...['ebs', 'put-snapshot-block', '--snapshot-id', snapshotId, '--block-index', String(index)],
    ...['--block-data', file, '--data-length', String(bytes.length)],
    ...['--checksum', digest(bytes).toString('base64'), '--checksum-algorithm', 'SHA256'],
  )
}

async function isComplete({ client }: Story, id: string): Promise<boolean> {
  const found = (await client.aws('ec2', 'describe-snapshots', '--snapshot-ids', id)).Snapshots[0] as Json
  if (found.State === 'error') throw new Error(found.StateMessage)
  return found.State === 'completed'
}

const killStorage = ({ host }: Story) =>
  host.must('sh', [
    '-c',
    `kill -9 $(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' ${host.stateDir}/run/storage-controller.pid)`,
  ])

const md5 = (parts: readonly Buffer[]) => createHash('md5').update(Buffer.concat(parts)).digest('hex')
const sumOf = (device: string, skip: number, count: number) =>
  `dd if=${device} bs=512k skip=${skip} count=${count} 2>/dev/null | md5sum | cut -d' ' -f1`

export const directSnapshots: StoryChapters = {
  async 'aws ebs reads a snapshot as the guest wrote it, and what is written by it a guest reads, whoever dies meanwhile'(
    story,
  ) {
    const { client } = story
    const [guest] = await reachable(story, await launch(story))
    const source = await newVolume(story, '--size', '1')
    const device = await attach(story, source, guest!)
    const write = (seek: number, count: number) =>
      client.inGuest(
        guest!.publicIp,
        `dd if=/dev/urandom of=${device} bs=512k seek=${seek} count=${count} 2>/dev/null; sync`,
      )
    await write(4, 3)
    const held = await client.inGuest(guest!.publicIp, sumOf(device, 4, 3))
    const first = await snapshotOf(story, source)
    const listed = await client.aws('ebs', 'list-snapshot-blocks', '--snapshot-id', first)
    const blocks = listed.Blocks as { BlockIndex: number; BlockToken: string }[]
    assert(
      JSON.stringify(blocks.map((entry) => entry.BlockIndex)) === '[4,5,6]' &&
        listed.BlockSize === blockBytes,
      `the blocks are ${JSON.stringify(blocks)}`,
    )
    const read: Buffer[] = []
    for (const { BlockIndex: index, BlockToken: token } of blocks)
      read.push(await block(story, first, index, token))
    assert(md5(read) === held, 'the blocks are not what the guest wrote')

    await write(5, 1)
    const second = await snapshotOf(story, source)
    const between = ['--first-snapshot-id', first, '--second-snapshot-id', second]
    const changed = (await client.aws('ebs', 'list-changed-blocks', ...between)).ChangedBlocks as Json[]
    assert(changed.length === 1 && changed[0]!.BlockIndex === 5, `changed is ${JSON.stringify(changed)}`)

    const bytes = randomBytes(blockBytes)
    const started = await client.aws(
      ...['ebs', 'start-snapshot', '--volume-size', '1', '--parent-snapshot-id', second],
    )
    const made = started.SnapshotId as string
    await put(story, made, 5, bytes)
    await killStorage(story)
    await client.aws('ebs', 'complete-snapshot', '--snapshot-id', made, '--changed-blocks-count', '1')
    await killStorage(story).catch(() => {}) // once more, if it is there again
    await until('what was written is gathered', 60, () => isComplete(story, made))
    const restored = await newVolume(story, '--snapshot-id', made)
    const there = await attach(story, restored, guest!, '/dev/sdg')
    const now = await client.inGuest(guest!.publicIp, sumOf(there, 4, 3))
    assert(now === md5([read[0]!, bytes, read[2]!]), 'the guest does not read what was written')

    await detach(story, restored)
    await gone(story, [guest!.id])
    for (const volumeId of [source, restored]) {
      await until('it is free', 60, async () => {
        const { Volumes: found } = await client.aws('ec2', 'describe-volumes', '--volume-ids', volumeId)
        return (found as Json[])[0]!.State === 'available'
      })
      await client.aws('ec2', 'delete-volume', '--volume-id', volumeId)
    }
    for (const snapshotId of [first, second, made])
      await client.aws('ec2', 'delete-snapshot', '--snapshot-id', snapshotId)
    await until('nothing is left', 30, async () => {
      const { Volumes: left } = await client.aws('ec2', 'describe-volumes')
      return (left as Json[]).length === 0
    })
    const found = await story.host.mallee('fsck', '--json')
    assert(!found.includes('snapshot'), `fsck finds ${found}`)
  },
}
