import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newSession, sealSession } from '@mallee/session-token'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { allow, iamClient, keyOf } from '../iam/iam-client.ts'
import { credentialsOf, stsClient, trusts } from './sts-client.ts'

/** Sessions of users, roles and federated users: what each may do, and what ends it. */
let cloud: CloudUnderTest
let tenant: Credentials
let bob: Credentials
const iam = iamClient(() => cloud)
const sts = stsClient(() => cloud)
let nowMs = Date.parse('2026-03-01T12:00:00Z')

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  tenant = await cloud.createAccount('tenant')
  await iam('CreateUser', { UserName: 'bob' }, tenant)
  bob = await keyOf(iam, tenant, 'bob')
  nowMs = Date.now()
})
afterAll(() => cloud.stop())

const putPolicy = (document: string, name = 'p') =>
  iam('PutUserPolicy', { UserName: 'bob', PolicyName: name, PolicyDocument: document }, tenant)

const role = async (
  name: string,
  trust: string,
  permissions?: string,
  more: Record<string, string | number> = {},
) => {
  const made = await iam('CreateRole', { RoleName: name, AssumeRolePolicyDocument: trust, ...more }, tenant)
  if (made.status !== 200) throw new Error(made.body)
  if (permissions)
    await iam('PutRolePolicy', { RoleName: name, PolicyName: 'p', PolicyDocument: permissions }, tenant)
  return made.one('Arn')!
}
const who = async (as: Credentials) => (await sts('GetCallerIdentity', {}, as)).one('Arn')
const asksVpcs = (as: Credentials) => cloud.call('DescribeVpcs', {}, { as })

describe('a role', () => {
  test('is assumed by whom it trusts and who may, and its session has its permissions', async () => {
    const arn = await role('reader', trusts({ AWS: tenant.accountId }), allow('ec2:DescribeVpcs'))
    const asked = { RoleArn: arn, RoleSessionName: 'one' }
    expect((await sts('AssumeRole', asked, bob)).code).toBe('AccessDenied')
    await putPolicy(allow('sts:AssumeRole', arn))
    const answer = await sts('AssumeRole', asked, bob)
    const session = credentialsOf(answer, tenant.accountId)
    expect(await who(session)).toBe(`arn:aws:sts::${tenant.accountId}:assumed-role/reader/one`)
    expect(answer.one('AssumedRoleId')).toMatch(/^AROA[A-Z0-9]+:one$/)
    expect((await asksVpcs(session)).status).toBe(200)
    expect((await cloud.call('DescribeInstances', {}, { as: session })).code).toBe('UnauthorizedOperation')
    expect((await asksVpcs(bob)).code).toBe('UnauthorizedOperation')
  })

  test('that trusts a user itself needs no policy of the user', async () => {
    const arn = await role('mine', trusts({ AWS: `arn:aws:iam::${tenant.accountId}:user/bob` }))
    await iam('DeleteUserPolicy', { UserName: 'bob', PolicyName: 'p' }, tenant)
    expect((await sts('AssumeRole', { RoleArn: arn, RoleSessionName: 'one' }, bob)).status).toBe(200)
  })

  test('of another account is assumed if both sides allow it; which roles there are is not told', async () => {
    const guest = await cloud.createAccount('guest')
    await iam('CreateUser', { UserName: 'eve' }, guest)
    const eve = await keyOf(iam, guest, 'eve')
    const arn = await role(
      'shared',
      trusts({ AWS: guest.accountId }, { StringEquals: { 'sts:ExternalId': 'k7' } }),
    )
    const asked = { RoleArn: arn, RoleSessionName: 'one', ExternalId: 'k7' }
    expect((await sts('AssumeRole', asked, eve)).code).toBe('AccessDenied')
    const document = allow('sts:AssumeRole')
    await iam('PutUserPolicy', { UserName: 'eve', PolicyName: 'p', PolicyDocument: document }, guest)
    expect((await sts('AssumeRole', { ...asked, ExternalId: 'k8' }, eve)).code).toBe('AccessDenied')
    const session = credentialsOf(await sts('AssumeRole', asked, eve), tenant.accountId)
    expect(await who(session)).toBe(`arn:aws:sts::${tenant.accountId}:assumed-role/shared/one`)
    const bare = (text: string | undefined) => text?.replace(/ Encoded.*| on resource: \S+/gs, '')
    const strange = await role('closed', trusts({ AWS: tenant.accountId }))
    const refused = await sts('AssumeRole', { ...asked, RoleArn: strange }, eve)
    const missing = await sts('AssumeRole', { ...asked, RoleArn: strange.replace('closed', 'none') }, eve)
    expect(bare(missing.message)).toBe(bare(refused.message))
  })

  test('is not assumed by a root', async () => {
    const arn = await role('rootless', trusts({ AWS: tenant.accountId }))
    expect((await sts('AssumeRole', { RoleArn: arn, RoleSessionName: 'one' }, tenant)).message).toBe(
      'Roles may not be assumed by root accounts.',
    )
  })

  test('lends no longer than it says, and an hour to a session of a role', async () => {
    const arn = await role('long', trusts({ AWS: tenant.accountId }), allow('sts:AssumeRole'), {
      MaxSessionDuration: 7200,
    })
    await putPolicy(allow('sts:AssumeRole'))
    const asked = { RoleArn: arn, RoleSessionName: 'one' }
    expect((await sts('AssumeRole', { ...asked, DurationSeconds: 7201 }, bob)).code).toBe('ValidationError')
    const session = credentialsOf(
      await sts('AssumeRole', { ...asked, DurationSeconds: 7200 }, bob),
      tenant.accountId,
    )
    expect((await sts('AssumeRole', { ...asked, DurationSeconds: 3601 }, session)).code).toBe(
      'ValidationError',
    )
    expect((await sts('AssumeRole', { ...asked, DurationSeconds: 3600 }, session)).status).toBe(200)
  })

  test('lends less where the session has policies of its own', async () => {
    const arn = await role('wide', trusts({ AWS: tenant.accountId }), allow('ec2:Describe*'))
    const asked = { RoleArn: arn, RoleSessionName: 'one', Policy: allow('ec2:DescribeVpcs') }
    const session = credentialsOf(await sts('AssumeRole', asked, bob), tenant.accountId)
    expect((await asksVpcs(session)).status).toBe(200)
    expect((await cloud.call('DescribeSubnets', {}, { as: session })).code).toBe('UnauthorizedOperation')
    expect((await sts('AssumeRole', { ...asked, Policy: '{' }, bob)).code).toBe('MalformedPolicyDocument')
  })

  test('sees the tags of its session, and those that are handed on', async () => {
    const condition = { StringEquals: { 'aws:PrincipalTag/team': 'red' } }
    const arn = await role(
      'tagged',
      trusts({ AWS: '*' }, undefined),
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Action: 'sts:*', Resource: '*' },
          { Effect: 'Allow', Action: 'ec2:*', Resource: '*', Condition: condition },
        ],
      }),
    )
    const tags = { 'Tags.member.1.Key': 'team', 'Tags.member.1.Value': 'red' }
    const asked = { RoleArn: arn, RoleSessionName: 'one' }
    expect(
      (await asksVpcs(credentialsOf(await sts('AssumeRole', asked, bob), tenant.accountId))).status,
    ).toBe(403)
    const red = await sts('AssumeRole', { ...asked, ...tags, 'TransitiveTagKeys.member.1': 'team' }, bob)
    const session = credentialsOf(red, tenant.accountId)
    expect((await asksVpcs(session)).status).toBe(200)
    const next = credentialsOf(await sts('AssumeRole', asked, session), tenant.accountId)
    expect((await asksVpcs(next)).status).toBe(200)
    expect((await sts('AssumeRole', { ...asked, ...tags }, session)).code).toBe('ValidationError')
  })

  test('that is deleted ends its sessions', async () => {
    const arn = await role('brief', trusts({ AWS: tenant.accountId }))
    const asked = { RoleArn: arn, RoleSessionName: 'one' }
    const session = credentialsOf(await sts('AssumeRole', asked, bob), tenant.accountId)
    expect(await who(session)).toContain('brief')
    await iam('DeleteRole', { RoleName: 'brief' }, tenant)
    expect((await sts('GetCallerIdentity', {}, session)).code).toBe('InvalidClientTokenId')
    expect((await asksVpcs(session)).code).toBe('AuthFailure')
  })
})

test('a session of a user is the user, and makes no session', async () => {
  const session = credentialsOf(await sts('GetSessionToken', {}, bob), tenant.accountId)
  expect(await who(session)).toBe(`arn:aws:iam::${tenant.accountId}:user/bob`)
  expect((await sts('GetSessionToken', {}, session)).code).toBe('AccessDenied')
  expect((await sts('GetFederationToken', { Name: 'joe' }, session)).code).toBe('AccessDenied')
  // Without a code of an MFA device it asks nothing of IAM, and of STS to assume a role alone.
  const root = credentialsOf(await sts('GetSessionToken', {}, tenant), tenant.accountId)
  expect((await iam('ListUsers', {}, root)).code).toBe('AccessDenied')
  expect((await sts('DecodeAuthorizationMessage', { EncodedMessage: 'AAAA' }, root)).code).toBe(
    'AccessDenied',
  )
  expect(await who(root)).toBe(`arn:aws:iam::${tenant.accountId}:root`)
})

test('a federated user may do what the user and its own policies both allow', async () => {
  await putPolicy(allow(['sts:GetFederationToken', 'ec2:Describe*']))
  const asked = { Name: 'joe', Policy: allow(['ec2:DescribeVpcs', 'ec2:CreateVpc']) }
  const session = credentialsOf(await sts('GetFederationToken', asked, bob), tenant.accountId)
  expect(await who(session)).toBe(`arn:aws:sts::${tenant.accountId}:federated-user/joe`)
  expect((await asksVpcs(session)).status).toBe(200)
  expect((await cloud.call('DescribeSubnets', {}, { as: session })).status).toBe(403)
  expect((await cloud.call('CreateVpc', { CidrBlock: '10.9.0.0/16' }, { as: session })).status).toBe(403)
  const bare = credentialsOf(await sts('GetFederationToken', { Name: 'joe' }, bob), tenant.accountId)
  expect((await asksVpcs(bare)).status).toBe(403)
})

describe('a token', () => {
  test('goes with its own key alone, and not changed', async () => {
    const [one, other] = [
      credentialsOf(await sts('GetSessionToken', {}, bob), tenant.accountId),
      credentialsOf(await sts('GetSessionToken', {}, bob), tenant.accountId),
    ]
    const mixed = { ...one, sessionToken: other.sessionToken! }
    expect((await sts('GetCallerIdentity', {}, mixed)).code).toBe('InvalidClientTokenId')
    expect((await asksVpcs(mixed)).code).toBe('AuthFailure')
    const { sessionToken: _token, ...without } = one
    expect((await sts('GetCallerIdentity', {}, without)).code).toBe('InvalidClientTokenId')
    expect((await sts('GetCallerIdentity', {}, { ...bob, sessionToken: one.sessionToken! })).code).toBe(
      'InvalidClientTokenId',
    )
  })

  test('is refused once it is over', async () => {
    const rows = await cloud.cloud.record.read((db) => db.selectFrom('session_key').selectAll().execute())
    const key = {
      id: rows[0]!.id,
      key: Buffer.from(cloud.cloud.keyring.open(rows[0]!.sealed_key, `session key ${rows[0]!.id}`), 'base64'),
    }
    const user = await cloud.cloud.record.read((db) =>
      db.selectFrom('user').selectAll().where('name', '=', 'bob').executeTakeFirstOrThrow(),
    )
    const keys = newSession()
    const sessionToken = sealSession(
      {
        ...keys,
        accountId: tenant.accountId,
        holder: { kind: 'user', userId: user.id },
        issuedAtMs: nowMs - 7_200_000,
        expiresAtMs: nowMs - 1000,
      },
      key,
    )
    const over = { accountId: tenant.accountId, ...keys, sessionToken }
    expect((await sts('GetCallerIdentity', {}, over)).code).toBe('ExpiredToken')
    expect((await asksVpcs(over)).code).toBe('RequestExpired')
  })
})

test('the administrator is told the statement that denied, as it stands', async () => {
  const statement = { Sid: 'NoVpcs', Effect: 'Deny', Action: 'ec2:DescribeVpcs', Resource: '*' }
  const document = JSON.stringify({ Version: '2012-10-17', Statement: statement })
  const made = await iam('CreatePolicy', { PolicyName: 'no-vpcs', PolicyDocument: document }, tenant)
  const attached = { UserName: 'bob', PolicyArn: made.one('Arn')! }
  await iam('AttachUserPolicy', attached, tenant)
  const refused = await asksVpcs(bob)
  expect(refused.message).toContain('with an explicit deny in an identity-based policy')
  const message = /failure message: (\S+)$/.exec(refused.message!)![1]!
  const explain = (payload: object) =>
    cloud.cloud.adminDoor.inject({ method: 'POST', url: '/admin/v1/authorization-messages', payload })
  const { message: told, statement: shown } = (await explain({ message })).json() as {
    message: { matchedStatements: { items: object[] } }
    statement: string
  }
  expect(told.matchedStatements.items).toMatchObject([
    {
      statementId: 'NoVpcs',
      sourcePolicyId: made.one('Arn'),
      sourcePolicyType: 'identity',
      statementIndex: 0,
    },
  ])
  expect(JSON.parse(shown)).toEqual(statement)
  expect((await explain({ message: 'nothing' })).statusCode).toBe(400)
  await iam('DetachUserPolicy', attached, tenant)
})

test('what was refused is told to who may know', async () => {
  await putPolicy(allow('iam:*'))
  const refused = await asksVpcs(bob)
  expect(refused.message).toContain(
    `User: arn:aws:iam::${tenant.accountId}:user/bob is not authorized to perform: ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action`,
  )
  const encoded = /failure message: (\S+)$/.exec(refused.message!)![1]!
  const asked = { EncodedMessage: encoded }
  expect((await sts('DecodeAuthorizationMessage', asked, bob)).code).toBe('AccessDenied')
  const decoded = await sts('DecodeAuthorizationMessage', asked, tenant)
  const text = decoded.one('DecodedMessage')!.replaceAll('&quot;', '"')
  expect(JSON.parse(text)).toMatchObject({
    allowed: false,
    explicitDeny: false,
    context: { action: 'ec2:DescribeVpcs', principal: { arn: `arn:aws:iam::${tenant.accountId}:user/bob` } },
  })
  const foreign = await cloud.createAccount('foreign')
  expect((await sts('DecodeAuthorizationMessage', asked, foreign)).code).toBe(
    'InvalidAuthorizationMessageException',
  )
  expect((await sts('DecodeAuthorizationMessage', { EncodedMessage: 'AAAA' }, tenant)).status).toBe(400)
})
