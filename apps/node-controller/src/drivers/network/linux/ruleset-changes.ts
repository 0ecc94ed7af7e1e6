/**
 * What leads from one rule set to another, in one transaction like the whole: chains and sets that differ are emptied
 * and filled again, new ones made, spare ones removed. A node with a hundred thousand rules takes seconds to load them,
 * and milliseconds to load the few that changed. Pure; reads the texts that `node-ruleset.ts` writes.
 */
export function rulesetChanges(before: string, now: string): string {
  const [old, wanted] = [blocksOf(before), blocksOf(now)]
  const oldTexts = textsOf(old)
  const texts = textsOf(wanted)
  const differs = (key: string) => oldTexts.get(key) !== texts.get(key)
  const both = [...texts.keys()].filter((key) => oldTexts.has(key) && differs(key))
  const gone = [...oldTexts.keys()].filter((key) => !texts.has(key))
  const filled = wanted.filter(({ key }) => differs(key))
  return [
    // All are emptied before any is removed: they may name one another.
    ...[...both, ...gone].map((key) => `flush ${key}`),
    ...filled.flatMap(({ table, lines }) => [`table ${table} {`, ...lines, '}']),
    ...gone.map((key) => `delete ${key}`),
    '',
  ].join('\n')
}

interface Block {
  /** As commands name it: `chain inet mallee bridged`. */
  readonly key: string
  /** `inet mallee`. */
  readonly table: string
  readonly lines: readonly string[]
}

/** In their order; a chain that others go to before it is filled stands there twice. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = []
  let table = ''
  let lines: string[] = []
  for (const line of text.split('\n')) {
    table = /^table (\S+ \S+) \{$/.exec(line)?.[1] ?? table
    if (!line.startsWith('  ')) continue
    lines.push(line)
    if (line !== '  }') continue
    const [kind, name] = lines[0]!.trim().split(' ')
    blocks.push({ key: `${kind} ${table} ${name}`, table, lines })
    lines = []
  }
  return blocks
}

function textsOf(blocks: readonly Block[]): Map<string, string> {
  const texts = new Map<string, string>()
  for (const { key, lines } of blocks) texts.set(key, [texts.get(key) ?? '', ...lines].join('\n'))
  return texts
}
