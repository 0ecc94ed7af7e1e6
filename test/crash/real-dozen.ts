import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { defaultStylesheetPath } from '@mallee/domain-xml'
import { startIsolatedLibvirtd, whyNoIsolatedLibvirtd, type IsolatedLibvirtd } from '@mallee/testkit'
import { CrashCloud } from './crash-cloud.ts'
import { adopt, launch, reboot, terminate } from './guest-workflows.ts'
import { realHost } from './host.ts'
import { nameOf, recordLabels, runPoint, type Point } from './run-point.ts'
import type { Workflow } from './workflow.ts'

/** Twelve deaths of the node controller with real QEMUs under a real libvirtd: the ones that hurt if they hurt. */
const dozen: readonly [string, Workflow, 'before' | 'after', RegExp, number][] = [
  ['the disk is made and has no name', launch, 'before', /^rename .*\/root\.qcow2$/, 1],
  ['the description is about to be named', launch, 'before', /^rename .*\/instance\.xml$/, 1],
  ['the description has its name', launch, 'after', /^rename .*\/instance\.xml$/, 1],
  ['the stylesheet was run', launch, 'after', /^run xsltproc$/, 1],
  ['the start is noted and not made', launch, 'after', /^rename .*\/notes\.json$/, 1],
  ['the start is made and not noted', launch, 'before', /^create .*\/notes\.json\.new$/, 2],
  ['the reboot is not noted', reboot, 'before', /^rename .*\/notes\.json$/, 1],
  ['the reboot is noted and not made', reboot, 'after', /^rename .*\/notes\.json$/, 1],
  ['the guest is about to be asked to end', terminate, 'after', /^rename .*\/notes\.json$/, 1],
  ['the disk is about to be removed', terminate, 'before', /^rm .*instances/, 1],
  ['the disk is removed and that is not noted', terminate, 'after', /^rm .*instances/, 1],
  ['a start over running guests', adopt, 'after', /^rename .*\/starts\.json$/, 1],
]

const bridges = 8

/** Answers whether all twelve came out well; where no libvirtd can be had, says so and is no failure. */
export async function realDozen(): Promise<boolean> {
  const missing = whyNoIsolatedLibvirtd()
  if (missing) {
    say(`SKIPPED: the dozen with real guests, because ${missing}`)
    return true
  }
  const dir = await mkdtemp('/tmp/mlreal-')
  const libvirtd = await startIsolatedLibvirtd({ dir })
  try {
    // The network is simulated, so that only its bridges need to stand.
    for (let tag = 1; tag <= bridges; tag += 1)
      await libvirtd.exec('ip', ['link', 'add', `br${tag}`, 'up', 'type', 'bridge'])
    return await runDozen(libvirtd, path.join(dir, 'log', 'qemu'))
  } finally {
    await libvirtd.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

async function runDozen(libvirtd: IsolatedLibvirtd, logDir: string): Promise<boolean> {
  const world = await CrashCloud.start(async (dir) => {
    for (const name of ['transforms.d', 'nc-hooks']) await mkdir(path.join(dir, 'etc', name))
    await copyFile(defaultStylesheetPath, path.join(dir, 'etc', 'libvirt.xsl'))
    return realHost(dir, libvirtd, logDir)
  })
  const labels = new Map<Workflow, string[]>()
  let failures = 0
  for (const [what, workflow, when, pattern, occurrence] of dozen) {
    try {
      const passed = labels.get(workflow) ?? (await recordLabels(world, workflow, 'node'))
      labels.set(workflow, passed)
      const label = passed.filter((one) => pattern.test(one))[occurrence - 1]
      if (label === undefined) throw new Error('no such point was passed')
      const nth = passed
        .filter((one) => pattern.test(one))
        .slice(0, occurrence)
        .filter((one) => one === label).length
      const point: Point = { workflow: workflow.name, daemon: 'node', label, occurrence: nth, when }
      if (!(await runPoint(world, workflow, point))) throw new Error(`${nameOf(point)} was not passed again`)
      say(`ok   ${workflow.name}: ${what}`)
    } catch (error) {
      failures += 1
      say(`FAIL ${workflow.name}: ${what}: ${(error as Error).message}`)
      if (failures > 2) break
      for (const daemon of world.daemons) await daemon.revive()
    }
  }
  await world.stop({ keep: failures > 0 })
  if (failures > 0) say(`left in ${world.dir}`)
  return failures === 0
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
