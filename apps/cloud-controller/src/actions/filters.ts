import { filterLimitExceeded, invalidFilter } from '@mallee/ec2-api'

export interface Filter {
  Name?: string | undefined
  Values?: string[] | undefined
}

/** The values that a thing has under each filter name; several values mean "any of them". */
export type FilterFields<T> = Readonly<
  Record<string, (thing: T) => readonly (string | number | boolean | null | undefined)[]>
>

/** What an action's `filters` says: the names above, and those of tags where the things have them. */
export function filterNames(fields: FilterFields<never>, options: { tagged: boolean }): string[] {
  return [...Object.keys(fields), ...(options.tagged ? ['tag-key', 'tag-value', 'tag:KEY'] : [])]
}

/**
 * `Filter.N` as EC2 documents it: every filter must match, by any of its values; `*` and `?` are wildcards, a backslash
 * makes them plain; values are case-sensitive. An unknown name is refused. Tags come as `tag:KEY`, `tag-key`, `tag-value`.
 */
export function applyFilters<T>(
  things: readonly T[],
  filters: readonly Filter[] | undefined,
  fields: FilterFields<T>,
  tagsOf?: (thing: T) => readonly { Key: string; Value: string }[],
): T[] {
  if (!filters || filters.length === 0) return [...things]
  if (filters.reduce((sum, filter) => sum + (filter.Values?.length ?? 0), 0) > mostValues)
    throw filterLimitExceeded(mostValues)
  const tests = filters.map((filter) => {
    const name = filter.Name ?? ''
    const read = readerOf(name, fields, tagsOf)
    if (!read) throw invalidFilter(name)
    const patterns = (filter.Values ?? []).map(tokensOf)
    return (thing: T) =>
      read(thing).some((value) => patterns.some((pattern) => matches(pattern, String(value))))
  })
  return things.filter((thing) => tests.every((test) => test(thing)))
}

function readerOf<T>(
  name: string,
  fields: FilterFields<T>,
  tagsOf: ((thing: T) => readonly { Key: string; Value: string }[]) | undefined,
): ((thing: T) => readonly unknown[]) | null {
  if (Object.hasOwn(fields, name)) {
    const read = fields[name]!
    return (thing) => read(thing).filter((value) => value !== null && value !== undefined)
  }
  if (!tagsOf) return null
  if (name === 'tag-key') return (thing) => tagsOf(thing).map((tag) => tag.Key)
  if (name === 'tag-value') return (thing) => tagsOf(thing).map((tag) => tag.Value)
  if (!name.startsWith('tag:')) return null
  const key = name.slice(4)
  return (thing) =>
    tagsOf(thing)
      .filter((tag) => tag.Key === key)
      .map((tag) => tag.Value)
}

/** Filter values that one request may have, as on AWS. */
const mostValues = 200

type Token = { readonly any: 'one' | 'many' } | { readonly char: string }

/** `*` and `?` are wildcards, a backslash before one of them makes it plain. */
function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = []
  for (let index = 0; index < pattern.length; index += 1) {
    const char = pattern[index]!
    const next = pattern[index + 1]
    if (char === '\\' && next !== undefined) {
      tokens.push({ char: next })
      index += 1
    } else if (char === '*') tokens.push({ any: 'many' })
    else if (char === '?') tokens.push({ any: 'one' })
    else tokens.push({ char })
  }
  return tokens
}

/**
 * Whether a text matches: in time that grows with both lengths and never with more, since it goes back to the last `*`
 * only. (A regular expression of the same pattern tries every way to share the text between its stars.)
 */
function matches(tokens: readonly Token[], text: string): boolean {
  let token = 0
  let at = 0
  let star = -1
  let starAt = 0
  while (at < text.length) {
    const wanted = tokens[token]
    if (wanted && 'any' in wanted && wanted.any === 'many') {
      star = token
      starAt = at
      token += 1
    } else if (wanted && ('any' in wanted || wanted.char === text[at])) {
      token += 1
      at += 1
    } else if (star >= 0) {
      starAt += 1
      at = starAt
      token = star + 1
    } else return false
  }
  return tokens.slice(token).every((rest) => 'any' in rest && rest.any === 'many')
}
