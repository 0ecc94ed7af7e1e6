import { parseQueryRequest } from '@mallee/aws-protocol'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { ec2ActionNames, eucalyptusActionNames } from './ec2-actions.ts'
import type { Ec2ActionTable, Ec2Input, Ec2Output } from './ec2-actions.ts'
import { createEc2Decoder, createEc2Encoder } from './ec2-model.ts'

const decoder = createEc2Decoder()
const decode = (text: string): unknown => {
  const { action = '', parameters } = parseQueryRequest('', text)
  return decoder.decode(action, parameters)
}

describe('requests as clients send them', () => {
  it('RunInstances', () => {
    const form =
      'Action=RunInstances&Version=2016-11-15&ImageId=ami-0123456789abcdef0&InstanceType=m1.tiny&MinCount=1&MaxCount=3' +
      '&KeyName=k&SecurityGroupId.1=sg-1&SecurityGroup.1=default&UserData=IyEvYmluL3NoCg%3D%3D&DryRun=false' +
      '&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fvda&BlockDeviceMapping.1.Ebs.VolumeSize=8&BlockDeviceMapping.1.Ebs.DeleteOnTermination=true' +
      '&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=a+b' +
      '&NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SubnetId=subnet-1&NetworkInterface.1.SecurityGroupId.1=sg-2' +
      '&MetadataOptions.HttpTokens=optional&Placement.AvailabilityZone=us-east-1a&ClientToken=t'
    expect(decode(form)).toEqual({
      ImageId: 'ami-0123456789abcdef0',
      InstanceType: 'm1.tiny',
      MinCount: 1,
      MaxCount: 3,
      KeyName: 'k',
      SecurityGroupIds: ['sg-1'],
      SecurityGroups: ['default'],
      UserData: 'IyEvYmluL3NoCg==',
      DryRun: false,
      BlockDeviceMappings: [{ DeviceName: '/dev/vda', Ebs: { VolumeSize: 8, DeleteOnTermination: true } }],
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'a b' }] }],
      NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: 'subnet-1', Groups: ['sg-2'] }],
      MetadataOptions: { HttpTokens: 'optional' },
      Placement: { AvailabilityZone: 'us-east-1a' },
      ClientToken: 't',
    })
  })

  it('Describe with filters, and an empty one from an old SDK', () => {
    expect(
      decode('Action=DescribeInstances&Filter.1.Name=tag%3Aa&Filter.1.Value.1=x&InstanceId.1=i-1'),
    ).toEqual({
      Filters: [{ Name: 'tag:a', Values: ['x'] }],
      InstanceIds: ['i-1'],
    })
    expect(decode('Action=DescribeVpcs&Filter=')).toEqual({ Filters: [] })
  })

  it('ModifyInstanceAttribute in each of its spellings', () => {
    const id = 'Action=ModifyInstanceAttribute&InstanceId=i-1&'
    expect(decode(`${id}InstanceType.Value=m1.small`)).toEqual({
      InstanceId: 'i-1',
      InstanceType: { Value: 'm1.small' },
    })
    expect(decode(`${id}Attribute=instanceType&Value=m1.small`)).toEqual({
      InstanceId: 'i-1',
      Attribute: 'instanceType',
      Value: 'm1.small',
    })
    expect(decode(`${id}GroupId.1=sg-1`)).toEqual({ InstanceId: 'i-1', Groups: ['sg-1'] })
    expect(decode(`${id}SourceDestCheck.Value=false`)).toEqual({
      InstanceId: 'i-1',
      SourceDestCheck: { Value: false },
    })
  })

  it.each([
    ['Action=RunInstances&MaxCount=1', 'MissingParameter', 'The request must contain the parameter MinCount'],
    ['Action=TerminateInstances', 'MissingParameter', 'The request must contain the parameter InstanceId'],
    ['Action=DescribeInstances&Colour=red', 'UnknownParameter', 'The parameter Colour is not recognized'],
    [
      'Action=DescribeInstances&instanceId.1=i-1',
      'UnknownParameter',
      'The parameter instanceId.1 is not recognized',
    ],
    ['Action=DescribeVpcs&MaxResults=1', 'InvalidParameterValue', 'at least 5'],
    ['Action=CreateVolume&VolumeType=tape', 'InvalidParameterValue', 'one of gp2'],
  ])('%s is refused', (form, code, message) => {
    expect(() => decode(form)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })
})

describe('answers', () => {
  it('have empty containers and no absent structs', () => {
    const xml = createEc2Encoder().encode({ operation: 'DescribeInstances', output: {}, requestId: 'r' })
    expect(xml).toContain('<requestId>r</requestId><reservationSet/></DescribeInstancesResponse>')
  })
})

describe('names of actions', () => {
  it('are all of the model, and those of Eucalyptus beside them', () => {
    expect(ec2ActionNames().size).toBeGreaterThan(800)
    expect(ec2ActionNames().has('RunInstances')).toBe(true)
    expect(ec2ActionNames().has('toString')).toBe(false)
    for (const name of eucalyptusActionNames) expect(ec2ActionNames().has(name)).toBe(false)
  })
})

describe('types', () => {
  it('promise what the decoder promises', () => {
    expectTypeOf<Ec2Input<'RunInstances'>['MinCount']>().toEqualTypeOf<number>()
    expectTypeOf<Ec2Input<'RunInstances'>['KeyName']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<Ec2Input<'TerminateInstances'>['InstanceIds']>().toEqualTypeOf<string[]>()
    expectTypeOf<Ec2Input<'CreateVpcPeeringConnection'>['VpcId']>().toEqualTypeOf<string>()
  })

  it('make a registry', () => {
    const registry = {
      DescribeRegions: async (_context: object, input) => ({
        Regions: input.RegionNames?.map((RegionName) => ({ RegionName })),
      }),
    } satisfies Partial<Ec2ActionTable<object>>
    expectTypeOf(registry.DescribeRegions).returns.resolves.toExtend<Ec2Output<'DescribeRegions'>>()
    expect(Object.keys(registry)).toEqual(['DescribeRegions'])
  })
})
