/** The values that condition operators compare, read from text. Null is what no such value is. */

/** An integer or a decimal. */
export function readNumber(text: string): number | null {
  return text.length <= 40 && /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/.test(text)
    ? Number(text)
    : null
}

const date =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d))?)?)?$/

/** Milliseconds since 1970 of an ISO 8601 date in W3C's forms, or of seconds since 1970. */
export function readDate(text: string): number | null {
  if (text.length > 40) return null
  const match = date.exec(text)
  if (!match) return /^-?\d{1,12}(?:\.\d{1,9})?$/.test(text) ? Number(text) * 1000 : null
  const field = (index: number, otherwise: number) => Number(match[index] ?? otherwise)
  const [year, month, day] = [field(1, 0), field(2, 1), field(3, 1)]
  const [hour, minute, second] = [field(4, 0), field(5, 0), field(6, 0)]
  const fraction = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1000)
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60) return null
  const midnight = new Date(0)
  midnight.setUTCFullYear(year, month - 1, day)
  if (day < 1 || midnight.getUTCMonth() !== month - 1) return null
  const zone = zoneMinutes(match[8] ?? 'Z')
  return midnight.getTime() + ((hour * 60 + minute - zone) * 60 + second) * 1000 + fraction
}

function zoneMinutes(zone: string): number {
  if (zone === 'Z') return 0
  const digits = zone.replace(':', '')
  return (digits.startsWith('-') ? -1 : 1) * (Number(digits.slice(1, 3)) * 60 + Number(digits.slice(3)))
}

/** The bytes of base64, written in its one canonical form. */
export function readBinary(text: string): string | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null
  return Buffer.from(text, 'base64').toString('base64')
}
