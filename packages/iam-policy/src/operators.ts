/**
 * The condition operators: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 * Each says how its policy values are read (null is a value that it refuses), and gives a test of one value of a request
 * against one value of the policy. A negated operator is the denial of the whole: its test is that of its counterpart.
 */
import { compileArnLike, splitArnPattern } from './arn-pattern.ts'
import { readBinary, readDate, readNumber } from './condition-values.ts'
import { scalarText } from './context.ts'
import { compileGlob } from './glob.ts'
import { rangeContains, readIpAddress, readIpRange } from './ip-range.ts'
import { resolvePattern, textOf, type Lookup, type Pattern, type PatternRules } from './pattern.ts'
import type { OperatorName } from './policy.ts'
import type { ContextScalar } from './request.ts'

export type ValueTest = (value: ContextScalar, lookup: Lookup) => boolean

export interface Operator {
  readonly negated: boolean
  /** What means something in its policy values; variables only where the policy's version has them. */
  readonly rules: PatternRules
  /** The test for one value of the policy; null where the value is none that the operator knows. */
  readonly compile: (value: Pattern) => ValueTest | null
}

const plain: PatternRules = { wildcards: false, variables: false }
const withVariables: PatternRules = { wildcards: false, variables: true }
const wild: PatternRules = { wildcards: true, variables: true }

const stringEquals = (fold: (text: string) => string) => (pattern: Pattern) => {
  if (!pattern.hasVariables) {
    const wanted = fold(textOf(pattern.tokens))
    return (value: ContextScalar) => fold(scalarText(value)) === wanted
  }
  return (value: ContextScalar, lookup: Lookup) => {
    const tokens = resolvePattern(pattern, lookup)
    return tokens !== null && fold(scalarText(value)) === fold(textOf(tokens))
  }
}

function stringLike(pattern: Pattern): ValueTest {
  if (!pattern.hasVariables) {
    const matches = compileGlob(pattern.tokens)
    return (value) => matches(scalarText(value))
  }
  return (value, lookup) => {
    const tokens = resolvePattern(pattern, lookup)
    return tokens !== null && compileGlob(tokens)(scalarText(value))
  }
}

/** Orders by what `read` gives of both sides; what cannot be read compares with nothing. */
const compared =
  (read: (value: ContextScalar) => number | null, holds: (left: number, right: number) => boolean) =>
  (pattern: Pattern): ValueTest | null => {
    const right = read(pattern.source)
    if (right === null) return null
    return (value) => {
      const left = read(value)
      return left !== null && holds(left, right)
    }
  }

function asNumber(value: ContextScalar): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  return typeof value === 'string' ? readNumber(value) : null
}

function asDate(value: ContextScalar): number | null {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.getTime()
  if (typeof value === 'number') return Number.isFinite(value) ? value * 1000 : null
  return typeof value === 'string' ? readDate(value) : null
}

function bool(pattern: Pattern): ValueTest | null {
  if (!pattern.hasVariables && !['true', 'false'].includes(pattern.source.toLowerCase())) return null
  return stringEquals((text) => text.toLowerCase())(pattern)
}

function binaryEquals(pattern: Pattern): ValueTest | null {
  const wanted = readBinary(pattern.source)
  if (wanted === null) return null
  return (value) => typeof value === 'string' && readBinary(value) === wanted
}

function ipAddress(pattern: Pattern): ValueTest | null {
  const range = readIpRange(pattern.source)
  if (range === null) return null
  return (value) => {
    const address = typeof value === 'string' ? readIpAddress(value) : null
    return address !== null && rangeContains(range, address)
  }
}

function arnLike(pattern: Pattern): ValueTest | null {
  if (pattern.source !== '*' && splitArnPattern(pattern).length < 6) return null
  const matches = compileArnLike(pattern)
  return (value, lookup) => typeof value === 'string' && matches(value, lookup)
}

/** Null is asked of the key and not of its values; see conditions.ts. */
function isNull(pattern: Pattern): ValueTest | null {
  return ['true', 'false'].includes(pattern.source.toLowerCase()) ? () => false : null
}

type Comparison = 'Equals' | 'NotEquals' | 'LessThan' | 'LessThanEquals' | 'GreaterThan' | 'GreaterThanEquals'
const comparisons: Readonly<Record<Comparison, (left: number, right: number) => boolean>> = {
  Equals: (left, right) => left === right,
  NotEquals: (left, right) => left === right,
  LessThan: (left, right) => left < right,
  LessThanEquals: (left, right) => left <= right,
  GreaterThan: (left, right) => left > right,
  GreaterThanEquals: (left, right) => left >= right,
}

function ordered(comparison: Comparison, read: (value: ContextScalar) => number | null): Operator {
  const compile = compared(read, comparisons[comparison])
  return { negated: comparison === 'NotEquals', rules: plain, compile }
}

const exact = stringEquals((text) => text)
const folded = stringEquals((text) => text.toLowerCase())

export const operators: Readonly<Record<OperatorName, Operator>> = {
  StringEquals: { negated: false, rules: withVariables, compile: exact },
  StringNotEquals: { negated: true, rules: withVariables, compile: exact },
  StringEqualsIgnoreCase: { negated: false, rules: withVariables, compile: folded },
  StringNotEqualsIgnoreCase: { negated: true, rules: withVariables, compile: folded },
  StringLike: { negated: false, rules: wild, compile: stringLike },
  StringNotLike: { negated: true, rules: wild, compile: stringLike },
  NumericEquals: ordered('Equals', asNumber),
  NumericNotEquals: ordered('NotEquals', asNumber),
  NumericLessThan: ordered('LessThan', asNumber),
  NumericLessThanEquals: ordered('LessThanEquals', asNumber),
  NumericGreaterThan: ordered('GreaterThan', asNumber),
  NumericGreaterThanEquals: ordered('GreaterThanEquals', asNumber),
  DateEquals: ordered('Equals', asDate),
  DateNotEquals: ordered('NotEquals', asDate),
  DateLessThan: ordered('LessThan', asDate),
  DateLessThanEquals: ordered('LessThanEquals', asDate),
  DateGreaterThan: ordered('GreaterThan', asDate),
  DateGreaterThanEquals: ordered('GreaterThanEquals', asDate),
  Bool: { negated: false, rules: withVariables, compile: bool },
  BinaryEquals: { negated: false, rules: plain, compile: binaryEquals },
  IpAddress: { negated: false, rules: plain, compile: ipAddress },
  NotIpAddress: { negated: true, rules: plain, compile: ipAddress },
  ArnEquals: { negated: false, rules: wild, compile: arnLike },
  ArnNotEquals: { negated: true, rules: wild, compile: arnLike },
  ArnLike: { negated: false, rules: wild, compile: arnLike },
  ArnNotLike: { negated: true, rules: wild, compile: arnLike },
  Null: { negated: false, rules: plain, compile: isNull },
}
