import { readFileSync, writeFileSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until } from '@mallee/testkit'
import { gone, launch, reachable, type Json, type Story, type StoryChapters } from './launches.ts'
import { attach } from './volume-chapters.ts'

const bucket = 'chapter-disks'

async function put({ client }: Story, key: string, file: string): Promise<void> {
  await client.aws('s3api', 'put-object', '--bucket', bucket, '--key', key, '--body', file)
}

/** The manifest that EC2's older tools upload beside the parts of a disk. */
function manifestOf(sizes: readonly number[]): string {
  let at = 0
  const parts = sizes.map((size, index) => {
    const range = `<byte-range start="${at}" end="${at + size - 1}"/>`
    at += size
    return `<part index="${index}">${range}<key>part.${index}</key></part>`
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

/** The aws command has no word for it any more; boto3 has. */
const importVolume = `import boto3, sys
endpoint, url, size = sys.argv[1:]
image = {'Format': 'RAW', 'Bytes': int(size), 'ImportManifestUrl': url}
made = boto3.client('ec2', endpoint_url=endpoint).import_volume(
    AvailabilityZone='us-east-1a', Image=image, Volume={'Size': 1})
print(made['ConversionTask']['ConversionTaskId'])
`
const endpointOf = ({ host }: Story) => `http://127.0.0.1:${host.portBase}`

/** In two parts, which are uploaded after it was asked for, as the older tools do. */
async function importedVolume(story: Story, disk: Buffer): Promise<string> {
  const { client, host } = story
  const sizes = [Math.floor(disk.length / 2), disk.length - Math.floor(disk.length / 2)]
  const url = (await client.aws('s3', 'presign', `s3://${bucket}/manifest.xml`)).trim()
  const words = [endpointOf(story), url, String(disk.length)]
  const taskId = (
    await host.must('python3', ['-c', importVolume, ...words], { env: client.environment })
  ).trim()
  const file = `${host.stateDir}/part`
  for (const [index, size] of sizes.entries()) {
    writeFileSync(file, disk.subarray(index * sizes[0]!, index * sizes[0]! + size))
    await put(story, `part.${index}`, file)
  }
  writeFileSync(file, manifestOf(sizes))
  await put(story, 'manifest.xml', file)
  return until('the volume is imported', 90, async () => {
    const of = ['--conversion-task-ids', taskId]
    const [now] = (await client.aws('ec2', 'describe-conversion-tasks', ...of)).ConversionTasks as Json[]
    if (now.State === 'cancelled') throw new Error(now.StatusMessage)
    return now.State === 'completed' && (now.ImportVolume.Volume.Id as string)
  })
}

export const imports: StoryChapters = {
  async 'a VMDK in a bucket becomes a snapshot that a guest boots from, and a disk in parts a volume with the same bytes'(
    story,
  ) {
    const { client, host } = story
    await client.aws('s3api', 'create-bucket', '--bucket', bucket)
    const raw = (await host.must('find', [`${host.stateDir}/node/images`, '-name', '*.raw'])).split('\n')[0]!
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
    writeFileSync(vmdk, disk)
    const given = (await host.must('md5sum', [vmdk])).split(' ')[0]
    assert(held === given, `the guest reads ${held} and not ${given}`)

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
}
