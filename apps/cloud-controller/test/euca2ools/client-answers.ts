/**
 * How euca2ools reads an answer: no model, only the tree and, for each command, the names of the elements that are
 * lists. Such an element becomes the list of its children, any other the dictionary of its children, its text, or an
 * empty dictionary. What is not there is nothing, and the client ends with a traceback where it goes through nothing.
 */
import { XMLParser } from 'fast-xml-parser'

export type Value = string | Value[] | { [name: string]: Value }
type Dictionary = { readonly [name: string]: Value }

const parser = new XMLParser({ preserveOrder: true, parseTagValue: false, trimValues: false })

type Node = Record<string, Node[] | string>

/** What is inside the root element. */
export function readAnswer(body: string, lists: readonly string[] = []): Value {
  const [root] = elements(parser.parse(body) as Node[]).filter(([name]) => !name.startsWith('?'))
  if (!root) throw new Error(`No XML: ${body.slice(0, 200)}`)
  return valueOf(root[0], root[1], new Set(lists))
}

/** Code and message, as the client finds them: under Errors and Error where these are there. */
export function readError(body: string): { code: Value | undefined; message: Value | undefined } {
  let inside = readAnswer(body)
  for (const name of ['Errors', 'Error']) if (isDictionary(inside)) inside = inside[name] ?? inside
  return isDictionary(inside)
    ? { code: inside['Code'], message: inside['Message'] }
    : { code: undefined, message: undefined }
}

function elements(nodes: readonly Node[]): [string, Node[]][] {
  return nodes.flatMap((node) =>
    Object.entries(node).filter((entry): entry is [string, Node[]] => Array.isArray(entry[1])),
  )
}

function valueOf(tag: string, nodes: readonly Node[], lists: ReadonlySet<string>): Value {
  const children = elements(nodes)
  const local = (name: string) => name.slice(name.indexOf(':') + 1)
  if (lists.has(local(tag))) return children.map(([name, inside]) => valueOf(name, inside, lists))
  if (children.length > 0)
    return Object.fromEntries(children.map(([name, inside]) => [local(name), valueOf(name, inside, lists)]))
  const text = nodes.map((node) => node['#text'] ?? '').join('')
  return text === '' ? {} : text
}

const isDictionary = (value: Value | undefined): value is Dictionary =>
  typeof value === 'object' && !Array.isArray(value)

/**
 * Goes where a command goes: `reservationSet[].groupSet[].groupId`. `[]` goes through a list, which must be there even
 * when it is empty, as `[]?` says that it may be; a `?` after a name says that the client copes without. Answers the
 * texts at the end.
 */
export function walk(value: Value, path: string): string[] {
  let reached: Value[] = [value]
  for (const step of path.split('.')) {
    const [, name = '', optional, many] = /^(\w+)(\?)?(?:(\[\])\??)?$/.exec(step) ?? []
    reached = reached.flatMap((place) => {
      if (!isDictionary(place)) throw new Error(`${path}: no element can be looked up in a ${typeof place}`)
      const found = place[name]
      if (found === undefined && optional !== undefined) return []
      if (found === undefined)
        throw new Error(`${path}: ${name} is missing in ${Object.keys(place).join(', ')}`)
      if (many === undefined) return [found]
      if (!Array.isArray(found)) throw new Error(`${path}: ${name} is no list`)
      return found
    })
  }
  return reached.map((end) => {
    if (typeof end === 'string') return end
    if (path.endsWith('?') || path.endsWith('[]')) return ''
    throw new Error(`${path}: it holds ${JSON.stringify(end)} and no text`)
  })
}
