/**
 * Reads the schemas that the AWS SDK for JavaScript exports (`RunInstances$`) into our model form.
 *
 * Their format is bare arrays, private to the SDK, which is why it is read once, here, and never at run time:
 * operation `[9, ns, name, traits, in, out]`, struct `[3, ns, name, traits, names, members, requiredCount]`, error -3,
 * union 4, list `[1, ns, name, traits, member]`, map `[2, ns, name, traits, key, value]`, scalar with traits
 * `[0, ns, name, traits, kind]`, member `[schema, traits]`; traits are an object or a bit mask; a bare number is a
 * scalar, plus 64 for a list of it, plus 128 for a map of it.
 *
 * What the schemas do not tell (whole or real numbers, enum values, limits) comes from `constraints/*.json`.
 */
import type { MemberModel, MemberTraits, OperationModel, ScalarKind, ShapeModel } from '../src/model.ts'
import { preludeKinds } from '../src/model.ts'

export interface Constraints {
  source: string
  members: Record<string, Record<string, string>>
  items: Record<string, string>
  lists: Record<string, { min?: number; max?: number }>
  simple: Record<string, { type: string; enum?: string[]; min?: number; max?: number; pattern?: string }>
}

type Traits = Record<string, unknown>
type Schema = unknown[]

const scalars: Record<number, ScalarKind> = {
  0: 'string',
  1: 'number',
  2: 'boolean',
  4: 'timestamp',
  5: 'dateTime',
  6: 'httpDate',
  7: 'epochSeconds',
  21: 'blob',
  42: 'streamingBlob',
}

const bitTraits = [
  'httpLabel',
  'idempotent',
  'idempotencyToken',
  'sensitive',
  'httpPayload',
  'httpResponseCode',
  'httpQueryParams',
]

function traitsOf(value: unknown): Traits {
  if (typeof value === 'object' && value !== null) return value as Traits
  const bits = typeof value === 'number' ? value : 0
  return Object.fromEntries(bitTraits.filter((_, bit) => (bits >> bit) & 1).map((name) => [name, 1]))
}

function resolved(schema: unknown): unknown {
  return typeof schema === 'function' ? resolved((schema as () => unknown)()) : schema
}

function isMember(schema: unknown): schema is [unknown, unknown] {
  return Array.isArray(schema) && schema.length === 2
}

/** Walks schemas and collects shapes by name. */
export class SchemaReader {
  readonly shapes: Record<string, ShapeModel> = {}
  readonly operations: Record<string, OperationModel> = {}
  #constraints: Constraints
  #enums: Record<string, string[]>

  constructor(options: { constraints: Constraints; enums: Record<string, string[]> }) {
    this.#constraints = options.constraints
    this.#enums = options.enums
  }

  readOperation(schema: Schema): void {
    const [, , name, traitsValue, input, output] = schema
    const traits = traitsOf(traitsValue)
    const http = traits['http'] as [string, string, number] | undefined
    const inName = this.#root(input)
    const outName = this.#root(output)
    const checksum = traits['httpChecksum'] !== undefined
    this.operations[String(name)] = {
      ...(inName !== undefined && { in: inName }),
      ...(outName !== undefined && { out: outName }),
      ...(http && { http }),
      ...(checksum && { checksum: 1 as const }),
    }
  }

  readError(schema: Schema): void {
    this.#struct(schema)
  }

  #root(schema: unknown): string | undefined {
    const struct = resolved(schema)
    return struct === 'unit' || struct === undefined ? undefined : this.#struct(struct as Schema)
  }

  #struct(schema: Schema): string {
    const [kind, , nameValue, traitsValue, names, members, requiredCount] = schema as [
      number,
      string,
      string,
      unknown,
      string[],
      unknown[],
      number | undefined,
    ]
    const name = String(nameValue)
    if (this.shapes[name]) return name
    const traits = traitsOf(traitsValue)
    const table: Record<string, MemberModel> = {}
    const error = kind === -3 ? errorOf(name, traits) : undefined
    this.shapes[name] = {
      kind: kind === 4 ? 'union' : 'struct',
      members: table,
      ...(typeof traits['xmlName'] === 'string' && { root: traits['xmlName'] }),
      ...(error && { error }),
    }
    for (const [index, member] of names.entries()) {
      const hint = this.#constraints.members[name]?.[member]
      table[member] = this.#member(member, members[index], hint, index < (requiredCount ?? 0))
    }
    return name
  }

  #member(name: string, schema: unknown, hint: string | undefined, required: boolean): MemberModel {
    const traits = isMember(schema) ? traitsOf(schema[1]) : {}
    const target = resolved(isMember(schema) ? schema[0] : schema)
    const own = Array.isArray(target) && target[0] === 0 ? traitsOf(target[3]) : {}
    // S3 stores and returns the Expires header as it came, date or not.
    const shape = traits['httpHeader'] === 'Expires' ? 'string' : this.#target(target, hint)
    const element = typeof traits['xmlName'] === 'string' ? traits['xmlName'] : name
    const out = memberTraits({ ...own, ...traits }, element, required)
    // A payload without a name of its own is named by its shape, not by its member.
    const named = traits['xmlName'] !== undefined && traits['httpPayload'] !== undefined
    const slot = element === name && !named ? 0 : element
    if (Object.keys(out).length > 0) return [shape, slot, out]
    return slot === 0 ? [shape] : [shape, slot]
  }

  #target(target: unknown, hint: string | undefined): string {
    if (typeof target === 'number') return this.#numbered(target, hint)
    const [kind, , nameValue] = target as [number, string, string]
    const name = String(nameValue)
    if (kind === 0) return this.#scalar(Number((target as Schema)[4]), hint)
    if (kind === 1) return this.#list(name, (target as Schema)[4], hint ?? name)
    if (kind === 2) return this.#map(name, target as Schema)
    return this.#struct(target as Schema)
  }

  #numbered(code: number, hint: string | undefined): string {
    if (code >= 128) return this.#put(`MapOf_${scalarOf(code - 128)}`, mapOf('string', scalarOf(code - 128)))
    if (code >= 64) return this.#list(undefined, code - 64, hint)
    return this.#scalar(code, hint)
  }

  #scalar(code: number, hint: string | undefined): string {
    const plain = scalarOf(code)
    const known = hint === undefined ? undefined : this.#constraints.simple[hint]
    if (!known || hint === undefined) return plain
    const kind = plain === 'number' && known.type in whole ? (known.type as ScalarKind) : plain
    const { type: _type, enum: oldValues, ...limits } = known
    // The SDK exports its newer values under names that begin with a capital.
    const capitalised = (hint[0]?.toUpperCase() ?? '') + hint.slice(1)
    const values = oldValues && (this.#enums[hint] ?? this.#enums[capitalised] ?? oldValues)
    if (values === undefined && Object.keys(limits).length === 0) return kind
    return this.#put(hint, { kind, ...(values && { enum: values }), ...limits })
  }

  /** `hint` is the list's name in the constraints; anonymous lists take it as their name where it tells something. */
  #list(name: string | undefined, member: unknown, hint: string | undefined): string {
    const traits = isMember(member) ? traitsOf(member[1]) : {}
    const target = resolved(isMember(member) ? member[0] : member)
    const itemHint = hint === undefined ? undefined : this.#constraints.items[hint]
    const limits = hint === undefined ? undefined : this.#constraints.lists[hint]
    const of = this.#target(target, itemHint)
    const item = traits['xmlName']
    return this.#put(name ?? (itemHint === undefined && !limits ? undefined : hint) ?? `ListOf_${of}`, {
      kind: 'list',
      of,
      ...(typeof item === 'string' && item !== 'member' && { item }),
      ...limits,
    })
  }

  #map(name: string, schema: Schema): string {
    const keyTraits = isMember(schema[4]) ? traitsOf(schema[4][1]) : {}
    const valueTraits = isMember(schema[5]) ? traitsOf(schema[5][1]) : {}
    return this.#put(name, {
      kind: 'map',
      key: this.#target(resolved(isMember(schema[4]) ? schema[4][0] : schema[4]), undefined),
      value: this.#target(resolved(isMember(schema[5]) ? schema[5][0] : schema[5]), undefined),
      ...(typeof keyTraits['xmlName'] === 'string' && { keyName: keyTraits['xmlName'] }),
      ...(typeof valueTraits['xmlName'] === 'string' && { valueName: valueTraits['xmlName'] }),
    })
  }

  /** Stores a shape under a name; another shape already there moves this one to `name_2` and so on. */
  #put(name: string, shape: ShapeModel): string {
    const text = JSON.stringify(shape)
    for (let attempt = 1; ; attempt += 1) {
      const key = attempt === 1 && !preludeKinds.has(name) ? name : `${name}_${attempt}`
      const present = this.shapes[key]
      if (present === undefined) this.shapes[key] = shape
      if (present === undefined || JSON.stringify(present) === text) return key
    }
  }
}

const whole: Record<string, true> = { integer: true, long: true, float: true, double: true }

function scalarOf(code: number): ScalarKind {
  const kind = scalars[code]
  if (!kind) throw new Error(`unknown scalar schema ${code}`)
  return kind
}

function mapOf(key: string, value: string): ShapeModel {
  return { kind: 'map', key, value }
}

function errorOf(name: string, traits: Traits): [string, number] {
  const query = traits['awsQueryError'] as [string, number] | undefined
  return query ?? [name, Number(traits['httpError'] ?? (traits['error'] === 'server' ? 500 : 400))]
}

function memberTraits(traits: Traits, element: string, required: boolean): MemberTraits {
  const namespace = traits['xmlNamespace'] as [string, string] | string[] | string | undefined
  const query = traits['ec2QueryName']
  const capitalised = element[0]?.toUpperCase() + element.slice(1)
  return {
    ...(required && { required: 1 as const }),
    ...(traits['sensitive'] !== undefined && { sensitive: 1 as const }),
    ...(traits['idempotencyToken'] !== undefined && { token: 1 as const }),
    ...(traits['xmlFlattened'] !== undefined && { flat: 1 as const }),
    ...(typeof query === 'string' && query !== capitalised && { query }),
    ...(typeof traits['httpHeader'] === 'string' && { header: traits['httpHeader'] }),
    ...(typeof traits['httpPrefixHeaders'] === 'string' && { prefix: traits['httpPrefixHeaders'] }),
    ...(typeof traits['httpQuery'] === 'string' && { queryKey: traits['httpQuery'] }),
    ...(traits['httpLabel'] !== undefined && { label: 1 as const }),
    ...(traits['httpPayload'] !== undefined && { payload: 1 as const }),
    ...(traits['httpResponseCode'] !== undefined && { status: 1 as const }),
    ...(traits['xmlAttribute'] !== undefined && { attribute: 1 as const }),
    ...(Array.isArray(namespace) && namespaceTraits(namespace)),
    ...(typeof namespace === 'string' && { xmlns: namespace }),
  }
}

/** The SDK writes [prefix, uri] where there is a prefix. */
function namespaceTraits(pair: string[]): MemberTraits {
  const uri = pair.find((part) => part.startsWith('http'))
  const prefix = pair.find((part) => !part.startsWith('http'))
  return { ...(uri !== undefined && { xmlns: uri }), ...(prefix !== undefined && { xmlPrefix: prefix }) }
}
