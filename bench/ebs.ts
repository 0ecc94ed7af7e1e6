import { execFileSync } from 'node:child_process'
import { until } from '@mallee/testkit'
import { textOf } from './door-client.ts'
import { EbsCloud, withBareTarget, type Target } from './ebs/ebs-cloud.ts'
import { figureLine, figures, percentile, type Figures } from './figures.ts'

const KiB = 1024
const MiB = 1024 * KiB
const rounds = Number(process.env['MALLEE_ROUNDS'] ?? 5)

const chapters: Readonly<Record<string, (cloud: EbsCloud) => Promise<void>>> = {
  exports: exportsChapter,
  guest: guestChapter,
  snapshots: snapshotsChapter,
  chains: chainsChapter,
  attachments: attachmentsChapter,
  boots: bootsChapter,
}

/**
 * Volumes of a real cloud against what they are made of: tgt on the same file, bytes written raw. `MALLEE_CHAPTERS` names
 * some of them: exports, guest, snapshots, chains, attachments, boots.
 */
export async function ebsBench(): Promise<void> {
  const names = (process.env['MALLEE_CHAPTERS'] ?? Object.keys(chapters).join(',')).split(',')
  const cloud = await EbsCloud.open()
  try {
    for (const name of names) await chapters[name]!(cloud)
  } finally {
    await cloud.close()
  }
}

/** The aim is 0.95. Bare tgt and ours in turn, on one file that is filled, so that both read what is there. */
async function exportsChapter(cloud: EbsCloud): Promise<void> {
  const { id } = await cloud.createVolume({ Size: 2 })
  const file = cloud.volumeFile(id)
  fill(cloud, file, 0, 1024)
  const target = await cloud.attach(id)
  const loads = {
    'read 4 KiB, one at a time': { bytes: 4 * KiB, depth: 1, count: 8000 },
    'read 4 KiB, 16 at a time': { bytes: 4 * KiB, depth: 16, count: 24_000 },
    'write 4 KiB, 16 at a time': { bytes: 4 * KiB, depth: 16, count: 24_000, write: true },
    'read 1 MiB, 4 at a time': { bytes: MiB, depth: 4, count: 900 },
    'write 1 MiB, 4 at a time': { bytes: MiB, depth: 4, count: 900, write: true },
  }
  await withBareTarget(cloud, file, async (bare) => {
    const both = [await cloud.logIn(bare), await cloud.logIn(target)]
    for (const [what, load] of Object.entries(loads)) {
      const found: [number[], number[]] = [[], []]
      for (let round = 0; round <= rounds; round += 1)
        for (const [index, initiator] of both.entries()) found[index]!.push(await initiator.operations(load))
      tell(what, 'a second', ['bare tgt', found[0]], ['a volume', found[1]])
    }
    for (const initiator of both) initiator.logOut()
  })
  await cloud.detach(id)
  await cloud.deleteVolume(id)
}

/** No aim: guests are emulated. */
async function guestChapter(cloud: EbsCloud): Promise<void> {
  const { id } = await cloud.createVolume({ Size: 1 })
  const file = cloud.volumeFile(id)
  fill(cloud, file, 0, 256)
  const target = await cloud.attach(id)
  const initiator = await cloud.logIn(target)
  const host: number[] = []
  const guest: number[] = []
  const name = await cloud.deviceOf(id)
  const uptime = "cut -d' ' -f1 /proc/uptime"
  const dd = `echo 3 > /proc/sys/vm/drop_caches; ${uptime}; dd if=/dev/${name} of=/dev/null bs=1M count=128 2>/dev/null; ${uptime}`
  for (let round = 0; round <= rounds; round += 1) {
    host.push(await initiator.operations({ bytes: MiB, depth: 1, count: 128 }))
    const text = await cloud.client.inGuest(cloud.guest.publicIp, dd)
    const [from = 0, to = 0] = text.split('\n').map(Number)
    guest.push(128 / (to - from))
  }
  tell('read one after the other', 'MiB/s', ['an initiator of the host', host], ['an emulated guest', guest])
  initiator.logOut()
  await cloud.detach(id)
  await cloud.deleteVolume(id)
}

/** A sparse volume of 100 GiB of which one percent is new each time, and the first read out of walrus. */
async function snapshotsChapter(cloud: EbsCloud): Promise<void> {
  const { id, ms } = await cloud.createVolume({ Size: 100 })
  line(`a volume of 100 GiB is available after ${ms.toFixed(0)} ms`)
  const file = cloud.volumeFile(id)
  const raw: number[] = []
  const answered: number[] = []
  const complete: number[] = []
  let last = ''
  for (let round = 0; round < 3; round += 1) {
    raw.push(fill(cloud, file, round * 1024, 1024))
    const snapshot = await cloud.snapshot(id)
    answered.push(snapshot.answeredMs)
    complete.push(snapshot.completeMs)
    last = snapshot.id
  }
  line(figureLine('CreateSnapshot answered', 'ms', figures(answered)))
  tell('1 GiB that is new', 'ms', ['written raw', raw], ['snapshot until complete', complete])
  line(`unchanged: complete after ${(await cloud.snapshot(id)).completeMs.toFixed(0)} ms`)
  await pauseChapter(cloud, id)
  await restoreChapter(cloud, last)
  await cloud.deleteVolume(id)
}

/** How much longer a write takes while a snapshot is taken. */
async function pauseChapter(cloud: EbsCloud, id: string): Promise<void> {
  await cloud.attach(id)
  const name = await cloud.deviceOf(id)
  const script = `i=0; while [ $i -lt 60 ]; do a=$(cut -d' ' -f1 /proc/uptime); dd if=/dev/zero of=/dev/${name} bs=4k count=1 conv=fsync 2>/dev/null; b=$(cut -d' ' -f1 /proc/uptime); echo $a $b; i=$((i+1)); done`
  const writing = cloud.client.inGuest(cloud.guest.publicIp, script)
  for (let count = 0; count < 3; count += 1) await cloud.snapshot(id)
  const took = (await writing).split('\n').map((row) => {
    const [from = 0, to = 0] = row.split(' ').map(Number)
    return (to - from) * 1000
  })
  line(
    `synchronous writes of a guest during three snapshots: p50 ${percentile(took, 0.5).toFixed(0)} ms, longest ${Math.max(...took).toFixed(0)} ms`,
  )
  await cloud.detach(id)
}

async function restoreChapter(cloud: EbsCloud, snapshotId: string): Promise<void> {
  forget(cloud, snapshotId)
  const { id, ms } = await cloud.createVolume({ SnapshotId: snapshotId })
  const began = performance.now()
  const target = await cloud.attach(id)
  const attached = performance.now() - began
  const read = await firstRead(cloud, target, '4k')
  line(
    `of a snapshot in walrus: available after ${ms.toFixed(0)} ms, attached ${attached.toFixed(0)} ms later, then the first read ${read.toFixed(0)} ms with logging in`,
  )
  await cloud.detach(id)
  await cloud.deleteVolume(id)
}

/** Milliseconds, with logging in. */
async function firstRead(cloud: EbsCloud, target: Target, length: string): Promise<number> {
  const began = performance.now()
  const initiator = await cloud.logIn(target)
  await initiator.once(`read 0 ${length}`)
  initiator.logOut()
  return performance.now() - began
}

/** The hundredth snapshot of a volume, and the fifth, against the first: read whole out of walrus. */
async function chainsChapter(cloud: EbsCloud): Promise<void> {
  const { id } = await cloud.createVolume({ Size: 1 })
  const file = cloud.volumeFile(id)
  fill(cloud, file, 0, 64)
  const kept = new Map<number, string>()
  for (let depth = 0; depth <= 100; depth += 1) {
    fill(cloud, file, depth % 64, 1)
    const { id: snapshotId } = await cloud.snapshot(id)
    if ([0, 5, 100].includes(depth)) kept.set(depth, snapshotId)
  }
  const found = new Map<number, number[]>([...kept.keys()].map((depth) => [depth, []]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const [depth, snapshotId] of kept) {
      forget(cloud, snapshotId)
      const began = performance.now()
      const volume = await cloud.createVolume({ SnapshotId: snapshotId })
      const target = await cloud.attach(volume.id)
      await firstRead(cloud, target, '64M')
      found.get(depth)!.push(performance.now() - began)
      await cloud.detach(volume.id)
      await cloud.deleteVolume(volume.id)
    }
  }
  for (const depth of [5, 100])
    tell(
      'made of a snapshot in walrus, attached, 64 MiB read',
      'ms',
      ['the first', found.get(0)!],
      [`after ${depth} others`, found.get(depth)!],
    )
  await cloud.deleteVolume(id)
}

/** From the call to the guest that has it, and back: targets and all. */
async function attachmentsChapter(cloud: EbsCloud): Promise<void> {
  const { id } = await cloud.createVolume({ Size: 1 })
  const [there, back]: [number[], number[]] = [[], []]
  for (let round = 0; round < 12; round += 1) {
    const began = performance.now()
    await cloud.attach(id)
    const attached = performance.now()
    await cloud.detach(id)
    there.push(attached - began)
    back.push(performance.now() - attached)
  }
  line(figureLine('attach, until the guest has it', 'ms', figures(there)))
  line(figureLine('detach, until the volume is free', 'ms', figures(back)))
  await cloud.deleteVolume(id)
}

/** Twenty at once of one image, and whether the node is ever taken for silent meanwhile. */
async function bootsChapter(cloud: EbsCloud): Promise<void> {
  const count = Number(process.env['MALLEE_BOOTS'] ?? 20)
  const imageId = await bootable(cloud)
  let silent = 0
  let asked = 0
  let watching = true
  const watch = (async () => {
    while (watching) {
      const text = await cloud.host.mallee('status', '--json').catch(() => '{"agents":[]}')
      asked += 1
      if (/"silentSinceMs":\s*\d/.test(text)) silent += 1
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  })()
  const began = performance.now()
  const launched = await cloud.call('RunInstances', { ImageId: imageId, MinCount: count, MaxCount: count })
  const ids = [...launched.matchAll(/<instanceId>(i-[0-9a-f]+)/g)].map((match) => match[1]!)
  const running: number[] = []
  await until('all run', 900, async () => {
    const text = await cloud.call('DescribeInstances')
    const up = [...text.matchAll(/<instanceId>(i-[0-9a-f]+)<[\s\S]*?<name>(\w[\w-]*)</g)]
    const now = up.filter((match) => ids.includes(match[1]!) && match[2] === 'running').length
    while (running.length < now) running.push(performance.now() - began)
    return running.length === count
  })
  watching = false
  await watch
  line(
    `${count} launches that boot from volumes: the first runs after ${(running[0]! / 1000).toFixed(1)} s, the last after ${(running.at(-1)! / 1000).toFixed(1)} s; the node was silent in ${silent} of ${asked} looks`,
  )
  const named = Object.fromEntries(ids.map((id, index) => [`InstanceId.${index + 1}`, id]))
  await cloud.call('TerminateInstances', named)
  await until('all are gone', 300, async () => {
    const text = await cloud.call('DescribeVolumes')
    return !text.includes('<volumeId>')
  })
  await cloud.call('DeregisterImage', { ImageId: imageId })
}

/** The guest's own disk as an image of a snapshot. */
async function bootable(cloud: EbsCloud): Promise<string> {
  const { id } = await cloud.createVolume({ Size: 1 })
  const file = cloud.volumeFile(id)
  const images = `${cloud.host.stateDir}/node/images`
  const image = execFileSync('sh', ['-c', `ls ${images}/*.raw | head -n 1`], { encoding: 'utf8' }).trim()
  cloud.amongFiles('dd', `if=${image}`, `of=${file}`, 'bs=1M', 'conv=notrunc,fsync', 'status=none')
  const { id: snapshotId } = await cloud.snapshot(id)
  await cloud.deleteVolume(id)
  const starter = await cloud.call('DescribeImages', {
    'Filter.1.Name': 'name',
    'Filter.1.Value.1': 'mallee-starter',
  })
  const registered = await cloud.call('RegisterImage', {
    Name: 'bench',
    RootDeviceName: '/dev/sda1',
    KernelId: textOf(starter, 'kernelId')!,
    RamdiskId: textOf(starter, 'ramdiskId')!,
    'BlockDeviceMapping.1.DeviceName': '/dev/sda1',
    'BlockDeviceMapping.1.Ebs.SnapshotId': snapshotId,
  })
  return textOf(registered, 'imageId')!
}

/** Noise at a place of a volume's file, on the disk when it returns; answers the milliseconds of the writing alone. */
function fill(cloud: EbsCloud, file: string, atMiB: number, countMiB: number): number {
  const noise = `${file}.noise`
  cloud.amongFiles('dd', 'if=/dev/urandom', `of=${noise}`, 'bs=1M', `count=${countMiB}`, 'status=none')
  const began = performance.now()
  cloud.amongFiles(
    'dd',
    ...[`if=${noise}`, `of=${file}`, 'bs=1M', `seek=${atMiB}`, 'conv=notrunc,fsync', 'status=none'],
  )
  const took = performance.now() - began
  cloud.amongFiles('rm', noise)
  return took
}

/** Takes away what the storage controller keeps of a snapshot, as it does itself where room is short. */
function forget(cloud: EbsCloud, snapshotId: string): void {
  cloud.amongFiles('find', `${cloud.host.stateDir}/storage/data/files`, '-name', `${snapshotId}*`, '-delete')
}

function tell(what: string, unit: string, floor: [string, number[]], ours: [string, number[]]): void {
  line(what)
  const [least, most]: [Figures, Figures] = [figures(floor[1].slice(1)), figures(ours[1].slice(1))]
  line(figureLine(`  ${floor[0]}`, unit, least))
  line(figureLine(`  ${ours[0]}`, unit, most))
  line(`  ratio of medians: ${(most.median / least.median).toFixed(2)}`)
}

const line = (text: string) => void process.stdout.write(`${text}\n`)
