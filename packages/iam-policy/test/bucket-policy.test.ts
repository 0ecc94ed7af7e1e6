/** AWS's examples of bucket policies, S3's checks of them, and which are public. */
import { expect, test } from 'vitest'
import { checkBucketPolicy, isPublic, PolicySyntaxError, type ActionOn } from '../src/index.ts'
import type { ContextValue, Principal } from '../src/request.ts'
import { anonymous, ask, identity, outcome, parsed, resource, root, user, type Plain } from './cases.ts'

const examples = 'https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html'
const bucket = 'arn:aws:s3:::amzn-s3-demo-bucket'
const account = '111122223333'
const actions: ReadonlyMap<string, ActionOn> = new Map([
  ['s3:GetObject', 'object'],
  ['s3:GetObjectVersion', 'object'],
  ['s3:PutObject', 'object'],
  ['s3:PutObjectAcl', 'object'],
  ['s3:ListBucket', 'bucket'],
  ['s3:GetBucketPolicy', 'bucket'],
  ['s3:ListAllMyBuckets', 'service'],
])

/** What comes of it for a principal of the bucket's owner's or of another account, which allows all on its side. */
function decided(
  content: Plain | Plain[],
  principal: Principal,
  action: string,
  key: string,
  context: Record<string, ContextValue> = {},
): string {
  const policy = parsed('resource', content)
  checkBucketPolicy(policy, 'amzn-s3-demo-bucket', { actions })
  const allows = identity({ Effect: 'Allow', Action: '*', Resource: '*' })
  const request = ask(principal, action, key === '' ? bucket : `${bucket}/${key}`, {
    owner: account,
    context,
  })
  return outcome(request, { identity: [allows], resource: resource(content) })
}

test(`accounts with a condition on the ACL: ${examples}`, () => {
  const policy = {
    Sid: 'AddCannedAcl',
    Effect: 'Allow',
    Principal: { AWS: ['arn:aws:iam::222233334444:root', 'arn:aws:iam::444455556666:root'] },
    Action: ['s3:PutObject', 's3:PutObjectAcl'],
    Resource: `${bucket}/*`,
    Condition: { StringEquals: { 's3:x-amz-acl': ['public-read'] } },
  }
  const put = (principal: Principal, acl: string) =>
    decided(policy, principal, 's3:PutObject', 'a', { 's3:x-amz-acl': acl })
  expect(put(user('444455556666', 'bob'), 'public-read')).toBe('allow')
  expect(put(root('222233334444'), 'public-read')).toBe('allow')
  expect(put(user('444455556666', 'bob'), 'private')).toBe('implicitDeny')
  expect(put(user('999999999999', 'bob'), 'public-read')).toBe('implicitDeny')
  expect(put(anonymous, 'public-read')).toBe('implicitDeny')
})

test(`read by everyone: ${examples}`, () => {
  const policy = {
    Sid: 'PublicRead',
    Effect: 'Allow',
    Principal: '*',
    Action: ['s3:GetObject', 's3:GetObjectVersion'],
    Resource: [`${bucket}/*`],
  }
  expect(decided(policy, anonymous, 's3:GetObject', 'a')).toBe('allow')
  expect(decided(policy, anonymous, 's3:PutObject', 'a')).toBe('implicitDeny')
  expect(decided(policy, anonymous, 's3:ListBucket', '')).toBe('implicitDeny')
})

test(`addresses of both families, and those within that are not meant: ${examples}`, () => {
  const policy = {
    Id: 'PolicyId2',
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'AllowIPmix',
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:*',
        Resource: [bucket, `${bucket}/*`],
        Condition: {
          IpAddress: { 'aws:SourceIp': ['54.240.143.0/24', '2001:DB8:1234:5678::/64'] },
          NotIpAddress: { 'aws:SourceIp': ['54.240.143.128/30', '2001:DB8:1234:5678:ABCD::/80'] },
        },
      },
    ],
  }
  const from = (address: string) =>
    decided(policy, anonymous, 's3:GetObject', 'a', { 'aws:SourceIp': address })
  for (const address of ['54.240.143.1', '2001:DB8:1234:5678::1']) expect(from(address)).toBe('allow')
  for (const address of ['54.240.143.129', '2001:DB8:1234:5678:ABCD::1'])
    expect(from(address)).toBe('implicitDeny')
})

test(`denied unless from these addresses: ${examples}`, () => {
  const policy = {
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:*',
    Resource: [bucket, `${bucket}/*`],
    Condition: { NotIpAddress: { 'aws:SourceIp': '54.240.143.0/24' } },
  }
  const from = (address: string) =>
    decided(policy, root(account), 's3:GetObject', 'a', { 'aws:SourceIp': address })
  expect(from('54.240.143.188')).toBe('allow')
  expect(from('54.240.144.188')).toBe('explicitDeny')
})

test(`by the page that links: ${examples}`, () => {
  const policy = {
    Sid: 'Allow get requests originating from www.example.com and example.com.',
    Effect: 'Allow',
    Principal: '*',
    Action: ['s3:GetObject', 's3:GetObjectVersion'],
    Resource: `${bucket}/*`,
    Condition: { StringLike: { 'aws:Referer': ['http://www.example.com/*', 'http://example.com/*'] } },
  }
  const by = (referer?: string) => decided(policy, anonymous, 's3:GetObject', 'a', { 'aws:Referer': referer })
  expect(by('http://www.example.com/page')).toBe('allow')
  expect(by('http://www.example.org/page')).toBe('implicitDeny')
  expect(by()).toBe('implicitDeny')
})

test(`tax documents need a second factor of the last hour: ${examples}`, () => {
  const about = `${bucket}/taxdocuments/*`
  const denies = { Sid: '', Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: about }
  const policy = [
    { ...denies, Condition: { Null: { 'aws:MultiFactorAuthAge': true } } },
    { ...denies, Condition: { NumericGreaterThan: { 'aws:MultiFactorAuthAge': 3600 } } },
    { Sid: '', Effect: 'Allow', Principal: '*', Action: ['s3:GetObject'], Resource: `${bucket}/*` },
  ]
  const get = (key: string, age?: number) =>
    decided(policy, user(account, 'bob'), 's3:GetObject', key, { 'aws:MultiFactorAuthAge': age })
  expect(get('a')).toBe('allow')
  expect(get('taxdocuments/a')).toBe('explicitDeny')
  expect(get('taxdocuments/a', 3600)).toBe('allow')
  expect(get('taxdocuments/a', 3601)).toBe('explicitDeny')
})

test(`S3 itself writes its inventory: ${examples}`, () => {
  const policy = {
    Sid: 'InventoryAndAnalyticsExamplePolicy',
    Effect: 'Allow',
    Principal: { Service: 's3.amazonaws.com' },
    Action: 's3:PutObject',
    Resource: [`${bucket}/*`],
    Condition: {
      ArnLike: { 'aws:SourceArn': 'arn:aws:s3:::sourcebucket' },
      StringEquals: { 'aws:SourceAccount': '123456789012', 's3:x-amz-acl': 'bucket-owner-full-control' },
    },
  }
  const context = {
    'aws:SourceArn': 'arn:aws:s3:::sourcebucket',
    'aws:SourceAccount': '123456789012',
    's3:x-amz-acl': 'bucket-owner-full-control',
  }
  const s3: Principal = { kind: 'service', service: 's3.amazonaws.com' }
  expect(decided(policy, s3, 's3:PutObject', 'a', context)).toBe('allow')
  expect(decided(policy, s3, 's3:PutObject', 'a', { ...context, 'aws:SourceAccount': account })).toBe(
    'implicitDeny',
  )
  expect(decided(policy, anonymous, 's3:PutObject', 'a', context)).toBe('implicitDeny')
})

const shared = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `${bucket}/*` }

function refusal(statement: Plain, options: { exists?: boolean; keys?: string[] } = {}): string {
  try {
    checkBucketPolicy(parsed('resource', { ...shared, ...statement }), 'amzn-s3-demo-bucket', {
      actions,
      ...(options.exists === undefined ? {} : { principalExists: () => options.exists! }),
      ...(options.keys ? { conditionKeys: new Set(options.keys) } : {}),
    })
  } catch (error) {
    expect(error).toBeInstanceOf(PolicySyntaxError)
    return (error as PolicySyntaxError).reason
  }
  return 'taken'
}

test('a bucket’s policy speaks of that bucket alone', () => {
  for (const about of [
    '*',
    'arn:aws:s3:::*',
    'arn:aws:s3:::another',
    `${bucket}2/*`,
    `${bucket}?`,
    'arn:aws:sns:::amzn-s3-demo-bucket',
  ])
    expect(refusal({ Resource: [`${bucket}/*`, about] }), about).toBe('Policy has invalid resource')
  for (const about of [`${bucket}/*`, `${bucket}*`, `${bucket}/\${aws:username}/*`])
    expect(refusal({ Resource: about })).toBe('taken')
})

test('its actions are S3’s and are on what it names', () => {
  expect(refusal({ Action: 'ec2:RunInstances' })).toBe('Policy has invalid action')
  expect(refusal({ Action: 's3:GetEverything' })).toBe('Policy has invalid action')
  expect(refusal({ Action: 's3:Gat*' })).toBe('Policy has invalid action')
  expect(refusal({ Action: 'S3:getobject' })).toBe('taken')
  const misplaced = 'Action does not apply to any resource(s) in statement'
  expect(refusal({ Action: 's3:ListBucket' })).toBe(misplaced)
  expect(refusal({ Action: ['s3:GetObject', 's3:ListBucket'] })).toBe(misplaced)
  expect(refusal({ Resource: bucket })).toBe(misplaced)
  expect(refusal({ Action: 's3:ListAllMyBuckets', Resource: `${bucket}*` })).toBe(misplaced)
  expect(refusal({ Action: ['s3:GetObject', 's3:ListBucket'], Resource: [bucket, `${bucket}/*`] })).toBe(
    'taken',
  )
  expect(refusal({ Action: 's3:*' })).toBe('taken')
  expect(refusal({ Action: '*' })).toBe('taken')
})

test('its principals are there', () => {
  expect(refusal({ Principal: { AWS: 'AIDAEXAMPLEEXAMPLE' } })).toBe('Invalid principal in policy')
  expect(refusal({ Principal: { AWS: account } }, { exists: false })).toBe('Invalid principal in policy')
  expect(refusal({ Principal: { AWS: account } }, { exists: true })).toBe('taken')
  expect(refusal({}, { exists: false }), 'everyone is').toBe('taken')
})

test('its condition keys are known', () => {
  const on = (key: string) =>
    refusal({ Condition: { StringEquals: { [key]: 'a' } } }, { keys: ['s3:prefix', 's3:existingobjecttag/'] })
  expect(on('S3:Prefix')).toBe('taken')
  expect(on('s3:ExistingObjectTag/Team')).toBe('taken')
  expect(on('aws:anything')).toBe('taken')
  expect(on('s3:prefixes')).toBe('Policy has an invalid condition key: s3:prefixes')
})

const publicPage =
  'https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status'
const publicly = (statement: Plain, version = '2012-10-17') =>
  isPublic(parsed('resource', { Version: version, Statement: { ...shared, ...statement } }))

test(`the examples of what is public: ${publicPage}`, () => {
  expect(publicly({ Principal: { Federated: 'graph.facebook.com' }, Resource: '*' })).toBe(true)
  expect(publicly({ Resource: '*' })).toBe(true)
  expect(publicly({ Condition: { StringLike: { 'aws:SourceVpc': 'vpc-*' } } })).toBe(true)
  expect(publicly({ Condition: { StringEquals: { 'aws:SourceVpc': 'vpc-91237329' } } })).toBe(false)
  const both = [shared, { ...shared, Principal: { Service: 'cloudtrail.amazonaws.com' } }]
  expect(isPublic(parsed('resource', both))).toBe(true)
  expect(isPublic(parsed('resource', [{ ...shared, Principal: { AWS: account } }, both[1]!]))).toBe(false)
})

test(`fixed principals and fixed values are not public: ${publicPage}`, () => {
  expect(publicly({ Principal: { AWS: [account, '*'] } })).toBe(true)
  expect(publicly({ Effect: 'Deny' })).toBe(false)
  const under = (operator: string, key: string, value: unknown) =>
    publicly({ Condition: { [operator]: { [key]: value } } })
  const keys = [
    'aws:PrincipalOrgID',
    'aws:SourceVpce',
    'aws:sourceaccount',
    'aws:SourceOwner',
    'aws:userid',
    's3:DataAccessPointAccount',
  ]
  for (const key of keys) {
    expect(under('StringEquals', key, 'x'), key).toBe(false)
    expect(under('StringLike', key, 'x*'), key).toBe(true)
    expect(under('StringEquals', key, ['x', '${aws:username}']), key).toBe(true)
    expect(under('StringNotEquals', key, 'x'), key).toBe(true)
    expect(under('StringEqualsIfExists', key, 'x'), key).toBe(true)
    expect(under('ForAllValues:StringEquals', key, 'x'), key).toBe(true)
    expect(under('ForAnyValue:StringEquals', key, 'x'), key).toBe(false)
  }
  expect(under('ArnLike', 'aws:SourceArn', 'arn:aws:sns:us-east-1:111122223333:topic')).toBe(false)
  expect(under('ArnLike', 'aws:SourceArn', 'arn:aws:sns:us-east-1:*:topic')).toBe(true)
  expect(under('StringEquals', 'aws:UserAgent', 'secret')).toBe(true)
  expect(under('StringLike', 'aws:userid', 'AROAEXAMPLE:*')).toBe(true)
})

test(`an access point of one account: ${publicPage}`, () => {
  const under = (value: string) => publicly({ Condition: { StringLike: { 's3:DataAccessPointArn': value } } })
  expect(under('arn:aws:s3:us-west-2:123456789012:accesspoint/*')).toBe(false)
  expect(under('arn:aws:s3:us-west-2:*:accesspoint/one')).toBe(true)
})

test(`addresses, if they are not very many: ${publicPage}`, () => {
  const from = (...ranges: string[]) => publicly({ Condition: { IpAddress: { 'aws:SourceIp': ranges } } })
  expect(from('203.0.113.0/24', '2001:db8::/32')).toBe(false)
  expect(from('8.0.0.0/8')).toBe(false)
  for (const wide of ['0.0.0.0/1', '0.0.0.0/0', '8.0.0.0/7', '2001::/31', '::/0'])
    expect(from('203.0.113.7', wide), wide).toBe(true)
  expect(from('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16')).toBe(false)
  expect(publicly({ Condition: { NotIpAddress: { 'aws:SourceIp': '203.0.113.0/24' } } })).toBe(true)
})
