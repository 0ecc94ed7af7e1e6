import { afterAll, beforeAll, expect, test } from 'vitest'
import { iamResourcesOf } from '../../../src/actions/iam/iam-resources.ts'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { iamClient, keyOf, trustEc2 } from './iam-client.ts'

let cloud: CloudUnderTest
let keyId: string
const iam = iamClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  await iam('CreateUser', {
    UserName: 'u',
    Path: '/p/',
    'Tags.member.1.Key': 'k',
    'Tags.member.1.Value': 'v',
  })
  await iam('CreateGroup', { GroupName: 'g', Path: '/q/' })
  await iam('CreateRole', { RoleName: 'r', Path: '/s/', AssumeRolePolicyDocument: trustEc2 })
  await iam('CreateInstanceProfile', { InstanceProfileName: 'i' })
  keyId = (await keyOf(iam, cloud.admin, 'u')).accessKeyId
})
afterAll(() => cloud.stop())

const of = (action: string, input: Record<string, unknown> = {}) => {
  const { accountId } = cloud.admin
  const userArn = `arn:aws:iam::${accountId}:user/p/u`
  return cloud.cloud.record.read((db) => iamResourcesOf(db, { action, input, accountId, userArn }))
}
const boundary = 'arn:aws:iam::aws:policy/PowerUserAccess'

test.each<[string, Record<string, unknown>, string]>([
  ['GetUser', { UserName: 'u' }, 'user/p/u'],
  ['GetUser', {}, 'user/p/u'],
  ['ListAccessKeys', {}, 'user/p/u'],
  ['ChangePassword', {}, 'user/p/u'],
  ['CreateUser', { UserName: 'new', Path: '/a/b/' }, 'user/a/b/new'],
  ['CreateUser', { UserName: 'new' }, 'user/new'],
  ['CreateUser', { UserName: 'admin' }, 'user/admin'],
  // Eucalyptus' name of the account itself.
  ['CreateAccessKey', { UserName: 'admin' }, 'root'],
  ['UpdateUser', { UserName: 'u', NewPath: '/p/' }, 'user/p/u'],
  ['AddUserToGroup', { GroupName: 'g', UserName: 'u' }, 'group/q/g'],
  ['PutUserPolicy', { UserName: 'u', PolicyName: 'x' }, 'user/p/u'],
  ['AttachRolePolicy', { RoleName: 'r', PolicyArn: boundary }, 'role/s/r'],
  ['ListUsers', {}, 'user/'],
  ['ListRoles', { PathPrefix: '/s/' }, 'role/s/'],
  ['CreatePolicy', { PolicyName: 'x', Path: '/t/' }, 'policy/t/x'],
  ['CreateOpenIDConnectProvider', { Url: 'https://id.example.com/a' }, 'oidc-provider/id.example.com/a'],
  ['EnableMFADevice', { UserName: 'u', SerialNumber: 'arn:aws:iam::1:mfa/x' }, 'user/p/u'],
  ['CreateVirtualMFADevice', { VirtualMFADeviceName: 'x' }, 'mfa/x'],
])('%s %j is on %s', async (action, input, resource) => {
  const found = await of(action, input)
  expect(found.map((entry) => [entry.action, entry.resource])).toEqual([
    [`iam:${action}`, `arn:aws:iam::${cloud.admin.accountId}:${resource}`],
  ])
})

test.each<[string, Record<string, unknown>, string[]]>([
  ['UpdateUser', { UserName: 'u', NewUserName: 'v' }, ['user/p/u', 'user/p/v']],
  ['UpdateUser', { UserName: 'u', NewPath: '/a/b/' }, ['user/p/u', 'user/a/b/u']],
  ['UpdateGroup', { GroupName: 'g', NewGroupName: 'h', NewPath: '/' }, ['group/q/g', 'group/h']],
])('%s %j is on what it was and on what it becomes', async (action, input, resources) => {
  const found = await of(action, input)
  expect(found.map((entry) => entry.resource)).toEqual(
    resources.map((resource) => `arn:aws:iam::${cloud.admin.accountId}:${resource}`),
  )
})

test('some are on nothing, some on an ARN as it is given', async () => {
  for (const action of ['GetAccountSummary', 'ListPolicies', 'CreateAccount'])
    expect((await of(action))[0]!.resource).toBe('*')
  expect((await of('GetPolicy', { PolicyArn: boundary }))[0]!.resource).toBe(boundary)
  expect((await of('GetAccessKeyLastUsed', { AccessKeyId: keyId }))[0]!.resource).toContain(':user/p/u')
  expect((await of('GetAccessKeyLastUsed', { AccessKeyId: 'AKIANONE' }))[0]!.resource).toBe('*')
})

test('what conditions may ask', async () => {
  const context = async (action: string, input: Record<string, unknown>) =>
    (await of(action, input))[0]!.context
  expect(await context('GetUser', { UserName: 'u' })).toEqual({
    'aws:ResourceTag/k': 'v',
    'iam:ResourceTag/k': 'v',
  })
  expect(await context('CreateUser', { UserName: 'n', Tags: [{ Key: 'a', Value: 'b' }] })).toEqual({
    'aws:RequestTag/a': 'b',
    'aws:TagKeys': ['a'],
  })
  expect(await context('UntagUser', { UserName: 'none', TagKeys: ['x', 'y'] })).toEqual({
    'aws:TagKeys': ['x', 'y'],
  })
  expect(await context('AttachGroupPolicy', { GroupName: 'g', PolicyArn: boundary })).toEqual({
    'iam:PolicyARN': boundary,
  })
  expect(await context('CreateRole', { RoleName: 'n', PermissionsBoundary: boundary })).toEqual({
    'iam:PermissionsBoundary': boundary,
  })
  await iam('PutRolePermissionsBoundary', { RoleName: 'r', PermissionsBoundary: boundary })
  expect(await context('PutRolePolicy', { RoleName: 'r', PolicyName: 'x' })).toEqual({
    'iam:PermissionsBoundary': boundary,
  })
})

test('a role that is put into a profile is passed on', async () => {
  const [own, passed] = await of('AddRoleToInstanceProfile', { InstanceProfileName: 'i', RoleName: 'r' })
  expect(own!.resource).toContain(':instance-profile/i')
  expect(passed).toEqual({
    action: 'iam:PassRole',
    resource: `arn:aws:iam::${cloud.admin.accountId}:role/s/r`,
    context: { 'iam:PassedToService': 'ec2.amazonaws.com' },
  })
})
