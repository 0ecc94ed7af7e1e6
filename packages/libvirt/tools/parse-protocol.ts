/**
 * Reads the language of libvirt's .x files, as far as they use it: consts, typedefs, structs, unions, enums.
 */

/** `type name`, `type *name` (optional), `type name<max>` or `type name[size]`. */
export interface Declaration {
  type: string
  name: string
  shape: 'plain' | 'optional' | 'variable' | 'fixed'
  /** The text between the brackets; empty for `<>`. */
  bound: string
}

/** Everything a .x file defines, by name. */
export interface Protocol {
  consts: Map<string, string>
  typedefs: Map<string, Declaration>
  structs: Map<string, Declaration[]>
  unions: Map<string, { arms: { label: string; declaration: Declaration }[] }>
  enums: Map<string, Map<string, number>>
  /** By name of the enum's member: annotations of the comment before it, such as `@readstream: 1`. */
  annotations: Map<string, string>
}

function parseDeclaration(text: string): Declaration {
  const m =
    /^(unsigned (?:int|hyper|char|short)|unsigned|[A-Za-z_]\w*)\s+(\*?)\s*(\w+)\s*(?:([<[])(\w*)[>\]])?$/.exec(
      text.replace(/\s+/g, ' ').trim(),
    )
  if (m === null) throw new Error(`declaration not understood: ${text}`)
  const shape = m[2] === '*' ? 'optional' : m[4] === '<' ? 'variable' : m[4] === '[' ? 'fixed' : 'plain'
  return { type: m[1]!, name: m[3]!, shape, bound: m[5] ?? '' }
}

const declarationsOf = (body: string) =>
  body
    .split(';')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(parseDeclaration)

function parseEnum(body: string, protocol: Protocol): Map<string, number> {
  const members = new Map<string, number>()
  for (const m of body.matchAll(/(?:\/\*\*([\s\S]*?)\*\/\s*)?(?:\/\*[\s\S]*?\*\/\s*)*(\w+)\s*=\s*(\w+)/g)) {
    members.set(m[2]!, Number(m[3]))
    if (m[1] !== undefined) protocol.annotations.set(m[2]!, m[1])
  }
  return members
}

/** Parses the text of one .x file. */
export function parseProtocol(source: string): Protocol {
  const protocol: Protocol = {
    consts: new Map(),
    typedefs: new Map(),
    structs: new Map(),
    unions: new Map(),
    enums: new Map(),
    annotations: new Map(),
  }
  for (const m of source.matchAll(/\benum\s+(\w+)\s*\{([\s\S]*?)\n\};/g)) {
    protocol.enums.set(m[1]!, parseEnum(m[2]!, protocol))
  }
  const bare = source
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .replace(/^%.*$/gm, '')
    .replace(/\benum\s+\w+\s*\{[^}]*\};/g, '')
  for (const m of bare.matchAll(/\bconst\s+(\w+)\s*=\s*(\w+)\s*;/g)) protocol.consts.set(m[1]!, m[2]!)
  for (const m of bare.matchAll(/\btypedef\s+([^;{]+);/g)) {
    const declaration = parseDeclaration(m[1]!)
    protocol.typedefs.set(declaration.name, declaration)
  }
  for (const m of bare.matchAll(/\bstruct\s+(\w+)\s*\{([^}]*)\}/g)) {
    protocol.structs.set(m[1]!, declarationsOf(m[2]!))
  }
  for (const m of bare.matchAll(/\bunion\s+(\w+)\s+switch\s*\([^)]*\)\s*\{([^}]*)\}/g)) {
    const arms = [...m[2]!.matchAll(/case\s+(\w+)\s*:\s*([^;]+);/g)].map((arm) => ({
      label: arm[1]!,
      declaration: parseDeclaration(arm[2]!),
    }))
    protocol.unions.set(m[1]!, { arms })
  }
  return protocol
}

/** Merges the definitions of several files. */
export function mergeProtocols(protocols: Protocol[]): Protocol {
  const merged = <V>(pick: (protocol: Protocol) => Map<string, V>) =>
    new Map(protocols.flatMap((protocol) => [...pick(protocol)]))
  return {
    consts: merged((p) => p.consts),
    typedefs: merged((p) => p.typedefs),
    structs: merged((p) => p.structs),
    unions: merged((p) => p.unions),
    enums: merged((p) => p.enums),
    annotations: merged((p) => p.annotations),
  }
}
