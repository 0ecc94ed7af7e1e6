import { newSession, sealSession, type SessionHolder } from '@mallee/session-token'
import { allow, iamClient, keyOf, trustEc2, type Iam } from '../actions/iam/iam-client.ts'
import { credentialsOf, stsClient, trusts } from '../actions/sts/sts-client.ts'
import type { CloudUnderTest, Credentials } from '../cloud-under-test.ts'

/** What becomes of a request by how its sender proves who it is and by what it may do. */
export type Fate = 'allowed' | readonly [status: number, code: string]

export interface PrincipalKind {
  readonly name: string
  readonly who: Credentials
  readonly fate: Fate
}

export const everything = ['ec2:*', 'iam:PassRole', 's3:*']
const unauthorized: Fate = [403, 'UnauthorizedOperation']
const unknown: Fate = [401, 'AuthFailure']

export const deny = (action: string | string[], resource: string | string[] = '*', condition?: object) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: everything, Resource: '*' },
      {
        ...{ Effect: 'Deny', Action: action, Resource: resource },
        ...(condition ? { Condition: condition } : {}),
      },
    ],
  })

/** The people, roles and sessions of one account, and what must become of whatever they ask of EC2. */
export async function principalsOf(cloud: CloudUnderTest, nodeId: string, imageId: string) {
  const makers = new Makers(cloud)
  const { user } = makers
  const kinds: PrincipalKind[] = [
    { name: 'root', who: cloud.admin, fate: 'allowed' },
    { name: 'user allowed', who: await user('allowed', allow(everything)), fate: 'allowed' },
    { name: 'user without policies', who: await user('bare'), fate: unauthorized },
    { name: 'user with an explicit deny', who: await user('denied', deny('ec2:*')), fate: unauthorized },
    { name: 'user whose boundary lacks it', who: await makers.bounded(), fate: unauthorized },
    { name: 'user with a disabled key', who: await makers.disabled(), fate: unknown },
    { name: 'user of another account', who: await makers.foreigner(), fate: unauthorized },
    ...(await makers.userSessions()),
    ...(await makers.roleSessions()),
    ...(await makers.guests(nodeId, imageId)),
    ...(await makers.ended()),
  ]
  return kinds
}

class Makers {
  private readonly cloud: CloudUnderTest
  private readonly iam: Iam
  private readonly sts

  constructor(cloud: CloudUnderTest) {
    this.cloud = cloud
    this.iam = iamClient(() => cloud)
    this.sts = stsClient(() => cloud)
  }

  readonly user = async (name: string, policy?: string, account = this.cloud.admin) => {
    await this.iam('CreateUser', { UserName: name }, account)
    if (policy)
      await this.iam('PutUserPolicy', { UserName: name, PolicyName: 'p', PolicyDocument: policy }, account)
    return keyOf(this.iam, account, name)
  }

  async bounded(): Promise<Credentials> {
    const who = await this.user('bounded', allow(everything))
    const boundary = await this.iam('CreatePolicy', {
      ...{ PolicyName: 'others', PolicyDocument: allow(['iam:*', 's3:*']) },
    })
    await this.iam('PutUserPermissionsBoundary', {
      ...{ UserName: 'bounded', PermissionsBoundary: boundary.one('Arn')! },
    })
    return who
  }

  async disabled(): Promise<Credentials> {
    const who = await this.user('disabled', allow(everything))
    const asked = { UserName: 'disabled', AccessKeyId: who.accessKeyId, Status: 'Inactive' }
    await this.iam('UpdateAccessKey', asked)
    return who
  }

  /** May do everything with what is of this account; only, that is not its own account to say so of. */
  async foreigner(): Promise<Credentials> {
    const account = await this.cloud.createAccount('neighbours')
    const own = `arn:aws:ec2:us-east-1:${this.cloud.admin.accountId}:*`
    return this.user('foreigner', allow(everything, own), account)
  }

  async userSessions(): Promise<PrincipalKind[]> {
    const asker = await this.user('asker', allow([...everything, 'sts:*']))
    const session = async (action: string, parameters: Record<string, string> = {}) =>
      credentialsOf(await this.sts(action, parameters, asker), this.cloud.admin.accountId)
    const federated = (Policy: string) => session('GetFederationToken', { Name: 'joe', Policy })
    return [
      { name: 'session of a user', who: await session('GetSessionToken'), fate: 'allowed' },
      { name: 'federated user', who: await federated(allow(everything)), fate: 'allowed' },
      { name: 'federated user with less', who: await federated(allow('s3:*')), fate: unauthorized },
      {
        name: 'federated user without policies',
        who: await session('GetFederationToken', { Name: 'joe' }),
        fate: unauthorized,
      },
    ]
  }

  async role(name: string, permissions?: string): Promise<string> {
    const trust = trusts({ AWS: this.cloud.admin.accountId, Service: 'ec2.amazonaws.com' })
    const made = await this.iam('CreateRole', { RoleName: name, AssumeRolePolicyDocument: trust })
    if (permissions)
      await this.iam('PutRolePolicy', { RoleName: name, PolicyName: 'p', PolicyDocument: permissions })
    return made.one('Arn')!
  }

  async assume(arn: string, more: Record<string, string> = {}): Promise<Credentials> {
    this.assumer ??= await this.user('assumer', allow('sts:AssumeRole'))
    const asked = { RoleArn: arn, RoleSessionName: 'one', ...more }
    return credentialsOf(await this.sts('AssumeRole', asked, this.assumer), this.cloud.admin.accountId)
  }

  private assumer: Credentials | undefined

  async roleSessions(): Promise<PrincipalKind[]> {
    const wide = await this.role('wide', allow(everything))
    const limited = await this.assume(wide, { Policy: allow('ec2:DescribeNothing') })
    return [
      { name: 'role', who: await this.assume(wide), fate: 'allowed' },
      { name: 'role limited by its session', who: limited, fate: unauthorized },
      { name: 'role without policies', who: await this.assume(await this.role('none')), fate: unauthorized },
    ]
  }

  /** Credentials that instances got for their profiles. */
  async guests(nodeId: string, imageId: string): Promise<PrincipalKind[]> {
    return [
      { name: 'instance', who: await this.guest('app', allow(everything), nodeId, imageId), fate: 'allowed' },
      {
        name: 'instance whose role may less',
        who: await this.guest('less', allow('s3:*'), nodeId, imageId),
        fate: unauthorized,
      },
    ]
  }

  private async guest(name: string, permissions: string, nodeId: string, ImageId: string) {
    await this.iam('CreateRole', { RoleName: name, AssumeRolePolicyDocument: trustEc2 })
    await this.iam('PutRolePolicy', { RoleName: name, PolicyName: 'p', PolicyDocument: permissions })
    await this.iam('CreateInstanceProfile', { InstanceProfileName: name })
    await this.iam('AddRoleToInstanceProfile', { InstanceProfileName: name, RoleName: name })
    const launched = await this.cloud.call('RunInstances', {
      ...{ ImageId, MinCount: 1, MaxCount: 1, 'IamInstanceProfile.Name': name },
    })
    await this.cloud.settled()
    const { instanceId } = launched.xml.instancesSet.item[0]
    const response = await this.cloud.cloud.agentDoor.inject({
      ...{ method: 'GET', url: `/agent/v1/role-credentials/${instanceId}` },
      headers: { 'x-test-peer': `node/${nodeId}` },
    })
    const given = response.json() as Record<string, string>
    return {
      accountId: this.cloud.admin.accountId,
      accessKeyId: given['accessKeyId']!,
      secretAccessKey: given['secretAccessKey']!,
      sessionToken: given['token']!,
    }
  }

  /** Whose user or role is gone, and whose time is over. */
  async ended(): Promise<PrincipalKind[]> {
    const ofRole = await this.assume(await this.role('brief'))
    await this.iam('DeleteRole', { RoleName: 'brief' })
    const leaver = await this.user('leaver')
    const ofUser = credentialsOf(await this.sts('GetSessionToken', {}, leaver), leaver.accountId)
    await this.iam('DeleteAccessKey', { UserName: 'leaver', AccessKeyId: leaver.accessKeyId })
    await this.iam('DeleteUser', { UserName: 'leaver' })
    return [
      { name: 'session of a deleted role', who: ofRole, fate: unknown },
      { name: 'session of a deleted user', who: ofUser, fate: unknown },
      { name: 'key of a deleted user', who: leaver, fate: unknown },
      { name: 'session that is over', who: await this.expired(), fate: [400, 'RequestExpired'] },
    ]
  }

  private async expired(): Promise<Credentials> {
    const { record, keyring } = this.cloud.cloud
    const { row, user } = await record.read(async (db) => ({
      row: await db.selectFrom('session_key').selectAll().executeTakeFirstOrThrow(),
      user: await db.selectFrom('user').selectAll().where('name', '=', 'allowed').executeTakeFirstOrThrow(),
    }))
    const key = Buffer.from(keyring.open(row.sealed_key, `session key ${row.id}`), 'base64')
    const keys = newSession()
    const holder: SessionHolder = { kind: 'user', userId: user.id }
    const times = { issuedAtMs: Date.now() - 7_200_000, expiresAtMs: Date.now() - 1000 }
    const { accountId } = this.cloud.admin
    const sessionToken = sealSession({ ...keys, accountId, holder, ...times }, { id: row.id, key })
    return { accountId, ...keys, sessionToken }
  }
}
