import { describe, expect, test } from 'vitest'
import { createEc2Decoder, ec2Model } from '@mallee/ec2-api'
import { queryOfBody } from './body-parameters.ts'
import { parseStrictXml } from './strict-xml.ts'
import { soapWsdl } from './wsdl.ts'

const decoder = createEc2Decoder()
const query = (action: string, content: string, attributes = '') =>
  queryOfBody(
    parseStrictXml(
      Buffer.from(
        `<Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><${action} xmlns="http://ec2.amazonaws.com/doc/2010-08-31/"${attributes}>${content}</${action}></Body>`,
      ),
    ),
    ec2Model(),
  )
const decoded = (action: string, content: string) => decoder.decode(action, query(action, content).parameters)

describe("AWS's elements", () => {
  test.each([
    ['DescribeInstances', '<nextToken xsi:nil="true"/>', {}],
    [
      'DescribeInstances',
      '<instancesSet><item><instanceId>i-1</instanceId></item><item><instanceId>i-2</instanceId></item></instancesSet>',
      { InstanceIds: ['i-1', 'i-2'] },
    ],
    ['DescribeInstances', '<instancesSet/>', {}],
    [
      'DescribeInstances',
      '<filterSet><item><name>tag:a</name><valueSet><item><value>b</value></item><item><value>c</value></item></valueSet></item></filterSet>',
      { Filters: [{ Name: 'tag:a', Values: ['b', 'c'] }] },
    ],
    [
      'RebootInstances',
      '<instancesSet><item><instanceId>i-1</instanceId></item></instancesSet>',
      { InstanceIds: ['i-1'] },
    ],
    [
      'DescribeImages',
      '<executableBySet><item><user>self</user></item></executableBySet><imagesSet><item><imageId>ami-1</imageId></item></imagesSet><ownersSet><item><owner>amazon</owner></item></ownersSet>',
      { ExecutableUsers: ['self'], ImageIds: ['ami-1'], Owners: ['amazon'] },
    ],
    ['DescribeKeyPairs', '<keySet><item><keyName>k</keyName></item></keySet>', { KeyNames: ['k'] }],
    [
      'DescribeRegions',
      '<regionSet><item><regionName>r</regionName></item></regionSet>',
      { RegionNames: ['r'] },
    ],
    [
      'DescribeAvailabilityZones',
      '<availabilityZoneSet><item><zoneName>z</zoneName></item></availabilityZoneSet>',
      { ZoneNames: ['z'] },
    ],
    [
      'DescribeSecurityGroups',
      '<securityGroupSet><item><groupName>g</groupName></item></securityGroupSet>',
      { GroupNames: ['g'] },
    ],
    [
      'CreateTags',
      '<resourcesSet><item><resourceId>i-1</resourceId></item></resourcesSet><tagSet><item><key>a</key><value/></item></tagSet>',
      { Resources: ['i-1'], Tags: [{ Key: 'a', Value: '' }] },
    ],
    [
      'AuthorizeSecurityGroupIngress',
      '<groupName>g</groupName><ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort><groups><item><userId>1</userId><groupName>h</groupName></item></groups><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item></ipPermissions>',
      {
        GroupName: 'g',
        IpPermissions: [
          {
            IpProtocol: 'tcp',
            FromPort: 22,
            ToPort: 22,
            UserIdGroupPairs: [{ UserId: '1', GroupName: 'h' }],
            IpRanges: [{ CidrIp: '0.0.0.0/0' }],
          },
        ],
      },
    ],
    [
      'DescribeInstanceAttribute',
      '<instanceId>i-1</instanceId><userData/>',
      { InstanceId: 'i-1', Attribute: 'userData' },
    ],
    [
      'ModifyInstanceAttribute',
      '<instanceId>i-1</instanceId><instanceType><value>m1.large</value></instanceType>',
      { InstanceId: 'i-1', InstanceType: { Value: 'm1.large' } },
    ],
    [
      'ModifyImageAttribute',
      '<imageId>ami-1</imageId><launchPermission><add><item><userId>1</userId></item><item><group>all</group></item></add></launchPermission>',
      { ImageId: 'ami-1', LaunchPermission: { Add: [{ UserId: '1' }, { Group: 'all' }] } },
    ],
  ])('%s %s', (action, content, expected) => {
    expect(decoded(action, content)).toEqual(expected)
  })
  test('RunInstances', () => {
    const content = `<imageId>ami-1</imageId><minCount>1</minCount><maxCount>2</maxCount>
      <groupSet><item><groupId>sg-1</groupId></item><item><groupName>web</groupName></item></groupSet>
      <userData version="1.0" encoding="base64"><data>eA==</data></userData><monitoring/>
      <placement><availabilityZone>z</availabilityZone></placement>
      <blockDeviceMapping><item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item></blockDeviceMapping>`
    expect(decoded('RunInstances', content)).toEqual({
      ImageId: 'ami-1',
      MinCount: 1,
      MaxCount: 2,
      SecurityGroupIds: ['sg-1'],
      SecurityGroups: ['web'],
      UserData: 'eA==',
      Placement: { AvailabilityZone: 'z' },
      BlockDeviceMappings: [{ DeviceName: '/dev/sdb', VirtualName: 'ephemeral0' }],
    })
  })
})

test('the elements of our own description are understood: lists of items under the name of the query', () => {
  expect(decoded('TerminateInstances', '<instanceId><item>i-1</item><item>i-2</item></instanceId>')).toEqual({
    InstanceIds: ['i-1', 'i-2'],
  })
})

test.each([
  ['<colour>blue</colour>', 'UnknownParameter'],
  ['<filterSet><item><name>a</name><shade>b</shade></item></filterSet>', 'UnknownParameter'],
  ['<instancesSet><item><instanceId><x>i-1</x></instanceId></item></instancesSet>', 'InvalidSOAPRequest'],
  ['<maxResults>many</maxResults>', 'InvalidParameterValue'],
  ['<maxResults>5</maxResults><maxResults>6</maxResults>', 'InvalidSOAPRequest'],
  ['<instancesSet><thing/></instancesSet>', 'UnknownParameter'],
  ['<instanceId><thing/></instanceId>', 'InvalidSOAPRequest'],
  ['text', 'InvalidSOAPRequest'],
  ['<filterSet>x<item/></filterSet>', 'InvalidSOAPRequest'],
  ['<maxResults extra="1">5</maxResults>', 'InvalidSOAPRequest'],
  ['<x:maxResults xmlns:x="urn:x">5</x:maxResults>', 'InvalidSOAPRequest'],
])('%s is refused', (content, code) => {
  expect(() => decoded('DescribeInstances', content)).toThrow(expect.objectContaining({ code }))
})

test('a description of every action of the model', () => {
  const actions = Object.keys(ec2Model().operations)
  const wsdl = soapWsdl({ model: ec2Model(), actions, version: '2016-11-15', address: 'http://x/?a&b' })
  expect(wsdl).toContain('location="http://x/?a&amp;b"')
  expect(wsdl.match(/<portType name/g)).toHaveLength(1)
  const made = new Set([...wsdl.matchAll(/<xs:complexType name="(\w+)"/g)].map((match) => match[1]))
  const used = [...wsdl.matchAll(/<xs:element [^>]*type="tns:(\w+)"/g)].map((match) => match[1])
  expect(used.length).toBeGreaterThan(1000)
  expect(used.filter((name) => !made.has(name))).toEqual([])
  const one = soapWsdl({
    model: ec2Model(),
    actions: ['DescribeRegions'],
    version: '2016-11-15',
    address: 'x',
  })
  expect(parseStrictXml(Buffer.from(one)).local).toBe('definitions')
})
