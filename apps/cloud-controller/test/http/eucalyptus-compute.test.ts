import { afterAll, beforeAll, expect, test } from 'vitest'
import { signRequest } from '@mallee/aws-protocol'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'

let cloud: CloudUnderTest
let tenant: Credentials

beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  tenant = await cloud.createAccount('tenant')
  await cloud.addNode('node-1', { vcpus: 8, memoryMiB: 8192, diskGiB: 100 })
  await cloud.plantImage(cloud.admin.accountId)
})
afterAll(() => cloud.stop())

async function at(path: string, parameters: Record<string, string>, as: Credentials = cloud.admin) {
  const body = Buffer.from(new URLSearchParams({ Version: '2015-10-01', ...parameters }).toString())
  const headers = { host: '127.0.0.1:8773', 'content-type': 'application/x-www-form-urlencoded' }
  const signed = signRequest(
    { method: 'POST', rawPath: path, headers, body },
    { credentials: as, region: 'eucalyptus', service: 'ec2', now: new Date() },
  )
  const payload = { method: 'POST' as const, url: path, headers: { ...headers, ...signed }, payload: body }
  return cloud.cloud.door.inject(payload)
}

test('instance types have Eucalyptus’ form under its paths and AWS’s under the root', async () => {
  const types = { Action: 'DescribeInstanceTypes', 'InstanceType.1': 'm1.small' }
  const old = await at('/services/compute/', { ...types, Availability: 'true', Verbose: 'true' })
  expect(old.body).toContain('xmlns="http://msgs.eucalyptus.com/3.3.0"')
  expect(old.body).toContain(
    '<instanceTypeDetails><item><name>m1.small</name><cpu>1</cpu><disk>5</disk><memory>256</memory>',
  )
  expect(old.body).toContain('<zoneName>us-east-1a</zoneName><max>8</max><available>8</available>')
  expect(old.body).toContain('<zoneName>us-east-1b</zoneName><max>0</max><available>0</available>')
  const today = await at('/', types)
  expect(today.body).toContain('<instanceTypeSet><item><instanceType>m1.small</instanceType>')
  expect((await at('/services/Eucalyptus', { ...types, 'InstanceType.1': 'q9.huge' })).body).toContain(
    '<Code>InvalidInstanceType</Code>',
  )
})

test('the admin changes a type and sets it back; nobody else may', async () => {
  const change = { Action: 'ModifyInstanceTypeAttribute', Name: 'm1.small' }
  const made = await at('/services/compute/', { ...change, Cpu: '2', Memory: '512' })
  expect(made.body).toContain('<previousInstanceType><name>m1.small</name><cpu>1</cpu>')
  expect(made.body).toContain(
    '<instanceType><name>m1.small</name><cpu>2</cpu><disk>5</disk><memory>512</memory>',
  )
  expect((await at('/', { ...change, Cpu: '4' }, tenant)).body).toContain(
    '<Code>UnauthorizedOperation</Code>',
  )
  expect((await at('/', { ...change, Cpu: '0' })).body).toContain('<Code>InvalidParameterValue</Code>')
  expect((await at('/', { ...change, Reset: 'true', Cpu: '1' })).body).toContain(
    'InvalidParameterCombination',
  )
  expect((await at('/', { ...change, Reset: 'true' })).body).toContain(
    '<cpu>1</cpu><disk>5</disk><memory>256</memory>',
  )
  expect((await at('/', { ...change, Name: 'q9.huge' })).body).toContain('<Code>InvalidInstanceType</Code>')
})

test('verbose shows the admin everybody’s, and every zone’s room; to others it is an id like any', async () => {
  await cloud.call('CreateKeyPair', { KeyName: 'theirs', KeyType: 'ed25519' }, { as: tenant })
  expect((await cloud.call('DescribeKeyPairs', { 'KeyName.1': 'verbose' })).body).toContain('theirs')
  expect((await cloud.call('DescribeKeyPairs', { 'KeyName.1': 'verbose' }, { as: tenant })).code).toBe(
    'InvalidKeyPair.NotFound',
  )
  const launched = await cloud.call('RunInstances', {
    ImageId: 'ami-0123456789abcdef0',
    MinCount: 1,
    MaxCount: 1,
  })
  const id: string = launched.xml.instancesSet.item[0].instanceId
  expect((await cloud.call('DescribeInstances', { 'InstanceId.1': 'verbose' })).body).toContain(id)
  expect((await cloud.call('DescribeInstances', { 'InstanceId.1': 'verbose' }, { as: tenant })).code).toBe(
    'InvalidInstanceID.Malformed',
  )
  const zones = await cloud.call('DescribeAvailabilityZones', { 'ZoneName.1': 'verbose' })
  expect(zones.body).toContain('<zoneName>|- m1.small</zoneName>')
  expect(zones.body).toContain('<zoneState>0007 / 0008   1   256   5</zoneState>')
  expect((await cloud.call('DescribeAvailabilityZones')).body).not.toContain('|-')
})

test('a private instance, as euca-run-instances asks for one', async () => {
  const launch = { ImageId: 'ami-0123456789abcdef0', MinCount: 1, MaxCount: 1 }
  const hidden = await cloud.call('RunInstances', { ...launch, AddressingType: 'private' })
  expect(hidden.xml.instancesSet.item[0].ipAddress).toBeUndefined()
  const shown = await cloud.call('RunInstances', { ...launch, AddressingType: 'public' })
  expect(shown.xml.instancesSet.item[0].ipAddress).toMatch(/^198\.18\./)
  expect((await cloud.call('RunInstances', { ...launch, AddressingType: 'secret' })).code).toBe(
    'InvalidParameterValue',
  )
})
