import type { Pattern } from './pattern.ts'
import type { Policy } from './policy.ts'

/**
 * The condition keys that a policy asks for, in its conditions and by its variables, each once and sorted: as its author
 * wrote them in conditions, in lower case where a variable alone names them.
 */
export function contextKeysOf(policies: readonly Policy[]): string[] {
  const keys = new Map<string, string>()
  const variables = (patterns: readonly Pattern[]) => {
    for (const { tokens } of patterns)
      for (const token of tokens) if (token.kind === 'variable') addKey(token.key)
  }
  const addKey = (key: string) => {
    const lower = key.toLowerCase()
    if (!keys.has(lower) || key !== lower) keys.set(lower, key)
  }
  for (const { statements } of policies)
    for (const { conditions, resources } of statements) {
      variables(resources?.patterns ?? [])
      for (const condition of conditions) {
        addKey(condition.key)
        variables(condition.values)
      }
    }
  return [...keys.values()].toSorted()
}
