/**
 * One page of a listing with prefix and delimiter. Rows come in ranges that begin where the last one ended, and a group
 * that the delimiter folds into one common prefix is jumped over: a page costs what it shows, however large the bucket.
 */
export interface KeyCursor {
  readonly key: string
  readonly inclusive: boolean
  /** Among rows of the same key, those after this one. */
  readonly id?: string
}

export interface Page<Row> {
  readonly rows: Row[]
  readonly commonPrefixes: string[]
  /** Where the next page begins; null at the end. A common prefix counts as a key. */
  readonly next: { readonly key: string; readonly id: string | undefined } | null
}

const batchWithDelimiter = 128

export async function walkKeys<Row extends { key: string; id: string }>(options: {
  scan: (cursor: KeyCursor, limit: number) => Promise<Row[]>
  prefix: string
  delimiter: string
  /** Everything up to this key (or common prefix) was shown before; empty for the beginning. */
  after: { key: string; id?: string }
  limit: number
}): Promise<Page<Row>> {
  const { prefix, delimiter, limit } = options
  const rows: Row[] = []
  const commonPrefixes: string[] = []
  if (limit === 0) return { rows, commonPrefixes, next: null }
  let last: { key: string; id: string | undefined } = { key: '', id: undefined }
  let folded: string | null = null
  let cursor = startCursor(options)
  while (cursor !== null) {
    const left = limit - rows.length - commonPrefixes.length
    const batch: number = delimiter === '' ? left + 1 : Math.min(left + 1, batchWithDelimiter)
    const found: Row[] = await options.scan(cursor, batch)
    for (const row of found) {
      if (folded !== null && row.key.startsWith(folded)) continue
      if (rows.length + commonPrefixes.length === limit) return { rows, commonPrefixes, next: last }
      folded = commonPrefixOf(row.key, prefix, delimiter)
      if (folded === null) rows.push(row)
      else commonPrefixes.push(folded)
      last = folded === null ? { key: row.key, id: row.id } : { key: folded, id: undefined }
    }
    const end = found.at(-1)
    if (found.length < batch || end === undefined) break
    cursor =
      folded !== null && end.key.startsWith(folded)
        ? fromEndOf(folded)
        : { key: end.key, id: end.id, inclusive: false }
  }
  return { rows, commonPrefixes, next: null }
}

function startCursor(options: {
  prefix: string
  delimiter: string
  after: { key: string; id?: string }
}): KeyCursor | null {
  const { after, prefix, delimiter } = options
  if (after.key !== '' && commonPrefixOf(after.key, prefix, delimiter) === after.key)
    return fromEndOf(after.key)
  return { ...after, inclusive: false }
}

function fromEndOf(prefix: string): KeyCursor | null {
  const end = endOfPrefix(prefix)
  return end === null ? null : { key: end, inclusive: true }
}

/** One lower bound out of two: given both, SQLite may walk the range from the wrong one. */
export function lowerBound(prefix: string, cursor: KeyCursor): KeyCursor {
  const before = Buffer.compare(Buffer.from(cursor.key, 'utf8'), Buffer.from(prefix, 'utf8')) < 0
  return before ? { key: prefix, inclusive: true } : cursor
}

function commonPrefixOf(key: string, prefix: string, delimiter: string): string | null {
  if (delimiter === '' || !key.startsWith(prefix)) return null
  const at = key.indexOf(delimiter, prefix.length)
  return at < 0 ? null : key.slice(0, at + delimiter.length)
}

/** The first key, in the order of UTF-8, that is after all with this prefix; null where every key may be. */
export function endOfPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue
    const next = last === 0xd7ff ? 0xe000 : last + 1
    return String.fromCodePoint(...points, next)
  }
  return null
}
