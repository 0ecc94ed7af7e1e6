import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { jsonCall } from '../json-call.ts'

let cloud: CloudUnderTest
let other: Credentials
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
})
afterAll(() => cloud.stop())

const call = (action: string, body: object = {}, as = other) =>
  jsonCall(cloud, 'servicequotas', action, body, { as })
const admin = async (method: 'GET' | 'POST', url: string, payload?: object) => {
  const answer = await cloud.cloud.adminDoor.inject({ method, url, ...(payload ? { payload } : {}) })
  // oxlint-disable-next-line typescript/no-explicit-any -- as in answers of actions
  return { status: answer.statusCode, json: answer.json() as any }
}
const keyPairs = { ServiceCode: 'ec2', QuotaCode: 'MALLEE-KEY-PAIRS' }
const vpcs = { ServiceCode: 'vpc', QuotaCode: 'L-F678F1CE' }

test('services and their quotas, by pages, each with the code that AWS has for it', async () => {
  expect(
    (await call('ListServices')).json.Services.map((row: { ServiceCode: string }) => row.ServiceCode),
  ).toEqual(['ebs', 'ec2', 'vpc'])
  const seen: string[] = []
  let token: string | undefined
  do {
    const { json } = await call('ListServiceQuotas', {
      ServiceCode: 'vpc',
      MaxResults: 4,
      ...(token === undefined ? {} : { NextToken: token }),
    })
    expect(json.Quotas.length).toBeLessThanOrEqual(4)
    seen.push(...(json.Quotas as { QuotaCode: string }[]).map((row) => row.QuotaCode))
    token = json.NextToken as string | undefined
    if (token !== undefined) expect(token).toMatch(/^[a-zA-Z0-9/+]*={0,2}$/)
  } while (token !== undefined)
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen).toEqual(expect.arrayContaining(['L-F678F1CE', 'L-407747CB', 'L-0EA8095F']))
})

test('what an account has, and what a new one has', async () => {
  await admin('POST', '/admin/v1/quotas', { accountId: other.accountId, name: 'vpcs', value: 7 })
  const { Quota } = (await call('GetServiceQuota', vpcs)).json
  expect(Quota).toMatchObject({
    ...vpcs,
    QuotaName: 'VPCs per Region',
    Value: 7,
    Adjustable: true,
    QuotaArn: `arn:aws:servicequotas:us-east-1:${other.accountId}:vpc/L-F678F1CE`,
  })
  expect((await call('GetAWSDefaultServiceQuota', vpcs)).json.Quota.Value).toBe(100)
  expect((await call('GetServiceQuota', vpcs, cloud.admin)).json.Quota.Value).toBe(100)
  const defaults = (await call('ListAWSDefaultServiceQuotas', { ServiceCode: 'ebs' })).json.Quotas
  expect(defaults.length).toBe(3)
})

test('what is asked for waits for the administrator, and then holds', async () => {
  await admin('POST', '/admin/v1/quotas', { accountId: other.accountId, name: 'key-pairs', value: 1 })
  await cloud.call('CreateKeyPair', { KeyName: 'one' }, { as: other })
  const refused = await cloud.call('CreateKeyPair', { KeyName: 'two' }, { as: other })
  expect(refused.code).toBe('ResourceLimitExceeded')
  const { RequestedQuota: asked } = (
    await call('RequestServiceQuotaIncrease', { ...keyPairs, DesiredValue: 2 })
  ).json
  expect(asked).toMatchObject({ ...keyPairs, DesiredValue: 2, Status: 'PENDING' })
  expect((await cloud.call('CreateKeyPair', { KeyName: 'two' }, { as: other })).code).toBe(
    'ResourceLimitExceeded',
  )
  expect((await call('RequestServiceQuotaIncrease', { ...keyPairs, DesiredValue: 3 })).code).toBe(
    'ResourceAlreadyExistsException',
  )
  const waiting = await admin('GET', '/admin/v1/quota-requests')
  expect(waiting.json).toHaveLength(1)
  expect((await admin('POST', `/admin/v1/quota-requests/${asked.Id}`, { decision: 'approve' })).status).toBe(
    200,
  )
  expect((await admin('POST', `/admin/v1/quota-requests/${asked.Id}`, { decision: 'deny' })).status).toBe(400)
  expect(
    (await call('GetRequestedServiceQuotaChange', { RequestId: asked.Id })).json.RequestedQuota.Status,
  ).toBe('APPROVED')
  expect((await call('GetServiceQuota', keyPairs)).json.Quota.Value).toBe(2)
  expect((await cloud.call('CreateKeyPair', { KeyName: 'two' }, { as: other })).status).toBe(200)
})

test('a request that is denied changes nothing, and is history', async () => {
  const { RequestedQuota: asked } = (
    await call('RequestServiceQuotaIncrease', { ...vpcs, DesiredValue: 1000 })
  ).json
  await admin('POST', `/admin/v1/quota-requests/${asked.Id}`, { decision: 'deny' })
  expect((await call('GetServiceQuota', vpcs)).json.Quota.Value).toBe(7)
  const history = async (action: string, body: object) =>
    (await call(action, body)).json.RequestedQuotas.map((row: { Id: string }) => row.Id)
  expect(await history('ListRequestedServiceQuotaChangeHistory', { ServiceCode: 'vpc' })).toEqual([asked.Id])
  expect(await history('ListRequestedServiceQuotaChangeHistory', { Status: 'PENDING' })).toEqual([])
  expect(await history('ListRequestedServiceQuotaChangeHistoryByQuota', vpcs)).toEqual([asked.Id])
  expect(
    (await call('ListRequestedServiceQuotaChangeHistory', {}, cloud.admin)).json.RequestedQuotas,
  ).toEqual([])
})

describe('refused', () => {
  test.each([
    ['a service that is not here', 'ListServiceQuotas', { ServiceCode: 'lambda' }, 'NoSuchResourceException'],
    [
      'a quota of another service',
      'GetServiceQuota',
      { ...vpcs, ServiceCode: 'ec2' },
      'NoSuchResourceException',
    ],
    ['no service', 'ListServiceQuotas', {}, 'IllegalArgumentException'],
    ['a page of none', 'ListServices', { MaxResults: 0 }, 'IllegalArgumentException'],
    ['a token that is none', 'ListServices', { NextToken: 'bm9uZQ==' }, 'InvalidPaginationTokenException'],
    ['a token of no alphabet', 'ListServices', { NextToken: '?' }, 'InvalidPaginationTokenException'],
    [
      'less than there is',
      'RequestServiceQuotaIncrease',
      { ...vpcs, DesiredValue: 1 },
      'IllegalArgumentException',
    ],
    ['a half', 'RequestServiceQuotaIncrease', { ...vpcs, DesiredValue: 900.5 }, 'IllegalArgumentException'],
    [
      'beyond all',
      'RequestServiceQuotaIncrease',
      { ...vpcs, DesiredValue: 1e11 },
      'IllegalArgumentException',
    ],
    ['a text', 'RequestServiceQuotaIncrease', { ...vpcs, DesiredValue: 'many' }, 'SerializationException'],
    [
      'a request that nobody made',
      'GetRequestedServiceQuotaChange',
      { RequestId: 'none0' },
      'NoSuchResourceException',
    ],
    ['templates', 'AssociateServiceQuotaTemplate', {}, 'UnsupportedOperationException'],
  ])('%s', async (_what, action, body, code) => {
    const answer = await call(action, body)
    expect([answer.status, answer.code]).toEqual([400, code])
  })

  test.each([
    ['an account that is not', { accountId: '000000000000', name: 'vpcs', value: 1 }],
    ['a name that is not', { accountId: '1', name: 'wishes', value: 1 }],
    ['less than nothing', { accountId: '1', name: 'vpcs', value: -1 }],
  ])('by the administrator: %s', async (_what, body) => {
    expect((await admin('POST', '/admin/v1/quotas', body)).status).toBe(400)
  })
})
