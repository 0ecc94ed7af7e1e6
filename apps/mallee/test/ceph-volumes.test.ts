import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPrivateCeph, whyNoCeph, type PrivateCeph } from '@mallee/testkit'
import type { AwsClient, XmlAnswer } from '../src/cloud-client.ts'
import { DaemonsUnderTest } from './daemons-under-test.ts'
import { twoInstances } from './two-instances.ts'
import { VolumeRaces } from './volume-races.ts'

/** Real Ceph: `npm run long ceph`. */
const missing = process.env['MALLEE_CEPH'] === undefined ? 'MALLEE_CEPH is not set' : whyNoCeph()
if (missing) console.warn(`SKIPPED: a cloud with its volumes in Ceph, because ${missing}`)

describe.skipIf(missing !== null)('a cloud with its volumes in Ceph', () => {
  let ceph: PrivateCeph
  let daemons: DaemonsUnderTest
  let client: AwsClient

  beforeAll(async () => {
    ceph = await startPrivateCeph()
    const { conf, user, pool } = ceph
    daemons = await DaemonsUnderTest.start({ storage: { conf, user, pool } })
    client = daemons.client()
  }, 240_000)
  afterAll(async () => {
    await daemons?.stop()
    await ceph?.stop()
  }, 60_000)

  const settled = (action: string, set: string, state: string, id: string) =>
    daemons.eventually(async () => {
      const found = ((await client.ec2(action))[set]?.item ?? []) as XmlAnswer[]
      return found.some((entry) => JSON.stringify(entry).includes(id) && entry.status === state)
    })

  test('snapshots go to walrus and come back, and nothing of the volume is left in the pool', async () => {
    const zone = { AvailabilityZone: 'us-east-1a' }
    const { volumeId } = await client.ec2('CreateVolume', { ...zone, Size: 1 })
    await settled('DescribeVolumes', 'volumeSet', 'available', volumeId)
    // As a guest's writes arrive in the pool.
    await ceph.rbd(
      'bench',
      `volumes/${volumeId}`,
      '--io-type',
      'write',
      '--io-total',
      '8M',
      '--io-size',
      '1M',
    )
    const { snapshotId } = await client.ec2('CreateSnapshot', { VolumeId: volumeId })
    await settled('DescribeSnapshots', 'snapshotSet', 'completed', snapshotId)
    const sumOf = async (image: string) => {
      const file = path.join(daemons.dir, image)
      await ceph.rbd('export', `volumes/${image}`, file, '--no-progress')
      const hash = createHash('sha256')
      for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
      return hash.digest('hex')
    }
    const written = await sumOf(volumeId)
    await client.ec2('DeleteVolume', { VolumeId: volumeId })
    await daemons.restart('storage-controller')
    const restored = await client.ec2('CreateVolume', { ...zone, SnapshotId: snapshotId })
    await settled('DescribeVolumes', 'volumeSet', 'available', restored.volumeId)
    expect(await sumOf(restored.volumeId)).toBe(written)
    await client.ec2('DeleteVolume', { VolumeId: restored.volumeId })
    await client.ec2('DeleteSnapshot', { SnapshotId: snapshotId })
    await daemons.eventually(async () => (await ceph.rbd('ls', 'volumes')).trim() === '')
  }, 240_000)

  test('encrypted volumes are refused: that is the cluster’s own affair', async () => {
    const asked = client.ec2('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: 1, Encrypted: true })
    await expect(asked).rejects.toThrow('InsufficientVolumeCapacity')
  })

  test('races make no two writers, and leave nothing', async () => {
    const instances = await twoInstances(daemons, client)
    const result = await new VolumeRaces({ daemons, client, instances, seed: 2 }).run(30)
    console.log(`30 rounds: ${JSON.stringify(result)}`)
    expect(result.secondWriters).toEqual([])
    expect(result.unfair).toEqual([])
    expect(result.stamps).toBeGreaterThan(5)
    const found = await daemons.admin<{ findings: unknown[] }>('POST', '/admin/v1/fsck', {
      ...{ repair: false, agents: true, graceSeconds: 0, orphans: [] },
    })
    expect(found.findings).toEqual([])
    expect((await ceph.rbd('ls', 'volumes')).trim()).toBe('')
  }, 300_000)
})
