import { afterAll, beforeAll, expect, test } from 'vitest'
import { stsClient } from '../actions/sts/sts-client.ts'
import { allow, iamClient, keyOf } from '../actions/iam/iam-client.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
const iam = iamClient(() => cloud)
const sts = stsClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start({ pollSeconds: 3_600 })
})
afterAll(() => cloud.stop())

test('whoever has a stolen key does not guess the code of its device', async () => {
  await iam('CreateUser', { UserName: 'joe' })
  await iam('PutUserPolicy', { UserName: 'joe', PolicyName: 'p', PolicyDocument: allow('*') })
  const joe = await keyOf(iam, cloud.admin, 'joe')
  const SerialNumber = `arn:aws:iam::${cloud.admin.accountId}:mfa/joe`
  const codes = new Set<string | undefined>()
  for (let at = 0; at < 40; at += 1) {
    const TokenCode = String(100_000 + at)
    codes.add((await sts('GetSessionToken', { SerialNumber, TokenCode }, joe)).code)
  }
  expect([...codes]).toEqual(['AccessDenied', 'RequestLimitExceeded'])
  expect((await sts('GetSessionToken', {}, joe)).status).toBe(200)
})
