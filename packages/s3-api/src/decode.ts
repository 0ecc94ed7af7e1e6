/**
 * An S3 request into typed input: labels, query parameters, headers and XML body, as the model binds them.
 *
 * Object bytes never pass through here: a payload that is a blob is left out, and the caller streams it.
 */
import type {
  DecodeErrors,
  HeaderValues,
  ListShape,
  MapShape,
  MemberModel,
  ServiceModel,
  StructShape,
} from '@mallee/aws-protocol'
import {
  AwsError,
  decodeErrors,
  decodeScalar,
  operationNamed,
  shapeNamed,
  structNamed,
} from '@mallee/aws-protocol'
import type { S3Address } from './address.ts'
import { s3Error } from './errors.ts'
import type { XmlElement } from './xml-body.ts'
import { parseXmlBody } from './xml-body.ts'

export interface S3DecodeRequest {
  operation: string
  address: S3Address
  query: ReadonlyMap<string, string>
  /** names in lower case */
  headers: HeaderValues
  /** the XML (or policy text), for operations that `needsBody` */
  body?: Uint8Array | string | undefined
}

interface Plan {
  readonly input: StructShape | undefined
  /** Members that are in the address, the query or the headers. */
  readonly bound: readonly (readonly [string, MemberModel])[]
  readonly needsBody: boolean
}

const isBound = ([, , traits]: MemberModel): boolean =>
  (traits?.label ?? traits?.queryKey ?? traits?.header ?? traits?.prefix) !== undefined

const malformed = (): AwsError => s3Error('MalformedXML')
const malformedXml: DecodeErrors = { missing: malformed, unknown: malformed, badValue: malformed }

export class S3Decoder {
  readonly #model: ServiceModel
  readonly #openEnums: ReadonlySet<string>
  /** What the model says of each operation, once it was asked for. */
  readonly #plans = new Map<string, Plan>()

  constructor(model: ServiceModel, options: { openEnums?: ReadonlySet<string> } = {}) {
    this.#model = model
    this.#openEnums = options.openEnums ?? new Set()
  }

  /** Whether the request's body is a document to decode (read it whole) rather than object bytes (stream it) or nothing. */
  needsBody(operation: string): boolean {
    return this.#planOf(operation).needsBody
  }

  /** Throws InvalidArgument and MissingRequestParameter for parameters and headers, MalformedXML for the body. */
  decode(request: S3DecodeRequest): Record<string, unknown> {
    const { input, bound, needsBody } = this.#planOf(request.operation)
    const out: Record<string, unknown> = {}
    for (const [key, member] of bound) {
      const value = this.#bound(key, member, request)
      if (value !== undefined) out[key] = value
    }
    if (input && needsBody) this.#body(input, request, out)
    return out
  }

  #planOf(operation: string): Plan {
    const known = this.#plans.get(operation)
    if (known) return known
    const input = this.#inputOf(operation)
    const members = Object.entries(input?.members ?? {})
    const needsBody = members.some(([, member]) => this.#isDocument(member))
    const plan: Plan = { input, bound: members.filter(([, member]) => isBound(member)), needsBody }
    this.#plans.set(operation, plan)
    return plan
  }

  #inputOf(operation: string): StructShape | undefined {
    const name = operationNamed(this.#model, operation)?.in
    return name === undefined ? undefined : structNamed(this.#model, name)
  }

  #isDocument(member: MemberModel): boolean {
    if (isBound(member)) return false
    const { kind } = shapeNamed(this.#model, member[0])
    return kind !== 'blob' && kind !== 'streamingBlob'
  }

  #bound(key: string, [shape, , traits]: MemberModel, request: S3DecodeRequest): unknown {
    if (traits?.label) return key === 'Bucket' ? request.address.bucket : request.address.key
    if (traits?.prefix !== undefined) return prefixed(request.headers, traits.prefix)
    const wire = traits?.queryKey ?? traits?.header
    if (wire === undefined) return undefined
    const text =
      traits?.queryKey === undefined ? headerOf(request.headers, wire) : request.query.get(traits.queryKey)
    if (wire === 'Content-Encoding' && text !== undefined) return withoutFraming(text)
    if (text !== undefined) return this.#text(shape, text, wire, traits?.sensitive !== undefined)
    if (traits?.required && !traits.token) throw decodeErrors.restXml.missing(wire)
    return undefined
  }

  /** A scalar or, comma-separated, a list of scalars. */
  #text(name: string, text: string, wire: string, sensitive: boolean): unknown {
    const shape = shapeNamed(this.#model, name)
    if (shape.kind === 'list') {
      return text.split(',').map((part) => this.#text(shape.of, part.trim(), wire, sensitive))
    }
    if (shape.kind === 'map' || 'members' in shape) throw new Error(`${wire} cannot hold a ${shape.kind}`)
    // Clients send `max-keys=` for none, and dates that HTTP says to ignore when they are no dates.
    if (text === '' && shape.kind !== 'string') return undefined
    const date = shape.kind === 'timestamp' || shape.kind === 'httpDate'
    try {
      return this.#scalar(name, text, wire, decodeErrors.restXml, sensitive)
    } catch (error) {
      if (date && wire.startsWith('If-')) return undefined
      throw error
    }
  }

  #scalar(name: string, text: string, path: string, errors: DecodeErrors, sensitive: boolean): unknown {
    const shape = shapeNamed(this.#model, name)
    if (shape.kind === 'list' || shape.kind === 'map' || 'members' in shape) throw malformed()
    return decodeScalar(name, shape, text, path, {
      errors,
      enforcesEnum: (shapeName) => !this.#openEnums.has(shapeName),
      sensitive,
    })
  }

  #body(input: StructShape, request: S3DecodeRequest, out: Record<string, unknown>): void {
    const payload = Object.entries(input.members).find(([, [, , traits]]) => traits?.payload)
    const empty = request.body === undefined || request.body.length === 0
    if (!payload) {
      if (!empty) Object.assign(out, this.#struct(unbound(input), parseXmlBody(request.body ?? '')))
      return
    }
    const [key, [shapeName, element, traits]] = payload
    if (empty) {
      if (traits?.required) throw s3Error('MissingRequestBodyError')
      return
    }
    const shape = shapeNamed(this.#model, shapeName)
    if (!('members' in shape)) {
      out[key] = Buffer.from(request.body ?? '').toString('utf8')
      return
    }
    const root = parseXmlBody(request.body ?? '')
    if (root.name !== (element === undefined || element === 0 ? shapeName : element)) throw malformed()
    out[key] = this.#struct(shape, root)
  }

  #value(name: string, element: XmlElement): unknown {
    const shape = shapeNamed(this.#model, name)
    if ('members' in shape) return this.#struct(shape, element)
    if (shape.kind === 'list') return this.#items(shape, element)
    if (shape.kind === 'map') return this.#entries(shape, element.children)
    if (element.children.length > 0) throw malformed()
    const text = shape.kind === 'string' ? element.text : element.text.trim()
    return this.#scalar(name, text, element.name, malformedXml, true)
  }

  #struct(shape: StructShape, element: XmlElement): Record<string, unknown> {
    const out: Record<string, unknown> = {}
    const known = new Set<string>()
    for (const [key, member] of Object.entries(shape.members)) {
      const name = elementName(key, member)
      const value = member[2]?.attribute
        ? element.attributes.get(name)
        : this.#childValue(member, name, element)
      known.add(name)
      if (value !== undefined) out[key] = value
      else if (member[2]?.required && !member[2].token) throw malformed()
    }
    if (element.children.some((child) => !known.has(child.name))) throw malformed()
    if (shape.kind === 'union' && Object.keys(out).length !== 1) throw malformed()
    return out
  }

  #childValue([shapeName, , traits]: MemberModel, name: string, element: XmlElement): unknown {
    const children = element.children.filter((child) => child.name === name)
    const [first] = children
    if (!first) return undefined
    const shape = shapeNamed(this.#model, shapeName)
    if (traits?.flat && shape.kind === 'list') return children.map((child) => this.#value(shape.of, child))
    if (traits?.flat && shape.kind === 'map') return this.#entries(shape, children)
    if (children.length > 1) throw malformed()
    return this.#value(shapeName, first)
  }

  #items(shape: ListShape, element: XmlElement): unknown[] {
    const item = shape.item ?? 'member'
    return element.children.map((child) => {
      if (child.name !== item) throw malformed()
      return this.#value(shape.of, child)
    })
  }

  #entries(shape: MapShape, elements: readonly XmlElement[]): Record<string, unknown> {
    const out = Object.create(null) as Record<string, unknown>
    for (const entry of elements) {
      const key = entry.children.find((child) => child.name === (shape.keyName ?? 'key'))
      const value = entry.children.find((child) => child.name === (shape.valueName ?? 'value'))
      if (!key || !value) throw malformed()
      out[key.text] = this.#value(shape.value, value)
    }
    return out
  }
}

/** The members of an input that make up its XML body. */
function unbound(input: StructShape): StructShape {
  const members = Object.entries(input.members).filter(
    ([, [, , traits]]) => !(traits?.label ?? traits?.queryKey ?? traits?.header ?? traits?.prefix),
  )
  return { kind: 'struct', members: Object.fromEntries(members) }
}

/** As the parser gives it: without a namespace prefix. */
function elementName(key: string, [, element]: MemberModel): string {
  const name = element === undefined || element === 0 ? key : element
  return name.slice(name.indexOf(':') + 1)
}

/** As node:http has them; names are those of the model, and few. */
const lowerCase = new Map<string, string>()

function headerOf(headers: HeaderValues, name: string): string | undefined {
  let lower = lowerCase.get(name)
  if (lower === undefined) lowerCase.set(name, (lower = name.toLowerCase()))
  return textOf(headers[lower])
}

const textOf = (value: HeaderValues[string]): string | undefined =>
  value === undefined || typeof value === 'string' ? value : value.join(', ')

/** `aws-chunked` is how the body was sent, not how the object is encoded. */
function withoutFraming(text: string): string | undefined {
  const codings = text.split(',').map((coding) => coding.trim())
  const kept = codings.filter((coding) => coding.toLowerCase() !== 'aws-chunked' && coding !== '')
  return kept.length === 0 ? undefined : kept.join(',')
}

/** Headers under a prefix, such as `x-amz-meta-`, by the rest of their names; undefined when there are none. */
function prefixed(headers: HeaderValues, prefix: string): Record<string, string> | undefined {
  const found = Object.keys(headers).filter((name) => name.startsWith(prefix.toLowerCase()))
  if (found.length === 0) return undefined
  const out = Object.create(null) as Record<string, string>
  for (const name of found) out[name.slice(prefix.length)] = textOf(headers[name]) ?? ''
  return out
}
