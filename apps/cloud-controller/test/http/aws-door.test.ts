import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { presignRequest, signRequest } from '@mallee/aws-protocol'
import { ec2ActionNames } from '@mallee/ec2-api'
import { ec2ActionByName } from '../../src/actions/ec2-actions.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
})
afterAll(() => cloud.stop())

const send = (headers: Record<string, string>, body: string, url = '/') =>
  cloud.cloud.door.inject({
    method: 'POST',
    url,
    headers: { host: 'x', 'content-type': 'application/x-www-form-urlencoded', ...headers },
    payload: body,
  })
const body = 'Action=DescribeRegions&Version=2016-11-15'
const sign = (changes: { secret?: string; keyId?: string; now?: Date; payload?: string } = {}) =>
  signRequest(
    {
      method: 'POST',
      rawPath: '/',
      headers: { host: 'x', 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(changes.payload ?? body),
    },
    {
      credentials: {
        accessKeyId: changes.keyId ?? cloud.admin.accessKeyId,
        secretAccessKey: changes.secret ?? cloud.admin.secretAccessKey,
      },
      region: 'us-east-1',
      service: 'ec2',
      now: changes.now ?? new Date(),
    },
  )
const hour = 3_600_000

describe('signatures', () => {
  test.each([
    ['good', () => sign(), 200, null],
    ['a wrong secret', () => sign({ secret: 'wrong' }), 403, 'SignatureDoesNotMatch'],
    ['an unknown key', () => sign({ keyId: 'AKIAAAAAAAAAAAAAAAAA' }), 401, 'AuthFailure'],
    ['another body', () => sign({ payload: 'Action=TerminateInstances' }), 403, 'SignatureDoesNotMatch'],
    ['an hour old', () => sign({ now: new Date(Date.now() - hour) }), 400, 'RequestExpired'],
    ['an hour early', () => sign({ now: new Date(Date.now() + hour) }), 400, 'RequestExpired'],
    ['none', () => ({}), 403, 'MissingAuthenticationToken'],
  ])('%s', async (_what, headers, status, code) => {
    const answer = await send(headers() as Record<string, string>, body)
    const said = /<Code>([^<]*)<\/Code>/.exec(answer.body)?.[1] ?? null
    expect([answer.statusCode, said]).toEqual([status, code])
  })

  test('in the query string', async () => {
    const query = presignRequest(
      { method: 'GET', rawPath: '/', rawQuery: body, headers: { host: 'x' } },
      {
        credentials: cloud.admin,
        region: 'eu-nowhere-7',
        service: 'ec2',
        now: new Date(),
        expiresSeconds: 60,
      },
    )
    const answer = await cloud.cloud.door.inject({ method: 'GET', url: `/?${query}`, headers: { host: 'x' } })
    expect(answer.statusCode, answer.body).toBe(200)
  })
})

describe('names', () => {
  test('every action of the model that is not performed says so by its name', async () => {
    const missing = [...ec2ActionNames()].filter((name) => !ec2ActionByName.has(name))
    expect(missing.length).toBeGreaterThan(600)
    for (const name of [...missing.slice(0, 20), 'CreateVpnGateway', 'MigrateInstances']) {
      const answer = await cloud.call(name)
      expect([answer.code, answer.message?.includes(name)], name).toEqual(['UnsupportedOperation', true])
    }
  })
  test('an action that nobody has', async () => {
    expect((await cloud.call('MakeCoffee')).code).toBe('InvalidAction')
    expect((await cloud.call('__proto__')).code).toBe('InvalidAction')
    expect((await cloud.call('constructor')).code).toBe('InvalidAction')
  })
})

test('every action that changes something answers DryRun, and none runs without a signature', async () => {
  for (const name of ec2ActionByName.keys()) {
    const unsigned = await send({}, `Action=${name}&Version=2016-11-15`)
    expect(unsigned.statusCode, name).toBe(403)
  }
  expect((await cloud.call('CreateKeyPair', { KeyName: 'x', DryRun: true })).code).toBe('DryRunOperation')
  expect((await cloud.call('DescribeVpcs', { DryRun: true })).code).toBe('DryRunOperation')
  expect((await cloud.call('DescribeKeyPairs')).xml.keySet).toBe('')
})

test('a parameter that is known and not honoured is refused by its name', async () => {
  const answer = await cloud.call('RunInstances', {
    ImageId: 'ami-00000000000000001',
    MinCount: 1,
    MaxCount: 1,
    'LicenseSpecification.1.LicenseConfigurationArn': 'x',
  })
  expect(answer.code).toBe('UnsupportedOperation')
  expect(answer.message).toContain('LicenseSpecification ')
})

test('who is asking: STS, by scope, by path and by version', async () => {
  const byScope = await cloud.call('GetCallerIdentity', {}, { service: 'sts', version: '2011-06-15' })
  expect(byScope.body).toContain(`<Account>${cloud.admin.accountId}</Account>`)
  expect(byScope.body).toContain(`arn:aws:iam::${cloud.admin.accountId}:root`)
  const unnamed = await cloud.call('AssumeRole', {}, { service: 'sts', version: '2011-06-15' })
  expect(unnamed.code).toBe('ValidationError')
  expect(unnamed.body).toContain("at 'roleArn'")
  const users = await cloud.call('ListUsers', {}, { service: 'iam', version: '2010-05-08' })
  expect(users.body).toContain('<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">')
  const lookUp = await cloud.call('ListSAMLProviders', {}, { service: 'sts', version: '2011-06-15' })
  expect([lookUp.status, lookUp.code]).toEqual([400, 'InvalidAction'])
})

test('the answer names the request as the log does, in the namespace of the asked version', async () => {
  const answer = await cloud.call('DescribeRegions', {}, { version: '2014-10-01' })
  expect(answer.body).toContain('http://ec2.amazonaws.com/doc/2014-10-01/')
  expect(answer.body).toContain(`<requestId>${answer.requestId}</requestId>`)
})

test('hostile bodies are refused and nothing breaks', async () => {
  for (const hostile of [
    'Action=%',
    `Action=DescribeRegions&${'a=1&'.repeat(20_000)}`,
    'Action=DescribeRegions&Filter.999999999999.Name=x',
    '\u0000\u0001',
    `Action=DescribeRegions&${'A.'.repeat(60)}B=1`,
  ]) {
    const answer = await send(sign({ payload: hostile }), hostile)
    expect(answer.statusCode, hostile.slice(0, 40)).toBeGreaterThanOrEqual(400)
    expect(answer.statusCode, answer.body.slice(0, 200)).toBeLessThan(500)
  }
})

test('a body larger than a request may be is refused in XML', async () => {
  const huge = `Action=DescribeRegions&x=${'y'.repeat(2 * 1024 * 1024)}`
  const answer = await send(sign({ payload: huge }), huge)
  expect(answer.statusCode).toBe(413)
  expect(answer.body).toContain('<Code>RequestEntityTooLarge</Code>')
})

test('an action writes its event with its resources in its own transaction', async () => {
  const made = await cloud.call('CreateSecurityGroup', { GroupName: 'audited', GroupDescription: 'x' })
  const event = await cloud.cloud.record.read((db) =>
    db.selectFrom('event').selectAll().where('request_id', '=', made.requestId).executeTakeFirstOrThrow(),
  )
  expect(event).toMatchObject({
    action: 'CreateSecurityGroup',
    account_id: cloud.admin.accountId,
    resources: JSON.stringify([made.xml.groupId]),
  })
  const refused = await cloud.call('CreateSecurityGroup', { GroupName: 'audited', GroupDescription: 'x' })
  const none = await cloud.cloud.record.read((db) =>
    db.selectFrom('event').selectAll().where('request_id', '=', refused.requestId).executeTakeFirst(),
  )
  expect(none).toBeUndefined()
})
