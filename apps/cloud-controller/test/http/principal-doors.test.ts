import { afterAll, beforeAll, expect, test } from 'vitest'
import { signSigV2 } from '@mallee/aws-protocol'
import { createSigningCertificate } from '@mallee/pki'
import { allow, iamClient, keyOf } from '../actions/iam/iam-client.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { request, sendSoap, signed } from './soap-client.ts'

/** A user is held by its policies by whatever door and with whatever signature it comes. */
let cloud: CloudUnderTest
let eve: Credentials
const iam = iamClient(() => cloud)

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none', legacySignatures: true })
  await cloud.addStorage()
  await iam('CreateUser', { UserName: 'eve' })
  eve = await keyOf(iam, cloud.admin, 'eve')
})
afterAll(() => cloud.stop())

const put = async (document: string) => {
  const answer = await iam('PutUserPolicy', { UserName: 'eve', PolicyName: 'p', PolicyDocument: document })
  expect(answer.status, answer.body).toBe(200)
}

test('by Signature Version 2', async () => {
  const send = async (Action: string) => {
    const form = signSigV2(
      { method: 'POST', host: '127.0.0.1:8773', rawPath: '/', parameters: { Version: '2014-10-01', Action } },
      { credentials: eve, now: new Date() },
    )
    const headers = { host: '127.0.0.1:8773', 'content-type': 'application/x-www-form-urlencoded' }
    const { statusCode, body } = await cloud.cloud.door.inject({
      ...{ method: 'POST', url: '/', headers, payload: form },
    })
    return [statusCode, /<Code>([^<]*)</.exec(body)?.[1]]
  }
  await put(allow('ec2:DescribeVpcs'))
  expect(await send('DescribeVpcs')).toEqual([200, undefined])
  expect(await send('DescribeSubnets')).toEqual([403, 'UnauthorizedOperation'])
  expect(await send('CreateInternetGateway')).toEqual([403, 'UnauthorizedOperation'])
})

test('by SOAP with a certificate of its own', async () => {
  const signer = await createSigningCertificate('eve', Date.now())
  const named = { UserName: 'eve', CertificateBody: signer.certificate }
  expect((await iam('UploadSigningCertificate', named)).status).toBe(200)
  const send = (action: string, content = '') => sendSoap(cloud, signed(request(action, content), signer))
  await put(allow('ec2:DescribeVpcs'))
  expect((await send('DescribeVpcs', '<vpcSet/>')).body).toContain('DescribeVpcsResponse')
  expect((await send('DescribeSubnets', '<subnetSet/>')).body).toContain('UnauthorizedOperation')
  expect((await send('CreateInternetGateway')).body).toContain('UnauthorizedOperation')
})

test('by the EBS direct APIs, with their condition keys', async () => {
  const conditioned = (Condition: object) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: { Effect: 'Allow', Action: 'ebs:*', Resource: 'arn:aws:ec2:*::snapshot/*', Condition },
    })
  const start = async (more: object) => {
    const body = { VolumeSize: 1, ...more }
    return (await cloud.ebs('POST', '/snapshots', { as: eve, body })).type
  }
  const tagged = { Tags: [{ Key: 'team', Value: 'red' }] }
  await put(allow('ec2:*'))
  expect(await start({})).toBe('AccessDeniedException')
  await put(conditioned({ StringEquals: { 'aws:RequestTag/team': 'red' } }))
  expect(await start({})).toBe('AccessDeniedException')
  expect(await start(tagged)).toBeUndefined()
  await put(conditioned({ NumericLessThan: { 'ebs:VolumeSize': '2' } }))
  expect(await start({ VolumeSize: 2 })).toBe('AccessDeniedException')
  await put(conditioned({ Null: { 'ebs:ParentSnapshot': 'false' } }))
  expect(await start({})).toBe('AccessDeniedException')
})
