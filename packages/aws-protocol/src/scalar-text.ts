/** Text to value and back for the scalar kinds. Parsers return undefined where the text is not of that kind. */
import type { ScalarKind } from './model.ts'

const wholeNumber = /^[+-]?\d{1,19}$/
const realNumber = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/
const isoDate = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?$/
const base64Text = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

/** -2^31 to 2^31-1 */
export function parseInteger(text: string): number | undefined {
  const value = parseLong(text)
  return value !== undefined && value >= -2_147_483_648 && value <= 2_147_483_647 ? value : undefined
}

/** Whole numbers that JavaScript holds exactly; larger ones are refused, not rounded. */
export function parseLong(text: string): number | undefined {
  const trimmed = text.trim()
  if (!wholeNumber.test(trimmed)) return undefined
  const value = Number(trimmed)
  if (!Number.isSafeInteger(value)) return undefined
  return value === 0 ? 0 : value
}

export function parseReal(text: string): number | undefined {
  const trimmed = text.trim()
  if (!realNumber.test(trimmed)) return undefined
  const value = Number(trimmed)
  return Number.isFinite(value) ? value : undefined
}

export function parseBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (word === 'true' || word === '1') return true
  if (word === 'false' || word === '0') return false
  return undefined
}

/** ISO 8601 (date alone, with seconds, fractions or an offset), HTTP dates, and seconds since 1970. */
export function parseTimestamp(text: string): Date | undefined {
  const trimmed = text.trim()
  const iso = isoDate.exec(trimmed)
  if (iso) return isoTimestamp(iso)
  if (realNumber.test(trimmed)) return validDate(Number(trimmed) * 1000)
  if (/^[A-Z][a-z]{2,8}, /.test(trimmed)) return validDate(Date.parse(trimmed))
  return undefined
}

function isoTimestamp(parts: RegExpExecArray): Date | undefined {
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = parts
  const milliseconds = fraction.padEnd(3, '0').slice(0, 3)
  const offset = zone === 'Z' || zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`
  const date = validDate(
    Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${milliseconds}${offset}`),
  )
  // Date.parse lets the 31st of a short month roll over.
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  return Number(day) <= last ? date : undefined
}

function validDate(milliseconds: number): Date | undefined {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/** Strict base64, line breaks allowed, padding optional. */
export function parseBase64(text: string): Buffer | undefined {
  const compact = text.replaceAll(/[\r\n\t ]/g, '')
  return base64Text.test(compact) ? Buffer.from(compact, 'base64') : undefined
}

/** `2026-01-31T23:59:59.000Z`: always three digits, as EC2 and S3 want. */
export function formatIsoTimestamp(date: Date): string {
  return date.toISOString()
}

export function formatTimestamp(date: Date, kind: ScalarKind): string {
  if (kind === 'httpDate') return date.toUTCString()
  if (kind === 'epochSeconds') return String(date.getTime() / 1000)
  return formatIsoTimestamp(date)
}
