/** Where in the text of a policy its statements stand. */
export interface Position {
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
}

export interface StatementPosition {
  readonly start: Position
  /** Of the character after its last. */
  readonly end: Position
}

/** By the index of the statement; of a text that parsePolicy has read, which is whole. */
export function statementPositions(text: string): StatementPosition[] {
  const found: StatementPosition[] = []
  const open: string[] = []
  let key = ''
  let start = 0
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!
    if (character === '"') {
      const end = endOfString(text, at)
      if (open.length === 1 && /^\s*:/.test(text.slice(end, end + 50))) key = text.slice(at + 1, end - 1)
      at = end - 1
    } else if (character === '{' || character === '[') {
      if (character === '{' && isPlaceOfStatement(open, key)) start = at
      open.push(character)
    } else if (character === '}' || character === ']') {
      open.pop()
      if (character === '}' && isPlaceOfStatement(open, key))
        found.push({ start: positionAt(text, start), end: positionAt(text, at + 1) })
    }
  }
  return found
}

/** In the list, or alone in its place. */
const isPlaceOfStatement = (open: readonly string[], key: string): boolean =>
  key === 'Statement' && (open.join('') === '{[' || open.join('') === '{')

function endOfString(text: string, from: number): number {
  let at = from + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}
