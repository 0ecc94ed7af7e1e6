import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { allow, iamClient, keyOf } from './iam-client.ts'

let cloud: CloudUnderTest
let other: Credentials
const iam = iamClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
})
afterAll(() => cloud.stop())

test('a user is made, read, listed, renamed and deleted', async () => {
  const made = await iam('CreateUser', {
    UserName: 'alice',
    Path: '/division/',
    'Tags.member.1.Key': 'team',
    'Tags.member.1.Value': 'x',
  })
  expect(made.one('Arn')).toBe(`arn:aws:iam::${cloud.admin.accountId}:user/division/alice`)
  expect(made.one('UserId')).toMatch(/^AIDA[A-Z2-7]{17}$/)
  expect(made.one('Key')).toBe('team')
  expect((await iam('CreateUser', { UserName: 'ALICE' })).code).toBe('EntityAlreadyExists')
  expect((await iam('CreateUser', { UserName: 'alice' }, other)).status).toBe(200)
  const changes = { UserName: 'alice', NewUserName: 'Alice', NewPath: '/' }
  expect((await iam('UpdateUser', changes)).status).toBe(200)
  const read = await iam('GetUser', { UserName: 'Alice' })
  expect([read.one('Arn'), read.one('UserId'), read.one('Value')]).toEqual([
    `arn:aws:iam::${cloud.admin.accountId}:user/Alice`,
    made.one('UserId'),
    'x',
  ])
  expect((await iam('GetUser', { UserName: 'alice' })).code).toBe('NoSuchEntity')
  expect((await iam('ListUsers')).all('UserName')).toEqual(['Alice'])
  expect((await iam('DeleteUser', { UserName: 'Alice' })).status).toBe(200)
  expect((await iam('ListUsers')).all('UserName')).toEqual([])
  const rows = await cloud.cloud.record.read((db) => db.selectFrom('iam_tag').selectAll().execute())
  expect(rows).toEqual([])
})

test('pages and paths', async () => {
  for (const name of ['c', 'a', 'b']) await iam('CreateUser', { UserName: name, Path: '/p/' }, other)
  const first = await iam('ListUsers', { MaxItems: 2, PathPrefix: '/p/' }, other)
  expect([first.all('UserName'), first.one('IsTruncated')]).toEqual([['a', 'b'], 'true'])
  const marker = first.one('Marker')!
  const second = await iam('ListUsers', { Marker: marker, PathPrefix: '/p/' }, other)
  expect([second.all('UserName'), second.one('IsTruncated')]).toEqual([['c'], 'false'])
  expect((await iam('ListUsers', { Marker: marker })).code).toBe('ValidationError')
  expect((await iam('ListUsers', { MaxItems: 0 })).code).toBe('ValidationError')
  expect((await iam('ListUsers', { PathPrefix: 'p' })).code).toBe('ValidationError')
})

test('the root is no user, and asks for itself', async () => {
  const self = await iam('GetUser', {}, other)
  expect([self.one('Arn'), self.one('UserId'), self.one('UserName')]).toEqual([
    `arn:aws:iam::${other.accountId}:root`,
    other.accountId,
    undefined,
  ])
  const old = await iam('GetUser', { UserName: 'admin' }, other)
  expect([old.one('Arn'), old.one('UserName')]).toEqual([`arn:aws:iam::${other.accountId}:root`, 'admin'])
  expect((await iam('DeleteUser', { UserName: 'admin' }, other)).code).toBe('NoSuchEntity')
  expect((await iam('GetUser', { UserName: '<root_account>' }, other)).code).toBe('ValidationError')
  await iam('CreateUser', { UserName: 'admin' }, other)
  expect((await iam('GetUser', { UserName: 'admin' }, other)).one('Arn')).toContain(':user/admin')
  await iam('DeleteUser', { UserName: 'admin' }, other)
})

test('what a user has keeps it from being deleted, each by its name', async () => {
  await iam('CreateUser', { UserName: 'bob' })
  await iam('CreateGroup', { GroupName: 'staff' })
  const key = await keyOf(iam, cloud.admin, 'bob')
  const conflict = async () => (await iam('DeleteUser', { UserName: 'bob' })).message
  expect(await conflict()).toContain('delete access keys')
  await iam('DeleteAccessKey', { UserName: 'bob', AccessKeyId: key.accessKeyId })
  await iam('AddUserToGroup', { GroupName: 'staff', UserName: 'bob' })
  expect(await conflict()).toContain('remove users from group')
  await iam('RemoveUserFromGroup', { GroupName: 'staff', UserName: 'bob' })
  await iam('PutUserPolicy', { UserName: 'bob', PolicyName: 'p', PolicyDocument: allow('ec2:*') })
  expect(await conflict()).toContain('delete policies')
  await iam('DeleteUserPolicy', { UserName: 'bob', PolicyName: 'p' })
  const attached = { UserName: 'bob', PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }
  await iam('AttachUserPolicy', attached)
  expect(await conflict()).toContain('detach all policies')
  await iam('DetachUserPolicy', attached)
  expect((await iam('DeleteUser', { UserName: 'bob' })).status).toBe(200)
  expect((await iam('DeleteUser', { UserName: 'bob' })).code).toBe('NoSuchEntity')
})

test('what cannot be is refused', async () => {
  const code = async (action: string, parameters: Record<string, string>) =>
    (await iam(action, parameters)).code
  expect(await code('CreateUser', {})).toBe('ValidationError')
  expect(await code('CreateUser', { UserName: 'a b' })).toBe('ValidationError')
  expect(await code('CreateUser', { UserName: 'a'.repeat(65) })).toBe('ValidationError')
  expect(await code('CreateUser', { UserName: 'x', Path: 'nope' })).toBe('ValidationError')
  const boundary = { UserName: 'x', PermissionsBoundary: 'arn:aws:iam::aws:policy/Nothing' }
  expect(await code('CreateUser', boundary)).toBe('NoSuchEntity')
  const tags = { 'Tags.member.1.Key': 'a', 'Tags.member.1.Value': '1' }
  const twice = { ...tags, 'Tags.member.2.Key': 'A', 'Tags.member.2.Value': '2' }
  expect(await code('CreateUser', { UserName: 'x', ...twice })).toBe('InvalidInput')
  expect(await code('GetUser', { UserName: 'x' })).toBe('NoSuchEntity')
  await iam('CreateUser', { UserName: 'one' })
  await iam('CreateUser', { UserName: 'two' })
  expect(await code('UpdateUser', { UserName: 'one', NewUserName: 'TWO' })).toBe('EntityAlreadyExists')
})

test('of what cannot be made there is none, and making it is refused by name', async () => {
  await iam('CreateUser', { UserName: 'plain' })
  for (const action of ['ListSSHPublicKeys', 'ListServiceSpecificCredentials']) {
    expect((await iam(action, { UserName: 'plain' })).status, action).toBe(200)
    expect((await iam(action, { UserName: 'nobody' })).code, action).toBe('NoSuchEntity')
  }
  expect((await iam('ListSAMLProviders')).status).toBe(200)
  for (const action of [
    ...[
      'UploadSSHPublicKey',
      'CreateServiceSpecificCredential',
      'CreateSAMLProvider',
      'CreateServiceLinkedRole',
    ],
    ...[
      'ListPoliciesGrantingServiceAccess',
      'GenerateServiceLastAccessedDetails',
      'DownloadServerCertificate',
    ],
  ]) {
    const answer = await iam(action)
    expect(answer.code, action).toBe('UnsupportedOperation')
    expect(answer.message, action).toContain(action)
  }
})
