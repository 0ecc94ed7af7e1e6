import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AwsClient } from '../src/cloud-client.ts'
import { waitForImage } from '../src/commands/image.ts'
import type { Layout } from '../src/layout.ts'
import { DaemonsUnderTest } from './daemons-under-test.ts'
import { VolumeRaces } from './volume-races.ts'

/** `npm run long volume-races` runs the thousand. */
const rounds = Number(process.env['MALLEE_RACES'] ?? 40)
const missing = ['/usr/sbin/tgtd', '/usr/sbin/mkfs.xfs', '/usr/bin/qemu-io'].filter(
  (file) => !existsSync(file),
)
const canRun = process.getuid?.() === 0 && missing.length === 0
if (!canRun) console.warn(`SKIPPED: races for volumes, for want of root or of ${missing.join(', ')}`)

describe.skipIf(!canRun)('attach, detach and delete at the same time', () => {
  let daemons: DaemonsUnderTest
  let client: AwsClient
  let instances: [string, string]

  beforeAll(async () => {
    daemons = await DaemonsUnderTest.start({ storage: 'file' })
    const port = Number(new URL(daemons.endpoint).port)
    const layout = { ports: { door: port }, doorAddress: '127.0.0.1', choices: { region: 'us-east-1' } }
    client = new AwsClient(layout as unknown as Layout, { canonicalId: '', ...daemons.credentials })
    instances = await twoInstances()
  }, 120_000)
  afterAll(() => daemons?.stop(), 60_000)

  async function twoInstances(): Promise<[string, string]> {
    const disk = Buffer.alloc(2 * 1024 ** 2)
    disk.writeUInt16LE(0xaa55, 510)
    disk[446 + 4] = 0x83
    disk.writeUInt32LE(2048, 454)
    disk.writeUInt32LE(2048, 458)
    writeFileSync(path.join(daemons.dir, 'disk.raw'), disk)
    await client.createBucket('images')
    await client.putBytes('images', 'disk.raw', disk)
    const image = await client.ec2('RegisterImage', { Name: 'small', ImageLocation: 'images/disk.raw' })
    await waitForImage(client, image.imageId as string)
    await client.ec2('RunInstances', { ImageId: image.imageId as string, MinCount: 2, MaxCount: 2 })
    return daemons.eventually(async () => {
      const answer = await client.ec2('DescribeInstances')
      const found = answer.reservationSet.item[0].instancesSet.item as {
        instanceId: string
        instanceState: { name: string }
      }[]
      if (found.some(({ instanceState }) => instanceState.name !== 'running')) return null
      return found.map(({ instanceId }) => instanceId) as [string, string]
    }) as Promise<[string, string]>
  }

  test(
    'never makes two writers of a volume, an answer of 500, or anything that stays behind',
    { timeout: 60_000 + rounds * 4_000 },
    async () => {
      const races = new VolumeRaces({ daemons, client, instances, seed: 1 })
      const result = await races.run(rounds, (round) => {
        if (rounds > 100 && round % 50 === 0) process.stdout.write(`  ${round} rounds\n`)
      })
      console.log(`${rounds} rounds: ${JSON.stringify(result)}`)
      expect(result.secondWriters).toEqual([])
      expect(result.unfair).toEqual([])
      expect(result.stamps).toBeGreaterThan(rounds / 4) // else it would show nothing
      expect(Object.keys(result.calls)).toContain('AttachVolume ok')
      const found = await daemons.admin<{ findings: unknown[] }>('POST', '/admin/v1/fsck', {
        ...{ repair: false, agents: true, graceSeconds: 0, orphans: [] },
      })
      expect(found.findings).toEqual([])
    },
  )
})
