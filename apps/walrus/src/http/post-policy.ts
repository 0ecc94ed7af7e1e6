/** What a signed form may say. https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html */
import { s3Error } from '@mallee/s3-api'
import type { FormFields } from './post-form.ts'

const invalid = (why: string) => s3Error('InvalidPolicyDocument', { message: `Invalid Policy: ${why}` })
const failed = (condition: unknown) =>
  s3Error('AccessDenied', {
    message: `Invalid according to Policy: Policy Condition failed: ${JSON.stringify(condition).slice(0, 200)}`,
  })

/** Fields that need no condition: what proves who sends it, and the file. */
const free = (name: string): boolean =>
  ['x-amz-signature', 'signature', 'awsaccesskeyid', 'policy', 'file'].includes(name) ||
  name.startsWith('x-ignore-')

interface Found {
  length: { least: number; most: number } | null
}

/** Throws InvalidPolicyDocument where it cannot be read, AccessDenied where the form is not as it says. */
export function checkPolicy(text: string, fields: FormFields, bucket: string, nowMs: number): Found {
  const { expiration, conditions } = parsed(text)
  if (expiration <= nowMs)
    throw s3Error('AccessDenied', { message: 'Invalid according to Policy: Policy expired.' })
  const values = new Map([...fields, ['bucket', bucket] as const])
  const covered = new Set<string>()
  const found: Found = { length: null }
  for (const condition of conditions) checkCondition(condition, values, covered, found)
  const extra = [...values.keys()].find((name) => !covered.has(name) && !free(name) && name !== 'bucket')
  if (extra !== undefined)
    throw s3Error('AccessDenied', {
      message: `Invalid according to Policy: Extra input fields: ${extra.slice(0, 100)}`,
    })
  return found
}

function parsed(text: string): { expiration: number; conditions: readonly unknown[] } {
  let document: unknown
  try {
    document = JSON.parse(Buffer.from(text, 'base64').toString('utf8'))
  } catch {
    throw invalid('Invalid JSON.')
  }
  if (typeof document !== 'object' || document === null) throw invalid('Policy must be an object.')
  const { expiration, conditions, ...others } = document as Record<string, unknown>
  const at =
    typeof expiration === 'string' && /^\d{4}-\d\d-\d\dT/.test(expiration)
      ? Date.parse(expiration)
      : Number.NaN
  if (Number.isNaN(at)) throw invalid("Invalid 'expiration' value.")
  if (!Array.isArray(conditions)) throw invalid("Invalid 'conditions' value.")
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalid(`Unexpected: '${unknown.slice(0, 50)}'.`)
  return { expiration: at, conditions }
}

function checkCondition(
  condition: unknown,
  values: ReadonlyMap<string, string>,
  covered: Set<string>,
  found: Found,
): void {
  for (const [operator, name, wanted] of triples(condition)) {
    if (operator === 'content-length-range') {
      const [least, most] = [Number(name), Number(wanted)]
      if (!Number.isSafeInteger(least) || !Number.isSafeInteger(most) || least < 0 || most < least)
        throw invalid('content-length-range must have two numbers.')
      found.length = { least, most }
      continue
    }
    if (typeof wanted !== 'string') throw invalid('The value of a condition must be a string.')
    const field = String(name).replace(/^\$/, '').toLowerCase()
    const value = values.get(field) ?? ''
    covered.add(field)
    if (operator === 'eq' ? value !== wanted : !value.startsWith(wanted)) throw failed(condition)
  }
}

/** `{"acl": "private"}` or `["eq", "$acl", "private"]`. */
function triples(condition: unknown): [operator: string, name: unknown, value: unknown][] {
  if (Array.isArray(condition)) {
    const [operator, name, value] = condition as unknown[]
    const known = ['eq', 'starts-with', 'content-length-range']
    const kind = String(operator).toLowerCase()
    if (condition.length !== 3 || !known.includes(kind)) throw invalid('Invalid condition.')
    if (kind !== 'content-length-range' && (typeof name !== 'string' || !name.startsWith('$')))
      throw invalid('The name of a field must begin with $.')
    return [[kind, name, value]]
  }
  if (typeof condition !== 'object' || condition === null) throw invalid('Invalid condition.')
  return Object.entries(condition).map(([name, value]) => {
    if (typeof value !== 'string') throw invalid('Invalid simple condition: value must be a string.')
    return ['eq', `$${name}`, value]
  })
}
