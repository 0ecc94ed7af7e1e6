/**
 * Typed output to XML, driven by the model: one closure per shape, made when the shape is first met.
 *
 * Members that are undefined or null are left out. Top-level lists can be written even when absent (`<tagSet/>`),
 * because clients count the items of containers that they expect to be there.
 */
import type { ListShape, MapShape, MemberModel, ScalarShape, ServiceModel, StructShape } from './model.ts'
import { shapeNamed, structNamed } from './model.ts'
import { formatTimestamp } from './scalar-text.ts'
import { escapeXml, escapeXmlAttribute, escapeXmlKeepingControls } from './xml-text.ts'

/** Writes a value's content, without its own tag. */
type Writer = (value: unknown) => string
/** Writes a whole member with its tag. */
type MemberWriter = (value: unknown) => string
type Values = Readonly<Record<string, unknown>>

interface StructWriter {
  members: Array<[key: string, write: MemberWriter]>
  /** [member, text written when it is absent] */
  emptyContainers: Array<[key: string, text: string]>
}

const notBody = ['header', 'prefix', 'queryKey', 'label', 'status', 'payload'] as const

export class XmlEncoder {
  readonly #model: ServiceModel
  readonly #escape: (text: string) => string
  readonly #writers = new Map<string, Writer>()
  readonly #structs = new Map<string, StructWriter>()

  constructor(model: ServiceModel) {
    this.#model = model
    this.#escape = model.protocol === 'restXml' ? escapeXmlKeepingControls : escapeXml
  }

  /** The members of a struct, without a tag around them. `emptyLists`: write absent lists as empty elements. */
  members(structName: string, output: object, options: { emptyLists: boolean }): string {
    const struct = this.#struct(structName)
    const value = output as Values
    let out = writeMembers(struct, value)
    if (!options.emptyLists) return out
    for (const [key, text] of struct.emptyContainers) {
      if (value[key] === undefined || value[key] === null) out += text
    }
    return out
  }

  /** One member of a struct as a whole element, e.g. an httpPayload. */
  member(structName: string, key: string, value: unknown): string {
    const model = structNamed(this.#model, structName).members[key]
    if (!model) throw new Error(`${structName} has no member ${key}`)
    return this.#memberWriter(key, model)(value)
  }

  #struct(name: string): StructWriter {
    const known = this.#structs.get(name)
    if (known) return known
    const shape = structNamed(this.#model, name)
    const writer: StructWriter = { members: [], emptyContainers: [] }
    this.#structs.set(name, writer)
    for (const [key, model] of Object.entries(shape.members)) {
      const traits = model[2]
      if (traits?.attribute || notBody.some((trait) => traits?.[trait] !== undefined)) continue
      writer.members.push([key, this.#memberWriter(key, model)])
      const kind = shapeNamed(this.#model, model[0]).kind
      if (!traits?.flat && (kind === 'list' || kind === 'map')) {
        writer.emptyContainers.push([key, `<${elementName(key, model)}/>`])
      }
    }
    return writer
  }

  #memberWriter(key: string, model: MemberModel): MemberWriter {
    const [shapeName, , traits] = model
    const tag = elementName(key, model)
    const shape = shapeNamed(this.#model, shapeName)
    if (traits?.flat && shape.kind === 'list') return this.#items(shape, tag)
    if (traits?.flat && shape.kind === 'map') return this.#entries(shape, tag)
    const attributes =
      'members' in shape ? this.#attributes(shape, traits?.xmlns, traits?.xmlPrefix) : undefined
    const write = this.#writer(shapeName)
    const end = `</${tag}>`
    const start = `<${tag}>`
    if (attributes) return (value) => `<${tag}${attributes(value as Values)}>${write(value)}${end}`
    return (value) => {
      const text = write(value)
      return text === '' ? `<${tag}/>` : start + text + end
    }
  }

  /** The writer of a struct's XML attributes; undefined when it has none. */
  #attributes(
    shape: StructShape,
    xmlns: string | undefined,
    prefix: string | undefined,
  ): ((value: Values) => string) | undefined {
    const named = Object.entries(shape.members).filter(([, [, , traits]]) => traits?.attribute)
    const space = xmlns === undefined ? '' : ` xmlns${prefix === undefined ? '' : `:${prefix}`}="${xmlns}"`
    if (named.length === 0 && space === '') return undefined
    return (value) => {
      let out = space
      for (const [key, model] of named) {
        const text = value[key]
        if (typeof text === 'string') out += ` ${elementName(key, model)}="${escapeXmlAttribute(text)}"`
      }
      return out
    }
  }

  #writer(name: string): Writer {
    const known = this.#writers.get(name)
    if (known) return known
    // Shapes may contain themselves: the entry looks itself up until it is known.
    this.#writers.set(name, (value) => this.#writer(name)(value))
    const shape = shapeNamed(this.#model, name)
    const writer = this.#writerOf(name, shape)
    this.#writers.set(name, writer)
    return writer
  }

  #writerOf(name: string, shape: ReturnType<typeof shapeNamed>): Writer {
    if (shape.kind === 'list') return this.#items(shape, shape.item ?? 'member')
    if (shape.kind === 'map') return this.#entries(shape, 'entry')
    if (!('members' in shape)) return scalarWriter(shape, this.#escape)
    let struct: StructWriter | undefined
    return (value) => writeMembers((struct ??= this.#struct(name)), value as Values)
  }

  #items(shape: ListShape, tag: string): Writer {
    const write = this.#writer(shape.of)
    const start = `<${tag}>`
    const end = `</${tag}>`
    const attributes = this.#itemAttributes(shape)
    if (attributes) {
      return (value) =>
        (value as Values[]).map((item) => `<${tag}${attributes(item)}>${write(item)}${end}`).join('')
    }
    return (value) => {
      let out = ''
      for (const item of value as unknown[]) out += start + write(item) + end
      return out
    }
  }

  #itemAttributes(shape: ListShape): ((value: Values) => string) | undefined {
    const item = shapeNamed(this.#model, shape.of)
    return 'members' in item ? this.#attributes(item, undefined, undefined) : undefined
  }

  #entries(shape: MapShape, tag: string): Writer {
    const write = this.#writer(shape.value)
    const keyTag = shape.keyName ?? 'key'
    const valueTag = shape.valueName ?? 'value'
    return (value) => {
      let out = ''
      for (const [key, item] of Object.entries(value as Values)) {
        const text = `<${keyTag}>${this.#escape(key)}</${keyTag}><${valueTag}>${write(item)}</${valueTag}>`
        out += `<${tag}>${text}</${tag}>`
      }
      return out
    }
  }
}

function writeMembers(struct: StructWriter, value: Values): string {
  let out = ''
  for (const [key, write] of struct.members) {
    const member = value[key]
    if (member !== undefined && member !== null) out += write(member)
  }
  return out
}

function elementName(key: string, [, element]: MemberModel): string {
  return element === undefined || element === 0 ? key : element
}

/** The text of one scalar, not escaped. */
export function scalarText(shape: ScalarShape, value: unknown): string {
  if (value instanceof Date) return formatTimestamp(value, shape.kind)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return String(value)
}

function scalarWriter(shape: ScalarShape, escape: (text: string) => string): Writer {
  if (shape.kind === 'string') return (value) => escape(String(value))
  return (value) => scalarText(shape, value)
}
