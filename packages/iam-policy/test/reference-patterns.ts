/**
 * Wildcards and variables a second time, slowly and from AWS's prose alone: nothing of src but its types. A pattern is
 * spelled out character by character, and matched by asking of each rest of it and of the text whether they match.
 */
export interface Character {
  readonly is: string
  /** `*` and `?` that were written as wildcards. */
  readonly wild: boolean
}

export type Variables = (name: string) => string | null

/** Null: a variable has no value, and what has none is like nothing. */
export function spell(text: string, variables: Variables | null, wildcards: boolean): Character[] | null {
  const characters: Character[] = []
  let rest = text
  while (rest !== '') {
    if (variables !== null && rest.startsWith('${')) {
      const inside = upToBrace(rest.slice(2))
      rest = rest.slice(inside.length + 3)
      const value = valueOf(inside, variables)
      if (value === null) return null
      for (const is of value) characters.push({ is, wild: false })
      continue
    }
    const is = String.fromCodePoint(rest.codePointAt(0)!)
    rest = rest.slice(is.length)
    characters.push({ is, wild: wildcards && (is === '*' || is === '?') })
  }
  return characters
}

function upToBrace(text: string): string {
  let inQuotes = false
  let inside = ''
  for (const character of text) {
    if (character === '}' && !inQuotes) return inside
    if (character === "'") inQuotes = !inQuotes
    inside += character
  }
  throw new Error(`no end of a variable: ${text}`)
}

function valueOf(inside: string, variables: Variables): string | null {
  if (['*', '?', '$'].includes(inside)) return inside
  const quoted = /^(.*?)\s*,\s*'(.*)'$/.exec(inside)
  const value = variables((quoted ? quoted[1]! : inside).trim().toLowerCase())
  return value ?? (quoted ? quoted[2]! : null)
}

/** Whether a wildcard at this place of the pattern may stand for this character. */
type May = (place: number, character: string) => boolean

export function isLike(pattern: readonly Character[], text: string, may: May = () => true): boolean {
  const characters = [...text]
  const known = new Map<number, boolean>()
  const ask = (place: number, at: number): boolean => {
    const name = place * (characters.length + 1) + at
    const before = known.get(name)
    if (before !== undefined) return before
    const answer = matches(place, at)
    known.set(name, answer)
    return answer
  }
  const matches = (place: number, at: number): boolean => {
    if (place === pattern.length) return at === characters.length
    const { is, wild } = pattern[place]!
    const next = characters[at]
    if (wild && is === '*') {
      return ask(place + 1, at) || (next !== undefined && may(place, next) && ask(place, at + 1))
    }
    if (next === undefined) return false
    return (wild ? may(place, next) : is === next) && ask(place + 1, at + 1)
  }
  return ask(0, 0)
}

/** In a resource a star takes colons only where a part of the ARN ends with it, or in the last part. */
export function isLikeResource(pattern: readonly Character[], text: string): boolean {
  const colonsBefore = (place: number) =>
    pattern.slice(0, place).filter(({ is, wild }) => is === ':' && !wild).length
  return isLike(pattern, text, (place, character) => {
    if (character !== ':' || colonsBefore(place) >= 5 || pattern.length === 1) return true
    const after = pattern[place + 1]
    return pattern[place]!.is === '*' && (after === undefined || (after.is === ':' && !after.wild))
  })
}

/** Six parts, each compared by itself. */
export function isLikeArn(text: string, variables: Variables | null, arn: string): boolean {
  const values = sixParts(arn)
  if (values === null) return false
  if (text === '*') return true
  const parts = sixParts(hideColons(text))!
  return parts.every((part, index) => {
    const pattern = spell(showColons(part), variables, true)
    return pattern !== null && isLike(pattern, values[index]!)
  })
}

function sixParts(arn: string): string[] | null {
  const parts = arn.split(':')
  return parts.length < 6 ? null : [...parts.slice(0, 5), parts.slice(5).join(':')]
}

/** The colon of a variable's name is none of the ARN's. */
function hideColons(text: string): string {
  return text.replaceAll(/\$\{[^}]*\}/g, (variable) => variable.replaceAll(':', '\u0001'))
}

function showColons(text: string): string {
  return text.replaceAll('\u0001', ':')
}
