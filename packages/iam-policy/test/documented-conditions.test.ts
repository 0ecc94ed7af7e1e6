/** AWS's examples of conditions, one by one; each names the page it is from. */
import { expect, test } from 'vitest'
import {
  anonymous,
  ask,
  federated,
  holds,
  identity,
  outcome,
  resource,
  root,
  session,
  user,
} from './cases.ts'

const account = '111122223333'
const operatorsPage =
  'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html'

test(`StringEquals on a tag of the principal: ${operatorsPage}#Conditions_String`, () => {
  const policy = identity({
    Effect: 'Allow',
    Action: 'iam:*AccessKey*',
    Resource: `arn:aws:iam::${account}:user/*`,
    Condition: { StringEquals: { 'aws:PrincipalTag/job-category': 'iamuser-admin' } },
  })
  const about = `arn:aws:iam::${account}:user/ann`
  const by = (tags: Record<string, string>) =>
    outcome(ask(user(account, 'bob', tags), 'iam:CreateAccessKey', about), { identity: [policy] })
  expect(by({ 'job-category': 'iamuser-admin' })).toBe('allow')
  expect(by({ 'Job-Category': 'iamuser-admin' })).toBe('allow')
  expect(by({ 'job-category': 'IAMUSER-ADMIN' })).toBe('implicitDeny')
  expect(by({})).toBe('implicitDeny')
})

test(`StringLike with a variable, a home folder: ${operatorsPage}#Conditions_String`, () => {
  const bucket = 'arn:aws:s3:::BUCKET-NAME'
  const policy = identity([
    { Effect: 'Allow', Action: ['s3:ListAllMyBuckets', 's3:GetBucketLocation'], Resource: 'arn:aws:s3:::*' },
    {
      Effect: 'Allow',
      Action: 's3:ListBucket',
      Resource: bucket,
      Condition: { StringLike: { 's3:prefix': ['', 'home/', 'home/${aws:username}/'] } },
    },
    {
      Effect: 'Allow',
      Action: 's3:*',
      Resource: [`${bucket}/home/\${aws:username}`, `${bucket}/home/\${aws:username}/*`],
    },
  ])
  const bob = (action: string, about: string, prefix?: string) =>
    outcome(ask(user(account, 'bob'), action, about, { context: { 's3:prefix': prefix } }), {
      identity: [policy],
    })
  for (const prefix of ['', 'home/', 'home/bob/']) expect(bob('s3:ListBucket', bucket, prefix)).toBe('allow')
  for (const prefix of [undefined, 'home', 'home/ann/', 'home/bob/x'])
    expect(bob('s3:ListBucket', bucket, prefix)).toBe('implicitDeny')
  expect(bob('s3:PutObject', `${bucket}/home/bob/deep/er`)).toBe('allow')
  expect(bob('s3:PutObject', `${bucket}/home/bobby/x`)).toBe('implicitDeny')
  expect(bob('s3:GetBucketLocation', bucket)).toBe('allow')
  const role = ask(session(account, 'reader', 'bob'), 's3:GetObject', `${bucket}/home/bob/x`)
  expect(outcome(role, { identity: [policy] }), 'a role session has no aws:username').toBe('implicitDeny')
})

test(`the operators for strings: ${operatorsPage}#Conditions_String`, () => {
  const acl = (operator: string, wanted: string | string[], given: string | undefined) =>
    holds({ [operator]: { 's3:x-amz-acl': wanted } }, { 's3:x-amz-acl': given })
  expect(acl('StringEquals', 'private', 'private')).toBe(true)
  expect(acl('StringEquals', 'private', 'Private')).toBe(false)
  expect(acl('StringEquals', 'p*', 'private'), 'a star is a star here').toBe(false)
  expect(acl('StringEqualsIgnoreCase', 'PRIVATE', 'Private')).toBe(true)
  expect(acl('StringNotEquals', ['private', 'public-read'], 'public-read'), 'equal to none of them').toBe(
    false,
  )
  expect(acl('StringNotEquals', ['private', 'public-read'], 'other')).toBe(true)
  expect(acl('StringNotEqualsIgnoreCase', 'PRIVATE', 'Private')).toBe(false)
  expect(acl('StringLike', 'p?iv*', 'private')).toBe(true)
  expect(acl('StringLike', 'P*', 'private')).toBe(false)
  expect(acl('StringNotLike', 'pub*', 'private')).toBe(true)
  expect(acl('StringNotLike', 'pri*', 'private')).toBe(false)
  for (const operator of ['StringEquals', 'StringEqualsIgnoreCase', 'StringLike'])
    expect(acl(operator, '*', undefined), `${operator}: a missing key is like nothing`).toBe(false)
  for (const operator of ['StringNotEquals', 'StringNotEqualsIgnoreCase', 'StringNotLike'])
    expect(acl(operator, '*', undefined), `${operator}: and so it is not like it`).toBe(true)
})

test(`NumericLessThanEquals on max-keys, and the rest: ${operatorsPage}#Conditions_Numeric`, () => {
  const keys = (operator: string, given: number | string | undefined) =>
    holds({ [operator]: { 's3:max-keys': '10' } }, { 's3:max-keys': given })
  expect([9, '10', 10.5, undefined].map((given) => keys('NumericLessThanEquals', given))).toEqual([
    true,
    true,
    false,
    false,
  ])
  expect([9, 10, 11].map((given) => keys('NumericLessThan', given))).toEqual([true, false, false])
  expect([9, 10, 11].map((given) => keys('NumericGreaterThan', given))).toEqual([false, false, true])
  expect([9, '10.0', 11].map((given) => keys('NumericGreaterThanEquals', given))).toEqual([false, true, true])
  expect([9, '1e1', 'ten'].map((given) => keys('NumericEquals', given))).toEqual([false, true, false])
  expect([9, 10, undefined].map((given) => keys('NumericNotEquals', given))).toEqual([true, false, true])
})

test(`DateGreaterThan on the session's age, and the rest: ${operatorsPage}#Conditions_Date`, () => {
  const issued = (operator: string, given: Date | string | number | undefined) =>
    holds({ [operator]: { 'aws:TokenIssueTime': '2020-01-01T00:00:01Z' } }, { 'aws:TokenIssueTime': given })
  const at = new Date('2020-01-01T00:00:01Z')
  const [before, after] = [new Date(at.getTime() - 1), new Date(at.getTime() + 1)]
  const all = (operator: string) => [before, at, after].map((given) => issued(operator, given))
  expect(all('DateGreaterThan')).toEqual([false, false, true])
  expect(all('DateGreaterThanEquals')).toEqual([false, true, true])
  expect(all('DateLessThan')).toEqual([true, false, false])
  expect(all('DateLessThanEquals')).toEqual([true, true, false])
  expect(all('DateEquals')).toEqual([false, true, false])
  expect(all('DateNotEquals')).toEqual([true, false, true])
  expect(issued('DateGreaterThan', undefined)).toBe(false)
  expect(issued('DateEquals', '2020-01-01T01:00:01+01:00')).toBe(true)
  expect(issued('DateEquals', 1_577_836_801), 'seconds since 1970').toBe(true)
  expect(holds({ DateEquals: { 'aws:EpochTime': 1577836801 } }, { 'aws:EpochTime': at })).toBe(true)
  for (const written of ['2020', '2020-01', '2020-01-01', '2020-01-01T00:00Z'])
    expect(holds({ DateLessThan: { 'aws:CurrentTime': written } }, { 'aws:CurrentTime': at }), written).toBe(
      false,
    )
})

test(`Bool: ${operatorsPage}#Conditions_Boolean`, () => {
  const secure = (given: boolean | string | undefined) =>
    holds({ Bool: { 'aws:SecureTransport': 'false' } }, { 'aws:SecureTransport': given })
  expect([false, 'false', true, undefined].map(secure)).toEqual([true, true, false, false])
})

test(`BinaryEquals: ${operatorsPage}#Conditions_BinaryEquals`, () => {
  const condition = { BinaryEquals: { 'app:key': 'QmluYXJ5VmFsdWVJbkJhc2U2NA==' } }
  expect(holds(condition, { 'app:key': 'QmluYXJ5VmFsdWVJbkJhc2U2NA==' })).toBe(true)
  expect(holds(condition, { 'app:key': 'qmluYXJ5VmFsdWVJbkJhc2U2NA==' })).toBe(false)
  expect(holds(condition, { 'app:key': 'BinaryValueInBase64' })).toBe(false)
  expect(holds(condition, {})).toBe(false)
})

test(`IpAddress with both families: ${operatorsPage}#Conditions_IPAddress`, () => {
  const ranges = ['203.0.113.0/24', '2001:DB8:1234:5678::/64']
  const from = (operator: string, given: string | undefined) =>
    holds({ [operator]: { 'aws:SourceIp': ranges } }, { 'aws:SourceIp': given })
  const inside = [
    '203.0.113.0',
    '203.0.113.255',
    '2001:db8:1234:5678::1',
    '2001:0db8:1234:5678:ffff::',
    '::ffff:203.0.113.9',
  ]
  const outside = ['203.0.112.255', '203.0.114.0', '2001:db8:1234:5679::1', '203.0.113', '']
  for (const address of inside) expect(from('IpAddress', address), address).toBe(true)
  for (const address of outside) expect(from('IpAddress', address), address).toBe(false)
  for (const address of inside) expect(from('NotIpAddress', address), address).toBe(false)
  expect(from('IpAddress', undefined)).toBe(false)
  expect(from('NotIpAddress', undefined)).toBe(true)
  const one = { IpAddress: { 'aws:SourceIp': '203.0.113.7' } }
  expect(holds(one, { 'aws:SourceIp': '203.0.113.7' })).toBe(true)
  expect(holds(one, { 'aws:SourceIp': '203.0.113.8' }), 'without a length it is one address').toBe(false)
})

test(`ARN operators compare part by part, where strings do not: ${operatorsPage}#Conditions_ARN`, () => {
  const pattern = 'arn:aws:someservice:*:111122223333:finance/*'
  const given = 'arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt'
  const source = (operator: string, wanted: string, value: string) =>
    holds({ [operator]: { 'aws:SourceArn': wanted } }, { 'aws:SourceArn': value })
  expect(source('StringLike', pattern, given)).toBe(true)
  for (const operator of ['ArnLike', 'ArnEquals']) {
    expect(source(operator, pattern, given)).toBe(false)
    expect(source(operator, pattern, 'arn:aws:someservice:us-east-2:111122223333:finance/a:b')).toBe(true)
  }
  for (const operator of ['ArnNotLike', 'ArnNotEquals']) expect(source(operator, pattern, given)).toBe(true)
  const topic = 'arn:aws:sns:REGION:123456789012:TOPIC-ID'
  expect(source('ArnEquals', topic, topic)).toBe(true)
  expect(source('ArnEquals', topic, topic.toLowerCase())).toBe(false)
})

test(`...IfExists on the type of an instance: ${operatorsPage}#Conditions_IfExists`, () => {
  const launch = (operator: string, type: string | undefined) =>
    holds({ [operator]: { 'ec2:InstanceType': ['t1.*', 't2.*', 'm3.*'] } }, { 'ec2:InstanceType': type })
  expect(launch('StringLike', undefined), 'an image has no instance type').toBe(false)
  expect(launch('StringLikeIfExists', undefined)).toBe(true)
  expect(launch('StringLikeIfExists', 't2.micro')).toBe(true)
  expect(launch('StringLikeIfExists', 'm5.large')).toBe(false)
  expect(launch('StringNotEqualsIfExists', undefined), 'a negated one holds as well').toBe(true)
})

test(`Null tells temporary credentials: ${operatorsPage}#Conditions_Null`, () => {
  const condition = (wanted: string) => ({ Null: { 'aws:TokenIssueTime': wanted } })
  expect(holds(condition('true'), {})).toBe(true)
  expect(holds(condition('true'), { 'aws:TokenIssueTime': new Date() })).toBe(false)
  expect(holds(condition('false'), { 'AWS:tokenissuetime': new Date() })).toBe(true)
  expect(holds(condition('false'), { 'aws:TokenIssueTime': null })).toBe(false)
  expect(holds(condition('false'), { 'aws:TokenIssueTime': [] })).toBe(false)
})

const setsPage =
  'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html'

test(`ForAllValues and ForAnyValue on attributes of a table: ${setsPage}`, () => {
  const listed = ['PostDateTime', 'Message', 'Tags']
  const asked = (set: string, wanted: string[], given: string[] | undefined, operator = 'StringLike') =>
    holds(
      { [`${set}:${operator}`]: { 'dynamodb:requestedAttributes': wanted } },
      { 'dynamodb:requestedAttributes': given },
    )
  expect(asked('ForAllValues', listed, ['PostDateTime', 'Message'])).toBe(true)
  expect(asked('ForAllValues', listed, ['PostDateTime', 'UserName'])).toBe(false)
  expect(asked('ForAnyValue', ['ID', 'PostDateTime'], ['UserName', 'Message', 'PostDateTime'])).toBe(true)
  expect(asked('ForAnyValue', ['ID', 'PostDateTime'], ['UserName'])).toBe(false)
  for (const nothing of [undefined, [], ['']]) {
    expect(asked('ForAllValues', listed, nothing), 'true without a key, or of nothing').toBe(true)
    expect(asked('ForAnyValue', ['*'], nothing)).toBe(false)
    expect(asked('ForAllValues', listed, nothing, 'StringNotEquals')).toBe(true)
    expect(asked('ForAnyValue', listed, nothing, 'StringNotEquals')).toBe(false)
  }
  expect(asked('ForAnyValue', listed, undefined, 'StringLikeIfExists')).toBe(true)
  expect(asked('ForAllValues', listed, ['ID', 'Tags'], 'StringNotEquals')).toBe(false)
  expect(asked('ForAnyValue', listed, ['ID', 'Tags'], 'StringNotEquals')).toBe(true)
})

test('operators and keys are a logical and, values an or: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html', () => {
  const block = {
    StringEquals: {
      'aws:PrincipalTag/department': ['finance', 'hr', 'legal'],
      'aws:PrincipalTag/role': ['audit', 'security'],
    },
    ArnLike: { 'aws:PrincipalArn': [`arn:aws:iam::${account}:user/ann`, `arn:aws:iam::${account}:user/bob`] },
  }
  const as = (name: string, tags: Record<string, string>) =>
    holds(block, {}, { principal: user(account, name, tags) })
  expect(as('ann', { department: 'hr', role: 'audit' })).toBe(true)
  expect(as('ann', { department: 'hr' })).toBe(false)
  expect(as('ann', { department: 'it', role: 'audit' })).toBe(false)
  expect(as('carl', { department: 'hr', role: 'audit' })).toBe(false)
})

const variablesPage = 'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html'

test(`which principal has which key: ${variablesPage}#principaltable`, () => {
  const rows = [
    [root(account), 'Account', account, null],
    [user(account, 'bob'), 'User', 'AIDAEXAMPLEEXAMPLE', 'bob'],
    [federated(account, 'bob'), 'FederatedUser', `${account}:bob`, null],
    [session(account, 'reader', 'i-1'), 'AssumedRole', 'AROAEXAMPLEEXAMPLE:i-1', null],
    [anonymous, 'Anonymous', 'anonymous', null],
  ] as const
  for (const [principal, type, userId, userName] of rows) {
    const block = {
      StringEquals: {
        'aws:PrincipalType': type,
        'aws:userid': userId,
        ...(userName ? { 'aws:username': userName } : {}),
      },
      Null: { 'aws:username': userName === null },
    }
    // A deny, since a policy of the resource speaks of all of them.
    const statement = { Effect: 'Deny', Principal: '*', Action: '*', Resource: '*', Condition: block }
    expect(
      outcome(ask(principal, 's3:GetObject', 'arn:aws:s3:::a/b'), { resource: resource(statement) }),
      type,
    ).toBe('explicitDeny')
  }
})

test(`a variable without a value is like nothing: ${variablesPage}#policy-vars-no-value`, () => {
  const deny = {
    Effect: 'Deny',
    Action: 's3:GetObject',
    Resource: 'arn:aws:s3:::amzn-s3-demo-bucket/*',
    Condition: { StringNotEquals: { 's3:ExistingObjectTag/Team': '${aws:PrincipalTag/Team}' } },
  }
  const policy = identity([deny, { Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }])
  const get = (tags: Record<string, string>) =>
    outcome(
      ask(user(account, 'bob', tags), 's3:GetObject', 'arn:aws:s3:::amzn-s3-demo-bucket/x', {
        context: { 's3:ExistingObjectTag/Team': 'red' },
      }),
      { identity: [policy] },
    )
  expect(get({ Team: 'red' })).toBe('allow')
  expect(get({ Team: 'blue' })).toBe('explicitDeny')
  expect(get({}), 'denied where the tag is not set').toBe('explicitDeny')
  expect(
    holds({ StringEquals: { 'aws:UserAgent': '${aws:PrincipalTag/Team}' } }, { 'aws:UserAgent': '' }),
  ).toBe(false)
})

test(`special characters: ${variablesPage}#policy-vars-specialchars`, () => {
  const like = (wanted: string, given: string, version = '2012-10-17') =>
    holds({ StringLike: { 's3:prefix': wanted } }, { 's3:prefix': given }, { version })
  expect(like('a${*}b', 'a*b')).toBe(true)
  expect(like('a${*}b', 'axb')).toBe(false)
  expect(like('a${?}', 'a?')).toBe(true)
  expect(like('${$}{aws:username}', '${aws:username}')).toBe(true)
  expect(like('${aws:username}', '${aws:username}', '2008-10-17'), 'text, in the older version').toBe(true)
  expect(like('${aws:username}', 'bob', '2008-10-17')).toBe(false)
})

test(`defaults: ${variablesPage}#policy-vars-default-values`, () => {
  const policy = identity({
    Effect: 'Allow',
    Action: 's3:*',
    Resource: "arn:aws:s3:::amzn-s3-demo-bucket-${aws:PrincipalTag/team, 'company-wide'}",
  })
  const list = (tags: Record<string, string>, team: string) =>
    outcome(ask(user(account, 'bob', tags), 's3:ListBucket', `arn:aws:s3:::amzn-s3-demo-bucket-${team}`), {
      identity: [policy],
    })
  expect(list({ team: 'yellow' }, 'yellow')).toBe('allow')
  expect(list({ team: 'yellow' }, 'company-wide')).toBe('implicitDeny')
  expect(list({}, 'company-wide')).toBe('allow')
  expect(list({ team: '*' }, 'yellow'), 'what a variable stands for is no wildcard').toBe('implicitDeny')
})

test('a key of many values is no variable, and without a set operator it matches by any of them', () => {
  const context = { 'aws:TagKeys': ['a', 'b'] }
  expect(holds({ StringEquals: { 's3:prefix': '${aws:TagKeys}' } }, { ...context, 's3:prefix': 'a' })).toBe(
    false,
  )
  expect(holds({ StringEquals: { 'aws:TagKeys': 'b' } }, context)).toBe(true)
  expect(holds({ StringNotEquals: { 'aws:TagKeys': 'b' } }, context)).toBe(false)
})

test('what is said of the principal is never taken from the request', () => {
  const context = {
    'aws:username': 'ann',
    'aws:PrincipalTag/team': 'red',
    'aws:PrincipalArn': 'arn:aws:iam::1:user/x',
  }
  expect(holds({ StringEquals: { 'aws:username': 'ann' } }, context)).toBe(false)
  expect(holds({ Null: { 'aws:PrincipalTag/team': 'true' } }, context)).toBe(true)
})
