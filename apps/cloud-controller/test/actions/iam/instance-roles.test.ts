import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { stsClient } from '../sts/sts-client.ts'
import { allow, iamClient, keyOf, trustEc2 } from './iam-client.ts'

/** Instance profiles on instances, and the credentials that their nodes get for them. */
let cloud: CloudUnderTest
let nodeId: string
let imageId: string
const iam = iamClient(() => cloud)
const sts = stsClient(() => cloud)

beforeAll(async () => {
  cloud = await CloudUnderTest.start({ requestLimits: 'none', pollSeconds: 3_600 })
  nodeId = await cloud.addNode('node-1')
  imageId = await cloud.plantImage(cloud.admin.accountId)
  for (const name of ['app', 'other']) {
    await iam('CreateRole', { RoleName: name, AssumeRolePolicyDocument: trustEc2 })
    await iam('CreateInstanceProfile', { InstanceProfileName: name })
    await iam('AddRoleToInstanceProfile', { InstanceProfileName: name, RoleName: name })
  }
  const permissions = { RoleName: 'app', PolicyName: 'p', PolicyDocument: allow('ec2:DescribeVpcs') }
  await iam('PutRolePolicy', permissions)
})
afterAll(() => cloud.stop())

const launch = async (parameters: Record<string, string>, as?: Credentials) =>
  cloud.call('RunInstances', { ImageId: imageId, MinCount: 1, MaxCount: 1, ...parameters }, as ? { as } : {})
const credentialsFor = async (instanceId: string, agentId = nodeId) => {
  const response = await cloud.cloud.agentDoor.inject({
    method: 'GET',
    url: `/agent/v1/role-credentials/${instanceId}`,
    headers: { 'x-test-peer': `node/${agentId}` },
  })
  return { status: response.statusCode, body: response.json() as Record<string, string> }
}

test('a launch with a profile shows it, and its node gets credentials that are the role', async () => {
  const launched = await launch({ 'IamInstanceProfile.Name': 'app' })
  const instance = launched.xml.instancesSet.item[0]
  const arn = `arn:aws:iam::${cloud.admin.accountId}:instance-profile/app`
  expect(instance.iamInstanceProfile.arn).toBe(arn)
  const { body } = await credentialsFor(instance.instanceId)
  expect(body).toMatchObject({ code: 'Success', roleName: 'app' })
  const guest: Credentials = {
    accountId: cloud.admin.accountId,
    accessKeyId: body['accessKeyId']!,
    secretAccessKey: body['secretAccessKey']!,
    sessionToken: body['token']!,
  }
  expect((await sts('GetCallerIdentity', {}, guest)).one('Arn')).toBe(
    `arn:aws:sts::${cloud.admin.accountId}:assumed-role/app/${instance.instanceId}`,
  )
  expect((await cloud.call('DescribeVpcs', {}, { as: guest })).status).toBe(200)
  expect((await cloud.call('DescribeSubnets', {}, { as: guest })).code).toBe('UnauthorizedOperation')
  const other = await cloud.registerAgent('node', 'node-2')
  expect((await credentialsFor(instance.instanceId, other)).status).toBe(403)
})

test('a profile is put on, replaced and taken off', async () => {
  const { instanceId } = (await launch({})).xml.instancesSet.item[0]
  expect((await credentialsFor(instanceId)).body).toMatchObject({ code: 'InstanceProfileNotFound' })
  const app = { InstanceId: instanceId, 'IamInstanceProfile.Name': 'app' }
  const associated = (await cloud.call('AssociateIamInstanceProfile', app)).xml.iamInstanceProfileAssociation
  expect(associated).toMatchObject({ instanceId, state: 'associating' })
  expect((await cloud.call('AssociateIamInstanceProfile', app)).code).toBe('IncorrectState')
  const replaced = await cloud.call('ReplaceIamInstanceProfileAssociation', {
    AssociationId: associated.associationId,
    'IamInstanceProfile.Arn': `arn:aws:iam::${cloud.admin.accountId}:instance-profile/other`,
  })
  const { associationId } = replaced.xml.iamInstanceProfileAssociation
  expect((await credentialsFor(instanceId)).body).toMatchObject({ roleName: 'other' })
  const described = await cloud.call('DescribeIamInstanceProfileAssociations', {
    'Filter.1.Name': 'instance-id',
    'Filter.1.Value.1': instanceId,
  })
  expect(described.xml.iamInstanceProfileAssociationSet.item).toMatchObject([
    { associationId, state: 'associated' },
  ])
  const gone = await cloud.call('DisassociateIamInstanceProfile', { AssociationId: associationId })
  expect(gone.xml.iamInstanceProfileAssociation.state).toBe('disassociating')
  expect((await cloud.call('DisassociateIamInstanceProfile', { AssociationId: associationId })).code).toBe(
    'InvalidAssociationID.NotFound',
  )
})

test('a user gives an instance only a role that it may pass', async () => {
  await iam('CreateUser', { UserName: 'launcher' })
  const launcher = await keyOf(iam, cloud.admin, 'launcher')
  const put = (document: string) =>
    iam('PutUserPolicy', { UserName: 'launcher', PolicyName: 'p', PolicyDocument: document })
  await put(allow('ec2:*'))
  const refused = await launch({ 'IamInstanceProfile.Name': 'app' }, launcher)
  expect(refused.code).toBe('UnauthorizedOperation')
  expect(refused.message).toContain('iam:PassRole')
  await put(allow(['ec2:*', 'iam:PassRole']))
  expect((await launch({ 'IamInstanceProfile.Name': 'app' }, launcher)).status).toBe(200)
})

test('a profile that is not there, or whose role EC2 may not assume, is told so', async () => {
  expect((await launch({ 'IamInstanceProfile.Name': 'none' })).code).toBe('InvalidParameterValue')
  const both = {
    'IamInstanceProfile.Name': 'app',
    'IamInstanceProfile.Arn': 'arn:aws:iam::1:instance-profile/app',
  }
  expect((await launch(both)).code).toBe('InvalidParameterValue')
  const trust = trustEc2.replace('ec2.amazonaws.com', 'lambda.amazonaws.com')
  await iam('UpdateAssumeRolePolicy', { RoleName: 'other', PolicyDocument: trust })
  const { instanceId } = (await launch({ 'IamInstanceProfile.Name': 'other' })).xml.instancesSet.item[0]
  expect((await credentialsFor(instanceId)).body['code']).toBe('AssumeRoleUnauthorizedAccess')
})
