import { afterAll, beforeAll, expect, test } from 'vitest'
import { XMLParser } from 'fast-xml-parser'
import { createSigningCertificate } from '@mallee/pki'
import type { MessageOptions, MessageSigner } from '@mallee/soap'
import { CloudUnderTest } from '../cloud-under-test.ts'
import {
  request,
  sendSoap,
  signed as sign,
  soapNamespace as namespace,
  uploadCertificate,
} from './soap-client.ts'

let cloud: CloudUnderTest
let signer: MessageSigner
let certificateId: string
const parser = new XMLParser({
  isArray: (name) => name === 'item',
  parseTagValue: false,
  removeNSPrefix: true,
})

beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  const made = await createSigningCertificate('soap', Date.now())
  signer = made
  certificateId = await uploadCertificate(cloud, made.certificate)
})
afterAll(() => cloud.stop())

async function send(message: string, url?: string) {
  const answer = await sendSoap(cloud, message, url === undefined ? {} : { url })
  const { Envelope } = parser.parse(answer.body) as { Envelope: { Body: Record<string, unknown> } }
  const [[name, content]] = Object.entries(Envelope.Body) as [[string, Record<string, unknown>]]
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read into answers of every action
  return { ...answer, name, content: content as any }
}
const signed = (content: string, options: Partial<MessageOptions> = {}) => sign(content, signer, options)

test('a launch, its description and its end, all signed', async () => {
  await cloud.addNode('soap-node')
  const imageId = await cloud.plantImage(cloud.admin.accountId)
  const launched = await send(
    signed(
      request(
        'RunInstances',
        `<imageId>${imageId}</imageId><minCount>1</minCount><maxCount>1</maxCount>
         <groupSet><item><groupName>default</groupName></item></groupSet>
         <userData version="1.0" encoding="base64"><data>aGVsbG8=</data></userData>
         <instanceType>m1.small</instanceType><placement/>`,
      ),
    ),
  )
  expect(launched.body).toContain(`<RunInstancesResponse xmlns="${namespace}"`)
  const instance = launched.content.instancesSet.item[0]
  expect(launched.content.groupSet.item ?? instance.groupSet.item).toBeDefined()
  const ids = `<instancesSet><item><instanceId>${instance.instanceId}</instanceId></item></instancesSet>`
  const described = await send(signed(request('DescribeInstances', ids)))
  expect(described.content.reservationSet.item[0].instancesSet.item[0].instanceId).toBe(instance.instanceId)
  const all = await send(signed(request('DescribeInstances', '<instancesSet/>'), { hash: 'sha256' }), '/')
  expect(all.content.reservationSet?.item, all.body).toHaveLength(1)
  const ended = await send(signed(request('TerminateInstances', ids)))
  expect(ended.content.instancesSet.item[0].instanceId).toBe(instance.instanceId)
  const event = await cloud.cloud.record.read((db) =>
    db.selectFrom('event').selectAll().where('action', '=', 'RunInstances').executeTakeFirstOrThrow(),
  )
  expect(event.access_key_id).toBe(certificateId)
})

test('an error is a fault of its code', async () => {
  const ids = '<instancesSet><item><instanceId>i-00000000000000001</instanceId></item></instancesSet>'
  const answer = await send(signed(request('TerminateInstances', ids)))
  expect([answer.status, answer.name, answer.code]).toEqual([500, 'Fault', 'InvalidInstanceID.NotFound'])
  expect(answer.content.detail.RequestId).toMatch(/^[0-9a-f-]{36}$/)
})

test.each([
  ['an unknown element', request('DescribeRegions', '<colour>blue</colour>'), 'UnknownParameter'],
  ['an unknown action', request('MakeCoffee'), 'InvalidAction'],
  [
    'an action that is not performed',
    request('CreateVpnGateway', '<type>ipsec.1</type>'),
    'UnsupportedOperation',
  ],
  [
    'a version to come',
    '<DescribeRegions xmlns="http://ec2.amazonaws.com/doc/2030-01-01/"/>',
    'NoSuchVersion',
  ],
  ['another namespace', '<DescribeRegions xmlns="urn:x"/>', 'InvalidSOAPRequest'],
  ['no request', '', 'InvalidSOAPRequest'],
  ['two requests', request('DescribeRegions') + request('DescribeVpcs'), 'InvalidSOAPRequest'],
])('%s', async (_what, content, code) => {
  expect((await send(signed(content))).code).toBe(code)
})
