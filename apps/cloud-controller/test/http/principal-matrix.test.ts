import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ec2ActionByName } from '../../src/actions/ec2-actions.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'
import { baseRequests } from '../coverage/base-requests.ts'
import { CoverageWorld } from '../coverage/coverage-world.ts'
import { principalsOf, type PrincipalKind } from './principals.ts'
import { dumpRecord } from './record-dump.ts'

/**
 * Every action that EC2's door performs × every kind of principal: whoever may, may; whoever may not is refused with
 * EC2's code and status, dry run or not, and nothing of it is done.
 */
let cloud: CloudUnderTest
let world: CoverageWorld
let principals: readonly PrincipalKind[]

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none', pollSeconds: 3_600 })
  const nodeId = await cloud.addNode('node-1', {
    ...{ vcpus: 100_000, memoryMiB: 100_000_000, diskGiB: 10_000_000 },
  })
  await cloud.addStorage()
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.updateTable('quota').set({ value: 100_000 }).execute()
  })
  world = new CoverageWorld(cloud, await cloud.plantImage(cloud.admin.accountId))
  principals = await principalsOf(cloud, nodeId, world.imageId)
})
afterAll(() => cloud.stop())

describe.each([...ec2ActionByName.keys()].map((name) => ({ name })))('$name', ({ name }) => {
  test('is for whom the policies allow it', async () => {
    const parameters = await baseRequests[name]!.request(world)
    await cloud.settled()
    const before = await dumpRecord(cloud)
    for (const { name: kind, who, fate } of principals) {
      const tried = await cloud.call(name, { ...parameters, DryRun: true }, { as: who })
      if (fate === 'allowed') {
        // Eucalyptus' own and the oldest actions know no dry run.
        expect(['DryRunOperation', 'UnknownParameter'], kind).toContain(tried.code)
        continue
      }
      if (tried.code !== 'UnknownParameter') expect([tried.status, tried.code], kind).toEqual(fate)
      const refused = await cloud.call(name, parameters, { as: who })
      expect([refused.status, refused.code], kind).toEqual(fate)
    }
    expect(await dumpRecord(cloud)).toEqual(before)
  })
})
