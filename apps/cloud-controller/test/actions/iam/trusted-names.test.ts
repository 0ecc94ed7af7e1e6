import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { stsClient, trusts } from '../sts/sts-client.ts'
import { iamClient, keyOf } from './iam-client.ts'

/** Trust is in whom a policy named, and not in whoever has that name later. */
let cloud: CloudUnderTest
const iam = iamClient(() => cloud)
const sts = stsClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
})
afterAll(() => cloud.stop())

const userArn = (name: string) => `arn:aws:iam::${cloud.admin.accountId}:user/${name}`
const assume = async (role: string, as: Credentials) =>
  (
    await sts(
      'AssumeRole',
      { RoleArn: `arn:aws:iam::${cloud.admin.accountId}:role/${role}`, RoleSessionName: 'one' },
      as,
    )
  ).status
const trustOf = async (RoleName: string) =>
  decodeURIComponent((await iam('GetRole', { RoleName })).one('AssumeRolePolicyDocument')!)
const remove = async (UserName: string, { accessKeyId: AccessKeyId }: Credentials) => {
  await iam('DeleteAccessKey', { UserName, AccessKeyId })
  expect((await iam('DeleteUser', { UserName })).status).toBe(200)
}

test.each([
  ['as it is', (document: string) => document],
  ['with escapes', (document: string) => document.replaceAll('user/', String.raw`us\u0065r\/`)],
])('a user made again under a deleted one’s name is not trusted: %s', async (_how, written) => {
  const UserName = `bob_${_how.length}`
  const made = await iam('CreateUser', { UserName })
  const first = await keyOf(iam, cloud.admin, UserName)
  const RoleName = `mine-${_how.length}`
  const document = written(trusts({ AWS: [userArn(UserName)] }))
  const role = await iam('CreateRole', { RoleName, AssumeRolePolicyDocument: document })
  expect(role.status, role.body).toBe(200)
  expect(await assume(RoleName, first)).toBe(200)
  await remove(UserName, first)
  expect(await trustOf(RoleName)).toContain(`"AWS":["${made.one('UserId')}"]`)
  await iam('CreateUser', { UserName })
  const second = await keyOf(iam, cloud.admin, UserName)
  expect(await assume(RoleName, second)).toBe(403)
  await remove(UserName, second)
})

test('a renamed user stays trusted, and who takes its old name is not', async () => {
  await iam('CreateUser', { UserName: 'eve' })
  const eve = await keyOf(iam, cloud.admin, 'eve')
  await iam('CreateRole', { RoleName: 'eves', AssumeRolePolicyDocument: trusts({ AWS: userArn('eve') }) })
  await iam('UpdateUser', { UserName: 'eve', NewUserName: 'eva', NewPath: '/people/' })
  expect(await assume('eves', eve)).toBe(200)
  expect(await trustOf('eves')).toContain(userArn('people/eva'))
  await iam('CreateUser', { UserName: 'eve' })
  expect(await assume('eves', await keyOf(iam, cloud.admin, 'eve'))).toBe(403)
})

test('a deleted role is not trusted under its name either', async () => {
  const AssumeRolePolicyDocument = trusts({ AWS: cloud.admin.accountId })
  const made = await iam('CreateRole', { RoleName: 'first', AssumeRolePolicyDocument })
  const trust = trusts({ AWS: made.one('Arn')! })
  await iam('CreateRole', { RoleName: 'second', AssumeRolePolicyDocument: trust })
  await iam('DeleteRole', { RoleName: 'first' })
  expect(await trustOf('second')).toContain(`"AWS":"${made.one('RoleId')}"`)
})
