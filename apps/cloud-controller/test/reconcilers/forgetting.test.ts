import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest } from '../cloud-under-test.ts'

const day = 24 * 3_600_000
let cloud: CloudUnderTest

beforeAll(async () => {
  cloud = await CloudUnderTest.start()
})
afterAll(() => cloud.stop())

const pass = async (name: string) => {
  const loop = cloud.cloud.loops.find((entry) => entry.name === name)!
  for (const id of await loop.list()) await loop.reconcile(id)
}

test('client tokens of last week and samples of last month are forgotten, younger ones are not', async () => {
  const now = Date.now()
  await cloud.cloud.record.transaction('action', async (tx) => {
    for (const [token, age] of [
      ['old', 8 * day],
      ['young', 6 * day],
    ] as const)
      await tx.db
        .insertInto('client_token')
        .values({
          account_id: cloud.admin.accountId,
          action: 'RunInstances',
          token,
          parameters: '',
          result: '[]',
          created_at: now - age,
        })
        .execute()
    for (const age of [16 * day, 14 * day])
      await tx.db
        .insertInto('sample')
        .values({
          instance_id: 'i-00000001',
          at: now - age,
          period_seconds: 60,
          cpu_percent: 1,
          disk_read_bytes: 0,
          disk_write_bytes: 0,
          network_in_bytes: 0,
          network_out_bytes: 0,
        })
        .execute()
  })
  await pass('client-tokens')
  await pass('samples')
  const left = await cloud.cloud.record.read(async (db) => ({
    tokens: await db.selectFrom('client_token').select('token').execute(),
    samples: await db.selectFrom('sample').select('at').execute(),
  }))
  expect(left).toEqual({ tokens: [{ token: 'young' }], samples: [{ at: now - 14 * day }] })
})

test('a client token longer than AWS takes is refused', async () => {
  await cloud.plantImage(cloud.admin.accountId)
  const launch = { ImageId: 'ami-0123456789abcdef0', MinCount: 1, MaxCount: 1 }
  const refused = await cloud.call('RunInstances', { ...launch, ClientToken: 'x'.repeat(65) })
  expect(refused.code).toBe('InvalidParameterValue')
})
