import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest, signSigV2 } from '@mallee/aws-protocol'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let other: Credentials
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
})
afterAll(() => cloud.stop())

async function send(
  at: CloudUnderTest,
  parameters: Record<string, string>,
  options: {
    as?: Partial<Credentials>
    method?: 'GET' | 'POST'
    path?: string
    add?: string
    headers?: object
  } = {},
) {
  const { method = 'POST', path = '/services/Eucalyptus' } = options
  const form = signSigV2(
    { method, host: '127.0.0.1:8773', rawPath: path, parameters: { Version: '2014-10-01', ...parameters } },
    { credentials: { ...at.admin, ...options.as }, now: new Date() },
  )
  const response = await at.cloud.door.inject({
    method,
    url: method === 'GET' ? `${path}?${form}${options.add ?? ''}` : path,
    headers: {
      host: '127.0.0.1:8773',
      ...(method === 'POST' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      ...options.headers,
    },
    ...(method === 'POST' ? { payload: `${form}${options.add ?? ''}` } : {}),
  })
  return { status: response.statusCode, code: /<Code>([^<]*)</.exec(response.body)?.[1], body: response.body }
}

const allow = (accountId: string, enabled: unknown) =>
  cloud.cloud.adminDoor.inject({
    method: 'PUT',
    url: `/admin/v1/accounts/${accountId}/legacy-signatures`,
    payload: { enabled } as object,
  })

const regions = { Action: 'DescribeRegions' }

describe('where nobody allowed it', () => {
  test('every key is answered alike: of this account, of another, of nobody, with a wrong secret', async () => {
    const answers = [
      await send(cloud, regions),
      await send(cloud, regions, { as: other }),
      await send(cloud, regions, { as: { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA' } }),
      await send(cloud, regions, { as: { secretAccessKey: 'wrong' } }),
    ]
    const said = answers.map(({ status, body }) => [status, body.replace(/<RequestID>.*/, '')])
    expect(new Set(said.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 400, code: 'IncompleteSignature' })
  })
  test('one account may and another may not, until it is taken back', async () => {
    expect((await allow(other.accountId, true)).statusCode).toBe(200)
    expect((await send(cloud, regions, { as: other })).status).toBe(200)
    expect((await send(cloud, regions, { as: { ...other, secretAccessKey: 'wrong' } })).code).toBe(
      'SignatureDoesNotMatch',
    )
    expect((await send(cloud, regions)).code).toBe('IncompleteSignature')
    await allow(other.accountId, false)
    expect((await send(cloud, regions, { as: other })).code).toBe('IncompleteSignature')
    const events = await cloud.cloud.record.read((db) =>
      db
        .selectFrom('event')
        .select('action')
        .where('action', 'like', '%LegacySignatures')
        .orderBy('id')
        .execute(),
    )
    expect(events.map(({ action }) => action)).toEqual(['AllowLegacySignatures', 'RefuseLegacySignatures'])
  })
  test('the administrator is told of an account that is none, and of a word that is no answer', async () => {
    expect((await allow('000000000000', true)).json()).toMatchObject({ code: 'NotFound' })
    expect((await allow(other.accountId, 'yes')).json()).toMatchObject({ code: 'BadRequest' })
  })
})

describe('where all may', () => {
  let old: CloudUnderTest
  beforeAll(async () => {
    old = await CloudUnderTest.start({ legacySignatures: true })
  })
  afterAll(() => old.stop())

  test('GET and POST, at every path of EC2, and what it does is done', async () => {
    for (const path of [
      '/',
      '/services/compute',
      '/services/compute/',
      '/services/Eucalyptus',
      '/services/CLOUD/',
    ])
      for (const method of ['GET', 'POST'] as const)
        expect((await send(old, regions, { path, method })).status, `${method} ${path}`).toBe(200)
    const made = await send(old, { Action: 'CreateKeyPair', KeyName: 'old' })
    expect(made.body).toContain('<keyName>old</keyName>')
  })
  test('IAM and STS in their own words', async () => {
    const path = '/services/Tokens/'
    const sts = { Action: 'GetCallerIdentity', Version: '2011-06-15' }
    expect((await send(old, sts, { path })).body).toContain(`<Account>${old.admin.accountId}<`)
    const unknown = await send(old, sts, { path, as: { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA' } })
    expect([unknown.status, unknown.code]).toEqual([403, 'InvalidClientTokenId'])
  })
  test('not what was added to it, nor what is signed twice over', async () => {
    expect((await send(old, regions, { add: '&DryRun=true' })).code).toBe('SignatureDoesNotMatch')
    expect((await send(old, regions, { add: '&Action=DescribeRegions' })).code).toBe('InvalidParameterValue')
    const headers = { authorization: 'AWS4-HMAC-SHA256 Credential=x' }
    expect((await send(old, regions, { headers })).code).toBe('IncompleteSignature')
    expect((await send(old, { ...regions, SecurityToken: 'x' })).code).toBe('AuthFailure')
  })
})

describe('routing', () => {
  const call = (service: string, path: string, form: string, host = 'x') => {
    const headers = { host, 'content-type': 'application/x-www-form-urlencoded' }
    const signed = signRequest(
      { method: 'POST', rawPath: path, headers, body: form },
      { credentials: cloud.admin, region: '0', service, now: new Date() },
    )
    return cloud.cloud.door
      .inject({ method: 'POST', url: path, headers: { ...headers, ...signed }, payload: form })
      .then(({ statusCode, body }) =>
        `${statusCode} ${/<(\w+)(?: xmlns|><Err)/.exec(body)?.[1]} ${/<Code>(\w+)/.exec(body)?.[1] ?? ''}`.trim(),
      )
  }
  const ec2 = 'Action=DescribeRegions&Version=2014-10-01'
  const sts = 'Action=GetCallerIdentity&Version=2011-06-15'
  const iam = 'Action=ListSigningCertificates&Version=2010-05-08'

  test.each([
    ['ec2', '/', ec2, 'x', '200 DescribeRegionsResponse'],
    ['sts', '/services/compute', sts, 'x', '200 GetCallerIdentityResponse'],
    ['iam', '/', iam, 'x', '200 ListSigningCertificatesResponse'],
    // a scope that names no service of ours, as boto 2 derives it from an address
    ['127', '/services/Eucalyptus/', ec2, 'x', '200 DescribeRegionsResponse'],
    ['127', '/SERVICES/euare', iam, 'x', '200 ListSigningCertificatesResponse'],
    ['cloud', '/services/Euare/', iam, 'x', '200 ListSigningCertificatesResponse'],
    ['cloud', '/services/tokens', sts, 'x', '200 GetCallerIdentityResponse'],
    ['cloud', '/', iam, 'euare.example.com', '200 ListSigningCertificatesResponse'],
    ['cloud', '/services/compute', sts, 'STS.example.com:8773', '200 GetCallerIdentityResponse'],
    ['cloud', '/', sts, 'x', '200 GetCallerIdentityResponse'],
    ['cloud', '/', 'Action=GetCallerIdentity', 'x', '200 GetCallerIdentityResponse'],
    ['cloud', '/', 'Action=ListSigningCertificates', 'x', '200 ListSigningCertificatesResponse'],
    // what is signed for one service is not another's
    ['sts', '/services/compute', ec2, 'x', '400 ErrorResponse InvalidAction'],
    ['iam', '/services/compute', ec2, 'ec2.example.com', '400 ErrorResponse InvalidAction'],
    ['s3', '/services/compute', ec2, 'x', '403 Response SignatureDoesNotMatch'],
    ['cloud', '/services/Euare', ec2, 'x', '400 ErrorResponse InvalidAction'],
    ['ec2', '/', 'Action=DescribeRegions&Version=2030-01-01', 'x', '400 Response NoSuchVersion'],
    ['ec2', '/', 'Action=DescribeRegions&Version=2008-12-01', 'x', '400 Response NoSuchVersion'],
    ['ec2', '/', 'Action=DescribeRegions&Version=2014-13-01', 'x', '400 Response NoSuchVersion'],
    ['ec2', '/', 'Action=DescribeRegions&Version=latest', 'x', '400 Response NoSuchVersion'],
    ['ec2', '/', 'Action=DescribeRegions&Version=2009-04-04', 'x', '200 DescribeRegionsResponse'],
  ])('scope %s, %s, %s, host %s: %s', async (service, path, form, host, expected) => {
    expect(await call(service, path, form, host)).toBe(expected)
  })

  test('a WSDL, unsigned', async () => {
    for (const url of ['/services/compute/?wsdl', '/?wsdl', '/services/Eucalyptus?WSDL']) {
      const answer = await cloud.cloud.door.inject({ method: 'GET', url })
      expect(answer.statusCode).toBe(200)
      expect(answer.body).toContain('<operation name="RunInstances">')
    }
    const other = await cloud.cloud.door.inject({ method: 'GET', url: '/services/Euare?wsdl' })
    expect(other.statusCode).toBe(403)
  })
})
