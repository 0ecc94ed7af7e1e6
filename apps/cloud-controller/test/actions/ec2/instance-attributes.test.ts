import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CloudUnderTest, type Answer, type Credentials } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
let other: Credentials
let node: string
let id: string

beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  other = await cloud.createAccount('other')
  node = await cloud.addNode('node-1')
  await cloud.plantImage(cloud.admin.accountId)
  id = await launch()
})
afterAll(() => cloud.stop())

async function launch(parameters: Record<string, string | number | boolean> = {}): Promise<string> {
  const run = await cloud.call('RunInstances', {
    ImageId: 'ami-0123456789abcdef0',
    MinCount: 1,
    MaxCount: 1,
    ...parameters,
  })
  expect(run.code, run.message).toBeUndefined()
  await cloud.settled()
  return run.xml.instancesSet.item[0].instanceId
}

const attribute = async (name: string, instanceId = id): Promise<Answer> =>
  cloud.call('DescribeInstanceAttribute', { InstanceId: instanceId, Attribute: name })

const itemOf = async (instanceId: string) => {
  await cloud.settled()
  const { bodies } = await cloud.desired('node', node)
  return (bodies as { id: string; body: Record<string, unknown> }[]).find(
    (entry) => entry.id === `${instanceId}/1`,
  )!.body
}

describe('attributes', () => {
  test('each is described under its own element', async () => {
    const told = await launch({ UserData: Buffer.from('hello').toString('base64'), DisableApiStop: true })
    expect((await attribute('userData', told)).xml.userData.value).toBe('aGVsbG8=')
    expect((await attribute('disableApiStop', told)).xml.disableApiStop.value).toBe('true')
    expect((await attribute('disableApiTermination', told)).xml.disableApiTermination.value).toBe('false')
    expect((await attribute('instanceType')).xml.instanceType.value).toBe('m1.small')
    expect(
      (await attribute('instanceInitiatedShutdownBehavior')).xml.instanceInitiatedShutdownBehavior.value,
    ).toBe('terminate')
    expect((await attribute('rootDeviceName')).xml.rootDeviceName.value).toBe('/dev/sda1')
    expect((await attribute('sourceDestCheck')).xml.sourceDestCheck.value).toBe('true')
    expect((await attribute('groupSet')).xml.groupSet.item[0].groupId).toMatch(/^sg-/)
    expect((await attribute('kernel')).xml).toHaveProperty('kernel')
    expect((await attribute('blockDeviceMapping')).body).toContain('<blockDeviceMapping/>')
    expect((await attribute('productCodes')).body).toContain('<productCodes/>')
    expect((await attribute('shoeSize')).code).toBe('InvalidParameterValue')
  })

  test('termination can be forbidden, in both spellings, and keeps the others of the call as well', async () => {
    const kept = await launch()
    const beside = await launch()
    const say = (parameters: Record<string, string | boolean>) =>
      cloud.call('ModifyInstanceAttribute', { InstanceId: kept, ...parameters })
    expect((await say({ 'DisableApiTermination.Value': true })).xml.return).toBe('true')
    const refused = await cloud.call('TerminateInstances', { 'InstanceId.1': beside, 'InstanceId.2': kept })
    expect(refused.code).toBe('OperationNotPermitted')
    const states = await cloud.call('DescribeInstances', { 'InstanceId.1': beside, 'InstanceId.2': kept })
    expect(states.body).not.toContain('shutting-down')
    expect((await say({ Attribute: 'disableApiTermination', Value: 'false' })).xml.return).toBe('true')
    expect((await cloud.call('TerminateInstances', { 'InstanceId.1': kept })).status).toBe(200)
    expect((await say({ Attribute: 'disableApiTermination', Value: 'true' })).code).toBe(
      'IncorrectInstanceState',
    )
  })

  test('what needs a stopped instance says so, what is nonsense is refused by name', async () => {
    const say = (parameters: Record<string, string | boolean>) =>
      cloud.call('ModifyInstanceAttribute', { InstanceId: id, ...parameters })
    for (const parameters of [
      { 'InstanceType.Value': 'm1.large' },
      { Attribute: 'instanceType', Value: 'm1.large' },
      { 'Kernel.Value': 'aki-00000000000000001' },
      { 'Ramdisk.Value': 'ari-00000000000000001' },
      { 'UserData.Value': 'aGVsbG8=' },
      { Attribute: 'userData', Value: 'aGVsbG8=' },
      { 'EbsOptimized.Value': true },
    ])
      expect((await say(parameters)).code, JSON.stringify(parameters)).toBe('IncorrectInstanceState')
    expect((await say({})).code).toBe('MissingParameter')
    expect((await say({ Attribute: 'disableApiTermination' })).code).toBe('MissingParameter')
    expect((await say({ Attribute: 'disableApiTermination', Value: 'maybe' })).code).toBe(
      'InvalidInstanceAttributeValue',
    )
    expect((await say({ 'DisableApiTermination.Value': true, 'DisableApiStop.Value': true })).code).toBe(
      'InvalidParameterCombination',
    )
    expect((await say({ 'InstanceInitiatedShutdownBehavior.Value': 'stop' })).code).toBe(
      'UnsupportedOperation',
    )
    expect((await say({ 'InstanceInitiatedShutdownBehavior.Value': 'terminate' })).status).toBe(200)
    expect((await say({ 'BlockDeviceMapping.1.DeviceName': '/dev/sdf' })).code).toBe(
      'InvalidInstanceAttributeValue',
    )
    expect((await say({ 'EnclaveOptions.Enabled': true })).code).toBe('UnsupportedOperation')
    expect((await cloud.call('ResetInstanceAttribute', { InstanceId: id, Attribute: 'kernel' })).code).toBe(
      'IncorrectInstanceState',
    )
    expect((await cloud.call('ResetInstanceAttribute', { InstanceId: id, Attribute: 'userData' })).code).toBe(
      'InvalidParameterValue',
    )
  })

  test('security groups and the source check change on the node of a running guest', async () => {
    const group = await cloud.call('CreateSecurityGroup', { GroupName: 'web', GroupDescription: 'web' })
    const changed = await cloud.call('ModifyInstanceAttribute', {
      InstanceId: id,
      'GroupId.1': group.xml.groupId,
    })
    expect(changed.status).toBe(200)
    expect((await attribute('groupSet')).xml.groupSet.item).toEqual([
      { groupId: group.xml.groupId, groupName: 'web' },
    ])
    await cloud.call('ModifyInstanceAttribute', { InstanceId: id, 'SourceDestCheck.Value': false })
    await cloud.settled()
    const { bodies } = await cloud.desired('node', node)
    const vpc = (bodies as { kind: string; body: { interfaces: Record<string, unknown>[] } }[]).find(
      (entry) => entry.kind === 'vpc',
    )!
    const card = vpc.body.interfaces.find((entry) => entry['instanceId'] === id)!
    expect(card).toMatchObject({ securityGroupIds: [group.xml.groupId], sourceDestCheck: false })
    await cloud.call('ResetInstanceAttribute', { InstanceId: id, Attribute: 'sourceDestCheck' })
    expect((await attribute('sourceDestCheck')).xml.sourceDestCheck.value).toBe('true')
    const foreign = await cloud.call(
      'CreateSecurityGroup',
      { GroupName: 'web', GroupDescription: 'web' },
      { as: other },
    )
    const stolen = await cloud.call('ModifyInstanceAttribute', {
      InstanceId: id,
      'GroupId.1': foreign.xml.groupId,
    })
    expect(stolen.code).toBe('InvalidGroup.NotFound')
  })

  test('another account finds nothing to read or to change', async () => {
    for (const [action, parameters] of [
      ['DescribeInstanceAttribute', { InstanceId: id, Attribute: 'userData' }],
      ['ModifyInstanceAttribute', { InstanceId: id, 'DisableApiTermination.Value': true }],
      ['ResetInstanceAttribute', { InstanceId: id, Attribute: 'sourceDestCheck' }],
      ['MonitorInstances', { 'InstanceId.1': id }],
      ['ReportInstanceStatus', { 'InstanceId.1': id, Status: 'impaired', 'ReasonCode.1': 'other' }],
      ['GetConsoleScreenshot', { InstanceId: id }],
      ['GetPasswordData', { InstanceId: id }],
      ['ModifyInstanceMetadataOptions', { InstanceId: id, HttpTokens: 'optional' }],
      ['StopInstances', { 'InstanceId.1': id }],
    ] as const) {
      const answer = await cloud.call(action, parameters, { as: other })
      expect(answer.code, action).toBe('InvalidInstanceID.NotFound')
    }
  })
})

test('an instance store can be neither stopped nor started', async () => {
  expect((await cloud.call('StopInstances', { 'InstanceId.1': id })).code).toBe('UnsupportedOperation')
  expect((await cloud.call('StopInstances', { 'InstanceId.1': id, Force: true })).code).toBe(
    'UnsupportedOperation',
  )
  expect((await cloud.call('StartInstances', { 'InstanceId.1': id })).code).toBe('UnsupportedOperation')
  expect((await cloud.call('StartInstances', { 'InstanceId.1': 'i-0000000000000dead' })).code).toBe(
    'InvalidInstanceID.NotFound',
  )
})

test('monitoring and metadata options reach the node; a guest without either has the item it always had', async () => {
  const plain = await launch()
  expect(await itemOf(plain)).not.toHaveProperty('monitoring')
  const on = await cloud.call('MonitorInstances', { 'InstanceId.1': plain })
  expect(on.xml.instancesSet.item[0].monitoring.state).toBe('enabled')
  expect(await itemOf(plain)).toMatchObject({ monitoring: true })
  const found = await cloud.call('DescribeInstances', {
    'Filter.1.Name': 'monitoring-state',
    'Filter.1.Value.1': 'enabled',
  })
  expect(found.body).toContain(plain)
  await cloud.call('UnmonitorInstances', { 'InstanceId.1': plain })
  expect(await itemOf(plain)).not.toHaveProperty('monitoring')
  const options = await cloud.call('ModifyInstanceMetadataOptions', {
    InstanceId: plain,
    HttpPutResponseHopLimit: 3,
    InstanceMetadataTags: 'enabled',
  })
  expect(options.xml.instanceMetadataOptions).toMatchObject({
    httpPutResponseHopLimit: '3',
    instanceMetadataTags: 'enabled',
    httpTokens: 'required',
  })
  expect(await itemOf(plain)).toMatchObject({ metadata: { hopLimit: 3, tagsEnabled: true } })
  const refused = await cloud.call('ModifyInstanceMetadataOptions', {
    InstanceId: plain,
    HttpProtocolIpv6: 'enabled',
  })
  expect(refused.code).toBe('UnsupportedOperation')
})

test('samples of a node’s own guests are kept, others are dropped, and the admin reads them', async () => {
  const sample = {
    instanceId: id,
    atMs: 1_000_000,
    periodSeconds: 60,
    cpuPercent: 12.5,
    diskReadBytes: 1,
    diskWriteBytes: 2,
    networkInBytes: 3,
    networkOutBytes: 4,
  }
  const send = (samples: object[]) =>
    cloud.cloud.agentDoor.inject({
      method: 'PUT',
      url: '/agent/v1/blobs/samples',
      headers: { 'x-test-peer': `node/${node}` },
      payload: { samples },
    })
  expect((await send([sample, { ...sample, instanceId: 'i-0000000000000dead' }])).statusCode).toBe(204)
  expect((await send([sample])).statusCode).toBe(204)
  expect((await send([{ ...sample, cpuPercent: 1e9 }])).statusCode).toBe(400)
  await cloud.call('ReportInstanceStatus', {
    'InstanceId.1': id,
    Status: 'impaired',
    'ReasonCode.1': 'unresponsive',
    Description: 'it sulks',
  })
  const told = await cloud.cloud.adminDoor.inject({ method: 'GET', url: `/admin/v1/samples/${id}` })
  expect(told.json()).toMatchObject({
    samples: [{ cpuPercent: 12.5, networkOutBytes: 4 }],
    reports: [{ status: 'impaired', reasons: ['unresponsive'], description: 'it sulks' }],
  })
})

test('a screen is asked of the node and answered as it came; one without a screen says so', async () => {
  const guest = await launch()
  const answerAsked = async (image: string | null) => {
    let count = 0
    await expect
      .poll(async () => (count = Number((await itemOf(guest))['screenshotCount'] ?? 0)), { timeout: 4000 })
      .toBeGreaterThan(0)
    const sent = await cloud.cloud.agentDoor.inject({
      method: 'PUT',
      url: `/agent/v1/blobs/screenshot/${guest}`,
      headers: { 'x-test-peer': `node/${node}` },
      payload: { count, takenAtMs: 5, image },
    })
    expect(sent.statusCode).toBe(204)
  }
  const [shown] = await Promise.all([
    cloud.call('GetConsoleScreenshot', { InstanceId: guest }),
    answerAsked('aW1hZ2U='),
  ])
  expect(shown.xml).toMatchObject({ instanceId: guest, imageData: 'aW1hZ2U=' })
  expect((await cloud.call('GetConsoleScreenshot', { InstanceId: guest, WakeUp: true })).code).toBe(
    'UnsupportedOperation',
  )
})

test('a Windows guest’s password is the last that stands in its console', async () => {
  const guest = await launch()
  const text = '<Password>\nb2xkb2xkb2xkb2xkb2xk\n</Password>\n<Password>bmV3bmV3bmV3bmV3bmV3</Password>'
  await cloud.cloud.agentDoor.inject({
    method: 'PUT',
    url: `/agent/v1/blobs/console/${guest}`,
    headers: { 'x-test-peer': `node/${node}` },
    payload: { count: 99, takenAtMs: 5, output: Buffer.from(text).toString('base64') },
  })
  const answer = await cloud.call('GetPasswordData', { InstanceId: guest })
  expect(answer.xml.passwordData).toBe('bmV3bmV3bmV3bmV3bmV3')
})

test('features that no instance has are told as AWS tells them', async () => {
  expect((await cloud.call('DescribeInstanceCreditSpecifications')).body).toContain(
    '<instanceCreditSpecificationSet/>',
  )
  expect((await cloud.call('DescribeInstanceCreditSpecifications', { 'InstanceId.1': id })).code).toBe(
    'UnsupportedOperation',
  )
  expect((await cloud.call('GetInstanceUefiData', { InstanceId: id })).code).toBe('UnsupportedOperation')
  expect((await cloud.call('DescribeElasticGpus')).body).toContain('<elasticGpuSet/>')
  expect(
    (await cloud.call('ConfirmProductInstance', { InstanceId: id, ProductCode: 'abc' })).xml.return,
  ).toBe('false')
})
