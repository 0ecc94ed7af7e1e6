import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { PolicyLimit } from '../../src/identity/policy-limits.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'

const limits = vi.hoisted(() => ({ now: [] as PolicyLimit[] }))
vi.mock(import('../../src/identity/policy-limits.ts'), async (original) => ({
  ...(await original()),
  policyLimits: () => Promise.resolve(limits.now),
}))

let cloud: CloudUnderTest
let other: Credentials
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
  await cloud.addNode('roomy')
  await cloud.addStorage()
  await cloud.plantImage(other.accountId)
})
afterAll(() => cloud.stop())
afterEach(() => {
  limits.now = []
})

const setQuota = (name: string, value: number) =>
  cloud.cloud.adminDoor.inject({
    method: 'POST',
    url: '/admin/v1/quotas',
    payload: { accountId: other.accountId, name, value },
  })
const launch = { ImageId: 'ami-0123456789abcdef0', MinCount: 1, MaxCount: 1, InstanceType: 't3.micro' }
const countOf = (table: 'instance' | 'volume' | 'key_pair' | 'address' | 'snapshot' | 'vpc') =>
  cloud.cloud.record.read(async (db) => {
    // Addresses that instances were lent are in the table too, and no quota counts them.
    if (table === 'address') {
      const rows = await db
        .selectFrom(table)
        .select('allocation_id')
        .where('account_id', '=', other.accountId)
        .execute()
      return rows.filter((row) => row.allocation_id !== null).length
    }
    const { count } = await db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('account_id', '=', other.accountId)
      .executeTakeFirstOrThrow()
    return Number(count)
  })

test.each([
  ['instances', 'instance', 'RunInstances', launch, 'InstanceLimitExceeded', 5],
  [
    'volumes',
    'volume',
    'CreateVolume',
    { Size: 1, AvailabilityZone: 'us-east-1a' },
    'VolumeLimitExceeded',
    4,
  ],
  ['elastic-addresses', 'address', 'AllocateAddress', {}, 'AddressLimitExceeded', 3],
  ['vpcs', 'vpc', 'CreateVpc', { CidrBlock: '10.9.0.0/16' }, 'VpcLimitExceeded', 3],
] as const)(
  'claims at once never pass the edge of %s',
  async (name, table, action, parameters, code, most) => {
    const limit = most ?? (await countOf(table)) + 3
    const room = limit - (await countOf(table))
    await setQuota(name, limit)
    const answers = await Promise.all(
      Array.from({ length: room + 8 }, () => cloud.call(action, { ...parameters }, { as: other })),
    )
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(room)
    expect(new Set(answers.filter((answer) => answer.status !== 200).map((answer) => answer.code))).toEqual(
      new Set([code]),
    )
    expect(await countOf(table)).toBe(limit)
    // What lent addresses instances have is in the table too: the quota counts what was allocated.
  },
)

test("a policy's limit that is narrower than the quota holds, for the account and for the user", async () => {
  await setQuota('instances', 100)
  const present = await countOf('instance')
  limits.now = [{ name: 'instances', most: present + 1, of: 'account' }]
  const answers = await Promise.all([1, 2, 3].map(() => cloud.call('RunInstances', launch, { as: other })))
  expect(answers.map((answer) => answer.status).toSorted()).toEqual([200, 400, 400])
  limits.now = [{ name: 'instances', most: present + 1, of: 'user' }]
  const refused = await cloud.call('RunInstances', launch, { as: other })
  expect([refused.code, refused.message]).toEqual([
    'InstanceLimitExceeded',
    expect.stringContaining(`limit of ${present + 1}`),
  ])
  limits.now = [{ name: 'instances', most: present + 2, of: 'user' }]
  expect((await cloud.call('RunInstances', launch, { as: other })).status).toBe(200)
  limits.now = [{ name: 'vpcs', most: 0, of: 'account' }]
  expect((await cloud.call('CreateKeyPair', { KeyName: 'free' }, { as: other })).status).toBe(200)
})
