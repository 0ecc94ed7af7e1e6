/**
 * The flat `Key.1.Name=value` form of the query protocols, parsed strictly into a tree.
 *
 * Query string and body are merged first (clients that sign in the query POST with an empty body). The tree is made
 * of Maps, so that no key can reach a prototype, and is bounded in keys and depth before anything reads it.
 */
import { AwsError } from './aws-error.ts'

export const formLimits = { maxKeys: 10_000, maxDepth: 16 } as const

export interface FormNode {
  /** the value given for exactly this key */
  value?: string
  children?: Map<string, FormNode>
}

const malformed = (message: string): AwsError => new AwsError('MalformedQueryString', message, 400)

/** Percent-decodes one form component, strictly: a bad escape or bad UTF-8 is MalformedQueryString. */
export function decodeFormComponent(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw malformed('The query string contains a percent-encoding that is not valid.')
  }
}

type Pairs = ReadonlyArray<readonly [key: string, value: string]>

/** The rooms that a request goes through ask for its query one after the other: the last one is kept. */
let last: { readonly text: string; readonly pairs: Pairs } = { text: '', pairs: [] }
const longestKept = 4096

/** Splits `a=1&b=2` into decoded pairs, in order. */
export function parseForm(text: string): Pairs {
  if (text === last.text) return last.pairs
  const pairs = pairsOf(text)
  if (text.length <= longestKept) last = { text, pairs }
  return pairs
}

function pairsOf(text: string): Pairs {
  const pairs: Array<[string, string]> = []
  for (const part of text.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const key = equals < 0 ? part : part.slice(0, equals)
    const value = equals < 0 ? '' : part.slice(equals + 1)
    pairs.push([decodeFormComponent(key), decodeFormComponent(value)])
    if (pairs.length > formLimits.maxKeys) {
      throw malformed(`The request has more than ${formLimits.maxKeys} parameters.`)
    }
  }
  return pairs
}

/** Parameters that belong to the request and its signature rather than to an operation. */
const envelopeKeys: ReadonlySet<string> = new Set([
  'Action',
  'Operation',
  'Version',
  'AWSAccessKeyId',
  'Signature',
  'SignatureMethod',
  'SignatureVersion',
  'SecurityToken',
  'Timestamp',
  'Expires',
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-Security-Token',
  'X-Amz-Signature',
  'X-Amz-SignedHeaders',
  'X-Amz-Content-Sha256',
  'X-Amz-User-Agent',
])

/** A query-protocol request taken apart. */
export interface QueryRequest {
  /** undefined when the request names none */
  action: string | undefined
  version: string | undefined
  parameters: FormNode
}

/**
 * Parses query string and form body of a query-protocol request. Throws MalformedQueryString, and
 * InvalidParameterValue for a key given twice with different values.
 */
export function parseQueryRequest(rawQuery: string, body: string): QueryRequest {
  const pairs = [...parseForm(rawQuery), ...parseForm(body)]
  if (pairs.length > formLimits.maxKeys) {
    throw malformed(`The request has more than ${formLimits.maxKeys} parameters.`)
  }
  const envelope = new Map<string, string>()
  const root: FormNode = {}
  for (const [key, value] of pairs) {
    if (!envelopeKeys.has(key)) insert(root, key, value)
    else if ((envelope.get(key) ?? value) === value) envelope.set(key, value)
    else throw repeated(key)
  }
  return {
    action: envelope.get('Action') ?? envelope.get('Operation'),
    version: envelope.get('Version'),
    parameters: root,
  }
}

/** Builds the tree of dotted keys. Same errors as parseQueryRequest. */
export function formTree(pairs: Iterable<readonly [string, string]>): FormNode {
  const root: FormNode = {}
  for (const [key, value] of pairs) insert(root, key, value)
  return root
}

function insert(root: FormNode, key: string, value: string): void {
  const parts = key.split('.')
  if (parts.length > formLimits.maxDepth) {
    throw malformed(`The parameter name is nested deeper than ${formLimits.maxDepth} levels.`)
  }
  let node = root
  for (const part of parts) {
    node.children ??= new Map()
    let child = node.children.get(part)
    if (!child) node.children.set(part, (child = {}))
    node = child
  }
  if (node.value !== undefined && node.value !== value) throw repeated(key)
  node.value = value
}

function repeated(key: string): AwsError {
  return new AwsError('InvalidParameterValue', `The parameter ${shownKey(key)} is given more than once.`)
}

/** A parameter name for a message: bounded, because it came from outside. */
export function shownKey(key: string): string {
  return key.length > 200 ? `${key.slice(0, 200)}…` : key
}
