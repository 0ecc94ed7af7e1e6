import { statSync, writeFileSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until } from '@mallee/testkit'
import { adminPost, gone, launch, type Json, type Story, type StoryChapters } from './launches.ts'

const bucket = 'chapter-images'

async function put({ client }: Story, key: string, file: string): Promise<void> {
  await client.aws('s3api', 'put-object', '--bucket', bucket, '--key', key, '--body', file)
}

async function available({ client }: Story, imageId: string): Promise<Json> {
  return until(`${imageId} is available`, 30, async () => {
    const image = (await client.aws('ec2', 'describe-images', '--image-ids', imageId)).Images[0] as Json
    if (image.State === 'failed') throw new Error(JSON.stringify(image.StateReason))
    return image.State === 'available' && image
  })
}

/** Kernels and ramdisks are the admin's to register. */
async function bootImage(story: Story, kind: 'kernel' | 'ramdisk', file: string): Promise<string> {
  await put(story, kind, file)
  const { Account: accountId } = await story.client.aws('sts', 'get-caller-identity')
  const socket = `${story.host.stateDir}/run/admin.sock`
  const body = { kind, accountId, bucket, key: kind, name: `chapter-${kind}` }
  const { imageId } = await adminPost<{ imageId: string }>(socket, '/admin/v1/images', body)
  await available(story, imageId)
  return imageId
}

async function register(
  { client }: Story,
  name: string,
  location: string,
  ...more: string[]
): Promise<string> {
  const given = ['--name', name, '--image-location', location, '--root-device-name', '/dev/sda1', ...more]
  return (await client.aws('ec2', 'register-image', ...given)).ImageId as string
}

/** What the guest says of its disk, on its console. */
const script = `#!/bin/sh
. /etc/mallee/metadata.sh
get_token
for name in ami ephemeral0 root swap; do echo "$name: $(metadata meta-data/block-device-mapping/$name)"; done
echo "root=$(grep ' / ' /proc/mounts)"
mount -t ext4 /dev/vda2 /mnt && echo kept > /mnt/file && echo "ephemeral=$(grep ' /mnt ' /proc/mounts)"
swapon /dev/vda3 && grep /dev/vda3 /proc/swaps
echo "command line: $(cat /proc/cmdline)"
echo the end
`

/** An image that is one file system and brings no boot loader. */
export const images: StoryChapters = {
  async 'a copy of a partition image from a bundle boots with its kernel, has swap and ephemeral0, and needs its source no more'(
    story,
  ) {
    const { client, host } = story
    await client.aws('s3api', 'create-bucket', '--bucket', bucket)
    await put(story, 'root.ext4', `${host.stateDir}/starter/root.ext4`)
    const kernelId = await bootImage(story, 'kernel', `${host.stateDir}/starter/vmlinuz`)
    const ramdiskId = await bootImage(story, 'ramdisk', `${host.stateDir}/starter/initrd.gz`)

    const bare = await register(story, 'partition without a kernel', `${bucket}/root.ext4`)
    await available(story, bare)
    const refused = await client.refusal('ec2', 'run-instances', '--image-id', bare, '--count', '1')
    assert(refused === 'MissingParameter', `a partition without a kernel is refused with ${refused}`)

    const eucalyptus = (id: string) => id.replace(/^a/, 'e')
    const boot = ['--kernel-id', eucalyptus(kernelId), '--ramdisk-id', eucalyptus(ramdiskId)]
    // The same bytes once more, as a bundle: uploaded in encrypted parts, unpacked by walrus.
    const root = `${host.stateDir}/starter/root.ext4`
    const bundled = await host.mallee('image', 'bundle', root, '--bucket', bucket, '--prefix', 'bundle/root')
    assert(bundled.trim() === `${bucket}/bundle/root.manifest.xml`, bundled)
    const sourceId = await register(story, 'partition', bundled.trim(), ...boot)
    await available(story, sourceId)
    const names = ['--name', 'partition copied', '--source-image-id', sourceId]
    const copied = await client.aws('ec2', 'copy-image', ...names, '--source-region', 'us-east-1')
    const imageId = copied.ImageId as string
    const image = await available(story, imageId)
    assert(image.KernelId === kernelId && image.SourceImageId !== imageId, JSON.stringify(image))
    for (const id of [bare, sourceId]) await client.aws('ec2', 'deregister-image', '--image-id', id)
    await client.aws('s3api', 'delete-object', '--bucket', bucket, '--key', 'root.ext4')

    const file = `${host.stateDir}/partition.sh`
    writeFileSync(file, script)
    const [id] = (await launch(story, '--image-id', imageId, '--user-data', `file://${file}`)) as [string]
    const output = await until('it tells of its disk', 60, async () => {
      const console = await client.aws('ec2', 'get-console-output', '--instance-id', id, '--latest')
      return (console.Output as string).includes('user-data: the end') && (console.Output as string)
    })
    const said = (pattern: RegExp) => assert(pattern.test(output), `no ${pattern.source} in:\n${output}`)
    said(/user-data: root=\/dev\/vda1 \/ ext4/)
    said(/user-data: ephemeral=\/dev\/vda2 \/mnt ext4/)
    said(/user-data: \/dev\/vda3\s+partition\s+5242\d\d/)
    said(/user-data: command line: .*root=\/dev\/vda1 console=ttyS0/)
    for (const [name, device] of Object.entries({
      ami: 'sda1',
      ephemeral0: 'sda2',
      root: '/dev/sda1',
      swap: 'sda3',
    }))
      said(new RegExp(`user-data: ${name}: ${device}\r?\n`))
    const folder = await host.must('find', [`${host.stateDir}/node/instances`, '-path', `*${id}/root.*`])
    assert(folder.endsWith('/root.raw\n'), `its disk is ${folder}`)
    const { blocks, size } = statSync(folder.trim())
    assert(blocks * 512 < size / 20, `its disk of ${size} bytes takes ${blocks * 512}`)
    await gone(story, [id])
    for (const each of [imageId, kernelId, ramdiskId])
      await client.aws('ec2', 'deregister-image', '--image-id', each)
  },
}
