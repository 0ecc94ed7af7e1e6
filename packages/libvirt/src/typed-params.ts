/** libvirt's typed parameters as plain records, both ways. */

/** `{ 'net.0.name': 'tap0', 'net.0.rx.bytes': 7 }` */
export type TypedParams = Record<string, number | string | boolean>

/** The number libvirt gives each type of parameter. */
const types = { int: 1, uint: 2, llong: 3, ullong: 4, double: 5, boolean: 6, string: 7 } as const
/** Type names for parameters that are sent. */
export type TypedParamType = keyof typeof types

type WireParam = {
  field: string
  value: { type: 1 | 2 | 3 | 4 | 5 | 6; value: number } | { type: 7; value: string }
}

/** From the wire. A field that comes twice keeps its last value. */
export function fromWire(params: readonly WireParam[]): TypedParams {
  const record: TypedParams = {}
  for (const { field, value } of params) {
    record[field] = value.type === types.boolean ? value.value !== 0 : value.value
  }
  return record
}

/** To the wire. Numbers need their type said, since libvirt refuses the wrong one. */
export function toWire(params: Record<string, [TypedParamType, number | string | boolean]>): WireParam[] {
  return Object.entries(params).map(([field, [type, value]]) => {
    if (type === 'string') return { field, value: { type: 7, value: String(value) } }
    return { field, value: { type: types[type] as 1 | 2 | 3 | 4 | 5 | 6, value: Number(value) } }
  })
}
