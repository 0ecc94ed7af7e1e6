/** Requests out of small worlds, so that policies made beside them often speak of them. */
import type { Random } from '@mallee/base'
import type { ContextValue, PolicyRequest, Principal } from '../src/request.ts'

export const accounts = ['111122223333', '444455556666'] as const
export const canonicalIds = ['a'.repeat(64), 'b'.repeat(64)] as const
export const providers = ['accounts.example.com', `arn:aws:iam::${accounts[0]}:saml-provider/corp`] as const
export const services = ['s3.amazonaws.com', 'logs.amazonaws.com'] as const
export const actions = [
  's3:GetObject',
  's3:PutObject',
  's3:ListBucket',
  'ec2:RunInstances',
  'sts:AssumeRole',
] as const

/** Draws by chance; the same seed draws the same. */
export class Dice {
  private readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  below(count: number): number {
    return Math.floor(this.random.fraction() * count)
  }

  chance(part: number): boolean {
    return this.random.fraction() < part
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!
  }

  /** As many as between `least` and `most`. */
  some<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, make)
  }
}

export function randomRequest(dice: Dice): PolicyRequest {
  const principal = randomPrincipal(dice)
  const action = dice.one(actions)
  const own = 'accountId' in principal && dice.chance(0.7) ? principal.accountId : dice.one(accounts)
  const resource = randomResource(dice, action, own)
  const spelled = dice.chance(0.1) ? action.toUpperCase() : action
  return { principal, action: spelled, resource, resourceAccountId: own, context: randomContext(dice) }
}

function randomPrincipal(dice: Dice): Principal {
  const index = dice.below(2)
  const accountId = accounts[index]!
  const tags = dice.chance(0.6)
    ? { Team: dice.one(['red', 'blue']), ...(dice.chance(0.3) ? { cost: '' } : {}) }
    : undefined
  const shared = {
    accountId,
    ...(dice.chance(0.5) ? { canonicalUserId: canonicalIds[index]! } : {}),
    ...(tags ? { tags } : {}),
  }
  const userName = dice.one(['bob', 'ann'])
  const role = dice.one(['reader', 'writer'])
  switch (
    dice.one([
      'root',
      'user',
      'user',
      'user',
      'role',
      'role',
      'role',
      'federated',
      'provider',
      'service',
      'anonymous',
    ])
  ) {
    case 'root':
      return { ...shared, kind: 'root', arn: `arn:aws:iam::${accountId}:root`, userId: accountId }
    case 'user':
      return {
        ...shared,
        kind: 'user',
        arn: `arn:aws:iam::${accountId}:user/${userName}`,
        userId: `AIDA${userName.toUpperCase().padEnd(12, '7')}`,
        userName,
      }
    case 'role':
      return {
        ...shared,
        kind: 'role-session',
        arn: `arn:aws:sts::${accountId}:assumed-role/${role}/s1`,
        userId: `AROA${role.toUpperCase().padEnd(12, '7')}:s1`,
        roleArn: `arn:aws:iam::${accountId}:role/${role}`,
      }
    case 'federated':
      return {
        ...shared,
        kind: 'federated',
        arn: `arn:aws:sts::${accountId}:federated-user/${userName}`,
        userId: `${accountId}:${userName}`,
        issuerArn: `arn:aws:iam::${accountId}:user/${userName}`,
      }
    case 'provider':
      return { kind: 'identity-provider', provider: dice.one(providers) }
    case 'service':
      return { kind: 'service', service: dice.one(services) }
    default:
      return { kind: 'anonymous' }
  }
}

function randomResource(dice: Dice, action: string, accountId: string): string {
  if (action === 's3:ListBucket') return dice.one(['arn:aws:s3:::photos', 'arn:aws:s3:::photo'])
  if (action.startsWith('s3:')) {
    const key = dice.one(['bob/a.txt', 'ann/b:c.txt', 'red/*', '\u{1F600}/x', 'x', 'bob', 'a:b:c'])
    return `arn:aws:s3:::${dice.one(['photos', 'photos', 'photo'])}/${key}`
  }
  if (action.startsWith('sts:')) return `arn:aws:iam::${accountId}:role/${dice.one(['reader', 'writer'])}`
  return `arn:aws:ec2:${dice.one(['us-east-1', 'us-west-2'])}:${accountId}:instance/${dice.one(['i-1', 'i-2', 'a:i-1'])}`
}

/** Keys of each type that operators compare; each is missing now and then. */
const keys: readonly [string, (dice: Dice) => ContextValue][] = [
  ['s3:prefix', (dice) => dice.one(['', 'bob/', 'home/Bob/', 'red', 'a*b'])],
  ['s3:x-amz-acl', (dice) => dice.one(['private', 'public-read', 'Private'])],
  ['aws:UserAgent', (dice) => dice.one(['curl/8', 'aws-cli/2 botocore', 'Team'])],
  ['s3:max-keys', (dice) => dice.one<ContextValue>([10, 1000, 9.5, '10', 'many', '007'])],
  ['aws:MultiFactorAuthAge', (dice) => dice.one([0, 3600, 3601])],
  ['aws:CurrentTime', (dice) => new Date(Date.UTC(2026, dice.below(2), 1 + dice.below(2), dice.below(2)))],
  ['aws:EpochTime', (dice) => dice.one([1_767_225_600, 1_767_225_601])],
  ['aws:TokenIssueTime', (dice) => dice.one(['2026-01-01T00:00:00Z', '2026-01-02', 'never'])],
  ['aws:SecureTransport', (dice) => dice.one<ContextValue>([true, false, 'true'])],
  ['aws:MultiFactorAuthPresent', (dice) => dice.one([true, false])],
  ['aws:SourceIp', (dice) => dice.one(['203.0.113.7', '203.0.114.7', '2001:db8::1', '10.0.0.1', 'nowhere'])],
  ['aws:VpcSourceIp', (dice) => dice.one(['10.0.0.1', '10.128.0.1'])],
  ['aws:SourceArn', (dice) => dice.one(sourceArns)],
  ['app:digest', (dice) => dice.one(['aGVsbG8=', 'd29ybGQ=', 'no base64'])],
  ['aws:TagKeys', (dice) => dice.some(0, 3, () => dice.one(['Team', 'cost', 'cost-2', '']))],
  ['app:Ports', (dice) => dice.some(0, 3, () => dice.one([22, 80, 443]))],
  ['app:Sources', (dice) => dice.some(0, 2, () => dice.one(sourceArns))],
  ['app:Addresses', (dice) => dice.some(0, 2, () => dice.one(['10.0.0.1', '203.0.113.7', '2001:db8::1']))],
  ['app:Days', (dice) => dice.some(0, 2, () => new Date(Date.UTC(2026, 0, 1 + dice.below(3))))],
  ['app:Flags', (dice) => dice.some(0, 2, () => dice.chance(0.5))],
  ['app:Digests', (dice) => dice.some(0, 2, () => dice.one(['aGVsbG8=', 'd29ybGQ=']))],
]

const sourceArns = [
  'arn:aws:sns:us-east-1:111122223333:topic',
  'arn:aws:s3:::photos',
  'arn:aws:sqs:us-west-2:444455556666:store/a:b',
  'no arn',
]

export const contextKeys = keys.map(([key]) => key)

function randomContext(dice: Dice): Record<string, ContextValue> {
  const context: Record<string, ContextValue> = {}
  for (const [key, make] of keys) {
    if (dice.chance(0.25)) continue
    context[dice.chance(0.2) ? key.toUpperCase() : key] = dice.chance(0.03) ? null : make(dice)
  }
  return context
}
