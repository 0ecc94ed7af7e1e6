/** Every short pattern against every short text. */
import { expect, test } from 'vitest'
import { compileResource } from '../src/arn-pattern.ts'
import { compileGlob } from '../src/glob.ts'
import { parsePattern } from '../src/pattern.ts'
import { isLike, isLikeResource, spell } from './reference-patterns.ts'

const rules = { wildcards: true, variables: true }

function words(alphabet: readonly string[], longest: number): string[] {
  let last = ['']
  const all = ['']
  for (let length = 1; length <= longest; length += 1) {
    last = last.flatMap((word) => alphabet.map((letter) => word + letter))
    all.push(...last)
  }
  return all
}

test('stars and question marks', () => {
  const texts = words(['a', 'b'], 5)
  const wrong: string[] = []
  for (const pattern of words(['a', 'b', '*', '?'], 5)) {
    const matches = compileGlob(parsePattern(pattern, rules).tokens)
    const spelled = spell(pattern, null, true)!
    for (const text of texts) if (matches(text) !== isLike(spelled, text)) wrong.push(`${pattern} ${text}`)
  }
  expect(wrong).toEqual([])
})

test('stars, question marks and the colons of an ARN', () => {
  const start = 'arn:aws:x:'
  const texts = words(['a', ':'], 5)
  const wrong: string[] = []
  for (const pattern of words(['a', ':', '*', '?'], 5)) {
    const matches = compileResource(parsePattern(start + pattern, rules))
    const spelled = spell(start + pattern, null, true)!
    for (const text of texts)
      if (matches(start + text, () => null) !== isLikeResource(spelled, start + text))
        wrong.push(`${pattern} ${text}`)
  }
  expect(wrong).toEqual([])
})

test('a question mark is one character, whatever it takes to write it', () => {
  const like = (pattern: string, text: string) => compileGlob(parsePattern(pattern, rules).tokens)(text)
  expect(like('?', '\u{1F600}')).toBe(true)
  expect(like('??', '\u{1F600}')).toBe(false)
  expect(like('*?', '')).toBe(false)
})
