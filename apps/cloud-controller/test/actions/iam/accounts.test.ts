import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { allow, iamClient, keyOf, trustEc2 } from './iam-client.ts'

let cloud: CloudUnderTest
let other: Credentials
const iam = iamClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
})
afterAll(() => cloud.stop())

const limit = JSON.stringify({
  Statement: [
    {
      Effect: 'Limit',
      Action: 'ec2:RunInstances',
      Resource: '*',
      Condition: { NumericLessThanEquals: { 'ec2:quota-vminstancenumber': '4' } },
    },
  ],
})

test('an account is made, its root gets a key by the administrator, and works', async () => {
  const made = await iam('CreateAccount', { AccountName: 'shop' })
  expect(made.one('AccountName')).toBe('shop')
  const AccountId = made.one('AccountId')!
  expect(AccountId).toMatch(/^\d{12}$/)
  const key = await iam('CreateAccessKey', { UserName: 'admin', DelegateAccount: 'shop' })
  const root: Credentials = {
    accountId: AccountId,
    accessKeyId: key.one('AccessKeyId')!,
    secretAccessKey: key.one('SecretAccessKey')!,
  }
  expect((await iam('GetUser', {}, root)).one('Arn')).toBe(`arn:aws:iam::${AccountId}:root`)
  const vpcs = await cloud.call('DescribeVpcs', {}, { as: root })
  expect(vpcs.body).toContain('<isDefault>true</isDefault>')
  expect((await iam('ListAccounts')).all('AccountName').toSorted()).toEqual(['mallee', 'other', 'shop'])
  expect((await iam('CreateAccount', { AccountName: 'shop' })).code).toBe('EntityAlreadyExists')
  expect((await iam('CreateAccount', { AccountName: '123456789012' })).code).toBe('ValidationError')
  expect((await iam('CreateAccount', { AccountName: 'a b' })).code).toBe('ValidationError')
  const nameless = await iam('CreateAccount')
  expect(nameless.one('AccountName')).toMatch(/^account-/)
})

test('only administrators of the cloud', async () => {
  for (const [action, parameters] of [
    ['CreateAccount', { AccountName: 'x' }],
    ['ListAccounts', {}],
    ['DeleteAccount', { AccountName: 'other' }],
    ['PutAccountPolicy', { AccountName: 'other', PolicyName: 'p', PolicyDocument: limit }],
    ['GetAccountPolicy', { AccountName: 'other', PolicyName: 'p' }],
    ['DeleteAccountPolicy', { AccountName: 'other', PolicyName: 'p' }],
    ['ListAccountPolicies', { AccountName: 'other' }],
    ['GetLdapSyncStatus', {}],
    ['ListUsers', { DelegateAccount: 'mallee' }],
    ['ListUsers', { AccountName: 'mallee' }],
  ] as const) {
    const answer = await iam(action, parameters, other)
    expect([answer.code, answer.status], action).toEqual(['AccessDenied', 403])
  }
  const status = await iam('GetLdapSyncStatus')
  expect([status.one('SyncEnabled'), status.one('InSync')]).toEqual(['false', 'false'])
})

test('an administrator acts in another account, and events name who it was', async () => {
  const named = { UserName: 'made-for-them' }
  for (const parameter of ['DelegateAccount', 'AccountName'])
    expect((await iam('ListUsers', { [parameter]: 'other' })).status).toBe(200)
  const made = await iam('CreateUser', { ...named, DelegateAccount: other.accountId })
  expect(made.one('Arn')).toBe(`arn:aws:iam::${other.accountId}:user/made-for-them`)
  expect((await iam('GetUser', named, other)).status).toBe(200)
  expect((await iam('GetUser', named)).code).toBe('NoSuchEntity')
  expect((await iam('GetUser', { DelegateAccount: 'other' })).one('UserId')).toBe(other.accountId)
  expect((await iam('ListUsers', { DelegateAccount: 'nobody' })).code).toBe('NoSuchEntity')
  const event = await cloud.cloud.record.read((db) =>
    db
      .selectFrom('event')
      .innerJoin('event_resource', 'event_resource.event_id', 'event.id')
      .select(['event.account_id', 'event.access_key_id'])
      .where('resource_id', '=', made.one('UserId')!)
      .executeTakeFirst(),
  )
  expect(event).toEqual({ account_id: cloud.admin.accountId, access_key_id: cloud.admin.accessKeyId })
})

test('policies of accounts deny and limit, and allow nothing', async () => {
  const put = (PolicyDocument: string) =>
    iam('PutAccountPolicy', { AccountName: 'other', PolicyName: 'quota', PolicyDocument })
  expect((await put(limit)).status).toBe(200)
  const read = await iam('GetAccountPolicy', { AccountName: 'other', PolicyName: 'quota' })
  expect(decodeURIComponent(read.one('PolicyDocument')!)).toBe(limit)
  expect((await iam('ListAccountPolicies', { AccountName: other.accountId })).all('member')).toEqual([
    'quota',
  ])
  expect((await put(allow('ec2:*'))).code).toBe('MalformedPolicyDocument')
  expect((await put(allow('ec2:*').replace('Allow', 'Deny'))).status).toBe(200)
  expect((await put(limit.replace('"4"', '"four"'))).code).toBe('MalformedPolicyDocument')
  expect((await put(limit.replace('NumericLess', 'StringLess'))).code).toBe('MalformedPolicyDocument')
  const named = { AccountName: 'other', PolicyName: 'quota' }
  expect((await iam('DeleteAccountPolicy', named)).status).toBe(200)
  expect((await iam('DeleteAccountPolicy', named)).code).toBe('NoSuchEntity')
  expect((await iam('GetAccountPolicy', named)).code).toBe('NoSuchEntity')
})

test('an account is held to the limits of its policies, and to none that nobody counts', async () => {
  await cloud.createAccount('small')
  const put = (PolicyDocument: string) =>
    iam('PutAccountPolicy', { AccountName: 'small', PolicyName: 'quota', PolicyDocument })
  const of = (key: string, most: string) =>
    limit.replace('ec2:quota-vminstancenumber', key).replace('4', most)
  expect((await put(of('s3:quota-bucketnumber', '1'))).code).toBe('MalformedPolicyDocument')
  expect((await put(of('iam:quota-usernumber', '1'))).status).toBe(200)
  const create = async (UserName: string) =>
    (await iam('CreateUser', { UserName, DelegateAccount: 'small' })).code
  expect([await create('one'), await create('two')]).toEqual([undefined, 'LimitExceeded'])
  await put(of('iam:quota-usernumber', '2'))
  expect([await create('two'), await create('three')]).toEqual([undefined, 'LimitExceeded'])
})

test('what is left keeps an account; recursively its identities go, and no row stays', async () => {
  const gone = await cloud.createAccount('gone')
  await iam('CreateUser', { UserName: 'u' }, gone)
  await keyOf(iam, gone, 'u')
  await iam('PutUserPolicy', { UserName: 'u', PolicyName: 'p', PolicyDocument: allow('ec2:*') }, gone)
  await iam('CreateGroup', { GroupName: 'g' }, gone)
  await iam('AddUserToGroup', { GroupName: 'g', UserName: 'u' }, gone)
  const role = { RoleName: 'r', AssumeRolePolicyDocument: trustEc2 }
  await iam('CreateRole', { ...role, 'Tags.member.1.Key': 'k', 'Tags.member.1.Value': 'v' }, gone)
  await iam('CreateInstanceProfile', { InstanceProfileName: 'i' }, gone)
  await iam('AddRoleToInstanceProfile', { InstanceProfileName: 'i', RoleName: 'r' }, gone)
  await iam('CreatePolicy', { PolicyName: 'p', PolicyDocument: allow('s3:*') }, gone)
  await iam('CreateSigningCertificate', {}, gone)
  await iam('PutAccountPolicy', { AccountName: 'gone', PolicyName: 'quota', PolicyDocument: limit })
  const kept = await cloud.call('CreateKeyPair', { KeyName: 'k' }, { as: gone })
  expect(kept.status).toBe(200)
  const plain = await iam('DeleteAccount', { AccountName: 'gone' })
  expect(plain.code).toBe('DeleteConflict')
  expect(plain.message).toContain('key pairs, users, groups, roles, policies, instance profiles')
  const recursive = await iam('DeleteAccount', { AccountName: 'gone', Recursive: 'true' })
  expect(recursive.message).toContain('it still has key pairs.')
  await cloud.call('DeleteKeyPair', { KeyName: 'k' }, { as: gone })
  expect((await iam('DeleteAccount', { AccountName: 'gone', Recursive: 'true' })).status).toBe(200)
  expect(await rowsOf(gone.accountId)).toEqual([])
  expect((await iam('GetUser', {}, gone)).status).toBe(403)
  expect((await iam('DeleteAccount', { AccountName: 'gone' })).code).toBe('NoSuchEntity')
  expect((await iam('DeleteAccount', { AccountName: 'mallee', Recursive: 'true' })).code).toBe('AccessDenied')
})

/** What was done and used is told for ever. */
const told = new Set(['event', 'api_call', 'usage_interval', 'usage_amount'])

/** The tables in which anything else is left of an account. */
async function rowsOf(accountId: string): Promise<string[]> {
  return cloud.cloud.record.read(async (db) => {
    const tables = (await db.introspection.getTables()).filter(({ name }) => !told.has(name))
    const left: string[] = []
    for (const { name, columns } of tables) {
      const texts = columns.filter((column) => ['account_id', 'owner_id'].includes(column.name))
      for (const column of texts) {
        const found = await sql<{ count: number }>`select count(*) as count from ${sql.table(name)}
          where ${sql.ref(column.name)} = ${accountId}`.execute(db)
        if (Number(found.rows[0]!.count) > 0) left.push(`${name}.${column.name}`)
      }
    }
    const owned = await db.selectFrom('iam_tag').selectAll().execute()
    return [...left, ...owned.map((row) => `iam_tag of ${row.owner_id}`)]
  })
}

test('texts about users', async () => {
  await iam('CreateUser', { UserName: 'info' })
  const set = (parameters: Record<string, string>) =>
    iam('UpdateUserInfo', { UserName: 'info', ...parameters })
  expect((await set({ InfoKey: 'email', InfoValue: 'a@example.com' })).status).toBe(200)
  await set({ InfoKey: 'phone', InfoValue: '1' })
  expect((await iam('GetUserInfo', { UserName: 'info' })).all('Key')).toEqual(['email', 'phone'])
  const one = await iam('GetUserInfo', { UserName: 'info', InfoKey: 'phone' })
  expect(one.all('Value')).toEqual(['1'])
  await set({ InfoKey: 'phone' })
  expect((await iam('GetUserInfo', { UserName: 'info' })).all('Key')).toEqual(['email'])
  expect((await iam('GetUserInfo', { UserName: 'nobody' })).code).toBe('NoSuchEntity')
  expect((await set({})).code).toBe('ValidationError')
})
