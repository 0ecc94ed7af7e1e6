import { invalidFilter } from '@mallee/ec2-api'

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
  const tests = filters.map((filter) => {
    const name = filter.Name ?? ''
    const read = readerOf(name, fields, tagsOf)
    if (!read) throw invalidFilter(name)
    const patterns = (filter.Values ?? []).map(patternOf)
    return (thing: T) => read(thing).some((value) => patterns.some((pattern) => pattern.test(String(value))))
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

function patternOf(value: string): RegExp {
  const source = value.replaceAll(/\\.|[*?]|[^\\*?]+|\\/g, (part) => {
    if (part === '*') return '[^]*'
    if (part === '?') return '[^]'
    const plain = part.startsWith('\\') && part.length === 2 ? part.slice(1) : part
    return plain.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  })
  return new RegExp(`^(?:${source})$`)
}
