/** One scalar from its text on the wire, held to the model's enum, length, range and pattern. */
import type { DecodeErrors } from './decode-errors.ts'
import type { ScalarKind, ScalarShape } from './model.ts'
import {
  parseBase64,
  parseBoolean,
  parseInteger,
  parseLong,
  parseReal,
  parseTimestamp,
} from './scalar-text.ts'

export interface ScalarRules {
  errors: DecodeErrors
  /** false: values outside the enum of that shape pass */
  enforcesEnum(shapeName: string): boolean
  /** values of sensitive members are left out of messages */
  sensitive: boolean
}

export type Scalar = string | number | boolean | Date | Buffer

const parsers: Record<ScalarKind, [parse: (text: string) => Scalar | undefined, expected: string]> = {
  string: [(text) => text, 'a string'],
  integer: [parseInteger, 'an integer'],
  long: [parseLong, 'an integer'],
  float: [parseReal, 'a number'],
  double: [parseReal, 'a number'],
  number: [parseReal, 'a number'],
  boolean: [parseBoolean, 'true or false'],
  timestamp: [parseTimestamp, 'a timestamp such as 2026-01-31T23:59:59Z'],
  dateTime: [parseTimestamp, 'a timestamp such as 2026-01-31T23:59:59Z'],
  httpDate: [parseTimestamp, 'an HTTP date'],
  epochSeconds: [parseTimestamp, 'a timestamp in seconds since 1970'],
  blob: [parseBase64, 'base64-encoded'],
  streamingBlob: [parseBase64, 'base64-encoded'],
}

const patterns = new Map<string, RegExp | undefined>()

/** What XML 1.0 cannot hold, escaped or not: no answer could say it back. */
// oxlint-disable-next-line no-control-regex
const unspeakable = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/

/** Model patterns are for the whole value. One that JavaScript cannot compile is not enforced. */
function patternOf(source: string): RegExp | undefined {
  if (!patterns.has(source)) patterns.set(source, compiled(source))
  return patterns.get(source)
}

function compiled(source: string): RegExp | undefined {
  for (const flags of ['u', '']) {
    try {
      return new RegExp(`^(?:${source})$`, flags)
    } catch {
      // tried without the flag next; two of AWS's patterns need that
    }
  }
  return undefined
}

/** Throws the protocol's error for a value that is not of the shape's kind or outside its limits. */
export function decodeScalar(
  name: string,
  shape: ScalarShape,
  text: string,
  path: string,
  rules: ScalarRules,
): Scalar {
  const [parse, expected] = parsers[shape.kind]
  const shown = rules.sensitive || shape.sensitive ? undefined : text
  const value = parse(text)
  if (value === undefined) throw rules.errors.badValue(path, shown, expected)
  const wrong = violation(name, shape, value, rules)
  if (wrong !== undefined) throw rules.errors.badValue(path, shown, wrong)
  return value
}

function violation(name: string, shape: ScalarShape, value: Scalar, rules: ScalarRules): string | undefined {
  if (typeof value === 'string') {
    if (unspeakable.test(value)) return 'of characters that XML can hold'
    if (shape.enum && rules.enforcesEnum(name) && !shape.enum.includes(value)) {
      return `one of ${shape.enum.slice(0, 40).join(', ')}`
    }
    const length = lengthViolation(shape, characterCount(value), 'characters long')
    if (length !== undefined || shape.pattern === undefined) return length
    return patternOf(shape.pattern)?.test(value) === false ? `of the form ${shape.pattern}` : undefined
  }
  if (typeof value === 'number') return lengthViolation(shape, value, '')
  if (Buffer.isBuffer(value)) return lengthViolation(shape, value.length, 'bytes long')
  return undefined
}

/** Models count characters of Unicode, JavaScript counts halves of some. */
function characterCount(text: string): number {
  return text.length - (text.match(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g)?.length ?? 0)
}

/** Also for lists: `unit` says what is counted. */
export function lengthViolation(
  limits: { min?: number; max?: number },
  count: number,
  unit: string,
): string | undefined {
  const suffix = unit === '' ? '' : ` ${unit}`
  if (limits.min !== undefined && count < limits.min) return `at least ${limits.min}${suffix}`
  if (limits.max !== undefined && count > limits.max) return `at most ${limits.max}${suffix}`
  return undefined
}
