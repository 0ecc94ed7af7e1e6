/**
 * Text of a policy in which `*`, `?` and `${variables}` mean something, cut into tokens once. What a variable stands for is
 * text and never a wildcard: whoever chooses a name of a user or a prefix cannot widen a policy by it.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
 */
import { refuse } from './policy-syntax-error.ts'

export interface Pattern {
  /** As written. */
  readonly source: string
  readonly tokens: readonly Token[]
  readonly hasVariables: boolean
  readonly hasWildcards: boolean
}

export type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'one' }
  | { readonly kind: 'variable'; readonly key: string; readonly fallback: string | null }

export interface PatternRules {
  /** `*` and `?` match; otherwise they are themselves. */
  readonly wildcards: boolean
  /** 2012-10-17. */
  readonly variables: boolean
}

const any: Token = { kind: 'any' }
const one: Token = { kind: 'one' }

export function parsePattern(source: string, rules: PatternRules): Pattern {
  const tokens: Token[] = []
  let text = ''
  const push = (token: Token) => {
    if (text !== '') tokens.push({ kind: 'text', text })
    text = ''
    if (token !== any || tokens.at(-1) !== any) tokens.push(token)
  }
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at]!
    if (rules.wildcards && character === '*') push(any)
    else if (rules.wildcards && character === '?') push(one)
    else if (rules.variables && character === '$' && source[at + 1] === '{') {
      const end = endOfVariable(source, at + 2)
      const inside = source.slice(at + 2, end)
      if (inside === '*' || inside === '?' || inside === '$') text += inside
      else push(parseVariable(inside))
      at = end
    } else text += character
  }
  if (text !== '') tokens.push({ kind: 'text', text })
  return {
    source,
    tokens,
    hasVariables: tokens.some((token) => token.kind === 'variable'),
    hasWildcards: tokens.some((token) => token.kind === 'any' || token.kind === 'one'),
  }
}

/** A brace within a quoted default does not end the variable. */
function endOfVariable(source: string, from: number): number {
  let quoted = false
  for (let at = from; at < source.length; at += 1) {
    if (source[at] === "'") quoted = !quoted
    else if (source[at] === '}' && !quoted) return at
  }
  refuse('Policy has an invalid variable', source.slice(from - 2))
}

/** `key`, or `key, 'default'`. */
function parseVariable(inside: string): Token {
  const comma = inside.indexOf(',')
  const key = (comma < 0 ? inside : inside.slice(0, comma)).trim()
  if (!isContextKey(key)) refuse('Policy has an invalid variable', inside)
  if (comma < 0) return { kind: 'variable', key: key.toLowerCase(), fallback: null }
  const quoted = inside.slice(comma + 1).trim()
  const fallback = quoted.slice(1, -1)
  if (quoted.length < 2 || !quoted.startsWith("'") || !quoted.endsWith("'") || fallback.includes("'"))
    refuse('Policy has an invalid variable', inside)
  return { kind: 'variable', key: key.toLowerCase(), fallback }
}

/** A vendor (`aws`, `s3`, `accounts.example.com`), a colon and a name, which for tags holds the tag's key. */
export function isContextKey(key: string): boolean {
  const colon = key.indexOf(':')
  if (colon < 1 || colon === key.length - 1 || key.length > 512) return false
  return /^[A-Za-z0-9][\w./-]*$/.test(key.slice(0, colon)) && !/[*?${}',]/.test(key)
}

/** What a variable stands for in a request; null where nothing. */
export type Lookup = (key: string) => string | null

/** The tokens with each variable replaced by its text; null once one has no value: such a pattern is like nothing. */
export function resolvePattern(pattern: Pattern, lookup: Lookup): readonly Token[] | null {
  if (!pattern.hasVariables) return pattern.tokens
  const resolved: Token[] = []
  for (const token of pattern.tokens) {
    if (token.kind !== 'variable') {
      resolved.push(token)
      continue
    }
    const text = lookup(token.key) ?? token.fallback
    if (text === null) return null
    if (text !== '') resolved.push({ kind: 'text', text })
  }
  return resolved
}

/** The text of tokens that hold no wildcard. */
export function textOf(tokens: readonly Token[]): string {
  return tokens.map((token) => (token.kind === 'text' ? token.text : '')).join('')
}
