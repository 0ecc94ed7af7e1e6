import { afterAll, beforeAll, expect, test } from 'vitest'
import { signRequest } from '@mallee/aws-protocol'
import { silentLog } from '@mallee/base'
import type { ApiCall } from '../../src/audit/api-call.ts'
import { AuditLog } from '../../src/audit/audit-log.ts'
import { recoverAudit } from '../../src/audit/recover-audit.ts'
import { auditGaps, forgetApiCalls } from '../../src/store/api-call-store.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let other: Credentials
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
})
afterAll(() => cloud.stop())

const lines = (after = 0) =>
  cloud.cloud.record.read((db) =>
    db.selectFrom('api_call').selectAll().where('sequence', '>', after).orderBy('sequence').execute(),
  )
const lineOf = async (requestId: string) => (await lines()).find((line) => line.request_id === requestId)
const last = async () => (await lines()).at(-1)?.sequence ?? 0

test('a call that was done has its line when it is answered: who, what, on what', async () => {
  const made = await cloud.call('CreateKeyPair', { KeyName: 'one' }, { as: other })
  const line = await lineOf(made.requestId)
  expect(line).toMatchObject({
    event_source: 'ec2.amazonaws.com',
    event_name: 'CreateKeyPair',
    account_id: other.accountId,
    user_name: 'root',
    access_key_id: other.accessKeyId,
    read_only: 0,
    error_code: null,
    parameters: JSON.stringify({ keyName: 'one' }),
  })
  expect(JSON.parse(line!.resources)).toEqual([made.xml.keyPairId])
  expect(JSON.parse(line!.identity)).toMatchObject({
    type: 'Root',
    arn: `arn:aws:iam::${other.accountId}:root`,
  })
})

test.each([
  ['an error of the action', () => cloud.call('RunInstances', {}), 'MissingParameter', true],
  ['an action that is not performed', () => cloud.call('CreateVpnGateway'), 'UnsupportedOperation', true],
  ['a name that nobody has', () => cloud.call('Nonsense'), 'InvalidAction', true],
  [
    'a wrong secret',
    () => cloud.call('DescribeRegions', {}, { as: { ...other, secretAccessKey: 'wrong' } }),
    'SignatureDoesNotMatch',
    false,
  ],
  [
    'a call of IAM',
    () => cloud.call('CreateUser', {}, { service: 'iam', version: '2010-05-08' }),
    null,
    true,
  ],
  [
    'a call of STS',
    () => cloud.call('GetCallerIdentity', {}, { service: 'sts', version: '2011-06-15' }),
    null,
    true,
  ],
])('%s has one', async (_what, call, code, isKnown) => {
  const answer = await call()
  const line = await lineOf(answer.requestId)
  expect(line).toBeDefined()
  if (code !== null) expect(line!.error_code).toBe(code)
  expect(line!.error_code ?? undefined).toBe(answer.code)
  expect(line!.account_id !== null).toBe(isKnown)
})

test('a request without a signature has one, and says nothing of what it brought', async () => {
  const answer = await cloud.cloud.door.inject({
    method: 'POST',
    url: '/',
    headers: { host: 'x', 'content-type': 'application/x-www-form-urlencoded' },
    payload: 'Action=RunInstances&Version=2016-11-15&UserData=abc',
  })
  const line = await lineOf(String(answer.headers['x-amzn-requestid']))
  expect(line).toMatchObject({ event_name: 'RunInstances', account_id: null, parameters: null })
})

test('the EBS direct APIs have theirs', async () => {
  const before = await last()
  await cloud.ebs('POST', '/snapshots', { body: { VolumeSize: 1 } })
  await cloud.ebs('POST', '/snapshots/completion/snap-0123456789abcdef0', {
    headers: { 'x-amz-ChangedBlocksCount': '0' },
  })
  expect((await lines(before)).map((line) => [line.event_source, line.event_name])).toEqual([
    ['ebs.amazonaws.com', 'StartSnapshot'],
    ['ebs.amazonaws.com', 'CompleteSnapshot'],
  ])
})

test('where it came from is what the front door says', async () => {
  const answer = await cloud.call(
    'DescribeRegions',
    {},
    { headers: { 'x-mallee-source': '198.51.100.7', 'x-mallee-secure': 'true', 'user-agent': 'tester/1' } },
  )
  const line = await lineOf(answer.requestId)
  expect(line).toMatchObject({ source_ip: '198.51.100.7', secure: 1, user_agent: 'tester/1', read_only: 1 })
})

test('no secret is kept: what models mark, and what names say', async () => {
  const secret = 'dGhlIHNlY3JldA=='
  const run = await cloud.call('RunInstances', {
    ImageId: 'ami-0123456789abcdef0',
    MinCount: 1,
    MaxCount: 1,
    UserData: secret,
  })
  const template = await cloud.call('CreateLaunchTemplate', {
    LaunchTemplateName: 'hidden',
    'LaunchTemplateData.UserData': secret,
  })
  const imported = await cloud.call('ImportKeyPair', { KeyName: 'two', PublicKeyMaterial: 'c2VjcmV0' })
  const text = JSON.stringify([
    await lineOf(run.requestId),
    await lineOf(template.requestId),
    await lineOf(imported.requestId),
  ])
  expect(text).not.toContain(secret)
  expect(text).toContain('HIDDEN_DUE_TO_SECURITY_REASONS')
})

test('numbers rise by one, whatever runs at once', async () => {
  const before = await last()
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_none, index) =>
      index % 3 === 0
        ? cloud.call('CreateKeyPair', { KeyName: `many-${index}` })
        : index % 3 === 1
          ? cloud.call('DescribeKeyPairs')
          : cloud.call('DeleteKeyPair', { KeyName: 'none' }, { as: { ...other, secretAccessKey: 'no' } }),
    ),
  )
  const added = await lines(before)
  expect(added.map((line) => line.sequence)).toEqual(answers.map((_answer, index) => before + 1 + index))
  expect(new Set(added.map((line) => line.request_id))).toEqual(
    new Set(answers.map((answer) => answer.requestId)),
  )
  expect(await cloud.cloud.record.read(auditGaps)).toMatchObject({ missing: 0, last: before + 60 })
})

test('a line that is taken away shows', async () => {
  const sequence = await last()
  const row = (await lines(sequence - 1))[0]!
  await cloud.cloud.record.transaction('action', (tx) =>
    tx.db.deleteFrom('api_call').where('sequence', '=', sequence).execute(),
  )
  expect((await cloud.cloud.record.read(auditGaps)).missing).toBe(1)
  await cloud.cloud.record.transaction('action', (tx) => tx.db.insertInto('api_call').values(row).execute())
  expect((await cloud.cloud.record.read(auditGaps)).missing).toBe(0)
})

test('what was done without a line, because the daemon ended, is added at the next start', async () => {
  const made = await cloud.call('CreateKeyPair', { KeyName: 'cut-off' })
  const line = (await lineOf(made.requestId))!
  await cloud.cloud.record.transaction('action', async (tx) => {
    await tx.db.deleteFrom('api_call').where('sequence', '=', line.sequence).execute()
    await tx.db.deleteFrom('api_call_resource').where('sequence', '=', line.sequence).execute()
    await tx.db
      .updateTable('audit_counter')
      .set({ value: line.sequence - 1 })
      .where('name', '=', 'last')
      .execute()
  })
  const { record, settings } = cloud.cloud
  await recoverAudit({ record, settings, log: silentLog })
  await recoverAudit({ record, settings, log: silentLog })
  const added = (await lines()).filter((entry) => entry.request_id === made.requestId)
  expect(added).toHaveLength(1)
  expect(added[0]).toMatchObject({
    sequence: line.sequence,
    event_type: 'Recovered',
    event_name: 'CreateKeyPair',
    account_id: cloud.admin.accountId,
    resources: JSON.stringify([made.xml.keyPairId]),
  })
})

test('old lines go in order, and are no gap', async () => {
  const { first } = await cloud.cloud.record.read(auditGaps)
  const third = (await lines(first + 1))[0]!
  await cloud.cloud.record.transaction('reconcile', (tx) => forgetApiCalls(tx, third.at, 1000))
  const after = await cloud.cloud.record.read(auditGaps)
  expect(after.missing).toBe(0)
  expect((await lines())[0]!.at).toBeGreaterThanOrEqual(third.at)
})

const call = (changes: Partial<ApiCall> = {}): ApiCall => ({
  atMs: 1,
  eventId: crypto.randomUUID(),
  requestId: crypto.randomUUID(),
  eventSource: 'ec2.amazonaws.com',
  eventName: 'StopInstances',
  eventType: 'AwsApiCall',
  identity: { type: 'Unknown' },
  sourceIp: '',
  userAgent: '',
  region: 'us-east-1',
  readOnly: false,
  management: true,
  secure: false,
  error: null,
  parameters: null,
  response: null,
  resources: [],
  ...changes,
})

test('where it cannot be written, what was done is not answered, and is written when that is possible again', async () => {
  let broken = true
  let tried = 0
  const { record } = cloud.cloud
  const audit = new AuditLog({
    log: silentLog,
    clock: { sleep: () => new Promise((resolve) => setImmediate(resolve)) },
    record: {
      ...record,
      engine: record.engine,
      read: (work) => record.read(work),
      transaction: (kind, work) => {
        tried += 1
        return broken ? Promise.reject(new Error('no room')) : record.transaction(kind, work)
      },
    },
  })
  const done = call()
  await expect(audit.keep(done)).rejects.toMatchObject({ code: 'Unavailable' })
  await audit.keep(call({ readOnly: true, eventName: 'DescribeInstances' }))
  await audit.keep(call({ error: { code: 'AuthFailure', message: '' } }))
  await expect(
    audit.keep(call({ readOnly: true, eventSource: 'sts.amazonaws.com', eventName: 'AssumeRole' })),
  ).rejects.toMatchObject({ code: 'Unavailable' })
  expect(tried).toBeGreaterThan(1)
  broken = false
  await audit.close()
  expect(audit.waiting).toBe(0)
  expect(await lineOf(done.requestId)).toBeDefined()
  expect((await record.read(auditGaps)).missing).toBe(0)
})

test('what the administrator changes has a line, what is only looked at has none', async () => {
  const before = await last()
  await cloud.createAccount('third')
  await cloud.cloud.adminDoor.inject({ method: 'GET', url: '/admin/v1/status' })
  const bad = await cloud.cloud.adminDoor.inject({ method: 'POST', url: '/admin/v1/accounts', payload: {} })
  expect(bad.statusCode).toBe(400)
  expect(
    (await lines(before)).map((line) => [
      line.event_source,
      line.event_name,
      line.error_code,
      line.parameters,
    ]),
  ).toEqual([
    ['admin.mallee', 'POST /admin/v1/accounts', null, '{"name":"third"}'],
    ['admin.mallee', 'POST /admin/v1/accounts', 'BadRequest', null],
  ])
})

test('a signature of another key is kept as a claim only', async () => {
  const headers = { host: 'x', 'content-type': 'application/x-www-form-urlencoded' }
  const body = Buffer.from('Action=DescribeRegions&Version=2016-11-15')
  const signed = signRequest(
    { method: 'POST', rawPath: '/', headers, body },
    {
      credentials: { accessKeyId: other.accessKeyId, secretAccessKey: 'guess' },
      region: 'us-east-1',
      service: 'ec2',
      now: new Date(),
    },
  )
  const answer = await cloud.cloud.door.inject({
    method: 'POST',
    url: '/',
    headers: { ...headers, ...signed },
    payload: body,
  })
  const line = await lineOf(String(answer.headers['x-amzn-requestid']))
  expect(line).toMatchObject({ account_id: null, access_key_id: other.accessKeyId, user_name: null })
})
