import { describe, expect, it } from 'vitest'
import { endOfPrefix, walkKeys, type KeyCursor } from './walk-keys.ts'

const bytes = (text: string) => Buffer.from(text, 'utf8')
const order = (a: string, b: string) => Buffer.compare(bytes(a), bytes(b))

function scanOf(keys: readonly string[], seen: { rows: number }) {
  const sorted = keys.toSorted(order)
  return (prefix: string) => async (cursor: KeyCursor, limit: number) => {
    const found = sorted
      .filter((key) => key.startsWith(prefix))
      .filter((key) => (cursor.inclusive ? order(key, cursor.key) >= 0 : order(key, cursor.key) > 0))
      .slice(0, limit)
      .map((key) => ({ key, id: key }))
    seen.rows += found.length
    return found
  }
}

async function allPages(keys: string[], prefix: string, delimiter: string, limit: number) {
  const scan = scanOf(keys, { rows: 0 })(prefix)
  const pages: string[][] = []
  let after = { key: '' }
  for (;;) {
    const page = await walkKeys({ scan, prefix, delimiter, after, limit })
    pages.push([...page.rows.map((row) => row.key), ...page.commonPrefixes].toSorted(order))
    if (!page.next) return pages
    after = { key: page.next.key }
  }
}

const naive = (keys: string[], prefix: string, delimiter: string) => {
  const folded = keys
    .filter((key) => key.startsWith(prefix))
    .map((key) => {
      const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      return at < 0 ? key : key.slice(0, at + delimiter.length)
    })
  return [...new Set(folded)].toSorted(order)
}

describe('walkKeys', () => {
  const keys = [
    'a',
    'a/1',
    'a/2',
    'a0',
    'b/',
    'b/x/y',
    'b/z',
    'ü/1',
    'ü/2',
    '𐍈/1',
    '\uffff/1',
    '\uffff',
    'z',
    'zz/',
  ]

  it('shows every key once, in pages of every size, with and without folding', async () => {
    for (const prefix of ['', 'a', 'a/', 'b/', 'ü', 'none']) {
      for (const delimiter of ['', '/', '1', 'zz']) {
        for (let limit = 1; limit <= keys.length + 1; limit += 1) {
          const pages = await allPages(keys, prefix, delimiter, limit)
          expect(pages.flat(), `${prefix} ${delimiter} ${limit}`).toEqual(naive(keys, prefix, delimiter))
          expect(pages.slice(0, -1).every((page) => page.length === limit)).toBe(true)
          if (pages.length > 1) expect(pages.at(-1)?.length).toBeGreaterThan(0)
        }
      }
    }
  })

  it('jumps over what it folds', async () => {
    const many = Array.from({ length: 5000 }, (_value, index) => `big/${String(index).padStart(5, '0')}`)
    const seen = { rows: 0 }
    const scan = scanOf([...many, 'small/1', 'zebra'], seen)('')
    const page = await walkKeys({ scan, prefix: '', delimiter: '/', after: { key: '' }, limit: 1000 })
    expect(page).toMatchObject({ commonPrefixes: ['big/', 'small/'], next: null })
    expect(page.rows.map((row) => row.key)).toEqual(['zebra'])
    expect(seen.rows).toBeLessThan(500)
  })

  it('gives an end to every prefix that has one', () => {
    expect(endOfPrefix('')).toBe(null)
    expect(endOfPrefix('a')).toBe('b')
    expect(endOfPrefix('\u{10ffff}')).toBe(null)
    expect(endOfPrefix('a\u{10ffff}')).toBe('b')
    expect(endOfPrefix('\ud7ff')).toBe('\ue000')
  })
})
