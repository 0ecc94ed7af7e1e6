/**
 * Shapes: how typed values lie in elements and attributes, said once for reading and writing. A shape that
 * meets no element gives its default, so documents of older versions read without special cases; a value
 * that cannot be understood is an error that names its place. Elements and attributes that no shape names
 * are passed over.
 */
import { element, elements, find, parseXml, serializeXml, textOf } from './xml-tree.ts'
import type { XmlElement } from './xml-tree.ts'

/** A value in a text or an attribute. */
export interface Scalar<Value> {
  /** `text` is undefined where the element or attribute is missing. */
  parse(text: string | undefined, path: string): Value
  /** undefined: leave it out. */
  format(value: Value): string | undefined
  /** The name this had in older documents. */
  formerName?: string
}

/** A value in an element. */
export interface Shape<Value> {
  read(at: XmlElement | undefined, path: string): Value
  /** null: leave it out. */
  write(name: string, value: Value): XmlElement | null
}

/** A value that does not belong where it stands. */
export class BadValue extends Error {
  override readonly name = 'BadValue'
  readonly path: string

  constructor(path: string, text: string, wanted: string) {
    super(`${path}: ${JSON.stringify(text.slice(0, 80))} is not ${wanted}`)
    this.path = path
  }
}

export const text: Scalar<string> = { parse: (given) => given ?? '', format: (value) => value }

export const flag: Scalar<boolean> = {
  parse: (given, path) => {
    if (given === undefined || given === '' || given === 'false' || given === '0') return false
    if (given === 'true' || given === '1') return true
    throw new BadValue(path, given, 'true or false')
  },
  format: String,
}

/** A whole number; missing or empty reads as `missing`. */
export function integer(missing = 0): Scalar<number> {
  return {
    parse: (given, path) => {
      if (given === undefined || given.trim() === '') return missing
      const value = Number(given)
      if (!Number.isSafeInteger(value)) throw new BadValue(path, given, 'a whole number')
      return value
    },
    format: String,
  }
}

/** A number with this many decimals. */
export function decimal(decimals: number): Scalar<number> {
  return {
    parse: (given, path) => {
      const value = Number(given ?? '0')
      if (!Number.isFinite(value)) throw new BadValue(path, given!, 'a number')
      return value
    },
    format: (value) => value.toFixed(decimals),
  }
}

/** One of some words; missing or empty reads as the first. */
export function choice<const Words extends readonly string[]>(words: Words): Scalar<Words[number]> {
  return {
    parse: (given, path) => {
      if (given === undefined || given === '') return words[0]!
      if (!words.includes(given)) throw new BadValue(path, given, `one of ${words.join(', ')}`)
      return given
    },
    format: (value) => value,
  }
}

/** There or not. */
export function optional<Value>(inner: Scalar<Value>): Scalar<Value | undefined> {
  return {
    parse: (given, path) => (given === undefined ? undefined : inner.parse(given, path)),
    format: (value) => (value === undefined ? undefined : inner.format(value)),
  }
}

/** Also found under the name it once had. */
export function formerly<Value>(formerName: string, inner: Scalar<Value>): Scalar<Value> {
  return { ...inner, formerName }
}

type ValueOf<Part> =
  Part extends Scalar<infer Value> ? Value : Part extends Shape<infer Value> ? Value : never
// oxlint-disable-next-line no-explicit-any -- the bound of an inferred record
type Parts = Record<string, Scalar<any> | Shape<any>>
// oxlint-disable-next-line no-explicit-any -- as above
type Scalars = Record<string, Scalar<any>>

/** The object a record of shapes describes; what may be undefined may be left out. */
export type ShapeValue<P> = {
  -readonly [Name in keyof P as undefined extends ValueOf<P[Name]> ? never : Name]: ValueOf<P[Name]>
} & {
  -readonly [Name in keyof P as undefined extends ValueOf<P[Name]> ? Name : never]?: ValueOf<P[Name]>
}

function readAttributes(scalars: Scalars, at: XmlElement | undefined, path: string) {
  const value: Record<string, unknown> = {}
  for (const [name, scalar] of Object.entries(scalars)) {
    const given = scalar.parse(at?.attributes[name], `${path}/@${name}`)
    if (given !== undefined) value[name] = given
  }
  return value
}

function writeAttributes(scalars: Scalars, value: Record<string, unknown>): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (const [name, scalar] of Object.entries(scalars)) {
    const formatted = scalar.format(value[name])
    if (formatted !== undefined) attributes[name] = formatted
  }
  return attributes
}

/** An element whose attributes hold everything. */
export function attributes<S extends Scalars>(scalars: S): Shape<ShapeValue<S>> {
  return {
    read: (at, path) => readAttributes(scalars, at, path) as ShapeValue<S>,
    write: (name, value) => element(name, writeAttributes(scalars, value)),
  }
}

/** An element with attributes and, in its text, `body`. */
export function attributesAndText<S extends Scalars, Name extends string>(
  scalars: S,
  body: Name,
): Shape<ShapeValue<S> & Record<Name, string>> {
  return {
    read: (at, path) =>
      ({ ...readAttributes(scalars, at, path), [body]: textOf(at) }) as ShapeValue<S> & Record<Name, string>,
    write: (name, value) => {
      const content = value[body] as string
      return element(name, writeAttributes(scalars, value), content === '' ? [] : [content])
    },
  }
}

/** An element whose children, in this order, hold everything. */
export function group<P extends Parts>(parts: P): Shape<ShapeValue<P>> {
  const entries = Object.entries(parts)
  return {
    read: (at, path) => {
      const value: Record<string, unknown> = {}
      for (const [name, part] of entries) {
        const below = `${path}/${name}`
        const given =
          'parse' in part
            ? part.parse(leafText(at, name, part.formerName), below)
            : part.read(find(at, name), below)
        if (given !== undefined) value[name] = given
      }
      return value as ShapeValue<P>
    },
    write: (name, value) => {
      const children: XmlElement[] = []
      for (const [childName, part] of entries) {
        const given = (value as Record<string, unknown>)[childName]
        const child =
          'parse' in part ? writeLeaf(childName, part.format(given)) : part.write(childName, given)
        if (child !== null) children.push(child)
      }
      return element(name, {}, children)
    },
  }
}

function leafText(
  at: XmlElement | undefined,
  name: string,
  formerName: string | undefined,
): string | undefined {
  const leaf = find(at, name) ?? (formerName === undefined ? undefined : find(at, formerName))
  return leaf === undefined ? undefined : textOf(leaf)
}

function writeLeaf(name: string, formatted: string | undefined): XmlElement | null {
  return formatted === undefined ? null : element(name, {}, formatted === '' ? [] : [formatted])
}

/** An element with any number of `name` in it. */
export function list<Value>(name: string, inner: Shape<Value>): Shape<Value[]> {
  return {
    read: (at, path) => elements(at, name).map((child, i) => inner.read(child, `${path}/${name}[${i + 1}]`)),
    write: (listName, values) =>
      element(
        listName,
        {},
        values.flatMap((value) => inner.write(name, value) ?? []),
      ),
  }
}

/** A list of texts. */
export function textList(name: string): Shape<string[]> {
  return list(name, { read: (at) => textOf(at), write: (child, value) => writeLeaf(child, value) })
}

/** An element with XML in it that is somebody else's, as text. */
export const verbatim: Shape<string> = {
  read: (at) =>
    elements(at)
      .map((child) => serializeXml(child))
      .join('\n'),
  write: (name, value) => element(name, {}, elements(parseXml(`<${name}>${value}</${name}>`))),
}
