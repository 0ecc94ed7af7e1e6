import { afterEach, beforeEach, expect, test } from 'vitest'
import { Capacity } from '../../src/store/capacity.ts'
import { nextUsageRevision, useByNode } from '../../src/store/instance-store.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let image: string
beforeEach(async () => {
  cloud = await CloudUnderTest.start()
  image = await cloud.plantImage(cloud.admin.accountId)
})
afterEach(() => cloud.stop())

const launch = () => cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 })
const request = {
  minCount: 1,
  maxCount: 1,
  availabilityZone: null,
  architecture: 'x86_64',
  vcpus: 1,
  memoryMiB: 512,
  diskGiB: 8,
}

async function seenBy(capacity: Capacity) {
  return cloud.cloud.record.transaction('action', async (tx) => {
    const now = await capacity.at(tx)
    const plan = now.plan({ request, policy: 'spread', cursor: null })
    const account = now.accountUse(cloud.admin.accountId)
    return { best: plan.decision.best.map((entry) => `${entry.name} ${entry.fits}`).toSorted(), account }
  })
}

test('one that followed every change knows what one knows that reads everything now', async () => {
  await cloud.addNode('one')
  const following = new Capacity(cloud.cloud.record.engine)
  await seenBy(following)
  const ids: string[] = []
  for (let round = 0; round < 4; round += 1) {
    const answer = await launch()
    ids.push(answer.xml.instancesSet.item[0].instanceId as string)
    expect(await seenBy(following)).toEqual(await seenBy(new Capacity(cloud.cloud.record.engine)))
  }
  await cloud.addNode('two')
  await cloud.cloud.adminDoor.inject({ method: 'POST', url: '/admin/v1/agents/one/drain' })
  expect(await seenBy(following)).toEqual(await seenBy(new Capacity(cloud.cloud.record.engine)))
  await cloud.call('TerminateInstances', { 'InstanceId.1': ids[0]! })
  await cloud.settled()
  const seen = await seenBy(following)
  expect(seen).toEqual(await seenBy(new Capacity(cloud.cloud.record.engine)))
  const rows = await cloud.cloud.record.read(useByNode)
  expect(seen.account.instances).toBe([...rows.values()].reduce((sum, use) => sum + use.instances, 0))
})

test('a launch that fails half-way leaves nothing counted', async () => {
  await cloud.addNode('one')
  const following = new Capacity(cloud.cloud.record.engine)
  await launch()
  await expect(
    cloud.cloud.record.transaction('action', async (tx) => {
      await following.at(tx)
      await tx.db.updateTable('instance').set({ vcpus: 7, usage_revision: nextUsageRevision }).execute()
      throw new Error('half-way')
    }),
  ).rejects.toThrow('half-way')
  await launch()
  const seen = await seenBy(following)
  expect(seen.account.instances).toBe(2)
  expect(seen).toEqual(await seenBy(new Capacity(cloud.cloud.record.engine)))
})

test('rows that are deleted give their revisions to nobody', async () => {
  const node = await cloud.addNode('one')
  const following = new Capacity(cloud.cloud.record.engine)
  const ids: string[] = []
  for (let round = 0; round < 4; round += 1)
    ids.push((await launch()).xml.instancesSet.item[0].instanceId as string)
  await cloud.settled()
  for (const id of ids.slice(1)) {
    await cloud.call('TerminateInstances', { 'InstanceId.1': id })
    await cloud.settled()
    await cloud.reportDomain(node, `${id}/1`, { state: 'gone' })
  }
  await seenBy(following)
  await cloud.cloud.record.transaction('reconcile', async (tx) => {
    await tx.db.updateTable('instance').set({ state_changed_at: 0 }).where('id', 'in', ids.slice(1)).execute()
  })
  const forgetting = cloud.cloud.loops.find((loop) => loop.name === 'terminated')!
  for (const id of await forgetting.list()) await forgetting.reconcile(id)
  expect(
    await cloud.cloud.record.read((db) => db.selectFrom('instance').select('id').execute()),
  ).toHaveLength(1)
  for (let round = 0; round < 3; round += 1) await launch()
  const seen = await seenBy(following)
  expect(seen.account.instances).toBe(4)
  expect(seen).toEqual(await seenBy(new Capacity(cloud.cloud.record.engine)))
})
