/** The Condition element: `{ operator: { key: value or values } }`, all of which must hold. */
import { operators } from './operators.ts'
import { isContextKey, parsePattern, type Pattern } from './pattern.ts'
import { refuse } from './policy-syntax-error.ts'
import type { Condition, OperatorName, Policy } from './policy.ts'
import type { Json } from './read-json.ts'

const sets = ['ForAllValues', 'ForAnyValue'] as const
const suffix = 'IfExists'

export function parseConditions(element: Json | undefined, version: Policy['version']): Condition[] {
  if (element === undefined) return []
  if (!(element instanceof Map)) refuse('Invalid policy syntax: Condition is no object')
  const conditions: Condition[] = []
  for (const [name, keys] of element as ReadonlyMap<string, Json>) {
    const operator = parseOperator(name)
    if (!(keys instanceof Map) || keys.size === 0) refuse('Condition must name a key', name)
    for (const [key, values] of keys as ReadonlyMap<string, Json>) {
      if (!isContextKey(key)) refuse('Policy has an invalid condition key', key)
      conditions.push({ ...operator, key, values: parseValues(operator.operator, values, version) })
    }
  }
  return conditions
}

/** `ForAllValues:StringLikeIfExists` in its parts. */
function parseOperator(name: string): Pick<Condition, 'operator' | 'set' | 'ifExists'> {
  const set = sets.find((candidate) => name.startsWith(`${candidate}:`)) ?? null
  const rest = set ? name.slice(set.length + 1) : name
  const ifExists = rest.endsWith(suffix)
  const operator = ifExists ? rest.slice(0, -suffix.length) : rest
  const isPlain = set === null && !ifExists
  if (!Object.hasOwn(operators, operator) || (operator === 'Null' && !isPlain))
    refuse('Invalid Condition type', name)
  return { operator: operator as OperatorName, set, ifExists }
}

function parseValues(name: OperatorName, element: Json, version: Policy['version']): Pattern[] {
  const operator = operators[name]
  const rules = { ...operator.rules, variables: operator.rules.variables && version === '2012-10-17' }
  const items: readonly Json[] = Array.isArray(element) ? element : [element as Json]
  if (items.length === 0) refuse('Condition has no value', name)
  return items.map((item) => {
    const source = scalar(item)
    if (source === null) refuse('Condition has a value that is no string, number or boolean', name)
    const pattern = parsePattern(source, rules)
    if (operator.compile(pattern) === null) refuse(`Policy has an invalid value for ${name}`, source)
    return pattern
  })
}

function scalar(item: Json): string | null {
  if (typeof item === 'string') return item
  if (typeof item === 'boolean') return String(item)
  return item !== null && typeof item === 'object' && 'digits' in item ? item.digits : null
}
