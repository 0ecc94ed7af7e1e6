/** AWS's account of how policies are weighed, sentence by sentence and example by example. */
import { expect, test } from 'vitest'
import { evaluate } from '../src/evaluate.ts'
import type { Principal } from '../src/request.ts'
import {
  anonymous,
  ask,
  federated,
  identity,
  outcome,
  resource,
  root,
  session,
  trust,
  user,
} from './cases.ts'

const [own, other] = ['111122223333', '444455556666']
const object = 'arn:aws:s3:::photos/a'
const allowAll = identity({ Effect: 'Allow', Action: '*', Resource: '*' })
const allowEc2 = identity({ Effect: 'Allow', Action: 'ec2:*', Resource: '*' })
const grant = (principal: unknown, effect = 'Allow') =>
  resource({ Effect: effect, Principal: principal, Action: 's3:*', Resource: 'arn:aws:s3:::photos/*' })
const get = (principal: Principal, owner = own) => ask(principal, 's3:GetObject', object, { owner })

const basics =
  'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html'
const weighing =
  'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html'
const crossing =
  'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html'

test(`Carlos saves a file: ${basics}`, () => {
  const mine = ['arn:aws:s3:::carlossalazar/*', 'arn:aws:s3:::carlossalazar']
  const his = identity([
    {
      Sid: 'AllowS3ListRead',
      Effect: 'Allow',
      Action: [
        's3:GetBucketLocation',
        's3:GetAccountPublicAccessBlock',
        's3:ListAccessPoints',
        's3:ListAllMyBuckets',
      ],
      Resource: 'arn:aws:s3:::*',
    },
    { Sid: 'AllowS3Self', Effect: 'Allow', Action: 's3:*', Resource: mine },
    { Sid: 'DenyS3Logs', Effect: 'Deny', Action: 's3:*', Resource: 'arn:aws:s3:::*log*' },
  ])
  const carlos = user(own, 'carlossalazar')
  const policies = {
    identity: [his],
    resource: resource({ Effect: 'Allow', Principal: { AWS: carlos.arn }, Action: 's3:*', Resource: mine }),
  }
  const put = (about: string) => evaluate(ask(carlos, 's3:PutObject', about), policies)
  expect(put('arn:aws:s3:::carlossalazar-logs/file')).toEqual({
    outcome: 'explicitDeny',
    statements: [{ place: 'identity', policyId: null, statementIndex: 2, sid: 'DenyS3Logs' }],
    lacking: null,
  })
  expect(put('arn:aws:s3:::carlossalazar/file').outcome).toBe('allow')
  expect(outcome(ask(carlos, 's3:PutObject', 'arn:aws:s3:::carlossalazar/file'), { identity: [his] })).toBe(
    'allow',
  )
  expect(put('arn:aws:s3:::another/file')).toEqual({
    outcome: 'implicitDeny',
    statements: [],
    lacking: 'identity',
  })
})

test('explicit and implicit denials: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_AccessPolicyLanguage_Interplay.html', () => {
  const policy = identity([
    { Sid: 'AllowGetList', Effect: 'Allow', Action: ['iam:Get*', 'iam:List*'], Resource: '*' },
    { Sid: 'DenyReports', Effect: 'Deny', Action: 'iam:*Report', Resource: '*' },
  ])
  const decided = (action: string) =>
    outcome(ask(user(own, 'bob'), action, '*'), { identity: [policy, allowEc2] })
  expect(decided('iam:ListUsers')).toBe('allow')
  expect(decided('IAM:getuser'), 'names of actions have no case').toBe('allow')
  expect(decided('iam:CreatePolicy')).toBe('implicitDeny')
  expect(decided('iam:GetOrganizationsAccessReport')).toBe('explicitDeny')
  expect(
    outcome(ask(user(own, 'bob'), 'iam:GenerateCredentialReport', '*'), { identity: [policy, allowAll] }),
  ).toBe('explicitDeny')
})

test(`the root user has full access to its account, but for a denial: ${weighing}`, () => {
  expect(evaluate(get(root(own)), {})).toEqual({ outcome: 'allow', statements: [], lacking: null })
  expect(outcome(get(root(own)), { resource: grant('*', 'Deny') })).toBe('explicitDeny')
  expect(outcome(get(root(own)), { resource: grant({ AWS: own }, 'Deny') })).toBe('explicitDeny')
  expect(outcome(get(root(other)), {})).toBe('implicitDeny')
  expect(outcome(get(root(other)), { resource: grant({ AWS: other }) })).toBe('allow')
})

test(`within an account either side allows: ${weighing}`, () => {
  const bob = user(own, 'bob')
  expect(outcome(get(bob), {})).toBe('implicitDeny')
  expect(outcome(get(bob), { identity: [allowAll] })).toBe('allow')
  expect(outcome(get(bob), { resource: grant({ AWS: bob.arn }) })).toBe('allow')
  expect(outcome(get(bob), { identity: [allowAll], resource: grant({ AWS: bob.arn }, 'Deny') })).toBe(
    'explicitDeny',
  )
})

test(`the account as principal leaves it to the account: ${weighing}`, () => {
  const policies = { resource: grant({ AWS: `arn:aws:iam::${own}:root` }) }
  expect(outcome(get(user(own, 'bob')), policies)).toBe('implicitDeny')
  expect(outcome(get(user(own, 'bob')), { ...policies, identity: [allowAll] })).toBe('allow')
  expect(
    outcome(get(user(own, 'bob')), { identity: [allowAll], resource: grant({ AWS: own }, 'Deny') }),
  ).toBe('explicitDeny')
})

test(`a boundary limits what identity policies allow: ${weighing}`, () => {
  const bob = user(own, 'bob')
  expect(evaluate(get(bob), { identity: [allowAll], boundary: allowEc2 })).toMatchObject({
    outcome: 'implicitDeny',
    lacking: 'boundary',
  })
  expect(outcome(get(bob), { identity: [allowEc2], boundary: allowAll })).toBe('implicitDeny')
  expect(
    evaluate(get(bob), { identity: [allowAll], boundary: allowAll }).statements.map(({ place }) => place),
  ).toEqual(['identity', 'boundary'])
  expect(
    outcome(get(bob), { boundary: allowEc2, resource: grant({ AWS: bob.arn }) }),
    'a user who is named is not limited by it',
  ).toBe('allow')
})

test(`a role that is named is limited by boundary and session, a session that is named is not: ${weighing}`, () => {
  const reader = session(own, 'reader', 's1')
  const byRole = grant({ AWS: reader.roleArn })
  const bySession = grant({ AWS: reader.arn })
  expect(outcome(get(reader), { resource: byRole }), 'not by an identity policy').toBe('allow')
  expect(outcome(get(reader), { resource: byRole, boundary: allowEc2 })).toBe('implicitDeny')
  expect(outcome(get(reader), { resource: byRole, session: [allowEc2] })).toBe('implicitDeny')
  expect(outcome(get(reader), { resource: byRole, session: [allowEc2, allowAll], boundary: allowAll })).toBe(
    'allow',
  )
  expect(outcome(get(reader), { resource: bySession, boundary: allowEc2, session: [allowEc2] })).toBe('allow')
  expect(outcome(get(session(own, 'reader', 's2')), { resource: bySession })).toBe('implicitDeny')
  expect(outcome(get(session(own, 'writer', 's1')), { resource: byRole })).toBe('implicitDeny')
})

test('a star with a condition on the role is not limited either: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles', () => {
  const reader = session(own, 'reader', 's1')
  const policy = resource({
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:*',
    Resource: '*',
    Condition: { ArnEquals: { 'aws:PrincipalArn': reader.roleArn } },
  })
  expect(outcome(get(reader), { resource: policy, boundary: allowEc2, session: [allowEc2] })).toBe('allow')
  expect(outcome(get(session(own, 'writer', 's1')), { resource: policy })).toBe('implicitDeny')
})

test(`a federated session: ${weighing}`, () => {
  const fed = federated(own, 'bob')
  expect(outcome(get(fed), { resource: grant({ AWS: fed.arn }), session: [allowEc2] })).toBe('allow')
  expect(outcome(get(fed), { resource: grant({ AWS: fed.issuerArn }), session: [allowEc2] })).toBe(
    'implicitDeny',
  )
  expect(outcome(get(fed), { resource: grant({ AWS: fed.issuerArn }), session: [allowAll] })).toBe('allow')
  expect(outcome(get(fed), { identity: [allowAll] }), 'made without policies it may do nothing').toBe(
    'implicitDeny',
  )
  expect(outcome(get(fed), { identity: [allowAll], session: [allowAll] })).toBe('allow')
})

test(`a role session is what the role may and its policies allow: ${weighing}`, () => {
  const reader = session(own, 'reader', 's1')
  expect(outcome(get(reader), { identity: [allowAll] })).toBe('allow')
  expect(outcome(get(reader), { identity: [allowAll], session: [] })).toBe('implicitDeny')
  expect(outcome(get(reader), { identity: [allowEc2], session: [allowAll] })).toBe('implicitDeny')
})

test(`between accounts both sides allow: ${crossing}`, () => {
  const bob = user(other, 'bob')
  const reader = session(other, 'reader', 's1')
  expect(outcome(get(bob), { identity: [allowAll] })).toBe('implicitDeny')
  for (const principal of [{ AWS: bob.arn }, { AWS: other }, '*']) {
    expect(outcome(get(bob), { resource: grant(principal) })).toBe('implicitDeny')
    expect(outcome(get(bob), { identity: [allowAll], resource: grant(principal) })).toBe('allow')
    expect(outcome(get(bob), { identity: [allowAll], boundary: allowEc2, resource: grant(principal) })).toBe(
      'implicitDeny',
    )
  }
  expect(
    outcome(get(reader), { identity: [allowAll], resource: grant({ AWS: reader.arn }), session: [allowEc2] }),
  ).toBe('implicitDeny')
  expect(outcome(get(bob), { identity: [allowAll], resource: grant({ AWS: own }) })).toBe('implicitDeny')
})

test('who is in no account is allowed by the resource alone', () => {
  const logs: Principal = { kind: 'service', service: 'logs.amazonaws.com' }
  expect(outcome(get(anonymous), { identity: [allowAll], resource: grant({ AWS: own }) })).toBe(
    'implicitDeny',
  )
  expect(outcome(get(anonymous), { resource: grant('*') })).toBe('allow')
  expect(outcome(get(anonymous), { resource: grant({ AWS: '*' }) })).toBe('allow')
  expect(outcome(get(logs), { resource: grant({ Service: 'logs.amazonaws.com' }) })).toBe('allow')
  expect(outcome(get(logs), { resource: grant({ Service: 's3.amazonaws.com' }) })).toBe('implicitDeny')
})

test('a trust policy must allow in any case: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_compare-resource-policies.html', () => {
  const role = `arn:aws:iam::${own}:role/reader`
  const assume = (principal: Principal) => ask(principal, 'sts:AssumeRole', role, { owner: own })
  const trusts = (principal: unknown, action = 'sts:AssumeRole') =>
    trust({ Effect: 'Allow', Principal: principal, Action: action })
  const bob = user(own, 'bob')
  expect(outcome(assume(bob), { identity: [allowAll], resource: trusts({ AWS: other }) })).toBe(
    'implicitDeny',
  )
  expect(outcome(assume(bob), { identity: [allowAll], resource: trusts({ AWS: own }) })).toBe('allow')
  expect(outcome(assume(bob), { resource: trusts({ AWS: own }) })).toBe('implicitDeny')
  expect(outcome(assume(bob), { resource: trusts({ AWS: bob.arn }) })).toBe('allow')
  const ann = user(other, 'ann')
  expect(outcome(assume(ann), { resource: trusts({ AWS: ann.arn }) })).toBe('implicitDeny')
  expect(outcome(assume(ann), { identity: [allowAll], resource: trusts({ AWS: ann.arn }) })).toBe('allow')
  const google: Principal = { kind: 'identity-provider', provider: 'accounts.google.com' }
  const web = ask(google, 'sts:AssumeRoleWithWebIdentity', role, { owner: own })
  const federatedTrust = trusts({ Federated: 'accounts.google.com' }, 'sts:AssumeRoleWithWebIdentity')
  expect(outcome(web, { resource: federatedTrust })).toBe('allow')
  expect(outcome(web, { resource: trusts({ Federated: 'www.amazon.com' }, 'sts:*') })).toBe('implicitDeny')
})

test('NotPrincipal spares whom it names in full: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html', () => {
  const bob = user(other, 'Bob')
  const audit = session(other, 'cross-account-read-only-role', 'cross-account-audit-app')
  const except = (...names: string[]) =>
    resource({ Effect: 'Deny', NotPrincipal: { AWS: names }, Action: 's3:*', Resource: '*' })
  const account = `arn:aws:iam::${other}:root`
  const denied = (principal: Principal, policy = except(), boundary = false) =>
    outcome(get(principal), { resource: policy, boundary: boundary ? allowAll : null }) === 'explicitDeny'
  expect(denied(bob, except(bob.arn, account))).toBe(false)
  expect(denied(bob, except(bob.arn)), 'without its account').toBe(true)
  expect(denied(bob, except(account)), 'without itself').toBe(true)
  expect(denied(bob, except(bob.arn, account), true), 'with a boundary always').toBe(true)
  expect(denied(user(other, 'Ann'), except(bob.arn, account))).toBe(true)
  expect(denied(audit, except(audit.arn, audit.roleArn, account))).toBe(false)
  expect(denied(audit, except(audit.arn, account))).toBe(true)
  expect(denied(audit, except(audit.roleArn, account))).toBe(true)
  expect(denied(root(other), except(account))).toBe(false)
  expect(denied(anonymous, except(account))).toBe(true)
})

test('wildcards in a resource: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html', () => {
  const matches = (pattern: string, about: string) =>
    outcome(ask(user(own, 'bob'), 's3:GetObject', about), {
      identity: [identity({ Effect: 'Allow', Action: '*', Resource: pattern })],
    }) === 'allow'
  const bucket = 'arn:aws:s3:::amzn-s3-demo-bucket'
  for (const key of [
    '1/test/object.jpg',
    '1/2/test/3/object.jpg',
    '1/2/test/3/object.jpg',
    '1///test///object.jpg',
  ])
    expect(matches(`${bucket}/*/test/*`, `${bucket}/${key}`), key).toBe(true)
  for (const key of ['1-test/object.jpg', 'test/object.jpg', '1/2/test.jpg'])
    expect(matches(`${bucket}/*/test/*`, `${bucket}/${key}`), key).toBe(false)
  expect(matches(`${bucket}/Photo`, `${bucket}/photo`), 'case matters').toBe(false)
  expect(matches(`${bucket}/logs-*.gz`, `${bucket}/logs-10:30.gz`), 'a key may hold colons').toBe(true)
  const table = `arn:aws:dynamodb:us-east-1:${own}:table/prod-x`
  expect(matches('arn:aws:dynamodb:*:table/prod-*', table), 'a star that ends a part runs on').toBe(true)
  expect(matches('arn:aws:dynamodb:us-*-1:*:table/*', table)).toBe(true)
  expect(matches(`arn:aws:dynamodb:us-*${own}:table/*`, table), 'one within a part does not').toBe(false)
  expect(matches('arn:aws:dynamodb:u?-*-?:1*3:table/*', table)).toBe(true)
  expect(matches('arn:aws:dynamodb:*', table)).toBe(true)
})

test('an explanation names policies as they were named', () => {
  const named = resource({
    Version: '2012-10-17',
    Id: 'its own',
    Statement: [{ Sid: 'one', Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: '*' }],
  })
  expect(evaluate(get(anonymous), { resource: named }).statements).toEqual([
    { place: 'resource', policyId: 'its own', statementIndex: 0, sid: 'one' },
  ])
})
