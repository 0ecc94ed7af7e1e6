/**
 * Form tree to typed input, driven by the model, for ec2Query and awsQuery.
 *
 * What differs between the two: the name of a member (ec2: the query name, or the element name with a capital),
 * lists (ec2: always flat, `X.1`; query: `X.member.1` unless flattened) and what is done about parameters that
 * nobody knows (EC2 answers UnknownParameter, the others ignore them).
 * https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
 */
import type { DecodeErrors } from './decode-errors.ts'
import { decodeErrors } from './decode-errors.ts'
import type { FormNode } from './form.ts'
import { formLimits } from './form.ts'
import type { ListShape, MapShape, MemberModel, MemberTraits, ServiceModel, StructShape } from './model.ts'
import { operationNamed, shapeNamed, structNamed } from './model.ts'
import { decodeScalar, lengthViolation } from './scalar-decode.ts'

export interface DecodeOptions {
  /** names of enum shapes that are not enforced; `all` enforces none */
  openEnums?: ReadonlySet<string> | 'all'
  /** default: true for ec2Query, false otherwise */
  refuseUnknown?: boolean
  /** called instead of throwing when unknown parameters are let through */
  onUnknown?: (path: string) => void
}

/** What a member is called in an ec2Query request: its query name, or its element name with a capital. */
export function ec2QueryName(key: string, [, element, traits]: MemberModel): string {
  const plain = element === undefined || element === 0 ? key : element
  return traits?.query ?? (plain[0]?.toUpperCase() ?? '') + plain.slice(1)
}

type Members = Map<string, { key: string; model: MemberModel }>

/** A decoder of one service's query requests; compiles its lookup tables as shapes are met. */
export class QueryDecoder {
  readonly #model: ServiceModel
  readonly #errors: DecodeErrors
  readonly #ec2: boolean
  readonly #open: ReadonlySet<string> | 'all'
  readonly #refuseUnknown: boolean
  readonly #onUnknown: (path: string) => void
  readonly #members = new Map<string, Members>()

  constructor(model: ServiceModel, options: DecodeOptions = {}) {
    this.#model = model
    this.#errors = decodeErrors[model.protocol]
    this.#ec2 = model.protocol === 'ec2Query'
    this.#open = options.openEnums ?? new Set()
    this.#refuseUnknown = options.refuseUnknown ?? this.#ec2
    this.#onUnknown = options.onUnknown ?? (() => {})
  }

  /**
   * The input of an operation of the model (throws a plain Error for a name that it lacks: look it up first).
   * Throws AwsError: MissingParameter, UnknownParameter, InvalidParameterValue; ValidationError for awsQuery.
   */
  decode(operation: string, parameters: FormNode): Record<string, unknown> {
    const found = operationNamed(this.#model, operation)
    if (!found) throw new Error(`${this.#model.service} has no operation ${operation}`)
    if (found.in !== undefined) return this.#struct(found.in, parameters, '')
    this.#unknownChildren(parameters, new Map(), '')
    return {}
  }

  #struct(name: string, node: FormNode, path: string): Record<string, unknown> {
    const members = this.#membersOf(name)
    const out: Record<string, unknown> = {}
    for (const [wire, { key, model }] of members) {
      const child = node.children?.get(wire)
      const here = path === '' ? wire : `${path}.${wire}`
      if (child) out[key] = this.#value(model[0], child, here, model[2])
      else if (model[2]?.required && !model[2].token) throw this.#errors.missing(here)
    }
    this.#unknownChildren(node, members, path)
    if (path !== '' && node.value !== undefined && node.value !== '') this.#unknown(path)
    return out
  }

  #membersOf(name: string): Members {
    const known = this.#members.get(name)
    if (known) return known
    const table: Members = new Map()
    const { members } = structNamed(this.#model, name)
    for (const [key, model] of Object.entries(members)) table.set(this.#wireName(key, model), { key, model })
    this.#members.set(name, table)
    return table
  }

  #wireName(key: string, model: MemberModel): string {
    if (this.#ec2) return ec2QueryName(key, model)
    const [shapeName, element, traits] = model
    const plain = element === undefined || element === 0 ? key : element
    // A flattened list is named by its items in awsQuery.
    const shape = traits?.flat ? shapeNamed(this.#model, shapeName) : undefined
    return shape?.kind === 'list' && shape.item !== undefined ? shape.item : plain
  }

  #unknownChildren(node: FormNode, members: Members, path: string): void {
    for (const [wire, child] of node.children ?? []) {
      if (!members.has(wire)) this.#unknown(leafPath(path === '' ? wire : `${path}.${wire}`, child))
    }
  }

  #unknown(path: string): void {
    if (this.#refuseUnknown) throw this.#errors.unknown(path)
    this.#onUnknown(path)
  }

  #value(name: string, node: FormNode, path: string, traits: MemberTraits | undefined): unknown {
    const shape = shapeNamed(this.#model, name)
    if (shape.kind === 'list') return this.#list(shape, node, path, traits)
    if (shape.kind === 'map') return this.#map(shape, node, path, traits)
    if ('members' in shape) return this.#structValue(name, shape, node, path)
    const first = this.#ec2 ? onlyFirst(node) : node
    const single = this.#ec2 && shape.kind === 'boolean' ? enabled(first) : first
    if (single.children) this.#unknownChildren(single, new Map(), path)
    if (single.value === undefined) throw this.#errors.missing(path)
    return decodeScalar(name, shape, single.value, path, {
      errors: this.#errors,
      enforcesEnum: (shapeName) => this.#open !== 'all' && !this.#open.has(shapeName),
      sensitive: traits?.sensitive !== undefined,
    })
  }

  #structValue(name: string, shape: StructShape, node: FormNode, path: string): unknown {
    const value = this.#struct(name, this.#ec2 ? withValue(shape, node) : node, path)
    if (shape.kind === 'union' && Object.keys(value).length !== 1) {
      throw this.#errors.badValue(path, undefined, 'exactly one of its alternatives')
    }
    return value
  }

  #list(shape: ListShape, node: FormNode, path: string, traits: MemberTraits | undefined): unknown[] {
    const out: unknown[] = []
    for (const [index, child] of this.#numbered(node, path, shape.item ?? 'member', traits)) {
      out.push(this.#value(shape.of, child, index, traits))
    }
    const wrong = lengthViolation(shape, out.length, 'items long')
    if (wrong !== undefined) throw this.#errors.badValue(path, undefined, wrong)
    return out
  }

  #map(shape: MapShape, node: FormNode, path: string, traits: MemberTraits | undefined): unknown {
    const out = Object.create(null) as Record<string, unknown>
    for (const [index, child] of this.#numbered(node, path, 'entry', traits)) {
      const keyNode = child.children?.get(shape.keyName ?? 'key')
      if (keyNode?.value === undefined) throw this.#errors.missing(`${index}.${shape.keyName ?? 'key'}`)
      const valueNode = child.children?.get(shape.valueName ?? 'value')
      if (!valueNode) throw this.#errors.missing(`${index}.${shape.valueName ?? 'value'}`)
      out[keyNode.value] = this.#value(shape.value, valueNode, `${index}.value`, traits)
    }
    return out
  }

  /** The numbered children of a list in order, gaps tolerated; `X=value` counts as a list of one, `X=` of none. */
  *#numbered(
    node: FormNode,
    path: string,
    item: string,
    traits: MemberTraits | undefined,
  ): Generator<[path: string, node: FormNode]> {
    const wrapped = !this.#ec2 && !traits?.flat
    const holder = wrapped ? (node.children?.get(item) ?? {}) : node
    const prefix = wrapped ? `${path}.${item}` : path
    if (wrapped) this.#unknownChildren(node, wrapper(item), path)
    const found: Array<[number, FormNode]> = []
    for (const [key, child] of holder.children ?? []) {
      if (/^\d{1,5}$/.test(key)) found.push([Number(key), child])
      else this.#unknown(leafPath(`${prefix}.${key}`, child))
    }
    if (found.length === 0 && node.value !== undefined && node.value !== '') {
      yield [path, { value: node.value }]
    } else if (node.value !== undefined && node.value !== '') this.#unknown(path)
    for (const [index, child] of found.toSorted(([a], [b]) => a - b)) yield [`${prefix}.${index}`, child]
  }
}

/** `InstanceId.1=i-…` where EC2 wants one id: boto 2 writes it so for GetConsoleOutput, and EC2 takes it. */
function onlyFirst(node: FormNode): FormNode {
  const first = node.children?.get('1')
  const alone = first && node.value === undefined && node.children?.size === 1 && !first.children
  return alone ? first : node
}

/** `Monitoring.Enabled=true` where EC2's model has `Monitoring`: it had the former once, and older tools write it so. */
function enabled(node: FormNode): FormNode {
  const said = node.children?.get('Enabled')
  const alone = said && node.value === undefined && node.children?.size === 1 && !said.children
  return alone ? said : node
}

/**
 * `EbsOptimized=true` where EC2's model has `EbsOptimized.Value`, and `UserData=…` where it has `UserData.Data`: euca2ools
 * writes an attribute of an instance, and what an imported one is told, so.
 */
function withValue({ members }: StructShape, node: FormNode): FormNode {
  const isPlain = node.value !== undefined && node.value !== '' && !node.children
  const [only, ...others] = Object.keys(members)
  const holdsValue = (only === 'Value' || only === 'Data') && others.length === 0
  return isPlain && holdsValue ? { children: new Map([[only, { value: node.value! }]]) } : node
}

const wrapper = (item: string): Members => new Map([[item, { key: item, model: ['string'] }]])

/** The first key the sender really wrote below this node. */
function leafPath(path: string, node: FormNode): string {
  let here: FormNode | undefined = node
  let text = path
  for (let depth = 0; here && here.value === undefined && depth < formLimits.maxDepth; depth += 1) {
    const next: [string, FormNode] | undefined = here.children?.entries().next().value
    if (next) text = `${text}.${next[0]}`
    here = next?.[1]
  }
  return text
}
