import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { allow, iamClient, keyOf, trustEc2 } from './iam-client.ts'

let cloud: CloudUnderTest
const iam = iamClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  await iam('CreateUser', { UserName: 'a,b', Path: '/p/' })
  await keyOf(iam, cloud.admin, 'a,b')
  await iam('CreateLoginProfile', { UserName: 'a,b', Password: 'Correct-Horse-1' })
  await iam('CreateGroup', { GroupName: 'g' })
  await iam('AddUserToGroup', { GroupName: 'g', UserName: 'a,b' })
  await iam('PutGroupPolicy', { GroupName: 'g', PolicyName: 'inline', PolicyDocument: allow('ec2:*') })
  await iam('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: trustEc2 })
  await iam('CreateInstanceProfile', { InstanceProfileName: 'i' })
  await iam('AddRoleToInstanceProfile', { InstanceProfileName: 'i', RoleName: 'r' })
  const policy = await iam('CreatePolicy', { PolicyName: 'own', PolicyDocument: allow('s3:*') })
  await iam('AttachRolePolicy', { RoleName: 'r', PolicyArn: policy.one('Arn')! })
  await iam('AttachRolePolicy', { RoleName: 'r', PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' })
})
afterAll(() => cloud.stop())

test('a summary counts what there is', async () => {
  const { body } = await iam('GetAccountSummary')
  const value = (name: string) => new RegExp(`<key>${name}</key><value>(\\d+)<`).exec(body)?.[1]
  expect(['Users', 'Groups', 'Roles', 'Policies', 'InstanceProfiles'].map(value)).toEqual(Array(5).fill('1'))
  expect(['AccountAccessKeysPresent', 'AccountMFAEnabled', 'UsersQuota'].map(value)).toEqual([
    '1',
    '0',
    '5000',
  ])
})

test('details of all, by kind and in pages', async () => {
  const all = await iam('GetAccountAuthorizationDetails')
  expect(all.one('UserName')).toBe('a,b')
  expect(new Set(all.all('PolicyName'))).toEqual(new Set(['inline', 'own', 'ReadOnlyAccess']))
  expect(all.all('InstanceProfileName')).toEqual(['i'])
  expect(all.all('VersionId')).toEqual(['v1', 'v1'])
  const roles = await iam('GetAccountAuthorizationDetails', { 'Filter.member.1': 'Role' })
  expect([roles.all('UserName'), new Set(roles.all('RoleName'))]).toEqual([[], new Set(['r'])])
  const seen: string[] = []
  let marker: string | undefined
  do {
    const page = await iam('GetAccountAuthorizationDetails', {
      MaxItems: 1,
      ...(marker ? { Marker: marker } : {}),
    })
    marker = page.one('Marker')
    seen.push(...[...page.body.matchAll(/<(UserId|GroupId|RoleId|PolicyId)>/g)].map((match) => match[1]!))
  } while (marker)
  expect(new Set(seen)).toEqual(new Set(['GroupId', 'PolicyId', 'RoleId', 'UserId']))
  expect((await iam('GetAccountAuthorizationDetails', { 'Filter.member.1': 'Nothing' })).code).toBe(
    'ValidationError',
  )
})

test('a credential report has AWS’s columns and a line for each, the root first', async () => {
  expect((await iam('GetCredentialReport')).code).toBe('ReportNotPresent')
  expect((await iam('GenerateCredentialReport')).one('State')).toBe('COMPLETE')
  const report = await iam('GetCredentialReport')
  expect(report.one('ReportFormat')).toBe('text/csv')
  const [head, root, user, ...more] = Buffer.from(report.one('Content')!, 'base64').toString().split('\n')
  expect(head).toBe(
    'user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,' +
      'mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,' +
      'access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,' +
      'access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,' +
      'cert_2_last_rotated',
  )
  expect(root).toContain(`<root_account>,arn:aws:iam::${cloud.admin.accountId}:root,`)
  expect(user).toContain(`"a,b","arn:aws:iam::${cloud.admin.accountId}:user/p/a,b",`)
  expect(user!.replaceAll(/"[^"]*"/g, '').split(',')[3]).toBe('true')
  expect(more).toEqual([])
})
