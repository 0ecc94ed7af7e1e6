import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AccessKeyItem, PrincipalItem } from '@mallee/agent-contract'
import { newSession, sealSession, type SessionClaims } from '@mallee/session-token'
import { alice, eventually, mallory, WalrusUnderTest, type Reply } from './walrus-under-test.ts'

/** Users, roles and sessions at walrus' door: what their own policies let them do, with buckets' policies and lists. */
let walrus: WalrusUnderTest
const sessionKey = { id: 's1', key: randomBytes(32) }

const policy = (id: string, ...statements: object[]) => ({
  id,
  document: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
})
const allow = (action: string | string[], resource: string | string[] = '*', condition?: object) => ({
  ...{ Effect: 'Allow', Action: action, Resource: resource },
  ...(condition ? { Condition: condition } : {}),
})
const deny = (action: string, resource = '*') => ({ Effect: 'Deny', Action: action, Resource: resource })

const { accountId, accountName, canonicalId } = alice
const inAlices = { accountId, accountName, canonicalId, tags: {} }
const bob: AccessKeyItem = {
  ...alice,
  ...{ accessKeyId: 'AKIABOBBOBBOBBOBBOBB', secretAccessKey: 'secret-of-bob' },
  ...{ userId: 'AIDABOB', userName: 'bob', principalId: 'AIDABOB' },
}

/** Gives bob these policies, and waits until walrus judges by them. */
let told = 0
async function give(policies: PrincipalItem['policies'], more: Partial<PrincipalItem> = {}): Promise<void> {
  const body: PrincipalItem = {
    ...{ principalId: 'AIDABOB', kind: 'user', name: 'bob', ...inAlices, policies },
    arn: `arn:aws:iam::${accountId}:user/bob`,
    ...more,
  }
  walrus.cloud.putItem('principal', body.principalId, body)
  await believed()
}

/** What came before this key is believed with it. */
async function believed(): Promise<void> {
  told += 1
  const probe = { ...alice, accessKeyId: `AKIAPROBE${String(told).padStart(11, '0')}` }
  walrus.cloud.putKey(probe)
  await eventually(() => walrus.cloud.observed('access-key', probe.accessKeyId))
}

const asBob = (method: string, path: string, body?: string) =>
  walrus.signed({ method, path, as: bob, ...(body === undefined ? {} : { body }) })
const outcome = ({ status, code }: Reply) => (status < 300 ? 'done' : (code ?? String(status)))

beforeAll(async () => {
  walrus = await WalrusUnderTest.start()
  walrus.cloud.putItem('session-key', 's1', { id: 's1', key: sessionKey.key.toString('base64') })
  walrus.cloud.putKey(bob)
  await walrus.signed({ method: 'PUT', path: '/mine' })
  await walrus.signed({ method: 'PUT', path: '/mine/a', body: 'text' })
  await walrus.signed({ method: 'PUT', path: '/theirs', as: mallory })
  await walrus.signed({ method: 'PUT', path: '/theirs/a', body: 'text', as: mallory })
})
afterAll(() => walrus.stop())

describe('a user', () => {
  test('without policies may do nothing, though its account owns the bucket', async () => {
    await give([])
    for (const [method, path] of [
      ['GET', '/'],
      ['PUT', '/new-one'],
      ['GET', '/mine'],
      ['GET', '/mine/a'],
      ['PUT', '/mine/b'],
      ['DELETE', '/mine/a'],
      ['GET', '/mine?policy'],
      ['PUT', '/mine?acl'],
    ] as const)
      expect([method, path, outcome(await asBob(method, path))]).toEqual([method, path, 'AccessDenied'])
    expect(outcome(await walrus.signed({ path: '/mine/a' }))).toBe('done')
  })

  test('may do what its policies say, and no more', async () => {
    await give([
      policy(
        'p',
        allow(['s3:GetObject', 's3:PutObject'], 'arn:aws:s3:::mine/*'),
        allow('s3:ListAllMyBuckets'),
      ),
    ])
    expect(outcome(await asBob('GET', '/mine/a'))).toBe('done')
    expect(outcome(await asBob('PUT', '/mine/c', 'x'))).toBe('done')
    expect(outcome(await asBob('GET', '/'))).toBe('done')
    expect(outcome(await asBob('GET', '/mine'))).toBe('AccessDenied')
    expect(outcome(await asBob('DELETE', '/mine/c'))).toBe('AccessDenied')
    expect(outcome(await asBob('PUT', '/new-two'))).toBe('AccessDenied')
  })

  test('is held by its boundary, by a deny, and by what its account denies', async () => {
    const all = policy('all', allow('s3:*'))
    await give([all])
    expect(outcome(await asBob('GET', '/mine/a'))).toBe('done')
    await give([all], { boundary: policy('boundary', allow('s3:ListBucket')) })
    expect(outcome(await asBob('GET', '/mine/a'))).toBe('AccessDenied')
    expect(outcome(await asBob('GET', '/mine'))).toBe('done')
    await give([all, policy('no', deny('s3:GetObject', 'arn:aws:s3:::mine/a'))])
    expect(outcome(await asBob('GET', '/mine/a'))).toBe('AccessDenied')
    await give([all], { account: [policy('account', deny('s3:GetObject'))] })
    expect(outcome(await asBob('GET', '/mine/a'))).toBe('AccessDenied')
  })

  test('is let in by a bucket policy that names it, and by one for everybody', async () => {
    await give([])
    const put = (principal: unknown) =>
      walrus.signed({
        method: 'PUT',
        path: '/mine?policy',
        body: JSON.stringify({
          Version: '2012-10-17',
          Statement: {
            Effect: 'Allow',
            Principal: principal,
            Action: 's3:GetObject',
            Resource: 'arn:aws:s3:::mine/*',
          },
        }),
      })
    expect(outcome(await put({ AWS: `arn:aws:iam::${accountId}:user/bob` }))).toBe('done')
    expect(outcome(await asBob('GET', '/mine/a'))).toBe('done')
    // Its account's leave alone is none for its users.
    expect(outcome(await put({ AWS: accountId }))).toBe('done')
    expect(outcome(await asBob('GET', '/mine/a'))).toBe('AccessDenied')
    expect(outcome(await put({ AWS: `arn:aws:iam::${accountId}:user/nobody` }))).toBe('MalformedPolicy')
    await walrus.signed({ method: 'DELETE', path: '/mine?policy' })
  })

  test('uses what another account lets its account have only where its own policies say so', async () => {
    const grant = { 'x-amz-grant-read': `id=${canonicalId}` }
    await walrus.signed({ method: 'PUT', path: '/theirs/a?acl', headers: grant, as: mallory })
    await give([])
    expect(outcome(await walrus.signed({ path: '/theirs/a' }))).toBe('done')
    expect(outcome(await asBob('GET', '/theirs/a'))).toBe('AccessDenied')
    await give([policy('p', allow('s3:GetObject', 'arn:aws:s3:::theirs/*'))])
    expect(outcome(await asBob('GET', '/theirs/a'))).toBe('done')
  })

  test('with a policy that is none may do nothing', async () => {
    await give([policy('all', allow('s3:*')), { id: 'broken', document: '{"Statement":' }])
    expect(outcome(await asBob('GET', '/mine/a'))).toBe('AccessDenied')
    expect(outcome(await walrus.signed({ path: '/mine/a' }))).toBe('done')
  })

  test('who began an upload may give it up; another user of the account may not', async () => {
    await give([policy('p', allow('s3:PutObject'))])
    const begun = await asBob('POST', '/mine/big?uploads')
    const id = /<UploadId>([^<]+)</.exec(begun.text)![1]!
    const others = await walrus.signed({ method: 'POST', path: '/mine/other?uploads' })
    const theirId = /<UploadId>([^<]+)</.exec(others.text)![1]!
    expect(outcome(await asBob('DELETE', `/mine/other?uploadId=${theirId}`))).toBe('AccessDenied')
    expect(outcome(await asBob('DELETE', `/mine/big?uploadId=${id}`))).toBe('done')
  })

  test('that is gone cannot sign', async () => {
    await give([policy('all', allow('s3:*'))])
    walrus.cloud.drop('principal', 'AIDABOB')
    await believed()
    expect(outcome(await asBob('GET', '/mine/a'))).toBe('InvalidAccessKeyId')
  })
})

describe('a session', () => {
  const claims = (more: Partial<SessionClaims> = {}): SessionClaims => ({
    ...newSession(),
    accountId,
    holder: { kind: 'role', roleId: 'AROAREADER', name: 'i-1' },
    issuedAtMs: Date.now(),
    expiresAtMs: Date.now() + 600_000,
    ...more,
  })
  const ask = (
    session: SessionClaims,
    method: string,
    path: string,
    token = sealSession(session, sessionKey),
  ) =>
    walrus.signed({
      method,
      path,
      as: { ...alice, accessKeyId: session.accessKeyId, secretAccessKey: session.secretAccessKey },
      headers: { 'x-amz-security-token': token },
    })

  beforeAll(async () => {
    walrus.cloud.putItem('principal', 'AROAREADER', {
      ...{ principalId: 'AROAREADER', kind: 'role', name: 'reader', ...inAlices },
      arn: `arn:aws:iam::${accountId}:role/reader`,
      policies: [
        policy('p', allow(['s3:ListBucket', 's3:GetObject'], ['arn:aws:s3:::mine', 'arn:aws:s3:::mine/*'])),
      ],
    })
    walrus.cloud.putItem('principal', 'AIDAROOT', {
      ...{ principalId: 'AIDAROOT', kind: 'root', name: '<root_account>', ...inAlices, policies: [] },
      arn: `arn:aws:iam::${accountId}:root`,
    })
    await believed()
  })

  test('of a role lists the bucket that the role allows, and no other', async () => {
    const session = claims()
    expect(outcome(await ask(session, 'GET', '/mine'))).toBe('done')
    expect(outcome(await ask(session, 'GET', '/mine/a'))).toBe('done')
    expect(outcome(await ask(session, 'PUT', '/mine/a'))).toBe('AccessDenied')
    expect(outcome(await ask(session, 'GET', '/'))).toBe('AccessDenied')
    expect(outcome(await ask(session, 'GET', '/theirs'))).toBe('AccessDenied')
  })

  test('is held by its own policies, and knows where it came from', async () => {
    const { document } = policy('s', allow('s3:ListBucket'))
    const session = claims({ policies: [document] })
    expect(outcome(await ask(session, 'GET', '/mine'))).toBe('done')
    expect(outcome(await ask(session, 'GET', '/mine/a'))).toBe('AccessDenied')
    const instance = { ArnLike: { 'ec2:SourceInstanceARN': 'arn:aws:ec2:*:*:instance/i-1' } }
    const only = policy('s', allow('s3:*', '*', instance)).document
    expect(outcome(await ask(claims({ policies: [only] }), 'GET', '/mine'))).toBe('AccessDenied')
    expect(outcome(await ask(claims({ policies: [only], instanceId: 'i-1' }), 'GET', '/mine'))).toBe('done')
  })

  test('of a root is the root, and a federated one is what both allow', async () => {
    const holder = { kind: 'user', userId: 'AIDAROOT' } as const
    expect(outcome(await ask(claims({ holder }), 'GET', '/'))).toBe('done')
    const federated = { kind: 'federated', userId: 'AIDAROOT', name: 'joe' } as const
    expect(outcome(await ask(claims({ holder: federated }), 'GET', '/mine'))).toBe('AccessDenied')
    const policies = [policy('f', allow('s3:ListBucket')).document]
    expect(outcome(await ask(claims({ holder: federated, policies }), 'GET', '/mine'))).toBe('done')
  })

  test('that is over, or none of ours, or another key’s, is refused in S3’s words', async () => {
    const session = claims()
    expect(outcome(await ask(claims({ expiresAtMs: Date.now() - 1 }), 'GET', '/mine'))).toBe('ExpiredToken')
    expect(outcome(await ask(session, 'GET', '/mine', sealSession(claims(), sessionKey)))).toBe(
      'InvalidToken',
    )
    const strange = { id: 's1', key: randomBytes(32) }
    expect(outcome(await ask(session, 'GET', '/mine', sealSession(session, strange)))).toBe('InvalidToken')
    const gone = claims({ holder: { kind: 'role', roleId: 'AROAGONE', name: 'x' } })
    expect(outcome(await ask(gone, 'GET', '/mine'))).toBe('InvalidToken')
    expect(outcome(await walrus.signed({ path: '/mine', as: { ...alice, ...session } }))).toBe(
      'InvalidAccessKeyId',
    )
  })
})
