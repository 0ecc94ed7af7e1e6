import { request as httpsRequest } from 'node:https'
import { CreateBucketCommand, DeleteBucketCommand, GetObjectCommand } from '@aws-sdk/client-s3'
import type { FlowLogFacts } from '@mallee/agent-contract'
import { issueCertificate, walrusServerName } from '@mallee/pki'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { alice, eventually, mallory, WalrusUnderTest } from './walrus-under-test.ts'

let test: WalrusUnderTest
beforeAll(async () => {
  test = await WalrusUnderTest.start()
  await test.sdk().send(new CreateBucketCommand({ Bucket: 'records' }))
})
afterAll(() => test.stop())

const region = 'us-east-1'
const prefixOf = (accountId: string) => `net/AWSLogs/${accountId}/vpcflowlogs/${region}/`
const nameOf = (id: string, accountId = alice.accountId) =>
  `${prefixOf(accountId)}2026/11/28/${accountId}_vpcflowlogs_${region}_${id}_20261128T2010Z_0a1b2c3d.log.gz`

/** As a node whose certificate this is. */
async function put(
  path: string,
  options: { kind?: string; agent?: string; headers?: Record<string, string> } = {},
) {
  const { authority } = test
  const own = await issueCertificate({
    authority,
    commonName: 'n',
    names: { uri: [`mallee://${options.kind ?? 'node'}/${options.agent ?? 'agent-9'}`] },
    nowMs: Date.now(),
  })
  return new Promise<number>((resolve, reject) => {
    const outgoing = httpsRequest(
      {
        ...{ host: '127.0.0.1', port: new URL(test.url).port, path, method: 'PUT', agent: false },
        ...{ servername: walrusServerName, ca: authority.certificate, key: own.key, cert: own.certificate },
        headers: { 'content-length': 5, ...options.headers },
      },
      (incoming) => {
        incoming.resume()
        incoming.on('end', () => resolve(incoming.statusCode ?? 0))
      },
    )
    outgoing.on('error', reject)
    outgoing.end('lines')
  })
}

const wish = (id: string, changes: object = {}) =>
  test.cloud.putItem('flow-log', id, {
    ...{ accountId: alice.accountId, bucket: 'records', region, agents: ['agent-9'] },
    ...{ keyPrefix: prefixOf(alice.accountId), ...changes },
  })
const judged = async (id: string, deliverable: boolean) =>
  eventually(() => {
    const said = test.cloud.observed('flow-log', id)?.facts as FlowLogFacts | undefined
    return said?.deliverable === deliverable ? said : undefined
  })

it('takes the records of a node that the flow log covers, under their own names, and nothing else of it', async () => {
  wish('fl-1')
  wish('fl-2', { bucket: 'elsewhere' })
  await judged('fl-1', true)
  const path = `/records/${nameOf('fl-1')}`
  expect(await put(path)).toBe(200)
  const found = await test.sdk().send(new GetObjectCommand({ Bucket: 'records', Key: nameOf('fl-1') }))
  expect(await found.Body?.transformToString()).toBe('lines')
  const refused: [string, Parameters<typeof put>[1]?][] = [
    [path, { agent: 'agent-8' }],
    [path, { kind: 'storage' }],
    [path, { kind: 'walrus' }],
    [path, { headers: { 'x-amz-acl': 'public-read' } }],
    [`${path}?acl`],
    [`/records/${nameOf('fl-2')}`],
    [`/records/${nameOf('fl-3')}`],
    [`/records/${nameOf('fl-1', mallory.accountId)}`],
    [`/records/${prefixOf(alice.accountId)}secret`],
    [`/records/secret`],
    [`/records`],
    [`/elsewhere/${nameOf('fl-1')}`],
  ]
  for (const [target, options] of refused)
    expect([target, options, await put(target, options)]).toEqual([target, options, 403])
})

it('takes none into a bucket of another account, and says so', async () => {
  wish('fl-4', { accountId: mallory.accountId, keyPrefix: prefixOf(mallory.accountId) })
  expect(await judged('fl-4', false)).toEqual({ deliverable: false, message: 'Access error' })
  expect(await put(`/records/${nameOf('fl-4', mallory.accountId)}`)).toBe(403)
})

it('says so when the bucket comes and when it goes', async () => {
  wish('fl-5', { bucket: 'fleeting' })
  await judged('fl-5', false)
  await test.sdk().send(new CreateBucketCommand({ Bucket: 'fleeting' }))
  wish('fl-6', { bucket: 'fleeting' }) // whatever comes, all are looked at again
  await judged('fl-5', true)
  await test.sdk().send(new DeleteBucketCommand({ Bucket: 'fleeting' }))
  wish('fl-7', { bucket: 'fleeting' })
  await judged('fl-5', false)
  test.cloud.drop('flow-log', 'fl-1')
  await eventually(async () => ((await put(`/records/${nameOf('fl-1')}`)) === 403 ? true : undefined))
})
