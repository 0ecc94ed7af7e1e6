import { expect, test } from 'vitest'
import { PolicySyntaxError } from '../src/index.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import type { PolicyKind } from '../src/policy.ts'
import { parsed } from './cases.ts'

const read = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::photos/*' }
const shared = { ...read, Principal: '*' }

function reason(content: unknown, kind: PolicyKind = 'resource', maxBytes = 20_480): string {
  const text =
    typeof content === 'string'
      ? content
      : JSON.stringify(
          'Statement' in (content as object) ? content : { Version: '2012-10-17', Statement: [content] },
        )
  try {
    parsePolicy(text, { kind, maxBytes })
  } catch (error) {
    expect(error).toBeInstanceOf(PolicySyntaxError)
    return (error as PolicySyntaxError).reason
  }
  return 'taken'
}

test('a policy is read with all that it says', () => {
  const policy = parsed('resource', {
    Version: '2012-10-17',
    Id: 'all of it',
    Statement: {
      Sid: 'some text, as S3 lets it be',
      Effect: 'Deny',
      NotPrincipal: {
        AWS: ['111122223333', 'arn:aws:iam::111122223333:user/a/b/bob', 'AIDAEXAMPLEEXAMPLE'],
        Service: 'logs.amazonaws.com',
        CanonicalUser: 'A'.repeat(64),
        Federated: 'accounts.example.com',
      },
      NotAction: ['s3:Get*', 's3:PutObject'],
      NotResource: 'arn:aws:s3:::photos/${aws:username}/*',
      Condition: {
        'ForAnyValue:StringLikeIfExists': { 'aws:TagKeys': ['a*', 7, true] },
        Null: { 'aws:TokenIssueTime': true },
      },
    },
  })
  expect(policy).toMatchObject({ kind: 'resource', version: '2012-10-17', id: 'all of it' })
  const [statement] = policy.statements
  expect(statement).toMatchObject({ effect: 'Deny', sid: 'some text, as S3 lets it be' })
  expect(statement!.principals!.negated).toBe(true)
  expect(statement!.principals!.patterns.map(({ kind }) => kind)).toEqual([
    'account',
    'arn',
    'uniqueId',
    'service',
    'canonicalUser',
    'federated',
  ])
  expect(statement!.actions).toEqual({ negated: true, patterns: ['s3:Get*', 's3:PutObject'] })
  expect(statement!.resources).toMatchObject({ negated: true, patterns: [{ hasVariables: true }] })
  expect(
    statement!.conditions.map(({ operator, set, ifExists, values }) => [
      operator,
      set,
      ifExists,
      values.map(({ source }) => source),
    ]),
  ).toEqual([
    ['StringLike', 'ForAnyValue', true, ['a*', '7', 'true']],
    ['Null', null, false, ['true']],
  ])
})

test('JSON that is none, or says a thing twice, is refused', () => {
  expect(reason('')).toMatch(/first byte must be '{'/)
  expect(reason('[]')).toMatch(/first byte must be '{'/)
  for (const text of [
    '{',
    '{"Statement":}',
    '{"Statement":[]}x',
    '{"Id":"\u0001"}',
    '{"Id":01}',
    '{"Id":tru}',
    "{'Id':1}",
    '{"Id":"a",}',
  ])
    expect(reason(text), text).toMatch(/^Policies must be valid JSON$/)
  expect(reason('{"Id":"a","Id":"b","Statement":[]}')).toBe('Duplicate field: Id')
  expect(reason(`{"Statement":[{"Condition":${'{"a":'.repeat(50)}1`)).toBe('The policy is nested too deeply')
  expect(reason(`{"Statement":[${'['.repeat(50)}`)).toBe('The policy is nested too deeply')
  expect(reason({ ...shared, __proto__: null, ['__proto__' as string]: 1 })).toBe('Unknown field: __proto__')
})

test.each<[string, unknown, PolicyKind?]>([
  ['The policy must contain a valid version string', { Version: '2012-10-18', Statement: [shared] }],
  ['Missing required field Statement', '{"Version":"2012-10-17"}'],
  ['Could not parse the policy: Statement is empty!', { Statement: [] }],
  ['Unknown field: Statment', '{"Statment":[]}'],
  ['Unknown field: effect', { ...shared, effect: 'Allow' }],
  ['Missing required field Effect', { Action: 's3:*', Resource: '*', Principal: '*' }],
  ['Invalid effect: allow', { ...shared, Effect: 'allow' }],
  ['Missing required field Principal', read],
  ['Policy document should not specify a principal.', shared, 'identity'],
  ['Allow with NotPrincipal is not allowed.', { ...read, NotPrincipal: '*' }],
  ['Has prohibited field Resource', shared, 'trust'],
  ['Missing required field Action', { Effect: 'Allow', Principal: '*', Resource: '*' }],
  ['Missing required field Resource', { Effect: 'Allow', Principal: '*', Action: '*' }],
  ['Policy statement must contain actions.', { ...shared, Action: [] }],
  ['Policy statement must contain resources.', { ...shared, Resource: [] }],
  ['Policy has invalid action', { ...shared, Action: '' }],
  ['Policy has invalid action', { ...shared, Action: [7] }],
  ['Policy has invalid action: s3:Get Object', { ...shared, Action: 's3:Get Object' }],
  ['Policy has invalid action: s*:GetObject', { ...shared, Action: 's*:GetObject' }],
  [
    'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: GetObject',
    { ...shared, Action: 'GetObject' },
  ],
  ['Invalid policy syntax: both Action and NotAction', { ...shared, NotAction: 's3:*' }],
  ['Policy has invalid resource: photos/*', { ...shared, Resource: 'photos/*' }],
  ['Policy has invalid resource: arn:aws:s*:::photos', { ...shared, Resource: 'arn:aws:s*:::photos' }],
  ['Policy has invalid resource: arn:aws:s3:::', { ...shared, Resource: 'arn:aws:s3:::' }],
  ['Policy has invalid resource: arn:aws:s3:photos', { ...shared, Resource: 'arn:aws:s3:photos' }],
  [
    'Policy has invalid resource: arn:aws:s3:${aws:username}::x',
    { ...shared, Resource: 'arn:aws:s3:${aws:username}::x' },
  ],
  [
    'Policy has an invalid variable: aws:username, bob',
    { ...shared, Resource: 'arn:aws:s3:::a/${aws:username, bob}' },
  ],
  [
    'Policy has an invalid variable: ${aws:username',
    { ...shared, Resource: 'arn:aws:s3:::a/${aws:username' },
  ],
  ['Invalid policy syntax: Condition is no object', { ...shared, Condition: [] }],
  ['Invalid Condition type: StringIs', { ...shared, Condition: { StringIs: { 'aws:userid': 'x' } } }],
  [
    'Invalid Condition type: NullIfExists',
    { ...shared, Condition: { NullIfExists: { 'aws:userid': 'true' } } },
  ],
  [
    'Invalid Condition type: constructor',
    { ...shared, Condition: { constructor: { 'aws:userid': 'true' } } },
  ],
  [
    'Invalid Condition type: ForSomeValues:StringLike',
    { ...shared, Condition: { 'ForSomeValues:StringLike': { 'a:b': 'c' } } },
  ],
  ['Condition must name a key: StringEquals', { ...shared, Condition: { StringEquals: {} } }],
  [
    'Policy has an invalid condition key: userid',
    { ...shared, Condition: { StringEquals: { userid: 'x' } } },
  ],
  ['Condition has no value: StringEquals', { ...shared, Condition: { StringEquals: { 'aws:userid': [] } } }],
  [
    'Condition has a value that is no string, number or boolean: StringEquals',
    { ...shared, Condition: { StringEquals: { 'aws:userid': [null] } } },
  ],
  [
    'Policy has an invalid value for IpAddress: 10.0.0.0/33',
    { ...shared, Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/33' } } },
  ],
  [
    'Policy has an invalid value for NumericEquals: ${s3:max-keys}',
    { ...shared, Condition: { NumericEquals: { 's3:max-keys': '${s3:max-keys}' } } },
  ],
  [
    'Policy has an invalid value for DateEquals: 2026-02-30',
    { ...shared, Condition: { DateEquals: { 'aws:CurrentTime': '2026-02-30' } } },
  ],
  [
    'Policy has an invalid value for Bool: yes',
    { ...shared, Condition: { Bool: { 'aws:SecureTransport': 'yes' } } },
  ],
  [
    'Policy has an invalid value for BinaryEquals: a',
    { ...shared, Condition: { BinaryEquals: { 'app:key': 'a' } } },
  ],
  [
    'Policy has an invalid value for ArnLike: arn:aws:sns',
    { ...shared, Condition: { ArnLike: { 'aws:SourceArn': 'arn:aws:sns' } } },
  ],
])('%s', (expected, content, kind) => {
  expect(reason(content, kind)).toBe(expected)
})

test.each([
  {},
  { AWS: [] },
  { AWS: 7 },
  { Aws: '*' },
  { AWS: 'bob' },
  { AWS: '11112222333' },
  { AWS: 'arn:aws:iam::111122223333:user/*' },
  { AWS: 'arn:aws:iam::111122223333:user/b?b' },
  { AWS: 'arn:aws:iam::111122223333:group/all' },
  { AWS: 'arn:aws:iam::*:root' },
  { AWS: 'arn:aws:sts::111122223333:assumed-role/reader/*' },
  { AWS: 'arn:aws:sts::111122223333:assumed-role/reader' },
  { AWS: 'arn:aws:s3:::photos' },
  { Service: '*' },
  { Service: 'logs' },
  { Federated: '*' },
  { CanonicalUser: 'abc' },
])('a principal that is none: %j', (principal) => {
  expect(reason({ ...shared, Principal: principal })).toMatch(/^Invalid principal in policy/)
})

test('statement ids are IAM’s alone to restrict', () => {
  expect(reason({ Statement: [{ ...read, Sid: 'a b' }] }, 'identity')).toBe(
    'Statement IDs (SID) must be alpha-numeric: a b',
  )
  const twice = [read, read].map((statement) => ({ ...statement, Sid: 'same' }))
  expect(reason({ Statement: twice }, 'identity')).toBe(
    'Statement IDs (SID) in a single policy must be unique.',
  )
  expect(
    reason({
      Statement: [
        { ...shared, Sid: '' },
        { ...shared, Sid: '' },
      ],
    }),
  ).toBe('taken')
})

test('IAM counts no white space, S3 does', () => {
  const text = JSON.stringify({ Statement: [{ ...read }] }, null, 40)
  const tight = JSON.stringify({ Statement: [{ ...read }] }).length
  expect(reason(text, 'identity', tight)).toBe('taken')
  expect(reason(text, 'identity', tight - 1)).toMatch(/exceeds the limit/)
  expect(reason(JSON.stringify({ Statement: [shared] }, null, 40), 'resource', 200)).toMatch(
    /exceeds the limit/,
  )
})

test('before 2012-10-17 a variable is text', () => {
  const of = (version: string) =>
    parsed('identity', {
      Version: version,
      Statement: { ...read, Resource: 'arn:aws:s3:::a/${aws:username}' },
    })
  expect(of('2008-10-17').statements[0]!.resources!.patterns[0]!.hasVariables).toBe(false)
  expect(of('2012-10-17').statements[0]!.resources!.patterns[0]!.hasVariables).toBe(true)
})

test('hostile texts end soon', () => {
  const beganMs = performance.now()
  const deep = '{"Statement":'.repeat(9000)
  for (const text of [
    deep,
    `{"Id":"${'\\'.repeat(100_000)}`,
    `{"Id":${'9'.repeat(100_000)}}`,
    `{"${'${'.repeat(50_000)}":1}`,
  ])
    expect(reason(text, 'identity', 200_000)).not.toBe('taken')
  const many = Array.from({ length: 2000 }, (_none, index) => `s3:${'*a'.repeat(20)}${index}`)
  expect(reason({ ...read, Action: many }, 'identity', 131_072)).toBe('taken')
  expect(performance.now() - beganMs).toBeLessThan(3000)
})
