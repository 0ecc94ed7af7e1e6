/** Condition blocks a second time, from AWS's pages on operators and on keys of many values; see reference-patterns.ts. */
import { BlockList, isIP } from 'node:net'
import type { ContextScalar, ContextValue, PolicyRequest, Principal } from '../src/request.ts'
import { isLike, isLikeArn, spell, type Variables } from './reference-patterns.ts'

export type ConditionBlock = Record<string, Record<string, unknown>>

/** Turns the answer of one condition around, to see whether it mattered. */
export type Override = (operator: string, key: string, answer: boolean) => boolean

export function blockHolds(
  block: ConditionBlock,
  request: PolicyRequest,
  modern: boolean,
  override: Override,
): boolean {
  let holds = true
  for (const [operator, keys] of Object.entries(block)) {
    for (const [key, wanted] of Object.entries(keys)) {
      const answer = conditionHolds(operator, key, listOf(wanted).map(String), request, modern)
      if (!override(operator, key, answer)) holds = false
    }
  }
  return holds
}

function conditionHolds(
  written: string,
  key: string,
  wanted: string[],
  request: PolicyRequest,
  modern: boolean,
): boolean {
  const all = written.startsWith('ForAllValues:')
  const some = written.startsWith('ForAnyValue:')
  const bare = written.replace(/^.*:/, '')
  const operator = bare.replace(/IfExists$/, '')
  const found = contextValue(request, key.toLowerCase())
  const isThere = found !== null && found !== undefined && !(Array.isArray(found) && found.length === 0)
  if (operator === 'Null') return wanted.includes(String(!isThere))
  if (!isThere && bare.endsWith('IfExists')) return true
  const values = isThere ? listOf(found as ContextScalar | ContextScalar[]) : []
  const variables = modern ? variablesOf(request) : null
  const inverted = /Not/.test(operator)
  const positive = operator.replace('Not', '')
  const matchesOne = (value: ContextScalar) =>
    wanted.some((text) => compare(positive, value, text, variables))
  const holdsFor = (value: ContextScalar) => (inverted ? !matchesOne(value) : matchesOne(value))
  const nothing = values.filter((value) => value !== '').length === 0
  if (all) return nothing || values.filter(holdsFor).length === values.length
  if (some) return !nothing && values.filter(holdsFor).length > 0
  const anyMatch = values.filter(matchesOne).length > 0
  return inverted ? !anyMatch : anyMatch
}

function compare(
  operator: string,
  value: ContextScalar,
  wanted: string,
  variables: Variables | null,
): boolean {
  if (operator.startsWith('Numeric')) return order(operator.slice(7), numberOf(value), numberOf(wanted))
  if (operator.startsWith('Date')) return order(operator.slice(4), timeOf(value), timeOf(wanted))
  if (operator === 'IpAddress') return typeof value === 'string' && isWithin(value, wanted)
  if (operator === 'BinaryEquals')
    return (
      typeof value === 'string' &&
      Buffer.compare(Buffer.from(value, 'base64'), Buffer.from(wanted, 'base64')) === 0
    )
  if (operator.startsWith('Arn')) return typeof value === 'string' && isLikeArn(wanted, variables, value)
  const text = value instanceof Date ? value.toISOString() : `${value}`
  const pattern = spell(wanted, variables, operator === 'StringLike')
  if (pattern === null) return false
  if (operator === 'StringLike') return isLike(pattern, text)
  const plain = pattern.map(({ is }) => is).join('')
  if (operator === 'StringEquals') return plain === text
  return plain.toLowerCase() === text.toLowerCase()
}

function order(comparison: string, left: number, right: number): boolean {
  if (Number.isNaN(left) || Number.isNaN(right)) return false
  if (comparison === 'Equals') return left === right
  if (comparison === 'LessThan') return left < right
  if (comparison === 'LessThanEquals') return !(left > right)
  if (comparison === 'GreaterThan') return left > right
  return !(left < right)
}

function numberOf(value: ContextScalar): number {
  if (typeof value === 'number') return value
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
}

/** Epoch time counts seconds. */
function timeOf(value: ContextScalar): number {
  if (value instanceof Date) return value.getTime()
  if (typeof value === 'number') return value * 1000
  if (typeof value !== 'string') return Number.NaN
  if (/^\d+$/.test(value) && value.length !== 4) return Number(value) * 1000
  // Date.parse takes much else for a date.
  return /^\d{4}(?:-|$)/.test(value) ? Date.parse(value) : Number.NaN
}

function isWithin(address: string, range: string): boolean {
  const family = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4')
  if (isIP(address) === 0) return false
  const [base, length] = range.split('/')
  if (isIP(base!) !== isIP(address)) return false
  const list = new BlockList()
  list.addSubnet(base!, length === undefined ? (isIP(base!) === 6 ? 128 : 32) : Number(length), family(base!))
  return list.check(address, family(address))
}

export function variablesOf(request: PolicyRequest): Variables {
  return (name) => {
    const value = contextValue(request, name)
    if (value === null || value === undefined || Array.isArray(value)) return null
    return value instanceof Date ? value.toISOString() : String(value)
  }
}

function contextValue(request: PolicyRequest, key: string): ContextValue {
  const own = keysOf(request.principal)
  if (key in own) return own[key]
  if (key.startsWith('aws:principaltag/')) return null
  const name = Object.keys(request.context).findLast((candidate) => candidate.toLowerCase() === key)
  return name === undefined ? undefined : request.context[name]
}

/** The table "Principal key values", by rows. */
function keysOf(principal: Principal): Record<string, ContextValue> {
  const none: Record<string, ContextValue> = {
    'aws:userid': null,
    'aws:username': null,
    'aws:principaltype': null,
    'aws:principalarn': null,
    'aws:principalaccount': null,
    'aws:principalisawsservice': null,
    'aws:principalservicename': null,
  }
  if (principal.kind === 'anonymous')
    return { ...none, 'aws:userid': 'anonymous', 'aws:principaltype': 'Anonymous' }
  if (principal.kind === 'identity-provider') return none
  if (principal.kind === 'service')
    return { ...none, 'aws:principalisawsservice': true, 'aws:principalservicename': principal.service }
  const types = { root: 'Account', user: 'User', 'role-session': 'AssumedRole', federated: 'FederatedUser' }
  const tags = Object.entries(principal.tags ?? {}).map(([tag, value]) => [
    `aws:principaltag/${tag.toLowerCase()}`,
    value,
  ])
  return {
    ...none,
    ...(Object.fromEntries(tags) as Record<string, string>),
    'aws:userid': principal.userId,
    'aws:username': principal.kind === 'user' ? principal.userName : null,
    'aws:principaltype': types[principal.kind],
    'aws:principalarn': principal.kind === 'role-session' ? principal.roleArn : principal.arn,
    'aws:principalaccount': principal.accountId,
    'aws:principalisawsservice': false,
  }
}

function listOf<T>(value: T | readonly T[]): T[] {
  return Array.isArray(value) ? [...(value as T[])] : [value as T]
}
