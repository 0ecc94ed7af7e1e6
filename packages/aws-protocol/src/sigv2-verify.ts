/**
 * Decides whether a query request was signed by the holder of a secret key by Signature Version 2, the way of boto 2,
 * libcloud and Eucalyptus' tools. Pure: the clock and the look-up of secrets are arguments.
 *
 * Weaker than Version 4 (no header is covered, the secret itself is the key), so doors offer it only where an
 * administrator asked for it.
 */
import { timingSafeEqual } from 'node:crypto'
import { AwsError } from './aws-error.ts'
import { parseForm, shownKey } from './form.ts'
import { headerText, type HeaderValues } from './sigv4-canonical.ts'
import { signatureKind } from './sigv4-credentials.ts'
import { allowedSkewMs, type VerifyOptions } from './sigv4-verify.ts'
import { SignatureError, type SignatureDialect } from './signature-errors.ts'
import { sigV2Digest, sigV2Text, type SigV2Method } from './sigv2-canonical.ts'

export interface SigV2Request {
  readonly method: string
  readonly rawPath: string
  /** without the question mark */
  readonly rawQuery: string
  /** the text of a form body; empty where there is none */
  readonly form: string
  readonly headers: HeaderValues
}

const marks: ReadonlySet<string> = new Set(['AWSAccessKeyId', 'SignatureVersion'])

/**
 * Whether the request means to be signed by Version 2. Where it is signed by Version 4 or carries any other
 * Authorization too, this throws `ambiguous`: the two could differ on who is asking. Throws MalformedQueryString.
 */
export function claimsSigV2(request: SigV2Request, dialect: SignatureDialect): boolean {
  const claimed = [...parseForm(request.rawQuery), ...parseForm(request.form)].some(([name]) =>
    marks.has(name),
  )
  if (!claimed) return false
  if (signatureKind(request) !== undefined || request.headers['authorization'] !== undefined)
    throw new SignatureError(dialect, 'ambiguous')
  return true
}

/** A signed address is good for as long as one of Version 4 may be. */
const longestLifeMs = 7 * 24 * 60 * 60 * 1000

/** Resolves to the id of the key that signed. Rejects with AwsError (mostly SignatureError), or what `secretOf` throws. */
export async function verifySigV2(
  request: SigV2Request,
  options: Pick<VerifyOptions, 'dialect' | 'secretOf' | 'now'>,
): Promise<{ accessKeyId: string }> {
  const { dialect } = options
  const parameters = mergedParameters(request)
  const required = (name: string): string => {
    const value = parameters.get(name)
    if (value === undefined || value === '')
      throw new AwsError('MissingParameter', `The request must contain the parameter ${name}`)
    return value
  }
  const accessKeyId = required('AWSAccessKeyId')
  const method = methodNamed(required('SignatureVersion'), required('SignatureMethod'), dialect)
  const given = Buffer.from(required('Signature'), 'base64')
  checkTime(parameters, options)
  const secret = await options.secretOf(accessKeyId, parameters.get('SecurityToken'))
  if (secret === undefined) throw new SignatureError(dialect, 'unknownKey')

  const signed = [...parameters].filter(([name]) => name !== 'Signature')
  const fits = hostsOf(request.headers).map((host) => {
    const expected = sigV2Digest(secret, method, sigV2Text({ ...request, host, parameters: signed }))
    return expected.length === given.length && timingSafeEqual(expected, given)
  })
  if (!fits.includes(true)) throw new SignatureError(dialect, 'mismatch')
  return { accessKeyId }
}

/** Query and body as one. What is given twice could be signed as one value and read as the other. */
function mergedParameters({ rawQuery, form }: SigV2Request): Map<string, string> {
  const merged = new Map<string, string>()
  for (const [name, value] of [...parseForm(rawQuery), ...parseForm(form)]) {
    if (merged.has(name))
      throw new AwsError('InvalidParameterValue', `The parameter ${shownKey(name)} is given more than once.`)
    merged.set(name, value)
  }
  return merged
}

function methodNamed(version: string, method: string, dialect: SignatureDialect): SigV2Method {
  const bad = (detail: string) => new SignatureError(dialect, 'malformedQuery', detail)
  if (version !== '2') throw bad('SignatureVersion must be 2.')
  if (method === 'HmacSHA256' || method === 'HmacSHA1') return method
  throw bad('SignatureMethod must be HmacSHA256 or HmacSHA1.')
}

/** The Host as sent, and without its port: clients differ on which they sign. */
function hostsOf(headers: HeaderValues): string[] {
  const host = headerText(headers, 'host') ?? ''
  return [...new Set([host, host.replace(/:\d+$/, '')])]
}

function checkTime(
  parameters: ReadonlyMap<string, string>,
  { now, dialect }: Pick<VerifyOptions, 'now' | 'dialect'>,
): void {
  const [timestamp, expires] = [parameters.get('Timestamp'), parameters.get('Expires')]
  if (timestamp !== undefined && expires !== undefined)
    throw new AwsError(
      'InvalidParameterCombination',
      'The parameters Timestamp and Expires must not be used together.',
    )
  if (expires !== undefined) {
    const aheadMs = isoTime('Expires', expires) - now.getTime()
    if (aheadMs < 0) throw new SignatureError(dialect, 'expired')
    if (aheadMs > longestLifeMs)
      throw new AwsError('InvalidParameterValue', 'The parameter Expires may be at most seven days ahead.')
    return
  }
  if (timestamp === undefined || timestamp === '')
    throw new AwsError('MissingParameter', 'The request must contain the parameter Timestamp or Expires')
  const offMs = Math.abs(isoTime('Timestamp', timestamp) - now.getTime())
  if (offMs > allowedSkewMs) throw new SignatureError(dialect, 'skewed')
}

/** Milliseconds since the epoch of an ISO 8601 time; UTC where it names no zone, as boto leaves it. */
function isoTime(name: string, text: string): number {
  const [, day, second, zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? []
  const atMs = day === undefined ? Number.NaN : Date.parse(`${day}T${second}${zone}`)
  // A day that does not exist would be moved to one that does.
  const real = !Number.isNaN(atMs) && new Date(`${day}T00:00:00Z`).toISOString().startsWith(day ?? ' ')
  if (!real)
    throw new AwsError(
      'InvalidParameterValue',
      `Value (${shownKey(text)}) for parameter ${name} is invalid. Must be in ISO8601 format.`,
    )
  return atMs
}
