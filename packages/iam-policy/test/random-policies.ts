/**
 * Policies beside a request: half of what they say is about it or nearly, so that matches, near misses and denials are all
 * frequent. They are plain JSON, valid, and as odd as validity allows.
 */
import type { ContextScalar, ContextValue, PolicyRequest } from '../src/request.ts'
import type { ConditionBlock } from './reference-conditions.ts'
import type {
  PlainDocument,
  PlainPolicies,
  PlainPolicy,
  PlainPrincipal,
  PlainStatement,
} from './reference-evaluator.ts'
import {
  accounts,
  actions,
  canonicalIds,
  contextKeys,
  providers,
  services,
  type Dice,
} from './random-requests.ts'

export function randomPolicies(dice: Dice, request: PolicyRequest): PlainPolicies {
  const make = (kind: PlainPolicy['kind'], id: string) => randomPolicy(dice, request, kind, id)
  const resourceKind =
    request.action.toLowerCase() === 'sts:assumerole' && dice.chance(0.8) ? 'trust' : 'resource'
  return {
    identity: dice.some(0, 2, () => 0).map((_none, index) => make('identity', `identity-${index}`)),
    boundary: dice.chance(0.25) ? make('identity', 'boundary') : null,
    session: dice.chance(0.25)
      ? dice.some(0, 2, () => 0).map((_none, index) => make('identity', `session-${index}`))
      : null,
    resource: dice.chance(0.7) ? make(resourceKind, 'resource') : null,
    account: dice.chance(0.1) ? [make('identity', 'account')] : [],
  }
}

function randomPolicy(
  dice: Dice,
  request: PolicyRequest,
  kind: PlainPolicy['kind'],
  id: string,
): PlainPolicy {
  const version = dice.one(['2012-10-17', '2012-10-17', '2012-10-17', '2008-10-17', null])
  const statements = dice.some(1, 3, () => randomStatement(dice, request, kind))
  const document: PlainDocument = {
    ...(version ? { Version: version } : {}),
    Statement: statements.length === 1 && dice.chance(0.5) ? statements[0]! : statements,
  }
  return { id, kind, document }
}

function randomStatement(dice: Dice, request: PolicyRequest, kind: PlainPolicy['kind']): PlainStatement {
  const effect = dice.chance(0.75) ? 'Allow' : 'Deny'
  const named = oneOrList(
    dice,
    dice.some(1, 2, () => randomAction(dice, request.action)),
  )
  const about = oneOrList(
    dice,
    dice.some(1, 2, () => randomResourcePattern(dice, request)),
  )
  const notPrincipal = effect === 'Deny' && kind === 'resource' && dice.chance(0.4)
  return {
    Effect: effect,
    ...(kind === 'identity'
      ? {}
      : { [notPrincipal ? 'NotPrincipal' : 'Principal']: randomPrincipals(dice, request, notPrincipal) }),
    [dice.chance(0.1) ? 'NotAction' : 'Action']: named,
    ...(kind === 'trust' ? {} : { [dice.chance(0.1) ? 'NotResource' : 'Resource']: about }),
    ...(dice.chance(0.75) ? { Condition: randomBlock(dice, request) } : {}),
  }
}

function oneOrList<T>(dice: Dice, list: readonly T[]): T | readonly T[] {
  return list.length === 1 && dice.chance(0.5) ? list[0]! : list
}

function randomAction(dice: Dice, action: string): string {
  const vendor = action.slice(0, action.indexOf(':'))
  return dice.one([
    () => '*',
    () => '*:*',
    () => `${vendor}:*`,
    () => `${vendor}:*`,
    () => action,
    () => action.toLowerCase(),
    () => dice.one(actions),
    () => `${vendor}:${blurred(dice, action.slice(vendor.length + 1), 0)}`,
    () => `${vendor}:${blurred(dice, action.slice(vendor.length + 1), 0)}`,
  ])()
}

function randomResourcePattern(dice: Dice, request: PolicyRequest): string {
  const { resource } = request
  return dice.one([
    () => '*',
    () => '*',
    () => resource,
    () => resource,
    () => blurred(dice, resource, resource.startsWith('arn:aws:ec2:') ? 12 : 13),
    () => blurred(dice, resource, 13),
    () => 'arn:aws:s3:::photos/*',
    () => `${resource.slice(0, resource.indexOf(':', 8) + 1)}*`,
    () => `arn:aws:s3:::photos/${dice.one(variables)}${dice.one(['/*', '', '/a.txt', '/${*}', '*'])}`,
    () => `arn:aws:s3:::photos/${dice.one(variables)}/${dice.one(['?', '*', '${$}', '?.txt'])}`,
    () =>
      dice.one([
        'arn:aws:ec2:us-*-1:*:instance/i-?',
        'arn:aws:ec2:*:instance/*',
        'arn:aws:ec2:us-????-?:1*3:*1',
        'arn:*:ec2:*:*i-1',
      ]),
  ])()
}

const variables = [
  '${aws:username}',
  '${AWS:UserName}',
  '${aws:PrincipalTag/team}',
  "${aws:PrincipalTag/Team, 'bob'}",
  "${aws:PrincipalTag/none, '\u{1F600}'}",
  '${aws:userid}',
  '${s3:prefix}',
  '${aws:TagKeys}',
  "${aws:username,'}'}",
]

/** A text with some of it replaced by wildcards, or with one wrong letter; the first characters stay. */
function blurred(dice: Dice, text: string, keep: number): string {
  const head = [...text].slice(0, keep).join('')
  let rest = [...text].slice(keep)
  for (let times = 1 + dice.below(3); times > 0 && rest.length > 1; times -= 1) {
    const at = dice.below(rest.length)
    const length = dice.below(4)
    const put = dice.one(['*', '*', '?', '??', 'z', '*?', '**'])
    rest = [...rest.slice(0, at), put, ...rest.slice(at + (put === '?' || put === 'z' ? 1 : length))]
  }
  const made = head + rest.join('')
  const partsOf = (arn: string) => arn.split(':').length
  return keep > 0 && partsOf(made) < Math.min(6, partsOf(text)) ? text : made
}

function randomPrincipals(dice: Dice, request: PolicyRequest, thorough: boolean): PlainPrincipal {
  if (dice.chance(0.15) && !thorough) return '*'
  const map: Record<string, string[]> = {}
  const add = (type: string, name: string) => {
    map[type] = [...new Set([...(map[type] ?? []), name])]
  }
  const { principal } = request
  const names: [string, string][] = []
  if (principal.kind === 'service') names.push(['Service', principal.service])
  if (principal.kind === 'identity-provider') names.push(['Federated', principal.provider])
  if ('accountId' in principal) {
    names.push(['AWS', principal.accountId], ['AWS', `arn:aws:iam::${principal.accountId}:root`])
    if (principal.kind !== 'root') names.push(['AWS', principal.arn], ['AWS', principal.arn])
    if (principal.canonicalUserId) names.push(['CanonicalUser', principal.canonicalUserId])
    if (principal.kind === 'role-session') {
      names.push(['AWS', principal.roleArn], ['AWS', principal.userId.split(':')[0]!])
    }
    if (principal.kind === 'user') names.push(['AWS', principal.userId])
    if (principal.kind === 'federated') names.push(['AWS', principal.issuerArn])
  }
  if (thorough && dice.chance(0.5)) for (const [type, name] of names) if (dice.chance(0.9)) add(type, name)
  if (names.length > 0 && dice.chance(0.6)) add(...dice.one(names))
  if (Object.keys(map).length === 0 || dice.chance(0.3)) add(...strangers(dice))
  return map
}

function strangers(dice: Dice): [string, string] {
  return dice.one<[string, string]>([
    ['AWS', dice.one(accounts)],
    ['AWS', `arn:aws:iam::${dice.one(accounts)}:user/${dice.one(['bob', 'ann'])}`],
    ['AWS', `arn:aws:iam::${dice.one(accounts)}:role/${dice.one(['reader', 'writer'])}`],
    ['AWS', `arn:aws:sts::${dice.one(accounts)}:assumed-role/reader/s${dice.below(3)}`],
    ['AWS', '*'],
    ['CanonicalUser', dice.one(canonicalIds)],
    ['Service', dice.one(services)],
    ['Federated', dice.one(providers)],
  ])
}

type Values = (dice: Dice, near: ContextScalar | undefined) => string | number | boolean

const text: Values = (dice, near) =>
  near === undefined || dice.chance(0.2) ? dice.one(['bob/', 'Private', 'cost', '', 'a*b']) : textOf(near)
const withVariables: Values = (dice, near) =>
  dice.chance(0.15) ? dice.one(variables) + dice.one(['', '/', '${*}']) : text(dice, near)
const folded: Values = (dice, near) => {
  const plain = String(withVariables(dice, near))
  return dice.chance(0.5) && !plain.includes('${') ? plain.toUpperCase() : plain
}
const like: Values = (dice, near) => {
  const plain = String(withVariables(dice, near))
  return dice.chance(0.6) && !plain.includes('${') ? blurred(dice, plain, 0) : plain
}
const number: Values = (dice, near) =>
  typeof near === 'number' && dice.chance(0.7)
    ? near + dice.one([0, 0, 1, -1])
    : dice.one([10, '10', 9.5, '80', 1e3])
const date: Values = (dice, near) =>
  near instanceof Date && dice.chance(0.5)
    ? dice.one([near.toISOString(), near.getTime() / 1000, near.toISOString().slice(0, 10)])
    : dice.one([
        '2026-01-01',
        '2026-01',
        '2026-01-02T00:00:00+01:00',
        '2026-01-01T00:00Z',
        1_767_225_600,
        '2026-01-01T00:00:00.500Z',
      ])
const bool: Values = (dice) => dice.one([true, false, 'true', 'false'])
const address: Values = (dice, near) =>
  typeof near === 'string' && near.includes('.') && dice.chance(0.5)
    ? near + dice.one(['', '/32', '/24', '/9', '/0'])
    : dice.one([
        '203.0.113.0/24',
        '2001:db8::/32',
        '10.0.0.0/8',
        '10.128.0.0/9',
        '::/0',
        '2001:DB8::1',
        '203.0.113.7',
      ])
const arn: Values = (dice, near) =>
  typeof near === 'string' && near.startsWith('arn:') && dice.chance(0.6)
    ? blurred(dice, near, dice.one([4, 24]))
    : dice.one([
        '*',
        'arn:aws:sns:*:111122223333:*',
        'arn:*:*:*:*:*',
        'arn:aws:s3:::${s3:prefix}*',
        'arn:aws:sqs:*:*:store/*',
        'arn:aws:*:us-????-?:*:*',
      ])
const binary: Values = (dice) => dice.one(['aGVsbG8=', 'd29ybGQ='])

const families: readonly { operators: readonly string[]; keys: readonly string[]; values: Values }[] = [
  {
    operators: ['StringEquals', 'StringNotEquals'],
    keys: ['s3:prefix', 's3:x-amz-acl', 'aws:TagKeys', 'aws:PrincipalTag/TEAM', 'aws:username'],
    values: withVariables,
  },
  {
    operators: ['StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase'],
    keys: ['s3:x-amz-acl', 'aws:TagKeys', 's3:prefix', 'aws:principaltype'],
    values: folded,
  },
  {
    operators: ['StringLike', 'StringNotLike'],
    keys: ['s3:prefix', 'aws:UserAgent', 'aws:TagKeys', 'aws:userid', 'aws:TokenIssueTime'],
    values: like,
  },
  {
    operators: ['Equals', 'NotEquals', 'LessThan', 'LessThanEquals', 'GreaterThan', 'GreaterThanEquals'].map(
      (name) => `Numeric${name}`,
    ),
    keys: ['s3:max-keys', 'aws:MultiFactorAuthAge', 'app:Ports'],
    values: number,
  },
  {
    operators: ['Equals', 'NotEquals', 'LessThan', 'LessThanEquals', 'GreaterThan', 'GreaterThanEquals'].map(
      (name) => `Date${name}`,
    ),
    keys: ['aws:CurrentTime', 'aws:EpochTime', 'aws:TokenIssueTime', 'app:Days'],
    values: date,
  },
  {
    operators: ['Bool'],
    keys: ['aws:SecureTransport', 'aws:MultiFactorAuthPresent', 'app:Flags', 'aws:PrincipalIsAWSService'],
    values: bool,
  },
  { operators: ['BinaryEquals'], keys: ['app:digest', 'app:Digests'], values: binary },
  {
    operators: ['IpAddress', 'NotIpAddress'],
    keys: ['aws:SourceIp', 'aws:VpcSourceIp', 'app:Addresses'],
    values: address,
  },
  {
    operators: ['ArnEquals', 'ArnNotEquals', 'ArnLike', 'ArnNotLike'],
    keys: ['aws:SourceArn', 'app:Sources', 'aws:PrincipalArn'],
    values: arn,
  },
  { operators: ['Null'], keys: [...contextKeys, 'aws:username', 'aws:PrincipalTag/cost'], values: bool },
]

/** Each operator as often as any other. */
const evenly = families.flatMap((family) => family.operators.map((name) => [name, family] as const))

/** Every operator with every decoration that it may bear. */
export const decorated: readonly string[] = families.flatMap(({ operators }) =>
  operators.flatMap((name) =>
    name === 'Null'
      ? [name]
      : ['', 'ForAllValues:', 'ForAnyValue:'].flatMap((set) => [`${set}${name}`, `${set}${name}IfExists`]),
  ),
)

function randomBlock(dice: Dice, request: PolicyRequest): ConditionBlock {
  const block: ConditionBlock = {}
  for (let times = 1 + dice.below(2); times > 0; times -= 1) {
    const [name, family] = dice.one(evenly)
    const many = dice.chance(0.4) ? dice.one(['ForAllValues:', 'ForAnyValue:']) : ''
    const operator = name === 'Null' ? name : `${many}${name}${dice.chance(0.25) ? 'IfExists' : ''}`
    const key = dice.chance(0.95) ? dice.one(family.keys) : dice.one(contextKeys)
    const near = nearValue(dice, request, key)
    const values = dice.some(1, 2, () => family.values(dice, near))
    block[operator] = {
      ...block[operator],
      [dice.chance(0.2) ? key.toLowerCase() : key]: oneOrList(dice, values),
    }
  }
  return block
}

function nearValue(
  dice: Dice,
  { principal, context }: PolicyRequest,
  key: string,
): ContextScalar | undefined {
  const lower = key.toLowerCase()
  if (lower === 'aws:principalarn' && 'arn' in principal)
    return principal.kind === 'role-session' ? dice.one([principal.arn, principal.roleArn]) : principal.arn
  if (lower === 'aws:userid' && 'userId' in principal) return principal.userId
  if (lower === 'aws:username' && principal.kind === 'user') return principal.userName
  const name = Object.keys(context).find((candidate) => candidate.toLowerCase() === lower)
  const value: ContextValue = name === undefined ? undefined : context[name]
  if (value === null || value === undefined) return undefined
  return Array.isArray(value)
    ? value.length > 0
      ? dice.one(value as ContextScalar[])
      : undefined
    : (value as ContextScalar)
}

function textOf(value: ContextScalar): string {
  return value instanceof Date ? value.toISOString() : String(value)
}
