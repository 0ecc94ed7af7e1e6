import { expect, test } from 'vitest'
import type { AttachedVolume } from '@mallee/agent-contract'
import type { LiveDisk } from '../drivers/hypervisor/driver.ts'
import { planVolumes } from './plan-volumes.ts'

const volume = (number: number, changes: Partial<AttachedVolume> = {}): AttachedVolume => ({
  ...{ attachmentId: `vol-attach-${number}.1`, volumeId: `vol-0000000${number}`, device: '/dev/sdf' },
  ...{ root: false, sizeBytes: 100, iops: 0, bytesPerSecond: 0, ...changes },
})
const disk = (number: number, changes: Partial<LiveDisk> = {}): LiveDisk => ({
  ...{ target: 'vdf', serial: `vol0000000${number}`, source: `iqn:vol-attach-${number}.1/1`, sizeBytes: 100 },
  ...changes,
})
const iqnOf = (attachmentId: string) => `iqn:${attachmentId}`
const none = { attach: [], detach: [], grow: [], present: [] }

test('what is there as it should be is left alone', () => {
  const [wanted, there] = [volume(1), disk(1)]
  expect(planVolumes([wanted], [there], iqnOf)).toEqual({
    ...none,
    present: [{ volume: wanted, disk: there }],
  })
  expect(planVolumes([], [], iqnOf)).toEqual(none)
})

test('what is not there is plugged in, what is there and should not be is given back', () => {
  expect(planVolumes([volume(1)], [], iqnOf)).toEqual({ ...none, attach: [volume(1)] })
  expect(planVolumes([], [disk(1)], iqnOf)).toEqual({ ...none, detach: [disk(1)] })
})

test('disks that are no volumes are nobody’s concern', () => {
  const own = disk(1, { target: 'vda', serial: null, source: '/var/lib/disk.raw' })
  const other = disk(1, { serial: 'somebody’s' })
  expect(planVolumes([], [own, other], iqnOf)).toEqual(none)
})

test('a volume that came back by another target is plugged in when the guest has let go of the old one', () => {
  const again = volume(1, { attachmentId: 'vol-attach-1.2', device: '/dev/sdg' })
  expect(planVolumes([again], [disk(1)], iqnOf)).toEqual({ ...none, detach: [disk(1)] })
  expect(planVolumes([again], [], iqnOf)).toEqual({ ...none, attach: [again] })
})

test('a volume waits for the place of another that is still there', () => {
  expect(planVolumes([volume(2)], [disk(1)], iqnOf)).toEqual({ ...none, detach: [disk(1)] })
  const elsewhere = volume(2, { device: '/dev/sdg' })
  expect(planVolumes([elsewhere], [disk(1)], iqnOf)).toEqual({
    ...none,
    detach: [disk(1)],
    attach: [elsewhere],
  })
})

test('a disk by a target that nobody knows any more is not the volume’s', () => {
  expect(planVolumes([volume(1)], [disk(1)], () => undefined)).toEqual({ ...none, detach: [disk(1)] })
})

test('a guest is told of growth, and of nothing else', () => {
  const sizes = [
    [50, true],
    [100, false],
    [150, false],
    [null, false],
  ] as const
  for (const [sizeBytes, grows] of sizes) {
    const plan = planVolumes([volume(1)], [disk(1, { sizeBytes })], iqnOf)
    expect(plan.grow.length, String(sizeBytes)).toBe(grows ? 1 : 0)
    expect(plan.present.length).toBe(1)
  }
})
