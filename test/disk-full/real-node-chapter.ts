import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { assert } from '@mallee/base'
import { defaultStylesheetPath } from '@mallee/domain-xml'
import { startIsolatedLibvirtd, whyNoIsolatedLibvirtd, type IsolatedLibvirtd } from '@mallee/testkit'
import { diskImage } from '../crash/crash-cloud.ts'
import { realHost } from '../crash/host.ts'
import { until } from '../crash/until.ts'
import { FullCloud, tellTroubles } from './full-cloud.ts'
import { endAllBut } from './record-chapters.ts'

const bridges = 40
/** What is left to a launch, in KiB: too little for the image, for the overlay, for the description; and enough. */
const leftovers = [100, 1124, 1224, 1228, 1240]

/** The writers of a real launch: image cache, overlay, instance.xml and what the stylesheet makes of it. */
export async function realNode(): Promise<void> {
  const missing = whyNoIsolatedLibvirtd()
  assert(!missing, `no libvirtd: ${missing}`)
  const dir = await mkdtemp('/tmp/mlfull-')
  let libvirtd: IsolatedLibvirtd | null = null
  try {
    const full = await FullCloud.start(async (stateDir) => {
      for (const name of ['transforms.d', 'nc-hooks'])
        await mkdir(path.join(stateDir, 'etc', name), { recursive: true })
      await copyFile(defaultStylesheetPath, path.join(stateDir, 'etc', 'libvirt.xsl'))
      // Only now: it sees the disks that are mounted before it starts.
      libvirtd = await startIsolatedLibvirtd({ dir })
      for (let tag = 1; tag <= bridges; tag += 1)
        await libvirtd.exec('ip', ['link', 'add', `br${tag}`, 'up', 'type', 'bridge'])
      return realHost(stateDir, libvirtd, path.join(dir, 'log', 'qemu'))
    })
    try {
      await launchesThatFillTheNode(full).catch(async (error: unknown) => {
        await tellTroubles(full.world.dir)
        throw error
      })
    } finally {
      await full.stop()
    }
  } finally {
    await (libvirtd as IsolatedLibvirtd | null)?.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

async function launchesThatFillTheNode(full: FullCloud): Promise<void> {
  const { world, disks } = full
  const images = path.join(world.dir, 'node-controller', 'images')
  const cached = new Set(await readdir(images))
  await registerAnother(full)
  const ends: string[] = []
  for (const leaving of leftovers) {
    // As if the image were new to the node each time.
    for (const name of await readdir(images)) if (!cached.has(name)) await rm(path.join(images, name))
    await disks.node.fill(leaving * 1024)
    const answer = await world.launch(`leaving ${leaving}`)
    const id = answer?.xml.instancesSet.item[0].instanceId as string
    const decided = await until(`what comes of a launch into ${leaving} KiB`, async () => {
      const { instanceState } = await full.instance(id)
      return instanceState.name !== 'pending' && (instanceState.name as string)
    })
    if (decided !== 'running') {
      const { stateReason } = await full.instance(id)
      assert(/no disk space/.test(stateReason.message), `the reason is ${JSON.stringify(stateReason)}`)
      assert(!/[/]tmp[/]/.test(stateReason.message), `the reason tells of the host: ${stateReason.message}`)
      ends.push(`${leaving} KiB ${/(image|instance)\.$/.exec(stateReason.message)?.[1]}`)
    } else ends.push(`${leaving} KiB runs`)
    await disks.node.room()
    await until('it to settle', async () => ['running', 'terminated'].includes(await full.state(id)))
    await endAllBut(full)
    assert((await full.state(world.bystander.id)) === 'running', 'the bystander suffers')
  }
  process.stdout.write(`     ${ends.join(', ')}\n`)
  assert(
    ends.some((end) => end.endsWith('image')) && ends.some((end) => end.endsWith('instance')),
    'one was not met',
  )
  await full.well()
}

async function registerAnother(full: FullCloud): Promise<void> {
  const { world } = full
  await world.client.s3('PUT', '/images/another.img', diskImage(77))
  const registered = await world.client.ec2('RegisterImage', {
    Name: 'another',
    ImageLocation: 'images/another.img',
    Architecture: 'x86_64',
    VirtualizationType: 'hvm',
    RootDeviceName: '/dev/sda1',
  })
  const id = registered!.xml.imageId as string
  await until('the other image', async () => {
    const answer = await world.client.ec2('DescribeImages', { 'ImageId.1': id })
    return answer?.xml.imagesSet.item[0].imageState === 'available'
  })
  world.imageId = id
}
