import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { allow, iamClient, keyOf, trustEc2 } from './iam-client.ts'

let cloud: CloudUnderTest
const iam = iamClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
})
afterAll(() => cloud.stop())

test('a role is made, read, changed and deleted', async () => {
  const AssumeRolePolicyDocument = trustEc2
  const made = await iam('CreateRole', { RoleName: 'web', Path: '/app/', AssumeRolePolicyDocument })
  expect(made.one('Arn')).toBe(`arn:aws:iam::${cloud.admin.accountId}:role/app/web`)
  expect(made.one('RoleId')).toMatch(/^AROA/)
  expect(decodeURIComponent(made.one('AssumeRolePolicyDocument')!)).toBe(trustEc2)
  await iam('UpdateRole', { RoleName: 'web', Description: 'servers', MaxSessionDuration: 7200 })
  const read = await iam('GetRole', { RoleName: 'web' })
  expect([read.one('Description'), read.one('MaxSessionDuration')]).toEqual(['servers', '7200'])
  expect(
    (await iam('UpdateRoleDescription', { RoleName: 'web', Description: 'all' })).one('Description'),
  ).toBe('all')
  const trust = trustEc2.replace('ec2.amazonaws', 'other.amazonaws')
  await iam('UpdateAssumeRolePolicy', { RoleName: 'web', PolicyDocument: trust })
  const changed = (await iam('ListRoles', { PathPrefix: '/app/' })).one('AssumeRolePolicyDocument')
  expect(decodeURIComponent(changed!)).toBe(trust)
  expect((await iam('CreateRole', { RoleName: 'WEB', AssumeRolePolicyDocument })).code).toBe(
    'EntityAlreadyExists',
  )
  expect((await iam('DeleteRole', { RoleName: 'web' })).status).toBe(200)
  expect((await iam('GetRole', { RoleName: 'web' })).code).toBe('NoSuchEntity')
})

test('what cannot be is refused', async () => {
  const role = { RoleName: 'x', AssumeRolePolicyDocument: trustEc2 }
  const code = async (changes: Record<string, string | number>) =>
    (await iam('CreateRole', { ...role, ...changes })).code
  expect(await code({ AssumeRolePolicyDocument: allow('sts:AssumeRole') })).toBe('MalformedPolicyDocument')
  expect(await code({ MaxSessionDuration: 100 })).toBe('ValidationError')
  const many = JSON.parse(trustEc2) as { Statement: object[] }
  many.Statement = Array.from({ length: 30 }, () => many.Statement[0]!)
  expect(await code({ AssumeRolePolicyDocument: JSON.stringify(many) })).toBe('LimitExceeded')
  expect((await iam('GetRole', { RoleName: 'x' })).code).toBe('NoSuchEntity')
})

test('a role trusts nobody who is not there', async () => {
  const trusts = async (AWS: string) => {
    const statement = { Effect: 'Allow', Principal: { AWS }, Action: 'sts:AssumeRole' }
    const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
    const made = await iam('CreateRole', { RoleName: 'trusting', AssumeRolePolicyDocument })
    if (made.status === 200) await iam('DeleteRole', { RoleName: 'trusting' })
    return made.code
  }
  const own = (rest: string) => `arn:aws:iam::${cloud.admin.accountId}:${rest}`
  await iam('CreateUser', { UserName: 'friend', Path: '/p/' })
  expect(await trusts(own('user/p/friend'))).toBeUndefined()
  expect(await trusts(own('root'))).toBeUndefined()
  expect(await trusts(cloud.admin.accountId)).toBeUndefined()
  for (const nobody of [own('user/friend'), own('role/none'), '999999999999'])
    expect(await trusts(nobody)).toBe('MalformedPolicyDocument')
})

test('an instance profile holds one role, and keeps it', async () => {
  const profile = { InstanceProfileName: 'profile' }
  const made = await iam('CreateInstanceProfile', { ...profile, Path: '/p/' })
  expect(made.one('Arn')).toBe(`arn:aws:iam::${cloud.admin.accountId}:instance-profile/p/profile`)
  expect((await iam('CreateInstanceProfile', profile)).code).toBe('EntityAlreadyExists')
  for (const RoleName of ['one', 'two'])
    await iam('CreateRole', { RoleName, AssumeRolePolicyDocument: trustEc2 })
  expect((await iam('AddRoleToInstanceProfile', { ...profile, RoleName: 'one' })).status).toBe(200)
  expect((await iam('AddRoleToInstanceProfile', { ...profile, RoleName: 'two' })).code).toBe('LimitExceeded')
  const read = await iam('GetInstanceProfile', profile)
  expect([read.all('InstanceProfileName'), read.all('RoleName')]).toEqual([['profile'], ['one']])
  const ofRole = await iam('ListInstanceProfilesForRole', { RoleName: 'one' })
  expect(ofRole.all('InstanceProfileName')).toEqual(['profile'])
  expect((await iam('ListInstanceProfiles', { PathPrefix: '/q/' })).all('InstanceProfileName')).toEqual([])
  expect((await iam('DeleteInstanceProfile', profile)).code).toBe('DeleteConflict')
  expect((await iam('DeleteRole', { RoleName: 'one' })).code).toBe('DeleteConflict')
  expect((await iam('RemoveRoleFromInstanceProfile', { ...profile, RoleName: 'two' })).code).toBe(
    'NoSuchEntity',
  )
  expect((await iam('RemoveRoleFromInstanceProfile', { ...profile, RoleName: 'one' })).status).toBe(200)
  expect((await iam('DeleteInstanceProfile', profile)).status).toBe(200)
  expect((await iam('GetInstanceProfile', profile)).code).toBe('NoSuchEntity')
})

test('groups and their members', async () => {
  expect((await iam('CreateGroup', { GroupName: 'dev', Path: '/d/' })).one('GroupId')).toMatch(/^AGPA/)
  for (const UserName of ['ann', 'ben', 'cat']) {
    await iam('CreateUser', { UserName })
    await iam('AddUserToGroup', { GroupName: 'dev', UserName })
  }
  await iam('AddUserToGroup', { GroupName: 'dev', UserName: 'ann' })
  const first = await iam('GetGroup', { GroupName: 'dev', MaxItems: 2 })
  expect([first.all('UserName'), first.one('IsTruncated')]).toEqual([['ann', 'ben'], 'true'])
  const rest = await iam('GetGroup', { GroupName: 'dev', Marker: first.one('Marker')! })
  expect(rest.all('UserName')).toEqual(['cat'])
  expect((await iam('UpdateGroup', { GroupName: 'dev', NewGroupName: 'Dev' })).status).toBe(200)
  expect((await iam('ListGroupsForUser', { UserName: 'ann' })).all('GroupName')).toEqual(['Dev'])
  expect((await iam('DeleteGroup', { GroupName: 'Dev' })).code).toBe('DeleteConflict')
  for (const UserName of ['ann', 'ben', 'cat'])
    await iam('RemoveUserFromGroup', { GroupName: 'Dev', UserName })
  expect((await iam('DeleteGroup', { GroupName: 'Dev' })).status).toBe(200)
  for (let count = 0; count < 11; count += 1) {
    await iam('CreateGroup', { GroupName: `g${count}` })
    const added = await iam('AddUserToGroup', { GroupName: `g${count}`, UserName: 'ann' })
    expect(added.code).toBe(count < 10 ? undefined : 'LimitExceeded')
  }
  expect((await iam('AddUserToGroup', { GroupName: 'none', UserName: 'ann' })).code).toBe('NoSuchEntity')
})

test('two access keys, switched and deleted', async () => {
  await iam('CreateUser', { UserName: 'keys' })
  const key = await keyOf(iam, cloud.admin, 'keys')
  await keyOf(iam, cloud.admin, 'keys')
  expect((await iam('CreateAccessKey', { UserName: 'keys' })).code).toBe('LimitExceeded')
  const named = { UserName: 'keys', AccessKeyId: key.accessKeyId }
  expect((await iam('UpdateAccessKey', { ...named, Status: 'Inactive' })).status).toBe(200)
  const listed = await iam('ListAccessKeys', { UserName: 'keys' })
  expect(listed.all('Status').toSorted()).toEqual(['Active', 'Inactive'])
  expect(listed.body).not.toContain(key.secretAccessKey)
  expect((await iam('UpdateAccessKey', { ...named, Status: 'Expired' })).code).toBe('ValidationError')
  expect((await iam('UpdateAccessKey', { ...named, UserName: 'ann', Status: 'Active' })).code).toBe(
    'NoSuchEntity',
  )
  const used = await iam('GetAccessKeyLastUsed', { AccessKeyId: key.accessKeyId })
  expect([used.one('UserName'), used.one('ServiceName')]).toEqual(['keys', 'N/A'])
  const other = await cloud.createAccount('other')
  expect((await iam('GetAccessKeyLastUsed', { AccessKeyId: key.accessKeyId }, other)).code).toBe(
    'AccessDenied',
  )
  expect((await iam('DeleteAccessKey', named)).status).toBe(200)
  expect((await iam('DeleteAccessKey', named)).code).toBe('NoSuchEntity')
})
