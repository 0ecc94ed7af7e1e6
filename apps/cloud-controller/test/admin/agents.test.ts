import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '@mallee/base'
import { createCertificateRequest } from '@mallee/pki'
import { CloudUnderTest } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let image: string
let now = 0
const clock = { ...systemClock, now: () => systemClock.now() + now }

beforeEach(async () => {
  now = 0
  cloud = await CloudUnderTest.start({}, clock)
  image = await cloud.plantImage(cloud.admin.accountId)
})
afterEach(() => cloud.stop())

async function say(method: 'GET' | 'POST', url: string, payload?: object) {
  const response = await cloud.cloud.adminDoor.inject({ method, url, ...(payload ? { payload } : {}) })
  return { status: response.statusCode, body: response.json() as Record<string, never> }
}
const agents = async () =>
  (await say('GET', '/admin/v1/status')).body['agents'] as unknown as { name: string; state: string }[]

const launch = () => cloud.call('RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 })

async function nodeWithInstance(name: string) {
  const nodeId = await cloud.addNode(name)
  const answer = await launch()
  expect(answer.status, answer.body).toBe(200)
  const instanceId = answer.xml.instancesSet.item[0].instanceId as string
  return { nodeId, instanceId }
}

describe('an agent', () => {
  test('that is drained takes no launches, lists what it holds, and can be enabled again', async () => {
    const { instanceId } = await nodeWithInstance('one')
    const drained = await say('POST', '/admin/v1/agents/one/drain')
    expect(drained.body['instances']).toMatchObject([{ id: instanceId }])
    expect(await agents()).toMatchObject([{ name: 'one', state: 'draining' }])
    const refused = await launch()
    expect(refused.code).toBe('InsufficientInstanceCapacity')
    expect(refused.message).toContain('1 by draining')
    expect((await say('POST', '/admin/v1/agents/one/enable')).status).toBe(200)
    expect((await launch()).status).toBe(200)
  })

  test('that still answers, or that is not fenced, is not forgotten', async () => {
    const { nodeId } = await nodeWithInstance('one')
    await cloud.desired('node', nodeId)
    expect((await say('POST', '/admin/v1/agents/one/forget', { fenced: true })).body['code']).toBe(
      'StillHere',
    )
    now += 60_000
    expect((await say('POST', '/admin/v1/agents/one/forget', { fenced: false })).body['code']).toBe(
      'NotFenced',
    )
    expect((await say('POST', '/admin/v1/agents/nobody/forget', { fenced: true })).body['code']).toBe(
      'NoSuchAgent',
    )
  })

  test('that is forgotten loses its instances and its certificate, and its name is free', async () => {
    const { nodeId, instanceId } = await nodeWithInstance('one')
    now += 60_000
    const forgotten = await say('POST', '/admin/v1/agents/one/forget', { fenced: true })
    expect(forgotten.body['instances']).toMatchObject([{ id: instanceId }])
    await cloud.settled()
    const told = await cloud.call('DescribeInstances', { 'InstanceId.1': instanceId })
    const instance = told.xml.reservationSet.item[0].instancesSet.item[0]
    expect(instance.instanceState.name).toBe('terminated')
    expect(instance.stateReason.message).toContain('the node one was lost')
    const answer = await cloud.cloud.agentDoor.inject({
      method: 'GET',
      url: '/agent/v1/desired?revision=0&wait=0',
      headers: { 'x-test-peer': `node/${nodeId}` },
    })
    expect([answer.statusCode, answer.json().code]).toEqual([403, 'Forgotten'])
    expect(await cloud.registerAgent('node', 'one')).not.toBe(nodeId)
  })
})

describe('a join token', () => {
  const join = async (kind: string, name: string, token: string, certificateRequest: string) =>
    cloud.cloud.agentDoor.inject({
      method: 'POST',
      url: '/agent/v1/register',
      payload: { kind, name, token, certificateRequest },
    })
  const tokenFor = async (kind: string) =>
    (await say('POST', '/admin/v1/tokens', { kind, availabilityZone: 'us-east-1a' })).body[
      'token'
    ] as unknown as string

  test('answers the same agent again with the same key, and nobody else', async () => {
    const token = await tokenFor('node')
    const { key, request } = await createCertificateRequest('one')
    const first = await join('node', 'one', token, request)
    const again = await join('node', 'one', token, (await createCertificateRequest('one', key)).request)
    expect(again.json().agentId).toBe(first.json().agentId)
    expect((await join('node', 'two', token, request)).statusCode).toBe(403)
    const other = await createCertificateRequest('one')
    expect((await join('node', 'one', token, other.request)).statusCode).toBe(403)
  })

  test('admits one walrus only', async () => {
    await cloud.registerAgent('walrus', 'first')
    const { request } = await createCertificateRequest('second')
    const answer = await join('walrus', 'second', await tokenFor('walrus'), request)
    expect([answer.statusCode, answer.json().message]).toEqual([403, expect.stringContaining('first')])
  })
})
