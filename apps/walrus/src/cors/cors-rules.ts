/** Who of other origins may ask from a browser. https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html */
import { s3Error, type S3 } from '@mallee/s3-api'

const mostRules = 100
const methods: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD'])

/** Throws MalformedXML, InvalidRequest. */
export function checkedCors(rules: readonly S3.CORSRule[]): S3.CORSRule[] {
  if (rules.length === 0 || rules.length > mostRules) throw s3Error('MalformedXML')
  for (const rule of rules) {
    if (rule.AllowedMethods.length === 0 || rule.AllowedOrigins.length === 0) throw s3Error('MalformedXML')
    const method = rule.AllowedMethods.find((one) => !methods.has(one))
    if (method !== undefined)
      throw s3Error('InvalidRequest', {
        message: `Found unsupported HTTP method in CORS config. Unsupported method is ${method.slice(0, 20)}`,
      })
    const starred = [...rule.AllowedOrigins, ...(rule.AllowedHeaders ?? [])].find(
      (text) => text.split('*').length > 2,
    )
    if (starred !== undefined)
      throw s3Error('InvalidRequest', {
        message: `AllowedOrigin "${starred.slice(0, 100)}" can not have more than one wildcard.`,
      })
    if (rule.ExposeHeaders?.some((name) => name.includes('*')))
      throw s3Error('InvalidRequest', { message: 'ExposeHeader can not contain wildcards.' })
    // What an answer's headers will hold must be what headers can hold.
    const names = [...(rule.ExposeHeaders ?? []), ...(rule.AllowedHeaders ?? [])]
    if (!names.every((name) => /^[!#$%&'*+.^`|~\w-]+$/.test(name))) throw s3Error('MalformedXML')
    if (!rule.AllowedOrigins.every((origin) => /^[\x21-\x7e]+$/.test(origin))) throw s3Error('MalformedXML')
  }
  return [...rules]
}

export interface CorsRequest {
  readonly origin: string
  /** Of the request, or of the one that a preflight asks about. */
  readonly method: string
  /** Of a preflight, in lower case. */
  readonly headers: readonly string[]
}

/** The headers that let a browser show the answer; null where no rule allows it. The first rule that fits decides. */
export function corsHeaders(
  rules: readonly S3.CORSRule[],
  request: CorsRequest,
): Readonly<Record<string, string>> | null {
  for (const rule of rules) {
    const origin = rule.AllowedOrigins.find((pattern) => fits(pattern, request.origin))
    if (origin === undefined || !rule.AllowedMethods.includes(request.method)) continue
    const allowed = request.headers.every((name) =>
      (rule.AllowedHeaders ?? []).some((pattern) => fits(pattern.toLowerCase(), name)),
    )
    if (!allowed) continue
    return {
      'access-control-allow-origin': origin === '*' ? '*' : request.origin,
      ...(origin === '*' ? {} : { 'access-control-allow-credentials': 'true' }),
      'access-control-allow-methods': rule.AllowedMethods.join(', '),
      ...(request.headers.length > 0 ? { 'access-control-allow-headers': request.headers.join(', ') } : {}),
      ...(rule.ExposeHeaders?.length
        ? { 'access-control-expose-headers': rule.ExposeHeaders.join(', ') }
        : {}),
      ...(rule.MaxAgeSeconds === undefined ? {} : { 'access-control-max-age': String(rule.MaxAgeSeconds) }),
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    }
  }
  return null
}

/** One star at most stands for anything. */
function fits(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*')
  if (star < 0) return pattern === text
  const [start, end] = [pattern.slice(0, star), pattern.slice(star + 1)]
  return text.length >= start.length + end.length && text.startsWith(start) && text.endsWith(end)
}
