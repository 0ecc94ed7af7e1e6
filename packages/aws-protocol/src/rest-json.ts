/**
 * AWS's restJson1: method and path name the operation; labels, query and headers carry some members, a JSON document the
 * others, or a payload the bytes. https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
 */
import { AwsError } from './aws-error.ts'
import type { DecodeErrors } from './decode-errors.ts'
import { decodeErrors } from './decode-errors.ts'
import type { MemberModel, ServiceModel, StructShape } from './model.ts'
import { operationNamed, shapeNamed, structNamed } from './model.ts'
import { decodeScalar, lengthViolation } from './scalar-decode.ts'
import type { HeaderValues } from './sigv4-canonical.ts'

/** An operation that a request's first line names, and the texts of its labels. */
export interface RestJsonRoute {
  readonly operation: string
  readonly labels: ReadonlyMap<string, string>
}

interface Pattern {
  readonly operation: string
  readonly method: string
  readonly segments: readonly string[]
}

/** Finds operations by method and path. */
export class RestJsonRouter {
  readonly #patterns: readonly Pattern[]

  constructor(model: ServiceModel) {
    this.#patterns = Object.entries(model.operations).flatMap(([operation, { http }]) =>
      http ? [{ operation, method: http[0], segments: http[1].split('/') }] : [],
    )
  }

  /** Null where there is no such operation. `rawPath` as on the request line; labels are decoded. */
  route(method: string, rawPath: string): RestJsonRoute | null {
    const parts = rawPath.split('/')
    for (const { operation, method: own, segments } of this.#patterns) {
      if (own !== method || segments.length !== parts.length) continue
      const labels = labelsOf(segments, parts)
      if (labels) return { operation, labels }
    }
    return null
  }
}

function labelsOf(segments: readonly string[], parts: readonly string[]): Map<string, string> | null {
  const labels = new Map<string, string>()
  for (const [index, segment] of segments.entries()) {
    const part = parts[index] ?? ''
    const name = /^\{(\w+)\}$/.exec(segment)?.[1]
    if (name === undefined && segment !== part) return null
    if (name !== undefined && part === '') return null
    if (name !== undefined) labels.set(name, decoded(part))
  }
  return labels
}

/** What is no encoding of anything is left as it is: the shape's pattern refuses it. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export interface RestJsonRequest extends RestJsonRoute {
  readonly query: ReadonlyMap<string, string>
  /** Names in lower case. */
  readonly headers: HeaderValues
  /** The document; not the bytes of a payload, which the caller reads. */
  readonly body?: Uint8Array
}

/** Deepest nesting of a document. */
const deepest = 20

export class RestJsonDecoder {
  readonly #model: ServiceModel
  readonly #errors: DecodeErrors

  constructor(model: ServiceModel, options: { errors?: DecodeErrors } = {}) {
    this.#model = model
    this.#errors = options.errors ?? decodeErrors.restJson
  }

  /** Throws what `errors` make of members, and SerializationException for a document that is none. */
  decode(request: RestJsonRequest): Record<string, unknown> {
    const name = operationNamed(this.#model, request.operation)?.in
    const input: StructShape = name === undefined ? empty : structNamed(this.#model, name)
    const members = Object.entries(input.members)
    const inBody = members.filter(([, member]) => !isBound(member))
    const document = inBody.length > 0 ? this.#document(Object.fromEntries(inBody), request.body) : {}
    const out: Record<string, unknown> = { ...document }
    for (const [key, member] of members) {
      if (!isBound(member) || member[2]?.payload) continue
      const text = boundText(key, member, request)
      if (text !== undefined) out[key] = this.#scalar(member, text, key)
      else if (member[2]?.required) throw this.#errors.missing(key)
    }
    return out
  }

  #document(members: StructShape['members'], body: Uint8Array | undefined): Record<string, unknown> {
    const text = body === undefined ? '' : Buffer.from(body).toString('utf8')
    return this.#struct(members, text.trim() === '' ? {} : parsed(text), '', 0)
  }

  #struct(
    members: StructShape['members'],
    value: unknown,
    path: string,
    depth: number,
  ): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || depth > deepest)
      throw notSerialized()
    const given = value as Record<string, unknown>
    const unknown = Object.keys(given).find((key) => !Object.hasOwn(members, key))
    if (unknown !== undefined) throw this.#errors.unknown(`${path}${unknown}`)
    const out: Record<string, unknown> = {}
    for (const [key, member] of Object.entries(members)) {
      const present = Object.hasOwn(given, key) ? given[key] : undefined
      if (present !== undefined && present !== null)
        out[key] = this.#value(member, present, `${path}${key}`, depth + 1)
      else if (member[2]?.required && !member[2].token) throw this.#errors.missing(`${path}${key}`)
    }
    return out
  }

  #value(member: MemberModel, value: unknown, path: string, depth: number): unknown {
    const shape = shapeNamed(this.#model, member[0])
    if ('members' in shape) return this.#struct(shape.members, value, `${path}.`, depth)
    if (shape.kind === 'map') throw new Error(`${path}: no operation has a map yet`)
    if (shape.kind === 'list') {
      if (!Array.isArray(value)) throw notSerialized()
      const wrong = lengthViolation(shape, value.length, 'items long')
      if (wrong !== undefined) throw this.#errors.badValue(path, undefined, wrong)
      return value.map((item, index) => this.#value([shape.of], item, `${path}.${index + 1}`, depth + 1))
    }
    if (typeof value !== jsonType(shape.kind)) throw notSerialized()
    return this.#scalar(member, String(value), path)
  }

  #scalar([name, , traits]: MemberModel, text: string, path: string): unknown {
    const shape = shapeNamed(this.#model, name)
    if (shape.kind === 'list' || shape.kind === 'map' || 'members' in shape) throw notSerialized()
    const rules = { errors: this.#errors, enforcesEnum: () => true, sensitive: traits?.sensitive === 1 }
    return decodeScalar(name, shape, text, path, rules)
  }
}

const empty: StructShape = { kind: 'struct', members: {} }

const isBound = ([, , traits]: MemberModel): boolean =>
  (traits?.label ?? traits?.queryKey ?? traits?.header ?? traits?.payload) !== undefined

function boundText(key: string, [, , traits]: MemberModel, request: RestJsonRequest): string | undefined {
  if (traits?.label) return request.labels.get(key)
  if (traits?.queryKey !== undefined) return request.query.get(traits.queryKey)
  const header = traits?.header === undefined ? undefined : request.headers[traits.header.toLowerCase()]
  return header === undefined || typeof header === 'string' ? header : header.join(', ')
}

function jsonType(kind: string): 'string' | 'number' | 'boolean' {
  if (kind === 'boolean') return 'boolean'
  return ['integer', 'long', 'float', 'double', 'number', 'timestamp'].includes(kind) ? 'number' : 'string'
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw notSerialized()
  }
}

const notSerialized = (): AwsError =>
  new AwsError('SerializationException', 'The request body is not what this operation takes.')

export interface RestJsonResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** An operation's output as its response. A payload's bytes become the body as they are. */
export class RestJsonEncoder {
  readonly #model: ServiceModel

  constructor(model: ServiceModel) {
    this.#model = model
  }

  encode(operation: string, output: Readonly<Record<string, unknown>>): RestJsonResponse {
    const { out, http } = operationNamed(this.#model, operation) ?? {}
    const shape = out === undefined ? empty : structNamed(this.#model, out)
    const headers: Record<string, string> = {}
    const document: Record<string, unknown> = {}
    let payload: Buffer | null = null
    for (const [key, member] of Object.entries(shape.members)) {
      const value = output[key]
      if (value === undefined) continue
      const traits = member[2]
      if (traits?.payload) payload = Buffer.from(value as Uint8Array)
      else if (traits?.header !== undefined) headers[traits.header] = String(value)
      else document[key] = plainJson(value)
    }
    headers['content-type'] = payload ? 'application/octet-stream' : 'application/json'
    return { status: http?.[2] ?? 200, headers, body: payload ?? Buffer.from(JSON.stringify(document)) }
  }
}

/** Dates are seconds since 1970. */
export function plainJson(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1000
  if (Array.isArray(value)) return value.map(plainJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainJson(member)]))
}

/** `details` of the error are further members of its body, such as `Reason`. */
export function encodeRestJsonError(
  error: Pick<AwsError, 'code' | 'message' | 'status' | 'details'>,
): RestJsonResponse {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', 'x-amzn-ErrorType': error.code },
    body: Buffer.from(JSON.stringify({ Message: error.message, ...error.details })),
  }
}
