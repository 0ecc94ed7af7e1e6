import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let node: string
let id: string

beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  node = await cloud.addNode('node-1')
  await cloud.plantImage(cloud.admin.accountId)
  const run = await cloud.call('RunInstances', { ImageId: 'ami-0123456789abcdef0', MinCount: 1, MaxCount: 1 })
  id = run.xml.instancesSet.item[0].instanceId
  await cloud.settled()
})
afterAll(() => cloud.stop())

const code = async (action: string, parameters: Record<string, string | number | boolean>) =>
  (await cloud.call(action, parameters)).code

test('characters that no answer could hold are refused wherever they come', async () => {
  for (const bad of ['x\u0000', '\u0001x', 'x\uFFFEy']) {
    expect(await code('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'k', 'Tag.1.Value': bad })).toBe(
      'InvalidParameterValue',
    )
    expect(await code('RunInstances', { ImageId: bad, MinCount: 1, MaxCount: 1 })).toBe(
      'InvalidParameterValue',
    )
    expect(await code('DescribeKeyPairs', { 'KeyName.1': bad })).toBe('InvalidParameterValue')
  }
  expect(
    await code('CreateTags', { 'ResourceId.1': id, 'Tag.1.Key': 'k', 'Tag.1.Value': 'a\tb\nc 🌳' }),
  ).toBeUndefined()
})

test('a guest’s console makes no password search slow', async () => {
  const send = (text: string) =>
    cloud.cloud.agentDoor.inject({
      method: 'PUT',
      url: `/agent/v1/blobs/console/${id}`,
      headers: { 'x-test-peer': `node/${node}` },
      payload: { count: 999, takenAtMs: 5, output: Buffer.from(text).toString('base64') },
    })
  await send(`<Password>${' '.repeat(40_000)}x!`)
  expect((await cloud.call('GetPasswordData', { InstanceId: id })).xml.passwordData).toBe('')
  await send(`${'<Password>'.repeat(3000)}</Password>`)
  expect((await cloud.call('GetPasswordData', { InstanceId: id })).xml.passwordData).toBe('')
  await send('<Password>\r\nc2VjcmV0c2VjcmV0c2Vj\r\n</Password>')
  expect((await cloud.call('GetPasswordData', { InstanceId: id })).xml.passwordData).toBe(
    'c2VjcmV0c2VjcmV0c2Vj',
  )
})

test('descriptions and templates have an end', async () => {
  const long = 'D'.repeat(300)
  expect(await code('RegisterImage', { Name: 'long', ImageLocation: 'b/k', Description: long })).toBe(
    'InvalidParameterValue',
  )
  expect(
    await code('CopyImage', {
      Name: 'copy',
      SourceImageId: 'ami-0123456789abcdef0',
      SourceRegion: 'us-east-1',
      Description: long,
    }),
  ).toBe('InvalidParameterValue')
  const [volume, snapshot] = ['vol-0123456789abcdef0', 'snap-0123456789abcdef0']
  expect(await code('CreateSnapshot', { VolumeId: volume, Description: long })).toBe('InvalidParameterValue')
  const copy = { SourceRegion: 'us-east-1', SourceSnapshotId: snapshot }
  expect(await code('CopySnapshot', { ...copy, Description: long })).toBe('InvalidParameterValue')
  const report = { 'InstanceId.1': id, Status: 'impaired', 'ReasonCode.1': 'other' }
  expect(await code('ReportInstanceStatus', { ...report, Description: 'D'.repeat(6000) })).toBe(
    'InvalidParameterValue',
  )
  const fat = Buffer.alloc(20_000, 'x').toString('base64')
  expect(
    await code('CreateLaunchTemplate', { LaunchTemplateName: 'fat', 'LaunchTemplateData.UserData': fat }),
  ).toBe('InvalidParameterValue')
})

test('sizes, ceilings and devices of volumes are what they can be', async () => {
  const zone = { AvailabilityZone: 'us-east-1a' }
  for (const size of [-1, 0, 16_385, 2 ** 31, 2 ** 53, '1e3', '0x10', 'NaN'])
    expect(await code('CreateVolume', { ...zone, Size: size }), String(size)).toBe('InvalidParameterValue')
  for (const iops of [-1, 0, 2 ** 31 - 1])
    expect(await code('CreateVolume', { ...zone, Size: 10, VolumeType: 'io2', Iops: iops })).toBe(
      'InvalidParameterValue',
    )
  for (const type of ['__proto__', 'constructor', 'toString', ''])
    expect(await code('CreateVolume', { ...zone, Size: 1, VolumeType: type }), type).toBe(
      'InvalidParameterValue',
    )
  const launch = { ImageId: 'ami-0123456789abcdef0', MinCount: 1, MaxCount: 1 }
  for (const device of ['/dev/sdf"/>', '../sdf', '/dev/sd', '/dev/sdabc', 'D'.repeat(5000), '']) {
    const mapping = { 'BlockDeviceMapping.1.DeviceName': device, 'BlockDeviceMapping.1.Ebs.VolumeSize': 1 }
    expect(await code('RunInstances', { ...launch, ...mapping }), device).toBe('InvalidParameterValue')
  }
  const letters = [...'abcdefghijklmnopqrstuvwxyz']
  const devices = ['b', 'c'].flatMap((first) => letters.map((second) => `/dev/sd${first}${second}`))
  const many = devices.slice(0, 29).flatMap((device, index) => [
    [`BlockDeviceMapping.${index + 1}.DeviceName`, device],
    [`BlockDeviceMapping.${index + 1}.Ebs.VolumeSize`, 1],
  ])
  expect(await code('RunInstances', { ...launch, ...Object.fromEntries(many) })).toBe(
    'InvalidBlockDeviceMapping',
  )
})

test('what belongs to another spelling is refused and not dropped', async () => {
  const image = { ImageId: 'ami-0123456789abcdef0' }
  expect(
    await code('ModifyInstanceAttribute', { InstanceId: id, 'DisableApiStop.Value': true, Value: 'false' }),
  ).toBe('MissingParameter')
  expect(
    await code('ModifyInstanceAttribute', {
      InstanceId: id,
      Attribute: 'groupSet',
      Value: 'z',
      'GroupId.1': 'sg-00000001',
    }),
  ).toBe('InvalidParameterCombination')
  expect(
    await code('ModifyImageAttribute', {
      ...image,
      Attribute: 'description',
      'Description.Value': 'x',
      OperationType: 'add',
      'UserId.1': '123456789012',
    }),
  ).toBe('InvalidParameterCombination')
  expect(
    await code('ModifyImageAttribute', {
      ...image,
      Attribute: 'launchPermission',
      'LaunchPermission.Add.1.Group': 'all',
      Value: 'z',
    }),
  ).toBe('InvalidParameterCombination')
})

test('versions of a template are paged out of the record, the newest first', async () => {
  const made = await cloud.call('CreateLaunchTemplate', {
    LaunchTemplateName: 'many',
    'LaunchTemplateData.InstanceType': 'm1.small',
  })
  const template = { LaunchTemplateId: made.xml.launchTemplate.launchTemplateId as string }
  for (let version = 2; version <= 5; version += 1)
    await cloud.call('CreateLaunchTemplateVersion', {
      ...template,
      'LaunchTemplateData.KeyName': `k${version}`,
    })
  const seen: string[] = []
  let token: string | undefined
  do {
    const page = await cloud.call('DescribeLaunchTemplateVersions', {
      ...template,
      MaxResults: 2,
      MinVersion: '2',
      ...(token === undefined ? {} : { NextToken: token }),
    })
    for (const item of page.xml.launchTemplateVersionSet.item) seen.push(item.versionNumber)
    token = page.xml.nextToken
  } while (token !== undefined)
  expect(seen).toEqual(['5', '4', '3', '2'])
})
