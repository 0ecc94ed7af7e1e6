/**
 * JSON as policies need it, which JSON.parse cannot give: a key that is there twice is refused and not forgotten, numbers
 * keep the digits they were written with, and the depth is bounded. One pass, no backtracking.
 */
import { refuse } from './policy-syntax-error.ts'

export type Json = string | boolean | null | JsonNumber | readonly Json[] | JsonObject
/** A Map, so that no name of a key means anything. */
export type JsonObject = ReadonlyMap<string, Json>
export interface JsonNumber {
  readonly digits: string
}

const deepest = 10
const notJson = 'Policies must be valid JSON'

export function readJson(text: string): Json {
  const reader = new Reader(text)
  const value = reader.value(0)
  reader.end()
  return value
}

class Reader {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  value(depth: number): Json {
    if (depth > deepest) refuse('The policy is nested too deeply')
    this.skipSpace()
    const first = this.text[this.at]
    if (first === '{') return this.object(depth)
    if (first === '[') return this.array(depth)
    if (first === '"') return this.string()
    for (const [word, value] of words) {
      if (!this.text.startsWith(word, this.at)) continue
      this.at += word.length
      return value
    }
    return this.number()
  }

  end(): void {
    this.skipSpace()
    if (this.at < this.text.length) refuse(notJson)
  }

  private object(depth: number): JsonObject {
    const entries = new Map<string, Json>()
    this.at += 1
    if (this.takes('}')) return entries
    for (;;) {
      this.skipSpace()
      if (this.text[this.at] !== '"') refuse(notJson)
      const key = this.string()
      if (entries.has(key)) refuse('Duplicate field', key)
      if (!this.takes(':')) refuse(notJson)
      entries.set(key, this.value(depth + 1))
      if (this.takes('}')) return entries
      if (!this.takes(',')) refuse(notJson)
    }
  }

  private array(depth: number): Json[] {
    const items: Json[] = []
    this.at += 1
    if (this.takes(']')) return items
    for (;;) {
      items.push(this.value(depth + 1))
      if (this.takes(']')) return items
      if (!this.takes(',')) refuse(notJson)
    }
  }

  private string(): string {
    const began = this.at
    for (this.at += 1; this.text[this.at] !== '"'; this.at += 1) {
      if (this.at >= this.text.length) refuse(notJson)
      if (this.text[this.at] === '\\') this.at += 1
    }
    this.at += 1
    return parsed(this.text.slice(began, this.at)) as string
  }

  private number(): JsonNumber {
    const began = this.at
    while (this.at < this.text.length && '+-.0123456789Ee'.includes(this.text[this.at]!)) this.at += 1
    const digits = this.text.slice(began, this.at)
    if (digits.length > 100) refuse(notJson)
    parsed(digits)
    return { digits }
  }

  /** Passes over white space and this character, if it is next. */
  private takes(character: string): boolean {
    this.skipSpace()
    if (this.text[this.at] !== character) return false
    this.at += 1
    return true
  }

  private skipSpace(): void {
    while (this.at < this.text.length && ' \t\r\n'.includes(this.text[this.at]!)) this.at += 1
  }
}

const words: readonly (readonly [string, boolean | null])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
]

function parsed(token: string): unknown {
  try {
    return JSON.parse(token)
  } catch {
    refuse(notJson)
  }
}
