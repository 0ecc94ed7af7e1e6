import type { LanWorld } from './lan-world.ts'

/** What tells of a node and each of its routers all that is said there, and nothing that is learned or counted. */
const looks = [
  ['ip', '-o', 'link', 'show'],
  ['ip', '-o', 'address', 'show'],
  ['ip', 'rule', 'show'],
  ['ip', 'route', 'show', 'table', 'all'],
  ['ip', 'neigh', 'show', 'nud', 'permanent'],
  ['ip', 'neigh', 'show', 'proxy'],
  ['bridge', 'fdb', 'show', 'state', 'static'],
  ['bridge', 'fdb', 'show', 'state', 'permanent'],
  ['bridge', '-d', 'link', 'show'],
  ['nft', '-s', 'list', 'ruleset'],
] as const

/** All that stands in the nodes' namespaces and their routers', processes too, in words that can be compared. */
export async function standing(world: LanWorld): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  for (const { name } of world.lan.nodes) {
    const namespaces = (await world.lan.exec(name, 'ip', ['netns', 'list']))
      .split('\n')
      .map((line) => line.split(' ')[0]!)
      .filter((other) => other === name || other.startsWith(`${name}-`))
      .toSorted()
    found[`${name} has`] = namespaces.join(' ')
    for (const namespace of namespaces) {
      for (const [file, ...args] of looks)
        found[`${namespace}: ${file} ${args.join(' ')}`] = sorted(
          await world.lan.exec(namespace, file, args),
          file === 'nft',
        )
      // Asked from elsewhere, or the question itself would be in the answer.
      if (namespace !== name)
        found[`${namespace} runs`] = await world.lan.exec(name, 'ip', ['netns', 'pids', namespace])
    }
  }
  return found
}

/** The kernel lists in no order of its own; in rules the order is what counts. */
const sorted = (text: string, inOrder: boolean) => (inOrder ? text : text.split('\n').toSorted().join('\n'))
