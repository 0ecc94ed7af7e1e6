/**
 * Writes the table of procedures as our own codecs: only the numbers, field names and limits come from
 * libvirt.
 */
import type { Declaration, Protocol } from './parse-protocol.ts'

export const camel = (snake: string) =>
  snake.toLowerCase().replace(/_(\w)/g, (_, c: string) => c.toUpperCase())
const fieldName = (name: string) => name.replace(/_(\w)/g, (_, c: string) => c.toUpperCase())

const PRIMITIVES: Record<string, string> = {
  int: 'int',
  'unsigned int': 'uint',
  unsigned: 'uint',
  hyper: 'hyper',
  'unsigned hyper': 'uhyper',
  double: 'double',
  char: 'char',
  'unsigned char': 'char',
  'unsigned short': 'uint',
}
const UNBOUNDED = 33_554_408

/** Emits codecs for the types asked for, each named type once and before its use. */
export function createTypeEmitter(protocol: Protocol, numbers: Map<string, number>) {
  const emitted = new Map<string, string>()
  const used = new Set<string>()
  const lines: string[] = []

  const use = (name: string) => {
    used.add(name)
    return name
  }
  const bound = (text: string): number => {
    if (text === '') return UNBOUNDED
    const value = protocol.consts.get(text) ?? text
    const number = numbers.get(value) ?? Number(value)
    if (Number.isNaN(number)) throw new Error(`no number for ${text}`)
    return number
  }

  const declared = ({ type, shape, bound: limit }: Declaration): string => {
    if (type === 'string') return `${use('string')}(${bound(limit)})`
    if (type === 'char' && shape === 'fixed') return `${use('fixedChars')}(${bound(limit)})`
    if (type === 'opaque' || (type === 'char' && shape === 'variable')) {
      return `${use(shape === 'fixed' ? 'fixedOpaque' : 'opaque')}(${bound(limit)})`
    }
    const inner = named(type)
    if (shape === 'optional') return `${use('optional')}(${inner})`
    if (shape === 'variable') return `${use('array')}(${inner}, ${bound(limit)})`
    if (shape === 'fixed') throw new Error(`array of fixed size not supported: ${type}`)
    return inner
  }

  const define = (name: string, expression: string): string => {
    const ours = camel(name.replace(/^remote_(nonnull_)?/, ''))
    lines.push(`const ${ours} = ${expression}`)
    emitted.set(name, ours)
    return ours
  }

  const structOf = (fields: Declaration[]): string =>
    `${use('struct')}({ ${fields.map((field) => `${fieldName(field.name)}: ${declared(field)}`).join(', ')} })`

  function named(type: string): string {
    const primitive = PRIMITIVES[type]
    if (primitive !== undefined) return use(primitive)
    const known = emitted.get(type)
    if (known !== undefined) return known
    if (protocol.enums.has(type)) return use('int')
    // Sixteen bytes that everybody reads as text.
    if (type === 'remote_uuid') return use('uuid')
    const typedef = protocol.typedefs.get(type)
    if (typedef !== undefined) {
      const simple = typedef.shape === 'optional' || typedef.type === 'string'
      return simple ? declared(typedef) : define(type, declared(typedef))
    }
    const fields = protocol.structs.get(type)
    if (fields !== undefined) return define(type, structOf(fields))
    const choice = protocol.unions.get(type)
    if (choice === undefined) throw new Error(`unknown type ${type}`)
    const arms = choice.arms.map(
      ({ label, declaration }) => `${numbers.get(label)}: ${declared(declaration)}`,
    )
    return define(type, `${use('union')}({ ${arms.join(', ')} })`)
  }

  return {
    /** A codec for a procedure's arguments, answer or message; `nothing` where there is no such struct. */
    body(structName: string): string {
      const fields = protocol.structs.get(structName)
      return fields === undefined ? use('nothing') : structOf(fields)
    },
    named,
    lines,
    used,
  }
}
