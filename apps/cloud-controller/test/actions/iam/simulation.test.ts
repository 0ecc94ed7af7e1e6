import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'
import { allow, iamClient, trustEc2 } from './iam-client.ts'

let cloud: CloudUnderTest
const iam = iamClient(() => cloud)
const arn = (rest: string) => `arn:aws:iam::${cloud.admin.accountId}:${rest}`
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  await iam('CreateUser', { UserName: 'u' })
  await iam('CreateGroup', { GroupName: 'g' })
  await iam('AddUserToGroup', { UserName: 'u', GroupName: 'g' })
  await iam('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: trustEc2 })
  const home = allow('s3:GetObject', 'arn:aws:s3:::home/${aws:username}/*')
  await iam('PutUserPolicy', { UserName: 'u', PolicyName: 'home', PolicyDocument: home })
  const document = allow('ec2:*').replace('Allow', 'Deny')
  await iam('PutGroupPolicy', { GroupName: 'g', PolicyName: 'no-ec2', PolicyDocument: document })
  const PolicyArn = 'arn:aws:iam::aws:policy/IAMReadOnlyAccess'
  await iam('AttachUserPolicy', { UserName: 'u', PolicyArn })
})
afterAll(() => cloud.stop())

const simulate = async (PolicySourceArn: string, action: string, more: Record<string, string> = {}) => {
  const asked = { PolicySourceArn, 'ActionNames.member.1': action, ...more }
  const answer = await iam('SimulatePrincipalPolicy', asked)
  return { ...answer, decision: answer.one('EvalDecision'), source: answer.one('SourcePolicyId') }
}

test('what a user’s policies decide, its groups’ and its own', async () => {
  const on = (resource: string) => ({ 'ResourceArns.member.1': resource })
  const own = await simulate(arn('user/u'), 's3:GetObject', on('arn:aws:s3:::home/u/x'))
  expect([own.decision, own.source, own.one('SourcePolicyType')]).toEqual(['allowed', 'user_u_home', 'user'])
  expect([own.one('Line'), own.one('Column')]).toEqual(['1', '38'])
  const foreign = await simulate(arn('user/u'), 's3:GetObject', on('arn:aws:s3:::home/v/x'))
  expect([foreign.decision, foreign.source]).toEqual(['implicitDeny', undefined])
  const denied = await simulate(arn('user/u'), 'ec2:RunInstances')
  expect([denied.decision, denied.source]).toEqual(['explicitDeny', 'group_g_no-ec2'])
  const managed = await simulate(arn('user/u'), 'iam:ListUsers')
  expect([managed.decision, managed.source, managed.one('SourcePolicyType')]).toEqual([
    'allowed',
    'IAMReadOnlyAccess',
    'aws-managed',
  ])
  expect((await simulate(arn('role/r'), 's3:GetObject')).decision).toBe('implicitDeny')
  const given = { 'PolicyInputList.member.1': allow('s3:*') }
  const added = await simulate(arn('role/r'), 's3:GetObject', given)
  expect([added.decision, added.source]).toEqual(['allowed', 'PolicyInputList.1'])
})

test('a boundary and the account’s own denials count', async () => {
  const PermissionsBoundary = 'arn:aws:iam::aws:policy/AmazonEC2FullAccess'
  await iam('PutUserPermissionsBoundary', { UserName: 'u', PermissionsBoundary })
  const bounded = await simulate(arn('user/u'), 'iam:ListUsers')
  expect([bounded.decision, bounded.one('AllowedByPermissionsBoundary')]).toEqual(['implicitDeny', 'false'])
  await iam('DeleteUserPermissionsBoundary', { UserName: 'u' })
  const PolicyDocument = allow('iam:*').replace('Allow', 'Deny')
  const other = await cloud.createAccount('other')
  await iam('CreateUser', { UserName: 'u' }, other)
  await iam('PutAccountPolicy', { AccountName: 'other', PolicyName: 'no-iam', PolicyDocument })
  const answer = await iam('SimulatePrincipalPolicy', {
    ...{ DelegateAccount: 'other', PolicySourceArn: `arn:aws:iam::${other.accountId}:user/u` },
    'ActionNames.member.1': 'iam:ListUsers',
    'PolicyInputList.member.1': allow('*'),
  })
  expect([answer.one('EvalDecision'), answer.one('SourcePolicyId')]).toEqual([
    'explicitDeny',
    'account_no-iam',
  ])
})

test('policies of one’s own, with the context that is given', async () => {
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: {
      Effect: 'Allow',
      Action: 's3:*',
      Resource: '*',
      Condition: { NumericLessThan: { 's3:max-keys': '10' }, Bool: { 'aws:SecureTransport': 'true' } },
    },
  })
  const custom = (more: Record<string, string> = {}) =>
    iam('SimulateCustomPolicy', {
      'PolicyInputList.member.1': policy,
      'ActionNames.member.1': 's3:ListBucket',
      ...more,
    })
  const entry = (at: number, name: string, type: string, value: string) => ({
    [`ContextEntries.member.${at}.ContextKeyName`]: name,
    [`ContextEntries.member.${at}.ContextKeyType`]: type,
    [`ContextEntries.member.${at}.ContextKeyValues.member.1`]: value,
  })
  const bare = await custom()
  expect(bare.one('EvalDecision')).toBe('implicitDeny')
  expect(new Set(bare.all('member').filter((key) => key !== ''))).toEqual(
    new Set(['aws:SecureTransport', 's3:max-keys']),
  )
  const secure = entry(1, 'aws:SecureTransport', 'boolean', 'true')
  expect((await custom({ ...secure, ...entry(2, 's3:max-keys', 'numeric', '5') })).one('EvalDecision')).toBe(
    'allowed',
  )
  expect((await custom({ ...secure, ...entry(2, 's3:max-keys', 'numeric', '50') })).one('EvalDecision')).toBe(
    'implicitDeny',
  )
  expect((await custom(entry(1, 's3:max-keys', 'numeric', 'x'))).code).toBe('InvalidInput')
  const named = await iam('SimulateCustomPolicy', {
    'PolicyInputList.member.1': allow('s3:*', 'arn:aws:s3:::b/${aws:username}'),
    'ActionNames.member.1': 's3:GetObject',
    'ResourceArns.member.1': 'arn:aws:s3:::b/zoe',
    ...entry(1, 'aws:username', 'string', 'zoe'),
  })
  expect(named.one('EvalDecision')).toBe('allowed')
})

test('every action on every resource, in pages', async () => {
  const asked = {
    'PolicyInputList.member.1': allow('s3:GetObject', 'arn:aws:s3:::a/*'),
    'ActionNames.member.1': 's3:GetObject',
    'ActionNames.member.2': 's3:PutObject',
    'ResourceArns.member.1': 'arn:aws:s3:::a/x',
    'ResourceArns.member.2': 'arn:aws:s3:::b/x',
  }
  const first = await iam('SimulateCustomPolicy', { ...asked, MaxItems: 3 })
  expect(first.all('EvalDecision')).toEqual(['allowed', 'implicitDeny', 'implicitDeny'])
  const rest = await iam('SimulateCustomPolicy', { ...asked, Marker: first.one('Marker')! })
  expect([rest.all('EvalActionName'), rest.one('IsTruncated')]).toEqual([['s3:PutObject'], 'false'])
})

test('the keys that policies ask for', async () => {
  const keys = await iam('GetContextKeysForPrincipalPolicy', { PolicySourceArn: arn('user/u') })
  expect(keys.all('member')).toEqual(['aws:username'])
  const custom = await iam('GetContextKeysForCustomPolicy', {
    'PolicyInputList.member.1': allow('s3:*', '*').replace(
      '"Resource"',
      '"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}},"Resource"',
    ),
  })
  expect(custom.all('member')).toEqual(['aws:SourceIp'])
})

test('what cannot be simulated is refused', async () => {
  const code = async (source: string, action = 's3:GetObject', more: Record<string, string> = {}) =>
    (await simulate(source, action, more)).code
  expect(await code(arn('user/nobody'))).toBe('NoSuchEntity')
  expect(await code(arn('policy/something-here'))).toBe('InvalidInput')
  expect(await code('arn:aws:iam::999999999999:user/u')).toBe('NoSuchEntity')
  expect(await code(arn('user/u'), 'nonsense')).toBe('InvalidInput')
  expect(await code(arn('user/u'), 's3:GetObject', { ResourceHandlingOption: 'EC2-VPC-InstanceStore' })).toBe(
    'UnsupportedOperation',
  )
  expect(await code(arn('user/u'), 's3:GetObject', { 'PolicyInputList.member.1': '{}' })).toBe(
    'MalformedPolicyDocument',
  )
})

test('a request that names millions of actions on resources is refused before it takes the memory', async () => {
  const parameters: Record<string, string> = { 'PolicyInputList.member.1': allow('ec2:*') }
  for (let at = 1; at <= 4_900; at += 1) {
    parameters[`ActionNames.member.${at}`] = 'ec2:RunInstances'
    parameters[`ResourceArns.member.${at}`] = 'arn:aws:a:::b'
  }
  expect((await iam('SimulateCustomPolicy', parameters)).code).toBe('InvalidInput')
})

test('limits that are no limits are malformed', async () => {
  const limit = '{"Statement":{"Effect":"Limit","Action":"ec2:*","Resource":"*"}}'
  const asked = { 'PolicyInputList.member.1': limit, 'ActionNames.member.1': 'ec2:RunInstances' }
  const simulated = await iam('SimulateCustomPolicy', asked)
  const keys = await iam('GetContextKeysForCustomPolicy', { 'PolicyInputList.member.1': limit })
  for (const answer of [simulated, keys])
    expect([answer.code, answer.status]).toEqual(['MalformedPolicyDocument', 400])
})
