/**
 * The meaning of "public", as S3's block of public access has it: a policy is public unless each statement that allows
 * does so for fixed principals or under a condition of fixed values for one of these keys.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
 */
import { splitArn } from './arn-pattern.ts'
import { rangeContains, readIpRange } from './ip-range.ts'
import { must } from '@mallee/base'
import type { Pattern } from './pattern.ts'
import type { Condition, Policy, PrincipalPattern, Statement } from './policy.ts'

const fixedKeys = new Set([
  'aws:principalorgid',
  'aws:principalaccount',
  'aws:principalarn',
  'aws:sourcearn',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:sourceowner',
  'aws:sourceaccount',
  'aws:userid',
  's3:x-amz-server-side-encryption-aws-kms-key-id',
  's3:dataaccesspointaccount',
])

export function isPublic(policy: Policy): boolean {
  return policy.statements.some((statement) => statement.effect === 'Allow' && isPublicStatement(statement))
}

function isPublicStatement({ principals, conditions }: Statement): boolean {
  const isFixed = principals !== null && !principals.negated && principals.patterns.every(isFixedPrincipal)
  return !isFixed && !conditions.some(restricts)
}

/** Whoever an identity provider knows is anyone. */
function isFixedPrincipal({ kind }: PrincipalPattern): boolean {
  return kind !== 'everyone' && kind !== 'federated'
}

/** Whether the condition holds for few: a key that may be missing restricts nobody. */
function restricts({ operator, set, ifExists, key, values }: Condition): boolean {
  if (ifExists || set === 'ForAllValues') return false
  const lower = key.toLowerCase()
  if (operator === 'IpAddress') return lower === 'aws:sourceip' && values.every(isNarrow)
  const compares = ['StringEquals', 'StringEqualsIgnoreCase', 'StringLike', 'ArnEquals', 'ArnLike']
  if (!compares.includes(operator)) return false
  if (lower === 's3:dataaccesspointarn') return values.every(isOfOneAccount)
  return fixedKeys.has(lower) && values.every(isFixedValue)
}

/** Stars count whatever the operator makes of them, as in S3. */
function isFixedValue(value: Pattern): boolean {
  return !value.hasVariables && !/[*?]/.test(value.source)
}

/** An access point's name may be open, its account may not. */
function isOfOneAccount(value: Pattern): boolean {
  const parts = splitArn(value.source)
  return parts !== null && !value.hasVariables && /^\d{12}$/.test(parts[4]!)
}

const privateRanges = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map((text) =>
  must(readIpRange(text), 'a range'),
)

/** Not broader than /8, or /32 of IPv6; what is private may be. */
function isNarrow(value: Pattern): boolean {
  const range = readIpRange(value.source)
  if (range === null) return false
  if (range.prefixLength >= (range.family === 4 ? 8 : 32)) return true
  return privateRanges.some((own) => range.prefixLength >= own.prefixLength && rangeContains(own, range))
}
