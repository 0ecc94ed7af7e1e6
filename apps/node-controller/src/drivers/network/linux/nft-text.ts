/** Pieces of nft's language. 1.0.6 wants a line's end before a closing brace. */
export function block(head: string, lines: readonly string[]): string[] {
  return [`${head} {`, ...lines.map((line) => `  ${line}`), '}']
}

/** A set or map with its elements; `kind` is what stands before the name. */
export function collection(
  kind: 'set' | 'map',
  name: string,
  type: string,
  elements: readonly string[],
): string[] {
  return block(`${kind} ${name}`, [
    type,
    ...(elements.length === 0 ? [] : [`elements = { ${elements.join(', ')}`, '}']),
  ])
}

export function chain(name: string, lines: readonly string[]): string[] {
  return block(`chain ${name}`, lines)
}

/** Replaces a table in the transaction that this text is part of, whether there was one or not. */
export function replacedTable(family: string, name: string, lines: readonly string[]): string[] {
  return [
    `table ${family} ${name}`,
    `delete table ${family} ${name}`,
    ...block(`table ${family} ${name}`, lines),
  ]
}
