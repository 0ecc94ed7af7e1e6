import { s3Error } from '@mallee/s3-api'

export interface ByteRange {
  readonly start: number
  /** The first byte that is not in it. */
  readonly end: number
}

/**
 * One range of an object; null where the header asks for something that HTTP says to ignore (another unit, several
 * ranges, nonsense). Throws InvalidRange where nothing of it is there.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | null {
  const [, first = '', last = ''] = /^bytes=\s*(\d{0,16})\s*-\s*(\d{0,16})\s*$/i.exec(header ?? '') ?? []
  if (first === '' && last === '') return null
  if (first === '') {
    const length = Math.min(Number(last), sizeBytes)
    if (length === 0) throw unsatisfiable(header ?? '', sizeBytes)
    return { start: sizeBytes - length, end: sizeBytes }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return null
  if (start >= sizeBytes) throw unsatisfiable(header ?? '', sizeBytes)
  return { start, end: last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) }
}

function unsatisfiable(header: string, sizeBytes: number): Error {
  return s3Error('InvalidRange', {
    details: { RangeRequested: header.slice(0, 100), ActualObjectSize: String(sizeBytes) },
  })
}
