/** Headers of one hop (RFC 9110, section 7.6.1); everything else passes as it came, twice where it came twice. */
const ofOneHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What the door itself says of a request; nobody else is believed. */
export const sourceHeader = 'x-mallee-source'
export const secureHeader = 'x-mallee-secure'

/**
 * The headers to pass on, as a flat list of names and values in the order and spelling they came. `without` are further
 * names to leave out. Headers that `Connection` names are of one hop too, but nobody may name away what was signed.
 */
export function forwardedHeaders(rawHeaders: readonly string[], without: readonly string[] = []): string[] {
  const dropped = new Set([...ofOneHop, ...without])
  for (const [name, value] of pairs(rawHeaders)) {
    if (name.toLowerCase() !== 'connection') continue
    for (const option of value.split(',')) {
      const named = option.trim().toLowerCase()
      if (!endToEnd.test(named)) dropped.add(named)
    }
  }
  return pairs(rawHeaders)
    .filter(([name]) => !dropped.has(name.toLowerCase()))
    .flat()
}

const endToEnd = /^(?:host|authorization|content-|x-amz-|x-mallee-|range$|if-|date$|expect$)/

function pairs(rawHeaders: readonly string[]): [name: string, value: string][] {
  const out: [string, string][] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    out.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? ''])
  return out
}

/**
 * Why a request's framing is not to be trusted, or null. Node refuses most of it; a request with both a length and
 * chunks, with several lengths or with another coding than chunks must not pass either.
 */
export function framingFault(rawHeaders: readonly string[], httpVersion: string): string | null {
  const valuesOf = (wanted: string) =>
    pairs(rawHeaders).flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value] : []))
  const lengths = valuesOf('content-length')
  const codings = valuesOf('transfer-encoding')
  if (codings.length > 0 && lengths.length > 0)
    return 'Transfer-Encoding and Content-Length exclude each other.'
  if (lengths.length > 1 || lengths.some((length) => !/^\d{1,16}$/.test(length)))
    return 'Content-Length is not one number.'
  if (codings.length > 1 || codings.some((coding) => coding.trim().toLowerCase() !== 'chunked'))
    return 'Transfer-Encoding must be chunked.'
  if (codings.length > 0 && httpVersion === '1.0') return 'HTTP/1.0 has no Transfer-Encoding.'
  if (valuesOf('host').length > 1) return 'There is more than one Host.'
  return null
}
