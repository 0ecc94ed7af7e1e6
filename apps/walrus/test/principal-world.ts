import { createHmac, randomBytes } from 'node:crypto'
import { S3Client } from '@aws-sdk/client-s3'
import type { AccessKeyItem, PrincipalItem } from '@mallee/agent-contract'
import { newSession, sealSession, type SessionHolder } from '@mallee/session-token'
import { alice, eventually, mallory, type WalrusUnderTest } from './walrus-under-test.ts'

export interface Signing {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** `allowed`, or how S3 refuses. */
export type Fate = 'allowed' | readonly [status: number, code: string]
export interface PrincipalKind {
  readonly name: string
  readonly who: Signing
  readonly fate: Fate
}

interface Statement {
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: string | readonly string[]
  readonly Resource?: string | readonly string[]
}
export const document = (...statements: Statement[]): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map((statement) => ({ Resource: '*', ...statement })),
  })
export const allow = (Action: string | readonly string[], Resource: string | readonly string[] = '*') =>
  document({ Effect: 'Allow', Action, Resource })
export const everything = ['s3:*', 'ebs:*']

const denied: Fate = [403, 'AccessDenied']

/** People, roles and sessions as the cloud tells walrus of them. */
export class PrincipalWorld {
  private readonly walrus: WalrusUnderTest
  private readonly sessionKey = { id: 'matrix', key: randomBytes(32) }
  private made = 0

  constructor(walrus: WalrusUnderTest) {
    this.walrus = walrus
    const key = this.sessionKey.key.toString('base64')
    walrus.cloud.putItem('session-key', 'matrix', { id: 'matrix', key })
  }

  /** Every kind there is, with what must become of whatever it asks about what is alice's. */
  async kinds(): Promise<PrincipalKind[]> {
    const all = allow(everything)
    const no = document({ Effect: 'Deny', Action: everything })
    this.walrus.cloud.putItem('principal', 'AIDAROOT', {
      ...this.item('root', 'AIDAROOT', '<root_account>', []),
      arn: `arn:aws:iam::${alice.accountId}:root`,
    })
    this.put('role', 'AROAWIDE', [all])
    this.put('role', 'AROANONE', [])
    const bob = this.user([all])
    const session = (holder: SessionHolder, policies?: string[]) => this.session(holder, { policies })
    const wide = { kind: 'role', roleId: 'AROAWIDE', name: 'one' } as const
    const federated = { kind: 'federated', userId: bob.userId, name: 'joe' } as const
    const kinds: PrincipalKind[] = [
      { name: 'root', who: alice, fate: 'allowed' },
      { name: 'user allowed', who: bob, fate: 'allowed' },
      { name: 'user without policies', who: this.user([]), fate: denied },
      { name: 'user with an explicit deny', who: this.user([all, no]), fate: denied },
      { name: 'user whose boundary lacks it', who: this.user([all], allow('ec2:*')), fate: denied },
      { name: 'user with a disabled key', who: this.disabled(), fate: [403, 'InvalidAccessKeyId'] },
      { name: 'session of a user', who: session({ kind: 'user', userId: bob.userId }), fate: 'allowed' },
      { name: 'role', who: session(wide), fate: 'allowed' },
      { name: 'role limited by its session', who: session(wide, [allow('ec2:*')]), fate: denied },
      { name: 'role without policies', who: session({ ...wide, roleId: 'AROANONE' }), fate: denied },
      { name: 'instance', who: this.session(wide, { instanceId: 'i-1' }), fate: 'allowed' },
      { name: 'federated user', who: session(federated, [all]), fate: 'allowed' },
      { name: 'federated user without policies', who: session(federated), fate: denied },
      {
        name: 'session of a deleted role',
        who: session({ ...wide, roleId: 'AROAGONE' }),
        fate: [400, 'InvalidToken'],
      },
      {
        name: 'session that is over',
        who: this.session(wide, { expiresAtMs: Date.now() - 1 }),
        fate: [400, 'ExpiredToken'],
      },
    ]
    await this.believed()
    return kinds
  }

  /** A user of another account, who may do everything there. */
  foreigner(): Signing {
    return this.user([allow(everything)], undefined, mallory)
  }

  user(policies: readonly string[], boundary?: string, account: AccessKeyItem = alice): AccessKeyItem {
    this.made += 1
    const userId = `AIDAUSER${this.made}`
    this.put('user', userId, policies, boundary, account)
    const key: AccessKeyItem = {
      ...account,
      ...{ accessKeyId: `AKIAUSER${String(this.made).padStart(12, '0')}`, secretAccessKey: `of ${userId}` },
      ...{ userId, userName: userId, principalId: userId },
    }
    this.walrus.cloud.putKey(key)
    return key
  }

  session(
    holder: SessionHolder,
    more: { policies?: string[] | undefined; instanceId?: string; expiresAtMs?: number } = {},
  ): Signing {
    const times = { issuedAtMs: Date.now() - 1000, expiresAtMs: Date.now() + 600_000 }
    const claims = { ...newSession(), accountId: alice.accountId, holder, ...times, ...more }
    const { accessKeyId, secretAccessKey } = claims
    return { accessKeyId, secretAccessKey, sessionToken: sealSession(claims, this.sessionKey) }
  }

  sdk(credentials: Signing): S3Client {
    return new S3Client({
      ...{ endpoint: this.walrus.url, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1 },
      credentials: { ...credentials },
    })
  }

  /** What came before this key is believed with it. */
  async believed(): Promise<void> {
    this.made += 1
    const probe = { ...alice, accessKeyId: `AKIAPROB${String(this.made).padStart(12, '0')}` }
    this.walrus.cloud.putKey(probe)
    await eventually(() => this.walrus.cloud.observed('access-key', probe.accessKeyId))
  }

  private disabled(): Signing {
    const key = this.user([allow(everything)])
    this.walrus.cloud.putKey({ ...key, enabled: false })
    return key
  }

  private put(
    kind: 'user' | 'role',
    id: string,
    policies: readonly string[],
    boundary?: string,
    account: AccessKeyItem = alice,
  ): void {
    this.walrus.cloud.putItem('principal', id, {
      ...this.item(kind, id, id, policies, account),
      ...(boundary === undefined ? {} : { boundary: { id: 'boundary', document: boundary } }),
    })
  }

  private item(
    kind: PrincipalItem['kind'],
    principalId: string,
    name: string,
    policies: readonly string[],
    { accountId, accountName, canonicalId }: AccessKeyItem = alice,
  ): PrincipalItem {
    return {
      ...{ principalId, kind, name, accountId, accountName, canonicalId, tags: {} },
      arn: `arn:aws:iam::${accountId}:${kind}/${name}`,
      policies: policies.map((text, index) => ({ id: `p${index}`, document: text })),
    }
  }
}

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

/** The fields of a form that may put this one key, signed by Version 4. */
export function formFields(who: Signing, bucket: string, key: string): Record<string, string> {
  const amzDate = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const day = amzDate.slice(0, 8)
  const fields = {
    key,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${who.accessKeyId}/${day}/us-east-1/s3/aws4_request`,
    'x-amz-date': amzDate,
    ...(who.sessionToken === undefined ? {} : { 'x-amz-security-token': who.sessionToken }),
  }
  const conditions = [{ bucket }, ...Object.entries(fields).map(([name, value]) => ({ [name]: value }))]
  const expiration = new Date(Date.now() + 3_600_000).toISOString()
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64')
  const signing = [day, 'us-east-1', 's3', 'aws4_request'].reduce<string | Buffer>(
    (over, text) => hmac(over, text),
    `AWS4${who.secretAccessKey}`,
  )
  return { ...fields, policy, 'x-amz-signature': hmac(signing, policy).toString('hex') }
}
