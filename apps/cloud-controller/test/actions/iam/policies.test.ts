import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { allow, iamClient, trustEc2 } from './iam-client.ts'

let cloud: CloudUnderTest
let other: Credentials
const iam = iamClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
  await iam('CreateUser', { UserName: 'u' })
  await iam('CreateGroup', { GroupName: 'g' })
  await iam('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: trustEc2 })
})
afterAll(() => cloud.stop())

const holders = [
  ['User', 'u', 2048],
  ['Group', 'g', 5120],
  ['Role', 'r', 10_240],
] as const

test.each(holders)('inline policies of a %s', async (kind, name, most) => {
  const holder = { [`${kind}Name`]: name }
  const document = allow('s3:GetObject', 'arn:aws:s3:::b/*')
  const put = (PolicyName: string, PolicyDocument: string) =>
    iam(`Put${kind}Policy`, { ...holder, PolicyName, PolicyDocument })
  expect((await put('p1', document)).status).toBe(200)
  expect((await put('p2', allow('ec2:*'))).status).toBe(200)
  expect((await iam(`List${kind}Policies`, holder)).all('member')).toEqual(['p1', 'p2'])
  const read = await iam(`Get${kind}Policy`, { ...holder, PolicyName: 'p1' })
  expect(read.one('PolicyDocument')).not.toMatch(/[{"*]/)
  expect(decodeURIComponent(read.one('PolicyDocument')!)).toBe(document)
  const long = allow(Array.from({ length: most / 32 }, (_none, i) => `ec2:${'Describe'.repeat(4)}${i}`))
  const refused = await put('long', long)
  expect([refused.code, refused.status]).toEqual(['LimitExceeded', 409])
  expect((await put('p3', '{"Version":"2012-10-17"}')).code).toBe('MalformedPolicyDocument')
  expect((await put('p3', 'hello')).code).toBe('MalformedPolicyDocument')
  expect((await iam(`List${kind}Policies`, holder)).all('member')).toEqual(['p1', 'p2'])
  for (const PolicyName of ['p1', 'p2']) await iam(`Delete${kind}Policy`, { ...holder, PolicyName })
  for (const action of [`Delete${kind}Policy`, `Get${kind}Policy`])
    expect((await iam(action, { ...holder, PolicyName: 'p1' })).code).toBe('NoSuchEntity')
  const nobody = { [`${kind}Name`]: 'nobody', PolicyName: 'p', PolicyDocument: document }
  expect((await iam(`Put${kind}Policy`, nobody)).code).toBe('NoSuchEntity')
})

test('limits are for users and accounts', async () => {
  const limit = JSON.stringify({
    Statement: {
      Effect: 'Limit',
      Action: 'ec2:RunInstances',
      Resource: '*',
      Condition: { NumericLessThanEquals: { 'ec2:quota-vminstancenumber': '4' } },
    },
  })
  const put = async (kind: string, name: string, PolicyDocument = limit) =>
    (await iam(`Put${kind}Policy`, { [`${kind}Name`]: name, PolicyName: 'limit', PolicyDocument })).code
  expect(await put('User', 'u')).toBeUndefined()
  expect(await put('Group', 'g')).toBe('MalformedPolicyDocument')
  expect(await put('User', 'u', limit.replace('vminstancenumber', 'nothing'))).toBe('MalformedPolicyDocument')
  await iam('DeleteUserPolicy', { UserName: 'u', PolicyName: 'limit' })
})

test('a managed policy and its versions', async () => {
  const made = await iam('CreatePolicy', {
    PolicyName: 'read',
    Path: '/team/',
    Description: 'what it is for',
    PolicyDocument: allow('ec2:Describe*'),
    'Tags.member.1.Key': 'k',
    'Tags.member.1.Value': 'v',
  })
  const PolicyArn = made.one('Arn')!
  expect(PolicyArn).toBe(`arn:aws:iam::${cloud.admin.accountId}:policy/team/read`)
  const version = async (document: string, isDefault: boolean) =>
    iam('CreatePolicyVersion', { PolicyArn, PolicyDocument: document, SetAsDefault: isDefault })
  expect((await version(allow('ec2:*'), true)).one('VersionId')).toBe('v2')
  expect((await iam('GetPolicy', { PolicyArn })).one('DefaultVersionId')).toBe('v2')
  for (let count = 3; count <= 5; count += 1) await version(allow('s3:*'), false)
  expect((await version(allow('s3:*'), false)).code).toBe('LimitExceeded')
  expect((await iam('DeletePolicyVersion', { PolicyArn, VersionId: 'v2' })).code).toBe('DeleteConflict')
  await iam('DeletePolicyVersion', { PolicyArn, VersionId: 'v5' })
  expect((await version(allow('s3:*'), false)).one('VersionId')).toBe('v6')
  const listed = await iam('ListPolicyVersions', { PolicyArn })
  expect(listed.all('VersionId')).toEqual(['v6', 'v4', 'v3', 'v2', 'v1'])
  await iam('SetDefaultPolicyVersion', { PolicyArn, VersionId: 'v1' })
  const read = await iam('GetPolicyVersion', { PolicyArn, VersionId: 'v1' })
  expect(decodeURIComponent(read.one('Document')!)).toBe(allow('ec2:Describe*'))
  expect(read.one('IsDefaultVersion')).toBe('true')
  expect((await iam('GetPolicyVersion', { PolicyArn, VersionId: 'v9' })).code).toBe('NoSuchEntity')
  expect((await iam('DeletePolicy', { PolicyArn })).code).toBe('DeleteConflict')
  for (const VersionId of ['v2', 'v3', 'v4', 'v6']) await iam('DeletePolicyVersion', { PolicyArn, VersionId })
  expect((await iam('GetPolicy', { PolicyArn }, other)).code).toBe('NoSuchEntity')
  expect((await iam('DeletePolicy', { PolicyArn })).status).toBe(200)
  expect((await iam('GetPolicy', { PolicyArn })).code).toBe('NoSuchEntity')
})

test.each(holders)('attached to a %s, which keeps the policy', async (kind, name) => {
  const holder = { [`${kind}Name`]: name }
  const made = await iam('CreatePolicy', { PolicyName: `for-${name}`, PolicyDocument: allow('ec2:*') })
  const PolicyArn = made.one('Arn')!
  expect((await iam(`Attach${kind}Policy`, { ...holder, PolicyArn })).status).toBe(200)
  expect((await iam(`Attach${kind}Policy`, { ...holder, PolicyArn })).status).toBe(200)
  const aws = 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'
  await iam(`Attach${kind}Policy`, { ...holder, PolicyArn: aws })
  expect((await iam(`ListAttached${kind}Policies`, holder)).all('PolicyArn')).toEqual([aws, PolicyArn])
  const entities = await iam('ListEntitiesForPolicy', { PolicyArn })
  expect(entities.all(`${kind}Name`)).toEqual([name])
  expect((await iam('ListEntitiesForPolicy', { PolicyArn: aws }, other)).all(`${kind}Name`)).toEqual([])
  expect((await iam('GetPolicy', { PolicyArn })).one('AttachmentCount')).toBe('1')
  expect((await iam('DeletePolicy', { PolicyArn })).code).toBe('DeleteConflict')
  for (const arn of [aws, PolicyArn])
    expect((await iam(`Detach${kind}Policy`, { ...holder, PolicyArn: arn })).status).toBe(200)
  expect((await iam(`Detach${kind}Policy`, { ...holder, PolicyArn })).code).toBe('NoSuchEntity')
  const missing = { ...holder, PolicyArn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore' }
  expect((await iam(`Attach${kind}Policy`, missing)).code).toBe('NoSuchEntity')
  await iam('DeletePolicy', { PolicyArn })
})

test('ten are attached at most', async () => {
  for (let count = 0; count < 11; count += 1) {
    const made = await iam('CreatePolicy', { PolicyName: `many-${count}`, PolicyDocument: allow('ec2:*') })
    const attached = await iam('AttachUserPolicy', { UserName: 'u', PolicyArn: made.one('Arn')! })
    expect(attached.code).toBe(count < 10 ? undefined : 'LimitExceeded')
  }
})

test('lists of policies, by scope and by use', async () => {
  const list = async (parameters: Record<string, string | number | boolean>) =>
    (await iam('ListPolicies', { MaxItems: 1000, ...parameters })).all('PolicyName')
  expect(await list({ Scope: 'AWS' })).toContain('AdministratorAccess')
  expect(await list({ Scope: 'Local' })).toHaveLength(11)
  expect(await list({ OnlyAttached: true })).toHaveLength(10)
  expect(await list({ PolicyUsageFilter: 'PermissionsBoundary' })).toEqual([])
  expect(await list({ PathPrefix: '/none/' })).toEqual([])
  const arn = 'arn:aws:iam::aws:policy/AdministratorAccess'
  expect((await iam('DeletePolicy', { PolicyArn: arn })).code).toBe('AccessDenied')
  const read = await iam('GetPolicyVersion', { PolicyArn: arn, VersionId: 'v1' })
  expect(JSON.parse(decodeURIComponent(read.one('Document')!))).toMatchObject({ Version: '2012-10-17' })
})

test('every policy of AWS that is here is one that the evaluator reads', async () => {
  const { awsManagedPolicies } = await import('../../../src/identity/aws-managed-policies.ts')
  for (const [arn, { document }] of awsManagedPolicies) {
    const put = { UserName: 'u', PolicyName: 'copy', PolicyDocument: document }
    const copied = await iam('PutUserPolicy', put)
    expect([undefined, 'LimitExceeded'], arn).toContain(copied.code)
  }
  await iam('DeleteUserPolicy', { UserName: 'u', PolicyName: 'copy' })
})

test('boundaries of users and roles', async () => {
  const PermissionsBoundary = 'arn:aws:iam::aws:policy/PowerUserAccess'
  for (const [kind, name] of [
    ['User', 'u'],
    ['Role', 'r'],
  ] as const) {
    const holder = { [`${kind}Name`]: name }
    const put = await iam(`Put${kind}PermissionsBoundary`, { ...holder, PermissionsBoundary })
    expect(put.status).toBe(200)
    expect((await iam(`Get${kind}`, holder)).one('PermissionsBoundaryArn')).toBe(PermissionsBoundary)
    expect((await iam(`Delete${kind}PermissionsBoundary`, holder)).status).toBe(200)
    expect((await iam(`Delete${kind}PermissionsBoundary`, holder)).code).toBe('NoSuchEntity')
  }
})
