import { afterAll, beforeAll, expect, test } from 'vitest'
import { allow, iamClient, keyOf, trustEc2 } from '../actions/iam/iam-client.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { CoverageWorld, type Parameters } from '../coverage/coverage-world.ts'
import { deny } from './principals.ts'

/** Conditions on tags and on what is to be made, and the ways around a policy that are none. */
let cloud: CloudUnderTest
let world: CoverageWorld
let eve: Credentials
const iam = iamClient(() => cloud)

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none', pollSeconds: 3_600 })
  await cloud.addNode('node-1')
  await cloud.addStorage()
  world = new CoverageWorld(cloud, await cloud.plantImage(cloud.admin.accountId))
  await iam('CreateUser', { UserName: 'eve' })
  eve = await keyOf(iam, cloud.admin, 'eve')
})
afterAll(() => cloud.stop())

const put = async (document: string) => {
  const answer = await iam('PutUserPolicy', { UserName: 'eve', PolicyName: 'p', PolicyDocument: document })
  expect(answer.status, answer.body).toBe(200)
}
type Statement = { Effect?: string; Action: string | string[]; Resource?: string; Condition?: object }
const statements = (...list: Statement[]) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: list.map((statement) => ({ Effect: 'Allow', Resource: '*', ...statement })),
  })
const code = async (action: string, parameters: Parameters) =>
  (await cloud.call(action, { ...parameters, DryRun: true }, { as: eve })).code
const allowed = 'DryRunOperation'
const refused = 'UnauthorizedOperation'
const launch = (): Parameters => ({ ImageId: world.imageId, MinCount: 1, MaxCount: 1 })
const tags = (type: string, tagged: Record<string, string>): Parameters =>
  Object.assign(
    { 'TagSpecification.1.ResourceType': type },
    ...Object.entries(tagged).map(([key, value], index) => ({
      [`TagSpecification.1.Tag.${index + 1}.Key`]: key,
      [`TagSpecification.1.Tag.${index + 1}.Value`]: value,
    })),
  )

test('what is made must have the tags that the policy asks for, and gets them only as it is made', async () => {
  const volume = { AvailabilityZone: 'us-east-1a', Size: 1 }
  await put(
    statements(
      { Action: 'ec2:CreateVolume', Condition: { StringEquals: { 'aws:RequestTag/team': ['red', 'blue'] } } },
      {
        Action: 'ec2:CreateTags',
        Condition: {
          StringEquals: { 'ec2:CreateAction': ['CreateVolume', 'RunInstances'] },
          'ForAllValues:StringEquals': { 'aws:TagKeys': ['team', 'stage'] },
        },
      },
      { Action: 'ec2:RunInstances' },
    ),
  )
  expect(await code('CreateVolume', volume)).toBe(refused)
  expect(await code('CreateVolume', { ...volume, ...tags('volume', { team: 'green' }) })).toBe(refused)
  expect(await code('CreateVolume', { ...volume, ...tags('volume', { team: 'red' }) })).toBe(allowed)
  const more = { team: 'red', price: '1' }
  expect(await code('CreateVolume', { ...volume, ...tags('volume', more) })).toBe(refused)
  expect(await code('RunInstances', { ...launch(), ...tags('instance', { stage: 'x' }) })).toBe(allowed)
  expect(await code('RunInstances', { ...launch(), ...tags('instance', { price: '1' }) })).toBe(refused)
  const later = { 'ResourceId.1': await world.volume(), 'Tag.1.Key': 'team', 'Tag.1.Value': 'red' }
  expect(await code('CreateTags', later)).toBe(refused)
})

test('tags are put on and taken off what has a tag, and what has it may be ended', async () => {
  const [mine, other] = [await world.instance(), await world.instance()]
  await world.call('CreateTags', { 'ResourceId.1': mine, 'Tag.1.Key': 'owner', 'Tag.1.Value': 'eve' })
  const own = { StringEquals: { 'ec2:ResourceTag/owner': '${aws:username}' } }
  await put(statements({ Action: ['ec2:TerminateInstances', 'ec2:*Tags'], Condition: own }))
  const note = { 'Tag.1.Key': 'note', 'Tag.1.Value': 'x' }
  for (const action of ['CreateTags', 'DeleteTags']) {
    expect(await code(action, { 'ResourceId.1': mine, ...note })).toBe(allowed)
    expect(await code(action, { 'ResourceId.1': other, ...note })).toBe(refused)
    expect(await code(action, { 'ResourceId.1': mine, 'ResourceId.2': other, ...note })).toBe(refused)
  }
  expect(await code('TerminateInstances', { 'InstanceId.1': mine })).toBe(allowed)
  expect(await code('TerminateInstances', { 'InstanceId.1': other })).toBe(refused)
})

test('a launch template is no way around what a launch may have in it', async () => {
  const limited: Record<string, [document: string, data: Parameters]> = {
    type: [
      deny('ec2:RunInstances', 'arn:aws:ec2:*:*:instance/*', {
        StringNotEquals: { 'ec2:InstanceType': 'm1.small' },
      }),
      { InstanceType: 'm1.large' },
    ],
    image: [deny('ec2:RunInstances', `arn:aws:ec2:*::image/${world.imageId}`), { ImageId: world.imageId }],
    subnet: [
      deny('ec2:RunInstances', `arn:aws:ec2:*:*:subnet/${await world.subnet()}`),
      { 'NetworkInterface.1.DeviceIndex': 0, 'NetworkInterface.1.SubnetId': await world.subnet() },
    ],
  }
  for (const [what, [document, data]] of Object.entries(limited)) {
    const [{ ImageId: image, ...counts }, name] = [launch(), world.name()]
    const asked = Object.fromEntries(
      Object.entries(data).map(([member, value]) => [`LaunchTemplateData.${member}`, value]),
    )
    await world.call('CreateLaunchTemplate', { LaunchTemplateName: name, ...asked })
    await put(document)
    const request = {
      ...(what === 'image' ? counts : { ...counts, ImageId: image! }),
      'LaunchTemplate.LaunchTemplateName': name,
    }
    expect(await code('RunInstances', request), what).toBe(refused)
    await put(deny('ec2:StopInstances'))
    expect(await code('RunInstances', request), what).toBe(allowed)
  }
})

test('a profile in a launch template is passed as any other', async () => {
  await iam('CreateRole', { RoleName: 'app', AssumeRolePolicyDocument: trustEc2 })
  await iam('CreateInstanceProfile', { InstanceProfileName: 'app' })
  await iam('AddRoleToInstanceProfile', { InstanceProfileName: 'app', RoleName: 'app' })
  const name = world.name()
  const data = { 'LaunchTemplateData.IamInstanceProfile.Name': 'app' }
  await world.call('CreateLaunchTemplate', { LaunchTemplateName: name, ...data })
  const request = { ...launch(), 'LaunchTemplate.LaunchTemplateName': name }
  await put(allow('ec2:*'))
  expect(await code('RunInstances', request)).toBe(refused)
  await put(allow(['ec2:*', 'iam:PassRole']))
  expect(await code('RunInstances', request)).toBe(allowed)
})

test('a launch is no way around what is said of volumes', async () => {
  const large = { NumericGreaterThan: { 'ec2:VolumeSize': '10' } }
  await put(deny(['ec2:RunInstances', 'ec2:CreateVolume'], 'arn:aws:ec2:*:*:volume/*', large))
  const mapped = (size: number): Parameters => ({
    ...{ ...launch(), 'BlockDeviceMapping.1.DeviceName': '/dev/sdf' },
    ...{ 'BlockDeviceMapping.1.Ebs.VolumeSize': size },
  })
  expect(await code('RunInstances', mapped(11))).toBe(refused)
  expect(await code('RunInstances', mapped(10))).toBe(allowed)
  await put(deny('ec2:RunInstances', 'arn:aws:ec2:*:*:volume/*', { Bool: { 'ec2:Encrypted': 'false' } }))
  expect(await code('RunInstances', mapped(1))).toBe(refused)
  expect(await code('RunInstances', { ...mapped(1), 'BlockDeviceMapping.1.Ebs.Encrypted': true })).toBe(
    allowed,
  )
})

test('a name is of the group that the launch would take', async () => {
  const made = await world.call('CreateVpc', { CidrBlock: '10.3.0.0/16' })
  const { vpcId } = made.vpc
  const subnet = await world.call('CreateSubnet', { VpcId: vpcId, CidrBlock: '10.3.0.0/24' })
  const asked = { GroupName: 'twice', GroupDescription: 'x' }
  const [first, second] = [
    (await world.call('CreateSecurityGroup', asked)).groupId,
    (await world.call('CreateSecurityGroup', { ...asked, VpcId: vpcId })).groupId,
  ]
  const into = { ...launch(), 'SecurityGroup.1': 'twice', SubnetId: subnet.subnet.subnetId }
  await put(deny('ec2:*', `arn:aws:ec2:*:*:security-group/${second}`))
  expect(await code('RunInstances', into)).toBe(refused)
  expect(await code('DeleteSecurityGroup', { GroupName: 'twice' })).toBe(allowed)
  await put(deny('ec2:*', `arn:aws:ec2:*:*:security-group/${first}`))
  expect(await code('RunInstances', into)).toBe(allowed)
  expect(await code('DeleteSecurityGroup', { GroupName: 'twice' })).toBe(refused)
})

test('both sides of what is taken apart are asked for, though one is named', async () => {
  const volume = await world.attachedVolume()
  const described = await world.call('DescribeVolumes', { 'VolumeId.1': volume })
  const { instanceId } = described.volumeSet.item[0].attachmentSet.item[0]
  await put(deny('ec2:DetachVolume', `arn:aws:ec2:*:*:instance/${instanceId}`))
  expect(await code('DetachVolume', { VolumeId: volume })).toBe(refused)
})

test('what holds two things together stands for them', async () => {
  const instanceId = await world.instance()
  const associated = await world.call('AssociateIamInstanceProfile', {
    ...{ InstanceId: instanceId, 'IamInstanceProfile.Name': 'app' },
  })
  const { associationId } = associated.iamInstanceProfileAssociation
  const attachmentId = await world.attachedInterface()
  const cardId = await world.interfaceOf(attachmentId)
  await put(
    deny('ec2:*', [`arn:aws:ec2:*:*:instance/${instanceId}`, `arn:aws:ec2:*:*:network-interface/${cardId}`]),
  )
  const both: [string, Parameters][] = [
    ['DisassociateIamInstanceProfile', { AssociationId: associationId }],
    ['DetachNetworkInterface', { AttachmentId: attachmentId }],
  ]
  for (const [action, request] of both) {
    const answer = await cloud.call(action, request, { as: eve })
    expect([answer.status, answer.code], action).toEqual([403, refused])
  }
})

test('the accepter of a peering needs leave for its own VPC', async () => {
  const [own, peer] = [
    (await world.call('CreateVpc', { CidrBlock: '10.4.0.0/16' })).vpc.vpcId,
    (await world.call('CreateVpc', { CidrBlock: '10.5.0.0/16' })).vpc.vpcId,
  ]
  const sides = { VpcId: own, PeerVpcId: peer }
  const made = await world.call('CreateVpcPeeringConnection', sides)
  const peering = { VpcPeeringConnectionId: made.vpcPeeringConnection.vpcPeeringConnectionId }
  const arn = (id: string) => `arn:aws:ec2:us-east-1:${cloud.admin.accountId}:vpc/${id}`
  await put(deny('ec2:AcceptVpcPeeringConnection', arn(peer)))
  expect(await code('AcceptVpcPeeringConnection', peering)).toBe(refused)
  await put(deny('ec2:*PeeringConnection', '*', { ArnEquals: { 'ec2:RequesterVpc': arn(own) } }))
  expect(await code('AcceptVpcPeeringConnection', peering)).toBe(refused)
  expect(await code('CreateVpcPeeringConnection', sides)).toBe(refused)
  await put(deny('ec2:*PeeringConnection', '*', { ArnEquals: { 'ec2:RequesterVpc': arn(peer) } }))
  expect(await code('CreateVpcPeeringConnection', sides)).toBe(allowed)
})

test('lists are asked for as a whole; the administrators’ account shows all accounts only to who may list', async () => {
  const arn = `arn:aws:ec2:us-east-1:${cloud.admin.accountId}:instance/*`
  await put(allow('ec2:DescribeInstances', arn))
  expect(await code('DescribeInstances', {})).toBe(refused)
  expect(await code('DescribeInstances', { 'InstanceId.1': 'verbose' })).toBe(refused)
  await put(allow('ec2:DescribeInstances'))
  expect(await code('DescribeInstances', {})).toBe(allowed)
})

test('another principal’s ClientToken answers nothing to who may not do the same', async () => {
  const request = { AvailabilityZone: 'us-east-1a', Size: 1, ClientToken: 'once' }
  const { volumeId } = await world.call('CreateVolume', request)
  await put(allow('ec2:Describe*'))
  const replayed = await cloud.call('CreateVolume', request, { as: eve })
  expect(replayed.code).toBe(refused)
  expect(replayed.body).not.toContain(volumeId)
})
