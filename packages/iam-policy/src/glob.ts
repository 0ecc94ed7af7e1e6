/**
 * Wildcards without regular expressions, so that no pattern is slow: the parts between stars are looked for from left to
 * right, each at its first place, which is right because a star takes any text. At worst the lengths multiplied.
 */
import type { Token } from './pattern.ts'

export type Matcher = (text: string) => boolean

export function compileGlob(tokens: readonly Token[]): Matcher {
  if (tokens.some((token) => token.kind === 'one')) return compileByCharacters(tokens)
  const parts = ['']
  for (const token of tokens) {
    if (token.kind === 'any') parts.push('')
    else if (token.kind === 'text') parts[parts.length - 1] += token.text
  }
  const [first, last] = [parts[0]!, parts.at(-1)!]
  if (parts.length === 1) return (text) => text === first
  if (parts.length === 2)
    return last === ''
      ? (text) => text.startsWith(first)
      : (text) => text.length >= first.length + last.length && text.startsWith(first) && text.endsWith(last)
  const middle = parts.slice(1, -1)
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false
    let at = first.length
    for (const part of middle) {
      const found = text.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return at <= text.length - last.length
  }
}

const star = Symbol('any characters')
const mark = Symbol('one character')

/** With question marks: character by character, where a character is a code point. */
function compileByCharacters(tokens: readonly Token[]): Matcher {
  const wanted = tokens.flatMap((token): (string | symbol)[] => {
    if (token.kind === 'any') return [star]
    if (token.kind === 'one') return [mark]
    return token.kind === 'text' ? Array.from(token.text) : []
  })
  const least = wanted.filter((item) => item !== star).length
  return (text) => {
    const characters = Array.from(text)
    if (characters.length < least) return false
    let [at, next] = [0, 0]
    // Where the last star stands, and how far it reaches so far.
    let [lastStar, reach] = [-1, 0]
    while (at < characters.length) {
      const item = wanted[next]
      if (item === star) {
        lastStar = next
        reach = at
        next += 1
      } else if (item === mark || (item !== undefined && item === characters[at])) {
        at += 1
        next += 1
      } else if (lastStar >= 0) {
        reach += 1
        at = reach
        next = lastStar + 1
      } else return false
    }
    while (wanted[next] === star) next += 1
    return next === wanted.length
  }
}
