/**
 * The compact form of an AWS service model: what `npm run gen:models` writes and what the codecs read.
 *
 * A model is plain JSON. Shapes refer to each other by name; the prelude names below are scalars without
 * constraints and are not listed in `shapes`. Nothing here knows a service: EC2, IAM, STS and S3 differ only in
 * their `protocol` and in their data.
 */

export type ScalarKind =
  | 'string'
  | 'integer'
  | 'long'
  | 'float'
  | 'double'
  /** a number of which the source did not say whether it is whole */
  | 'number'
  | 'boolean'
  /** the protocol's default timestamp format */
  | 'timestamp'
  | 'dateTime'
  | 'httpDate'
  | 'epochSeconds'
  | 'blob'
  | 'streamingBlob'

export const preludeKinds: ReadonlySet<string> = new Set<ScalarKind>([
  'string',
  'integer',
  'long',
  'float',
  'double',
  'number',
  'boolean',
  'timestamp',
  'dateTime',
  'httpDate',
  'epochSeconds',
  'blob',
  'streamingBlob',
])

/** Limits: of length for strings, blobs and lists, of value for numbers. */
export interface Limits {
  readonly min?: number
  readonly max?: number
}

export interface ScalarShape extends Limits {
  readonly kind: ScalarKind
  readonly enum?: readonly string[]
  /** a regular expression for the whole value */
  readonly pattern?: string
  readonly sensitive?: 1
}

export interface ListShape extends Limits {
  readonly kind: 'list'
  readonly of: string
  /** element name of one item; `member` when absent */
  readonly item?: string
}

export interface MapShape {
  readonly kind: 'map'
  readonly key: string
  readonly value: string
  readonly keyName?: string
  readonly valueName?: string
}

export interface MemberTraits {
  readonly required?: 1
  readonly sensitive?: 1
  /** filled in by clients when absent: never missed when required */
  readonly token?: 1
  readonly flat?: 1
  /** name in ec2Query requests where it is not the capitalised element name */
  readonly query?: string
  /** restXml and restJson bindings */
  readonly header?: string
  readonly prefix?: string
  readonly queryKey?: string
  readonly label?: 1
  readonly payload?: 1
  readonly status?: 1
  readonly attribute?: 1
  readonly xmlns?: string
  readonly xmlPrefix?: string
}

/** [shape name, element name or 0 when it is the member's own, traits] */
export type MemberModel = readonly [shape: string, element?: string | 0, traits?: MemberTraits]

export interface StructShape {
  readonly kind: 'struct' | 'union'
  readonly members: Readonly<Record<string, MemberModel>>
  /** root element when the struct is an XML document of its own */
  readonly root?: string
  /** an error shape: [code on the wire, HTTP status] */
  readonly error?: readonly [code: string, status: number]
}

export type ShapeModel = ScalarShape | ListShape | MapShape | StructShape

export interface OperationModel {
  readonly in?: string
  readonly out?: string
  /** restXml and restJson: [method, URI template, status of success] */
  readonly http?: readonly [method: string, uri: string, status: number]
  /** a checksum of the request body is required */
  readonly checksum?: 1
}

export type Protocol = 'ec2Query' | 'awsQuery' | 'restXml' | 'restJson' | 'awsJson'

export interface ServiceModel {
  readonly service: string
  readonly protocol: Protocol
  readonly apiVersion: string
  readonly xmlNamespace: string
  /** where the data comes from, for people */
  readonly source: string
  readonly operations: Readonly<Record<string, OperationModel>>
  readonly shapes: Readonly<Record<string, ShapeModel>>
}

/** The shape of that name: the prelude's or the model's. Throws when the model has none (a broken model). */
export function shapeNamed(model: ServiceModel, name: string): ShapeModel {
  const shape = Object.hasOwn(model.shapes, name) ? model.shapes[name] : undefined
  if (shape) return shape
  if (preludeKinds.has(name)) return { kind: name as ScalarKind }
  throw new Error(`model ${model.service} has no shape ${name}`)
}

/** The operation of that name, or undefined. Safe for names that come from outside. */
export function operationNamed(model: ServiceModel, name: string): OperationModel | undefined {
  return Object.hasOwn(model.operations, name) ? model.operations[name] : undefined
}

/** The struct of that name. Throws when the name is of another kind. */
export function structNamed(model: ServiceModel, name: string): StructShape {
  const shape = shapeNamed(model, name)
  if (shape.kind === 'struct' || shape.kind === 'union') return shape
  throw new Error(`model ${model.service}: ${name} is a ${shape.kind}, not a struct`)
}
