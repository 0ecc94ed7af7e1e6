/**
 * One condition against one request. Missing keys and many values:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
 */
import { must } from '@mallee/base'
import type { RequestContext } from './context.ts'
import { operators } from './operators.ts'
import type { Condition } from './policy.ts'
import type { ContextScalar } from './request.ts'

export type CompiledCondition = (context: RequestContext) => boolean

export function compileCondition(condition: Condition): CompiledCondition {
  const key = condition.key.toLowerCase()
  if (condition.operator === 'Null') return compileNull(condition, key)
  const { negated, compile } = operators[condition.operator]
  const tests = condition.values.map((value) => must(compile(value), 'a value that was parsed'))
  const { set, ifExists } = condition
  /** A key that is not there is equal to nothing, so that a negated operator holds. */
  const whenMissing = ifExists || (set === null ? negated : set === 'ForAllValues')
  return (context) => {
    const values = context.valuesOf(key)
    if (values === null) return whenMissing
    const matches = (value: ContextScalar) => tests.some((test) => test(value, context.variable))
    if (set === null) return values.some(matches) !== negated
    if (isNullDataSet(values)) return set === 'ForAllValues'
    const holds = (value: ContextScalar) => matches(value) !== negated
    return set === 'ForAllValues' ? values.every(holds) : values.some(holds)
  }
}

/** `true`: the key is not there. */
function compileNull(condition: Condition, key: string): CompiledCondition {
  const wanted = new Set(condition.values.map((value) => value.source.toLowerCase() === 'true'))
  return (context) => wanted.has(context.valuesOf(key) === null)
}

/** For set operators a list of nothing but empty texts holds no value. */
function isNullDataSet(values: readonly ContextScalar[]): boolean {
  return values.every((value) => value === '')
}
