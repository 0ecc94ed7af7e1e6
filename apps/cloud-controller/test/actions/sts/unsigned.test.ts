import { createHash, generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuthority, issueCertificate } from '@mallee/pki'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { allow, iamClient, keyOf } from '../iam/iam-client.ts'
import { codeOf, stepAt } from '../../../src/identity/totp.ts'
import { credentialsOf, stsClient, trusts } from './sts-client.ts'

/** Sessions that are made of something else than a signature: an issuer's token, a password, a code. */
let cloud: CloudUnderTest
let tenant: Credentials
let issuer: Issuer
const iam = iamClient(() => cloud)
const sts = stsClient(() => cloud)

/** A real OpenID Connect issuer on loopback, with a certificate that no authority vouches for. */
class Issuer {
  readonly key = generateKeyPairSync('rsa', { modulusLength: 2048 })
  readonly server: Server
  thumbprint = ''
  url = ''
  private constructor(server: Server) {
    this.server = server
  }

  static async start(): Promise<Issuer> {
    const authority = await createAuthority('issuer', Date.now())
    const own = await issueCertificate({
      authority,
      commonName: 'localhost',
      names: { dns: ['localhost'], ip: ['127.0.0.1'] },
      nowMs: Date.now(),
    })
    const made: Issuer = new Issuer(
      createServer({ key: own.key, cert: own.certificate }, (request, response) => {
        const jwk = { ...made.key.publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig' }
        const answers: Record<string, unknown> = {
          '/.well-known/openid-configuration': { issuer: made.url, jwks_uri: `${made.url}/keys` },
          '/keys': { keys: [jwk] },
        }
        const answer = answers[request.url ?? '']
        response.statusCode = answer ? 200 : 404
        response.end(JSON.stringify(answer ?? {}))
      }),
    )
    await new Promise<void>((resolve) => made.server.listen(0, '127.0.0.1', resolve))
    made.url = `https://localhost:${(made.server.address() as AddressInfo).port}`
    made.thumbprint = createHash('sha1').update(new X509Certificate(own.certificate).raw).digest('hex')
    return made
  }

  token(claims: Record<string, unknown> = {}, head: Record<string, unknown> = {}, key?: KeyObject): string {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const now = Math.floor(Date.now() / 1000)
    const body = { iss: this.url, sub: 'joe', aud: 'app', iat: now, exp: now + 600, ...claims }
    const signed = `${part({ alg: 'RS256', kid: 'k1', ...head })}.${part(body)}`
    const signature = sign('sha256', Buffer.from(signed), key ?? this.key.privateKey)
    return `${signed}.${signature.toString('base64url')}`
  }
}

/** Nothing signs it. */
async function unsigned(parameters: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await cloud.cloud.door.inject({
    method: 'POST',
    url: '/services/Tokens',
    headers: { 'content-type': 'application/x-www-form-urlencoded', host: '127.0.0.1:8773', ...headers },
    payload: new URLSearchParams({ Version: '2011-06-15', ...parameters }).toString(),
  })
  const one = (name: string) => new RegExp(`<${name}>([^<]*)<`).exec(response.body)?.[1]
  return { status: response.statusCode, body: response.body, code: one('Code'), one }
}

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none' })
  tenant = await cloud.createAccount('tenant')
  issuer = await Issuer.start()
})
afterAll(async () => {
  issuer.server.close()
  await cloud.stop()
})

describe('AssumeRoleWithWebIdentity', () => {
  let asked: Record<string, string>
  beforeAll(async () => {
    const made = await iam(
      'CreateOpenIDConnectProvider',
      {
        Url: issuer.url,
        'ClientIDList.member.1': 'app',
        'ThumbprintList.member.1': issuer.thumbprint,
      },
      tenant,
    )
    const provider = made.one('OpenIDConnectProviderArn')!
    const trust = JSON.stringify({
      Version: '2012-10-17',
      Statement: {
        Effect: 'Allow',
        Principal: { Federated: provider },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: { StringEquals: { [`${issuer.url.slice(8)}:sub`]: 'joe' } },
      },
    })
    const role = await iam('CreateRole', { RoleName: 'web', AssumeRolePolicyDocument: trust }, tenant)
    const document = allow('ec2:DescribeVpcs')
    await iam('PutRolePolicy', { RoleName: 'web', PolicyName: 'p', PolicyDocument: document }, tenant)
    asked = { Action: 'AssumeRoleWithWebIdentity', RoleArn: role.one('Arn')!, RoleSessionName: 'phone' }
  })
  const ask = (token: string) => unsigned({ ...asked, WebIdentityToken: token })

  test('makes the token of an issuer a session of the role that trusts it', async () => {
    const answer = await ask(issuer.token())
    expect(answer.one('SubjectFromWebIdentityToken')).toBe('joe')
    const session = credentialsOf(answer as never, tenant.accountId)
    expect((await sts('GetCallerIdentity', {}, session)).one('Arn')).toContain('assumed-role/web/phone')
    expect((await cloud.call('DescribeVpcs', {}, { as: session })).status).toBe(200)
    expect((await cloud.call('DescribeSubnets', {}, { as: session })).status).toBe(403)
  })

  test.each<[string, (made: Issuer) => string, string]>([
    ['of somebody else', (made) => made.token({ sub: 'eve' }), 'AccessDenied'],
    ['for another client', (made) => made.token({ aud: 'other' }), 'InvalidIdentityToken'],
    ['that is over', (made) => made.token({ exp: 1 }), 'ExpiredTokenException'],
    ['that is not valid yet', (made) => made.token({ nbf: 9e9 }), 'InvalidIdentityToken'],
    ['of another issuer', (made) => made.token({ iss: 'https://other.example' }), 'InvalidIdentityToken'],
    ['without a signature', (made) => made.token({}, { alg: 'none' }), 'InvalidIdentityToken'],
    ['by a secret in place of a key', (made) => made.token({}, { alg: 'HS256' }), 'InvalidIdentityToken'],
    ['by a key that is not known', (made) => made.token({}, { kid: 'k2' }), 'InvalidIdentityToken'],
    [
      'by another key',
      (made) => made.token({}, {}, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
      'InvalidIdentityToken',
    ],
    ['that is none', () => 'a.b.c.d', 'InvalidIdentityToken'],
  ])('refuses a token %s', async (_what, make, code) => {
    expect((await ask(make(issuer))).code).toBe(code)
  })

  test('asks no issuer whose certificate nobody vouches for', async () => {
    const other = await Issuer.start()
    try {
      const given = {
        Url: other.url,
        'ClientIDList.member.1': 'app',
        'ThumbprintList.member.1': '0'.repeat(40),
      }
      await iam('CreateOpenIDConnectProvider', given, tenant)
      expect((await ask(other.token())).code).toBe('IDPCommunicationError')
    } finally {
      other.server.close()
    }
  })
})

describe('GetAccessToken', () => {
  const basic = (user: string, account: string, password: string) => {
    const encode = (text: string) => Buffer.from(text).toString('base64')
    return { authorization: `Basic ${encode(`${encode(user)}@${encode(account)}:${password}`)}` }
  }
  const logIn = (user: string, password: string) =>
    unsigned({ Action: 'GetAccessToken' }, basic(user, 'tenant', password))

  test('gives temporary credentials for a password, and shuts out who guesses', async () => {
    await iam('CreateUser', { UserName: 'ann' }, tenant)
    await iam('CreateLoginProfile', { UserName: 'ann', Password: 'Correct-Horse-7' }, tenant)
    const session = credentialsOf((await logIn('ann', 'Correct-Horse-7')) as never, tenant.accountId)
    expect((await sts('GetCallerIdentity', {}, session)).one('Arn')).toContain('user/ann')
    // A person may do all that it may, without a code.
    await iam('PutUserPolicy', { UserName: 'ann', PolicyName: 'p', PolicyDocument: allow('iam:*') }, tenant)
    expect((await iam('ListUsers', {}, session)).status).toBe(200)
    for (let guess = 0; guess < 5; guess += 1)
      expect((await logIn('ann', `guess-${guess}`)).code).toBe('AccessDenied')
    const shut = await logIn('ann', 'Correct-Horse-7')
    expect(shut.code).toBe('AccessDenied')
    const nobody = await logIn('nobody', 'Correct-Horse-7')
    expect(nobody.body.replace(/RequestId>[^<]*/, '')).toBe(shut.body.replace(/RequestId>[^<]*/, ''))
  })

  test('wants a password that was given to be changed first', async () => {
    await iam('CreateUser', { UserName: 'new' }, tenant)
    const given = { UserName: 'new', Password: 'Correct-Horse-7', PasswordResetRequired: true }
    await iam('CreateLoginProfile', given, tenant)
    expect((await logIn('new', 'Correct-Horse-7')).code).toBe('PasswordChangeRequired')
    expect((await unsigned({ Action: 'GetAccessToken' })).code).toBe('AccessDenied')
    expect((await unsigned({ Action: 'GetAccessToken' }, { authorization: 'Basic !!' })).code).toBe(
      'AccessDenied',
    )
  })
})

test('a code of an MFA device opens what asks for one, once', async () => {
  await iam('CreateUser', { UserName: 'mia' }, tenant)
  const mia = await keyOf(iam, tenant, 'mia')
  const device = await iam('CreateVirtualMFADevice', { VirtualMFADeviceName: 'phone' }, tenant)
  const serial = device.one('SerialNumber')!
  const seed = fromBase32(Buffer.from(device.one('Base32StringSeed')!, 'base64').toString())
  const step = stepAt(Date.now())
  const enabled = await iam(
    'EnableMFADevice',
    {
      UserName: 'mia',
      SerialNumber: serial,
      AuthenticationCode1: codeOf(seed, step - 3),
      AuthenticationCode2: codeOf(seed, step - 2),
    },
    tenant,
  )
  expect(enabled.status).toBe(200)
  const needsCode = { Bool: { 'aws:MultiFactorAuthPresent': 'true' } }
  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Action: 'ec2:*', Resource: '*', Condition: needsCode },
  })
  await iam('PutUserPolicy', { UserName: 'mia', PolicyName: 'p', PolicyDocument: document }, tenant)
  expect((await cloud.call('DescribeVpcs', {}, { as: mia })).status).toBe(403)
  const code = codeOf(seed, stepAt(Date.now()))
  const proven = { SerialNumber: serial, TokenCode: code }
  const session = credentialsOf(await sts('GetSessionToken', proven, mia), tenant.accountId)
  expect((await cloud.call('DescribeVpcs', {}, { as: session })).status).toBe(200)
  expect((await sts('GetSessionToken', proven, mia)).code).toBe('AccessDenied')
  const trusting = await iam(
    'CreateRole',
    { RoleName: 'careful', AssumeRolePolicyDocument: trusts({ AWS: tenant.accountId }, needsCode) },
    tenant,
  )
  const assume = { RoleArn: trusting.one('Arn')!, RoleSessionName: 'one' }
  await iam('PutUserPolicy', { UserName: 'mia', PolicyName: 'q', PolicyDocument: allow('sts:*') }, tenant)
  expect((await sts('AssumeRole', assume, mia)).code).toBe('AccessDenied')
  expect((await sts('AssumeRole', assume, session)).status).toBe(200)
})

/** RFC 4648. */
function fromBase32(text: string): Buffer {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...text].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)))
}
