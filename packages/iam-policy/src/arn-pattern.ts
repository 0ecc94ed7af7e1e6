/**
 * ARNs by their parts. The condition operators for ARNs check each of the six parts by itself; in a Resource a star stays
 * within its part too, but where it is the part's last character it runs on beyond the colon. Cut before variables are
 * replaced: no value can move a colon.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
 */
import { compileGlob, type Matcher } from './glob.ts'
import { resolvePattern, type Lookup, type Pattern, type Token } from './pattern.ts'

const partsOfArn = 6

/** The parts of an ARN: the last keeps its colons. Null where there are fewer than six. */
export function splitArn(arn: string): readonly string[] | null {
  const parts: string[] = []
  let from = 0
  while (parts.length < partsOfArn - 1) {
    const colon = arn.indexOf(':', from)
    if (colon < 0) return null
    parts.push(arn.slice(from, colon))
    from = colon + 1
  }
  parts.push(arn.slice(from))
  return parts
}

/** The parts of a pattern, as many as it has, at most six. */
export function splitArnPattern(pattern: Pattern): readonly Pattern[] {
  const parts: Token[][] = [[]]
  for (const token of pattern.tokens) {
    if (token.kind !== 'text') {
      parts.at(-1)!.push(token)
      continue
    }
    let rest = token.text
    while (parts.length < partsOfArn && rest.includes(':')) {
      const colon = rest.indexOf(':')
      if (colon > 0) parts.at(-1)!.push({ kind: 'text', text: rest.slice(0, colon) })
      parts.push([])
      rest = rest.slice(colon + 1)
    }
    if (rest !== '') parts.at(-1)!.push({ kind: 'text', text: rest })
  }
  return parts.map((tokens) => ({
    source: pattern.source,
    tokens,
    hasVariables: tokens.some((token) => token.kind === 'variable'),
    hasWildcards: tokens.some((token) => token.kind === 'any' || token.kind === 'one'),
  }))
}

export type BoundMatcher = (text: string, lookup: Lookup) => boolean

/** For ArnEquals and ArnLike, which are one. `*` alone is like every ARN. */
export function compileArnLike(pattern: Pattern): BoundMatcher {
  if (pattern.source === '*') return (text) => splitArn(text) !== null
  const parts = splitArnPattern(pattern)
  const matchers = parts.map((part) => bound(part, compileGlob))
  return (text, lookup) => {
    const values = splitArn(text)
    return values !== null && matchers.every((matches, index) => matches(values[index]!, lookup))
  }
}

/** For Resource and NotResource. */
export function compileResource(pattern: Pattern): BoundMatcher {
  if (pattern.source === '*') return () => true
  const parts = splitArnPattern(pattern)
  const wildBefore = parts.slice(0, partsOfArn - 1).some((part) => part.hasWildcards)
  return bound(pattern, wildBefore ? compileBySegments : compileGlob)
}

/** The patterns that are compiled once, and those that need the request's variables. */
function bound(pattern: Pattern, compile: (tokens: readonly Token[]) => Matcher): BoundMatcher {
  if (!pattern.hasVariables) return compile(pattern.tokens)
  return (text, lookup) => {
    const tokens = resolvePattern(pattern, lookup)
    return tokens !== null && compile(tokens)(text)
  }
}

interface Step {
  readonly kind: 'text' | 'one' | 'any'
  readonly character: string
  /** Whether a wildcard may take a colon. */
  readonly crosses: boolean
}

/**
 * Wildcards before the fifth colon. Where each of them may run on beyond a colon, which is how ARNs are mostly written,
 * they are like any; else what is not like it if they could is not like it, and for the rest all places that the
 * pattern can have reached are kept, one row for each step.
 */
function compileBySegments(tokens: readonly Token[]): Matcher {
  const steps: Step[] = []
  let colons = 0
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'text') {
      for (const character of token.text) {
        if (character === ':') colons += 1
        steps.push({ kind: 'text', character, crosses: false })
      }
    } else if (token.kind !== 'variable') {
      const next = tokens[index + 1]
      const endsPart = next === undefined || (next.kind === 'text' && next.text.startsWith(':'))
      const crosses = colons >= partsOfArn - 1 || (token.kind === 'any' && endsPart)
      steps.push({ kind: token.kind, character: '', crosses })
    }
  }
  const unbounded = compileGlob(tokens)
  if (steps.every((step) => step.kind === 'text' || step.crosses)) return unbounded
  return (text) => {
    if (!unbounded(text)) return false
    const characters = Array.from(text)
    let reached: boolean[] = Array.from({ length: characters.length + 1 }, (_none, at) => at === 0)
    for (const step of steps) reached = advance(reached, characters, step)
    return reached[characters.length]!
  }
}

function advance(reached: readonly boolean[], characters: readonly string[], step: Step): boolean[] {
  const next: boolean[] = [step.kind === 'any' && reached[0]!]
  for (const [at, character] of characters.entries()) {
    const takes = step.kind === 'text' ? character === step.character : step.crosses || character !== ':'
    if (step.kind === 'any') next.push(reached[at + 1]! || (next[at]! && takes))
    else next.push(reached[at]! && takes)
  }
  return next
}
