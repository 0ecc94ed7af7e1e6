/**
 * JSON Schemas that carry their TypeScript type, so that a shape on the wire is written once: ajv compiles `json`,
 * and `Shape<typeof x>` is the type. Objects refuse members they do not know; additive change is therefore a change
 * of both sides, with the version before accepted by listing the member as optional first.
 */
export interface Schema<T> {
  readonly json: Readonly<Record<string, unknown>>
  /** Never present; it only carries the type. */
  readonly type?: T
}
export type Shape<S> = S extends Schema<infer T> ? T : never

type Members = Record<string, Schema<unknown>>
type Required<M extends Members> = { [K in keyof M]: Shape<M[K]> }
type Optional<M extends Members> = { [K in keyof M]?: Shape<M[K]> | undefined }
type Flat<T> = { [K in keyof T]: T[K] } & {}

export const text = (options: { pattern?: string; maxLength?: number } = {}): Schema<string> => ({
  json: {
    type: 'string',
    maxLength: options.maxLength ?? 4096,
    ...(options.pattern ? { pattern: options.pattern } : {}),
  },
})
export const longText = (maxLength: number): Schema<string> => ({ json: { type: 'string', maxLength } })
export const integer = (minimum = 0, maximum = Number.MAX_SAFE_INTEGER): Schema<number> => ({
  json: { type: 'integer', minimum, maximum },
})
export const flag = (): Schema<boolean> => ({ json: { type: 'boolean' } })
export const choice = <const T extends string>(...values: readonly T[]): Schema<T> => ({
  json: { type: 'string', enum: [...values] },
})
export const list = <T>(item: Schema<T>, maxItems = 100_000): Schema<T[]> => ({
  json: { type: 'array', items: item.json, maxItems },
})
export const mapOf = <T>(value: Schema<T>): Schema<Record<string, T>> => ({
  json: { type: 'object', additionalProperties: value.json },
})
export const nullable = <T>(inner: Schema<T>): Schema<T | null> => ({
  json: { anyOf: [inner.json, { type: 'null' }] },
})
export const anything = (): Schema<unknown> => ({ json: {} })

export function record<M extends Members, O extends Members = Record<never, never>>(
  members: M,
  optional?: O,
): Schema<Flat<Required<M> & Optional<O>>> {
  const all: Members = { ...members, ...optional }
  return {
    json: {
      type: 'object',
      additionalProperties: false,
      required: Object.keys(members),
      properties: Object.fromEntries(Object.entries(all).map(([name, member]) => [name, member.json])),
    },
  }
}
