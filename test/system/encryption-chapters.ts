import { assert } from '@mallee/base'
import { until } from '@mallee/testkit'
import { gone, launch, reachable, type Json, type Story, type StoryChapters } from './launches.ts'
import { attach, detach, newVolume, snapshotOf } from './volume-chapters.ts'

/** Stories of encrypted volumes. */

const secret = 'what-only-the-guest-may-read'

/** What a command says of files of the volumes, wherever their file system is mounted. */
async function ofVolumes({ host }: Story, command: string): Promise<string> {
  const holder = `${host.stateDir}/storage/run/holder.pid`
  const inside = `nsenter -t $(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' ${holder}) -m --`
  const script = `cd /; if test -e ${holder}; then ${inside} ${command}; else ${command}; fi`
  return (await host.run('sh', ['-c', script])).stdout
}

/** Files of volumes, snapshots, walrus, logs and the record that hold the secret in the clear. */
async function leaks(story: Story, volumeId: string): Promise<string> {
  const state = story.host.stateDir
  const files = `${state}/storage/data/files`
  const seen = await ofVolumes(story, `ls ${files}/volumes`)
  assert(seen.includes(`${volumeId}.luks`), `the file of ${volumeId} is not where this test looks: ${seen}`)
  const found = await ofVolumes(story, `grep -rlF ${secret} ${files}/volumes ${files}/snapshots`)
  const outside = await story.host.run('grep', [
    '-rlF',
    secret,
    ...['walrus', 'log', 'cloud'].map((dir) => `${state}/${dir}`),
  ])
  return found + outside.stdout
}

const sum = (device: string, count = 2) =>
  `dd if=${device} bs=1M count=${count} 2>/dev/null | md5sum | cut -d' ' -f1`

export const encryption: StoryChapters = {
  async 'an encrypted volume, its snapshot and what is made of it hold for a guest what it wrote, and nothing in the clear'(
    story,
  ) {
    const { client, host } = story
    const mapped = [
      '--block-device-mappings',
      'DeviceName=/dev/sdg,Ebs={VolumeSize=1,Encrypted=true,DeleteOnTermination=true}',
    ]
    const [guest] = await reachable(story, await launch(story, ...mapped))
    const id = await newVolume(story, '--size', '1', '--encrypted')
    const all = (await client.aws('ec2', 'describe-volumes')).Volumes as Json[]
    assert(
      all.length === 2 && all.every((entry) => entry.Encrypted && entry.KmsKeyId.includes(':key/')),
      `not all is encrypted: ${JSON.stringify(all)}`,
    )
    const device = await attach(story, id, guest!)
    const zeros = await client.inGuest(guest!.publicIp, sum(device))
    assert(zeros === 'b2d1236c286a3c0704224fe4105eca49', `a new volume holds no zeros: ${zeros}`)
    const fill = `yes ${secret} | dd of=${device} bs=1M count=2 iflag=fullblock 2>/dev/null; sync`
    await client.inGuest(guest!.publicIp, fill)
    const written = await client.inGuest(guest!.publicIp, sum(device))
    const snapshotId = await snapshotOf(story, id)
    const found = (await client.aws('ec2', 'describe-snapshots', '--snapshot-ids', snapshotId))
      .Snapshots[0] as Json
    assert(found.Encrypted === true, 'the snapshot is not encrypted')
    const there = await leaks(story, id)
    assert(there === '', `the secret lies in the clear in ${there}`)

    // What outlives the storage controller goes on while that is gone.
    await host.must('sh', [
      '-c',
      `kill -9 $(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' ${host.stateDir}/run/storage-controller.pid)`,
    ])
    await client.inGuest(
      guest!.publicIp,
      `dd if=/dev/urandom of=${device} bs=1M seek=4 count=1 conv=fsync 2>/dev/null && echo fine`,
    )
    await client.aws('ec2', 'modify-volume', '--volume-id', id, '--size', '2')
    await until('the guest sees how large it is', 60, async () => {
      const sectors = await client.inGuest(guest!.publicIp, `cat /sys/block/${device.slice(5)}/size`)
      return Number(sectors) * 512 === 2 * 1024 ** 3
    })
    await detach(story, id)
    await client.aws('ec2', 'delete-volume', '--volume-id', id)

    const restored = await newVolume(story, '--snapshot-id', snapshotId)
    const copy = await attach(story, restored, guest!)
    const held = await client.inGuest(guest!.publicIp, sum(copy))
    assert(held === written, `the snapshot holds ${held} and not ${written}`)
    await gone(story, [guest!.id])
    await until('only the restored one is left', 60, async () => {
      const left = (await client.aws('ec2', 'describe-volumes')).Volumes as Json[]
      return left.length === 1 && left[0]!.State === 'available'
    })
    await client.aws('ec2', 'delete-volume', '--volume-id', restored)
    await client.aws('ec2', 'delete-snapshot', '--snapshot-id', snapshotId)
    await until(
      'nothing is left',
      30,
      async () => (await client.aws('ec2', 'describe-volumes')).Volumes.length === 0,
    )
  },
}
