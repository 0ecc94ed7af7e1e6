import { afterAll, beforeAll, expect, test } from 'vitest'
import { credentialsOf, stsClient } from '../actions/sts/sts-client.ts'
import { allow, iamClient, keyOf, trustEc2 } from '../actions/iam/iam-client.ts'
import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'

/** Requests that ask to be judged on one thing and act on another: each is judged on what it acts on. */
let cloud: CloudUnderTest
let imageId: string
const iam = iamClient(() => cloud)
const sts = stsClient(() => cloud)

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none', pollSeconds: 3_600 })
  await cloud.addNode('node-1')
  imageId = await cloud.plantImage(cloud.admin.accountId)
  for (const name of ['weak', 'strong']) {
    await iam('CreateRole', { RoleName: name, AssumeRolePolicyDocument: trustEc2 })
    await iam('CreateInstanceProfile', { InstanceProfileName: name })
    await iam('AddRoleToInstanceProfile', { InstanceProfileName: name, RoleName: name })
  }
})
afterAll(() => cloud.stop())

async function userWith(name: string, document: string): Promise<Credentials> {
  await iam('CreateUser', { UserName: name })
  await iam('PutUserPolicy', { UserName: name, PolicyName: 'p', PolicyDocument: document })
  return keyOf(iam, cloud.admin, name)
}

const allowBut = (action: string, resource: string, condition?: unknown) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: '*', Resource: '*' },
      { Effect: 'Deny', Action: action, Resource: resource, ...(condition ? { Condition: condition } : {}) },
    ],
  })

test('who may make keys for itself makes none for a root by acting in an account', async () => {
  const other = await cloud.createAccount('victim')
  const own = `arn:aws:iam::${cloud.admin.accountId}:user/clerk`
  const clerk = await userWith('clerk', allow('iam:*', own))
  expect((await iam('ListAccessKeys', {}, clerk)).status).toBe(200)
  for (const account of ['victim', other.accountId, cloud.admin.accountId])
    for (const action of ['CreateAccessKey', 'ListAccessKeys', 'GetUser']) {
      const answer = await iam(action, { DelegateAccount: account }, clerk)
      expect([answer.code, answer.status], `${action} in ${account}`).toEqual(['AccessDenied', 403])
    }
})

test('the profile of an instance is judged by the instance', async () => {
  const launched = await cloud.call('RunInstances', {
    ...{ ImageId: imageId, MinCount: 1, MaxCount: 1, 'IamInstanceProfile.Name': 'weak' },
  })
  const { instanceId } = launched.xml.instancesSet.item[0]
  const described = await cloud.call('DescribeIamInstanceProfileAssociations')
  const { associationId } = described.xml.iamInstanceProfileAssociationSet.item[0]
  const replace = { AssociationId: associationId, 'IamInstanceProfile.Name': 'strong' }
  const passer = await userWith('passer', allow('iam:PassRole'))
  const replaced = await cloud.call('ReplaceIamInstanceProfileAssociation', replace, { as: passer })
  expect(replaced.code).toBe('UnauthorizedOperation')
  const guard = await userWith('guard', allowBut('ec2:*', `arn:aws:ec2:*:*:instance/${instanceId}`))
  for (const action of ['ReplaceIamInstanceProfileAssociation', 'DisassociateIamInstanceProfile']) {
    const parameters = action.startsWith('Replace') ? replace : { AssociationId: associationId }
    expect((await cloud.call(action, parameters, { as: guard })).code, action).toBe('UnauthorizedOperation')
  }
})

test('an image is the same by its older prefix', async () => {
  const careful = await userWith('careful', allowBut('ec2:*', `arn:aws:ec2:*::image/${imageId}`))
  const launch = { MinCount: 1, MaxCount: 1 }
  for (const id of [imageId, imageId.replace(/^ami-/, 'emi-')]) {
    expect((await cloud.call('RunInstances', { ...launch, ImageId: id }, { as: careful })).code, id).toBe(
      'UnauthorizedOperation',
    )
    expect((await cloud.call('DeregisterImage', { ImageId: id }, { as: careful })).code, id).toBe(
      'UnauthorizedOperation',
    )
  }
})

test('what is called like the id of something else is judged as itself', async () => {
  const careful = await userWith('namer', allowBut('ec2:*', 'arn:aws:ec2:*:*:key-pair/*'))
  const name = 'vol-0123456789abcdef0'
  await cloud.call('CreateKeyPair', { KeyName: name })
  expect((await cloud.call('DeleteKeyPair', { KeyName: name }, { as: careful })).code).toBe(
    'UnauthorizedOperation',
  )
  const groups = await userWith('grouper', allowBut('ec2:*', 'arn:aws:ec2:*:*:security-group/*'))
  await cloud.call('CreateSecurityGroup', { GroupName: name, GroupDescription: 'd' })
  expect((await cloud.call('DeleteSecurityGroup', { GroupName: name }, { as: groups })).code).toBe(
    'UnauthorizedOperation',
  )
})

test('an interface is judged by its attachment, and a network by its block', async () => {
  const vpc = (await cloud.call('CreateVpc', { CidrBlock: '10.7.0.0/16' })).xml.vpc
  const block = await cloud.call('AssociateVpcCidrBlock', { VpcId: vpc.vpcId, CidrBlock: '10.8.0.0/16' })
  const id = block.xml.cidrBlockAssociation.associationId
  const careful = await userWith('keeper', allowBut('ec2:*', `arn:aws:ec2:*:*:vpc/${vpc.vpcId}`))
  expect((await cloud.call('DisassociateVpcCidrBlock', { AssociationId: id }, { as: careful })).code).toBe(
    'UnauthorizedOperation',
  )
  const subnets = (await cloud.call('DescribeSubnets')).xml.subnetSet.item
  const launched = await cloud.call('RunInstances', {
    ...{ ImageId: imageId, MinCount: 1, MaxCount: 1, SubnetId: subnets[0].subnetId },
  })
  const { instanceId, networkInterfaceSet } = launched.xml.instancesSet.item[0]
  const { networkInterfaceId, attachment } = networkInterfaceSet.item[0]
  for (const [name, resource] of [
    ['nic-guard', `arn:aws:ec2:*:*:network-interface/${networkInterfaceId}`],
    ['host-guard', `arn:aws:ec2:*:*:instance/${instanceId}`],
  ] as const) {
    const guard = await userWith(name, allowBut('ec2:*', resource))
    const detach = { AttachmentId: attachment.attachmentId }
    const answer = await cloud.call('DetachNetworkInterface', detach, { as: guard })
    expect(answer.code, name).toBe('UnauthorizedOperation')
  }
})

test('a federated user makes no keys and no sessions, whatever its policies say', async () => {
  const answer = await sts('GetFederationToken', { Name: 'joe', Policy: allow('*') })
  const joe = credentialsOf(answer, cloud.admin.accountId)
  expect((await sts('GetCallerIdentity', {}, joe)).one('Arn')).toContain(':federated-user/joe')
  expect((await cloud.call('DescribeVpcs', {}, { as: joe })).status).toBe(200)
  for (const [action, parameters] of [
    ['CreateAccessKey', { UserName: 'admin' }],
    ['ListUsers', {}],
  ] as const)
    expect((await iam(action, parameters, joe)).code, action).toBe('AccessDenied')
  const role = { RoleArn: `arn:aws:iam::${cloud.admin.accountId}:role/strong`, RoleSessionName: 'session' }
  expect((await sts('AssumeRole', role, joe)).code).toBe('AccessDenied')
  expect((await sts('DecodeAuthorizationMessage', { EncodedMessage: 'x' }, joe)).code).toBe('AccessDenied')
})

test('who may make keys for users makes none for the root by the name that Eucalyptus gives it', async () => {
  const users = `arn:aws:iam::${cloud.admin.accountId}:user/*`
  const helper = await userWith('helper', allow('iam:*', users))
  expect((await iam('ListAccessKeys', { UserName: 'helper' }, helper)).status).toBe(200)
  for (const action of ['ListAccessKeys', 'CreateAccessKey'])
    expect((await iam(action, { UserName: 'admin' }, helper)).code, action).toBe('AccessDenied')
})
