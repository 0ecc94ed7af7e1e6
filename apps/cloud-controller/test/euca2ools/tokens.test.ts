/** euca2ools 3.4's commands of STS: sent as they send them, read as they read them. */
import { afterAll, beforeAll, test } from 'vitest'
import { allow, iamClient, keyOf } from '../actions/iam/iam-client.ts'
import { trusts } from '../actions/sts/sts-client.ts'
import { CloudUnderTest } from '../cloud-under-test.ts'
import { ClientWorld } from './client-world.ts'

let cloud: CloudUnderTest
let world: ClientWorld

beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  const iam = iamClient(() => cloud)
  await iam('CreateUser', { UserName: 'clerk' })
  const document = allow('sts:AssumeRole')
  await iam('PutUserPolicy', { UserName: 'clerk', PolicyName: 'p', PolicyDocument: document })
  const trust = trusts({ AWS: cloud.admin.accountId })
  await iam('CreateRole', { RoleName: 'desk', AssumeRolePolicyDocument: trust })
  world = new ClientWorld(cloud, await keyOf(iam, cloud.admin, 'clerk'))
})
afterAll(() => cloud.stop())

test('euare-getcallerid', () =>
  world.play({
    action: 'GetCallerIdentity',
    service: 'sts',
    walks: ['GetCallerIdentityResult.UserId', 'GetCallerIdentityResult.Account'],
    shows: () => ({
      'GetCallerIdentityResult.Arn': `arn:aws:iam::${cloud.admin.accountId}:user/clerk`,
    }),
  }))

/** euare-releaserole asks nobody: it takes back what this command has put into the environment. */
test('euare-assumerole', () =>
  world.play({
    action: 'AssumeRole',
    service: 'sts',
    send: () => ({
      RoleArn: `arn:aws:iam::${cloud.admin.accountId}:role/desk`,
      RoleSessionName: 'assumed-role-20260101T000000Z',
      DurationSeconds: '900',
    }),
    walks: [
      'AssumeRoleResult.Credentials.AccessKeyId',
      'AssumeRoleResult.Credentials.SecretAccessKey',
      'AssumeRoleResult.Credentials.SessionToken',
      'AssumeRoleResult.Credentials.Expiration',
    ],
  }))
