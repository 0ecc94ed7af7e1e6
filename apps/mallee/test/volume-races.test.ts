import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AwsClient } from '../src/cloud-client.ts'
import { DaemonsUnderTest } from './daemons-under-test.ts'
import { twoInstances } from './two-instances.ts'
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
    client = daemons.client()
    instances = await twoInstances(daemons, client)
  }, 120_000)
  afterAll(() => daemons?.stop(), 60_000)

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
