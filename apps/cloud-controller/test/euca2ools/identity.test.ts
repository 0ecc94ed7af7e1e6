/** Every euare command of euca2ools 3.4 that is IAM's: sent as it sends it, read as it reads it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest } from '../cloud-under-test.ts'
import { ClientWorld } from './client-world.ts'
import { identityCommands } from './identity-commands.ts'

let world: ClientWorld
beforeAll(async () => {
  world = new ClientWorld(await CloudUnderTest.start())
})
afterAll(() => world?.cloud.stop())

for (const { name, steps } of identityCommands)
  test(name, async () => {
    for (const step of steps) await world.play(step)
  })

test('nothing is left of them', async () => {
  const left = await world.cloud.cloud.record.read(async (db) => [
    ...(await db.selectFrom('user').select('name').where('is_root', '=', 0).execute()),
    ...(await db.selectFrom('iam_group').select('name').execute()),
    ...(await db.selectFrom('iam_role').select('name').execute()),
    ...(await db.selectFrom('account').select('name').where('name', '=', 'branch').execute()),
  ])
  expect(left).toEqual([])
})
