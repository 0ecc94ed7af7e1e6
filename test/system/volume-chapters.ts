import { readFileSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until } from '@mallee/testkit'
import { gone, launch, reachable, type Json, type Story, type StoryChapters } from './launches.ts'

/** Stories of volumes: over iSCSI into guests, into walrus and back, and as what guests boot from. */

const zone = 'us-east-1a'
const serialOf = (volumeId: string) => volumeId.replace('-', '').slice(0, 20)

export async function newVolume({ client }: Story, ...more: string[]): Promise<string> {
  const made = await client.aws('ec2', 'create-volume', '--availability-zone', zone, ...more)
  await until(
    'the volume is there',
    30,
    async () => (await volume(client, made.VolumeId)).State === 'available',
  )
  return made.VolumeId as string
}

export async function volume(client: Story['client'], id: string): Promise<Json> {
  return (await client.aws('ec2', 'describe-volumes', '--volume-ids', id)).Volumes[0]
}

/** Attached, and seen by the guest; answers the guest's name for it. */
export async function attach(
  { client }: Story,
  volumeId: string,
  guest: { readonly id: string; readonly publicIp: string },
  device = '/dev/sdf',
): Promise<string> {
  const to = ['--volume-id', volumeId, '--instance-id', guest.id, '--device', device]
  await client.aws('ec2', 'attach-volume', ...to)
  return seen({ client }, volumeId, guest)
}

/** As soon as the guest sees the volume and it is said to be attached; answers the guest's name for it. */
export async function seen(
  { client }: Pick<Story, 'client'>,
  volumeId: string,
  guest: { readonly publicIp: string },
  seconds = 30,
): Promise<string> {
  const find = `grep -l ${serialOf(volumeId)} /sys/block/*/serial | cut -d/ -f4`
  const name = await until('the guest sees it', seconds, async () => client.inGuest(guest.publicIp, find))
  await until(
    'it is said to be attached',
    30,
    async () => (await volume(client, volumeId)).Attachments[0]?.State === 'attached',
  )
  return `/dev/${name}`
}

export async function detach({ client }: Story, volumeId: string, ...more: string[]): Promise<void> {
  await client.aws('ec2', 'detach-volume', '--volume-id', volumeId, ...more)
  await until('it is free', 60, async () => (await volume(client, volumeId)).State === 'available')
}

export async function snapshotOf({ client }: Story, volumeId: string): Promise<string> {
  const { SnapshotId: id } = await client.aws('ec2', 'create-snapshot', '--volume-id', volumeId)
  await until('the snapshot is complete', 60, async () => {
    const found = (await client.aws('ec2', 'describe-snapshots', '--snapshot-ids', id)).Snapshots[0] as Json
    if (found.State === 'error') throw new Error(found.StateMessage)
    return found.State === 'completed'
  })
  return id as string
}

const sum = (device: string, skip = 0, count = 2) =>
  `dd if=${device} bs=1M skip=${skip} count=${count} 2>/dev/null | md5sum | cut -d' ' -f1`

/** The starter's own disk, registered as an image that boots from a volume of that content. */
export async function bootableImage(story: Story): Promise<string> {
  const { client } = story
  const [guest] = await reachable(story, await launch(story))
  const volumeId = await newVolume(story, '--size', '1')
  const device = await attach(story, volumeId, guest!)
  await client.inGuest(guest!.publicIp, `sync; dd if=/dev/vda of=${device} bs=1M count=25 2>/dev/null; sync`)
  await gone(story, [guest!.id])
  await until('it is free', 30, async () => (await volume(client, volumeId)).State === 'available')
  const snapshotId = await snapshotOf(story, volumeId)
  await client.aws('ec2', 'delete-volume', '--volume-id', volumeId)
  const starter = (await client.aws('ec2', 'describe-images', '--filters', 'Name=name,Values=mallee-starter'))
    .Images[0] as Json
  const registered = await client.aws(
    'ec2',
    'register-image',
    ...['--name', 'boots from a volume', '--root-device-name', '/dev/sda1'],
    ...['--kernel-id', starter.KernelId as string, '--ramdisk-id', starter.RamdiskId as string],
    ...['--block-device-mappings', `DeviceName=/dev/sda1,Ebs={SnapshotId=${snapshotId}}`],
  )
  return registered.ImageId as string
}

async function stateIs({ client }: Story, id: string, state: string): Promise<void> {
  await until(`it is ${state}`, 120, async () => (await client.guests(id))[0]!.state === state)
}

const daemonPid = (story: Story): number =>
  (JSON.parse(readFileSync(`${story.host.stateDir}/storage/run/tgtd.pid`, 'utf8')) as { pid: number }).pid

export const volumes: StoryChapters = {
  async 'what one guest wrote on a volume another reads; a snapshot of it restores the same; it grows under the guest'(
    story,
  ) {
    const { client, host } = story
    const guests = await reachable(story, await launch(story, '--count', '2'))
    const [first, second] = [guests[0]!, guests[1]!]
    const id = await newVolume(story, '--size', '1')
    const device = await attach(story, id, first)
    const zeros = await client.inGuest(first.publicIp, sum(device))
    assert(zeros === 'b2d1236c286a3c0704224fe4105eca49', `a new volume holds no zeros: ${zeros}`)
    await client.inGuest(first.publicIp, `dd if=/dev/urandom of=${device} bs=1M count=2 2>/dev/null; sync`)
    const written = await client.inGuest(first.publicIp, sum(device))
    const snapshotId = await snapshotOf(story, id)

    await client.aws('ec2', 'modify-volume', '--volume-id', id, '--size', '2')
    await until('the guest sees how large it is', 30, async () => {
      const sectors = await client.inGuest(first.publicIp, `cat /sys/block/${device.slice(5)}/size`)
      return Number(sectors) * 512 === 2 * 1024 ** 3
    })
    await client.inGuest(
      first.publicIp,
      `dd if=/dev/urandom of=${device} bs=1M seek=2000 count=1 2>/dev/null; sync`,
    )

    // Daemons die while the guest writes: it waits, and nothing that it was told is lost.
    const before = daemonPid(story)
    await client.inGuest(
      first.publicIp,
      `(for i in 1 2 3 4 5 6 7 8; do dd if=/dev/urandom of=${device} bs=64k seek=$((i*100)) count=1 conv=fsync 2>/dev/null || echo bad > /tmp/bad; sleep 0.3; done; touch /tmp/written) > /dev/null 2>&1 &`,
    )
    await host.must('kill', ['-9', String(before)])
    await host.must('sh', [
      '-c',
      `kill -9 $(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' ${host.stateDir}/run/storage-controller.pid)`,
    ])
    await until('the guest has written all', 60, async () =>
      (await client.inGuest(first.publicIp, 'ls /tmp')).includes('written'),
    )
    const said = await client.inGuest(first.publicIp, 'ls /tmp')
    assert(!said.includes('bad'), 'a write of the guest failed')
    assert(daemonPid(story) !== before, 'the target daemon that was killed is still noted')

    await detach(story, id)
    const there = await attach(story, id, second)
    const read = await client.inGuest(second.publicIp, sum(there))
    assert(read === written, `the second guest reads ${read} and not ${written}`)

    const restored = await newVolume(story, '--snapshot-id', snapshotId)
    const copy = await attach(story, restored, second, '/dev/sdg')
    const held = await client.inGuest(second.publicIp, sum(copy))
    assert(held === written, `the snapshot holds ${held} and not ${written}`)
    await gone(
      story,
      guests.map((guest) => guest.id),
    )
    for (const left of [id, restored]) {
      await until('it is free', 60, async () => (await volume(client, left)).State === 'available')
      await client.aws('ec2', 'delete-volume', '--volume-id', left)
    }
    await client.aws('ec2', 'delete-snapshot', '--snapshot-id', snapshotId)
    await until(
      'nothing is left',
      30,
      async () => (await client.aws('ec2', 'describe-volumes')).Volumes.length === 0,
    )
  },

  async 'a guest that boots from a volume is stopped, started and imaged, and keeps what it wrote; at its end its volumes go or stay as was asked'(
    story,
  ) {
    const { client } = story
    const imageId = await bootableImage(story)
    const kept = 'DeviceName=/dev/sdf,Ebs={VolumeSize=1,DeleteOnTermination=false}'
    const [id] = (await launch(story, ...['--image-id', imageId, '--block-device-mappings', kept])) as [
      string,
    ]
    const [guest] = await reachable(story, [id])
    await client.inGuest(guest!.publicIp, 'echo precious > /root/precious; sync')
    await client.aws('ec2', 'stop-instances', '--instance-ids', id)
    await stateIs(story, id, 'stopped')
    await client.aws('ec2', 'start-instances', '--instance-ids', id)
    const [again] = await reachable(story, [id])
    const said = await client.inGuest(again!.publicIp, 'cat /root/precious')
    assert(said === 'precious', `after the start the guest reads ${said}`)

    const made = await client.aws('ec2', 'create-image', '--instance-id', id, '--name', 'made of a guest')
    await until('the image is there', 120, async () => {
      const image = (await client.aws('ec2', 'describe-images', '--image-ids', made.ImageId))
        .Images[0] as Json
      if (image.State === 'failed') throw new Error(JSON.stringify(image.StateReason))
      return image.State === 'available'
    })
    const [copyId] = (await launch(story, '--image-id', made.ImageId as string)) as [string]
    const [copy] = await reachable(story, [copyId])
    const copied = await client.inGuest(copy!.publicIp, 'cat /root/precious')
    assert(copied === 'precious', `the image's guest reads ${copied}`)

    // Its own shutdown stops it, and so it says.
    await client.ssh(copy!.publicIp, 'poweroff', 4000)
    await stateIs(story, copyId, 'stopped')
    await gone(story, [id, copyId])
    const left = await until('the roots are gone', 60, async () => {
      const all = (await client.aws('ec2', 'describe-volumes')).Volumes as Json[]
      return all.every((entry) => entry.State === 'available') && all
    })
    // Of the first guest, and of the copy, which maps the same.
    assert(left.length === 2, `${left.length} volumes are left`)
    for (const entry of left) await client.aws('ec2', 'delete-volume', '--volume-id', entry.VolumeId)
    for (const image of [imageId, made.ImageId as string])
      await client.aws('ec2', 'deregister-image', '--image-id', image)
    const snapshots = (await client.aws('ec2', 'describe-snapshots', '--owner-ids', 'self'))
      .Snapshots as Json[]
    for (const { SnapshotId: snapshot } of snapshots)
      await client.aws('ec2', 'delete-snapshot', '--snapshot-id', snapshot)
  },
}
