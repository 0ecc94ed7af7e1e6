import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until } from '@mallee/testkit'
import { bootableDisk } from './bootable-disk.ts'
import { gone, launch, reachable, sshGroup, type Json, type Story, type StoryChapters } from './launches.ts'
import { attach } from './volume-chapters.ts'

const bucket = 'chapter-disks'

async function put({ client }: Story, key: string, file: string): Promise<void> {
  await client.aws('s3api', 'put-object', '--bucket', bucket, '--key', key, '--body', file)
}

/** The manifest that EC2's older tools upload beside the parts of a disk. */
function manifestOf(prefix: string, sizes: readonly number[]): string {
  let at = 0
  const parts = sizes.map((size, index) => {
    const range = `<byte-range start="${at}" end="${at + size - 1}"/>`
    at += size
    return `<part index="${index}">${range}<key>${prefix}/part.${index}</key></part>`
  })
  return `<?xml version="1.0"?><manifest><version>2010-11-15</version><file-format>RAW</file-format><import><size>${at}</size><volume-size>1</volume-size><parts count="${parts.length}">${parts.join('')}</parts></import></manifest>`
}

async function importedSnapshot({ client }: Story, key: string, format: string): Promise<string> {
  const place = `Format=${format},UserBucket={S3Bucket=${bucket},S3Key=${key}}`
  const made = await client.aws('ec2', 'import-snapshot', '--disk-container', place)
  return until('the disk is imported', 90, async () => {
    const of = ['--import-task-ids', made.ImportTaskId as string]
    const [task] = (await client.aws('ec2', 'describe-import-snapshot-tasks', ...of))
      .ImportSnapshotTasks as Json[]
    const detail = task.SnapshotTaskDetail
    if (detail.Status === 'deleted') throw new Error(detail.StatusMessage)
    return detail.Status === 'completed' && (detail.SnapshotId as string)
  })
}

/** The aws command has no words for them any more; boto3 has. */
const ask = `import boto3, json, sys
endpoint, method, said = sys.argv[1:]
client = boto3.client('ec2', endpoint_url=endpoint)
print(json.dumps(getattr(client, method)(**json.loads(said))['ConversionTask']))
`

async function begun({ client, host }: Story, method: string, said: object): Promise<Json> {
  const words = [`http://127.0.0.1:${host.portBase}`, method, JSON.stringify(said)]
  return JSON.parse(await host.must('python3', ['-c', ask, ...words], { env: client.environment })) as Json
}

/** What a request says of a disk whose parts lie below a prefix. */
async function diskBelow({ client }: Story, prefix: string, disk: Buffer): Promise<Json> {
  const url = (await client.aws('s3', 'presign', `s3://${bucket}/${prefix}/manifest.xml`)).trim()
  return { Format: 'RAW', Bytes: disk.length, ImportManifestUrl: url }
}

/** In two parts, after it was asked for, as the older tools do. */
async function upload(story: Story, prefix: string, disk: Buffer): Promise<void> {
  const half = Math.floor(disk.length / 2)
  const file = `${story.host.stateDir}/part`
  for (const [index, part] of [disk.subarray(0, half), disk.subarray(half)].entries()) {
    writeFileSync(file, part)
    await put(story, `${prefix}/part.${index}`, file)
  }
  writeFileSync(file, manifestOf(prefix, [half, disk.length - half]))
  await put(story, `${prefix}/manifest.xml`, file)
}

async function converted({ client }: Story, taskId: string): Promise<Json> {
  return until('the disk is converted', 90, async () => {
    const of = ['--conversion-task-ids', taskId]
    const [now] = (await client.aws('ec2', 'describe-conversion-tasks', ...of)).ConversionTasks as Json[]
    if (now.State === 'cancelled') throw new Error(now.StatusMessage)
    return now.State === 'completed' && now
  })
}

async function importedVolume(story: Story, disk: Buffer): Promise<string> {
  const image = await diskBelow(story, 'volume', disk)
  const said = { AvailabilityZone: 'us-east-1a', Image: image, Volume: { Size: 1 } }
  const { ConversionTaskId: taskId } = await begun(story, 'import_volume', said)
  await upload(story, 'volume', disk)
  return (await converted(story, taskId as string)).ImportVolume.Volume.Id as string
}

/** The root first; the instance is stopped. */
async function importedInstance(story: Story, disks: readonly Buffer[]): Promise<string> {
  const images = disks.map(async (disk, index) => ({
    Image: await diskBelow(story, `instance/${index}`, disk),
    Volume: { Size: 1 },
  }))
  const { ConversionTaskId: taskId } = await begun(story, 'import_instance', {
    ...{ Platform: 'Linux', DiskImages: await Promise.all(images) },
    LaunchSpecification: {
      ...{ Architecture: 'x86_64', InstanceType: 't1.micro' },
      GroupIds: [await sshGroup(story.client)],
    },
  })
  for (const [index, disk] of disks.entries()) await upload(story, `instance/${index}`, disk)
  return (await converted(story, taskId as string)).ImportInstance.InstanceId as string
}

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex')

export const imports: StoryChapters = {
  async 'a VMDK in a bucket becomes a snapshot that a guest boots from, and a disk in parts a volume with the same bytes'(
    story,
  ) {
    const { client, host } = story
    await client.aws('s3api', 'create-bucket', '--bucket', bucket)
    const raw = `${host.stateDir}/starter/starter.img`
    const vmdk = `${host.stateDir}/disk.vmdk`
    const convert = ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, vmdk]
    await host.must('qemu-img', convert)
    await put(story, 'disk.vmdk', vmdk)
    const snapshotId = await importedSnapshot(story, 'disk.vmdk', 'VMDK')
    const filter = ['--filters', 'Name=name,Values=mallee-starter']
    const starter = (await client.aws('ec2', 'describe-images', ...filter)).Images[0] as Json
    const registered = await client.aws(
      'ec2',
      'register-image',
      ...['--name', 'imported', '--root-device-name', '/dev/sda1'],
      ...['--kernel-id', starter.KernelId as string, '--ramdisk-id', starter.RamdiskId as string],
      ...['--block-device-mappings', `DeviceName=/dev/sda1,Ebs={SnapshotId=${snapshotId}}`],
    )
    const [id] = (await launch(story, '--image-id', registered.ImageId as string)) as [string]
    const [guest] = await reachable(story, [id])

    const disk = readFileSync(raw).subarray(0, 20 * 1024 ** 2)
    const volumeId = await importedVolume(story, disk)
    const device = await attach(story, volumeId, guest!)
    const sum = `dd if=${device} bs=1M count=20 2>/dev/null | md5sum | cut -d' ' -f1`
    const held = await client.inGuest(guest!.publicIp, sum)
    assert(held === md5(disk), `the guest reads ${held} and not ${md5(disk)}`)

    await gone(story, [id])
    await until('it is free', 60, async () => {
      const of = ['--volume-ids', volumeId]
      return (await client.aws('ec2', 'describe-volumes', ...of)).Volumes[0].State === 'available'
    })
    await client.aws('ec2', 'delete-volume', '--volume-id', volumeId)
    await client.aws('ec2', 'deregister-image', '--image-id', registered.ImageId as string)
    await client.aws('ec2', 'delete-snapshot', '--snapshot-id', snapshotId)
    await client.aws('s3', 'rm', '--recursive', `s3://${bucket}`)
    await client.aws('s3api', 'delete-bucket', '--bucket', bucket)
  },

  async 'disks in parts become a stopped instance, which starts from its own boot loader and lets its owner in'(
    story,
  ) {
    const { client, host } = story
    await client.aws('s3api', 'create-bucket', '--bucket', bucket)
    const file = `${host.stateDir}/imported.img`
    const key = await host.must('ssh-keygen', ['-y', '-f', client.keyFile])
    await bootableDisk(host, file, key)
    const [root, data] = [readFileSync(file), randomBytes(3 * 1024 ** 2)]
    const id = await importedInstance(story, [root, data])
    const [before] = await client.guests(id)
    assert(before!.state === 'stopped', `it is ${before!.state}`)
    await client.aws('ec2', 'start-instances', '--instance-ids', id)
    const [guest] = await reachable(story, [id])
    const sums = ['/dev/vda bs=1M count=1', '/dev/vdb bs=1M count=3'].map((of) => `dd if=${of} | md5sum`)
    const held = await client.inGuest(guest!.publicIp, `(${sums.join('; ')}) 2>/dev/null`)
    const given = [root.subarray(0, 1024 ** 2), data].map((bytes) => `${md5(bytes)}  -`).join('\n')
    assert(held === given, `the guest reads ${held} and not ${given}`)
    const kernel = await client.inGuest(guest!.publicIp, 'md5sum < /vmlinuz')
    const starter = md5(readFileSync(`${host.stateDir}/starter/vmlinuz`))
    assert(kernel === `${starter}  -`, `its kernel is ${kernel} and not ${starter}`)

    await gone(story, [id])
    const left = (await client.aws('ec2', 'describe-volumes')).Volumes as Json[]
    const further = left.filter(({ State: state }) => state === 'available')
    assert(further.length === 1, `${further.length} volumes stay, and not the second disk alone`)
    await client.aws('ec2', 'delete-volume', '--volume-id', further[0].VolumeId as string)
    await client.aws('s3', 'rm', '--recursive', `s3://${bucket}`)
    await client.aws('s3api', 'delete-bucket', '--bucket', bucket)
  },
}
