import { callerArn, type Caller } from '../identity/caller.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import type { AccessVisit } from './access-log.ts'

/** S3 has a word for two of the three; who did not sign has none either. */
const authenticationTypes = {
  'REST-HEADER': 'AuthHeader',
  'REST-QUERY-STRING': 'QueryString',
  POST: '-',
} as const

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** One record, its fields in S3's order; a hyphen for what is not known. */
export function accessLine(
  visit: AccessVisit & { readonly bucket: Bucket },
  caller: Caller,
  outcome: { status: number; errorCode: string | null },
  nowMs: number,
): string {
  const { raw, bucket, origin } = visit
  const target = `${raw.rawPath}${raw.rawQuery === '' ? '' : `?${withoutSignature(raw.rawQuery)}`}`
  const header = (name: string) => {
    const value = raw.headers[name]
    return typeof value === 'string' ? quoted(value) : '"-"'
  }
  const signed = visit.authenticated?.signed
  return `${[
    bucket.canonical_id,
    bucket.name,
    `[${timeOf(visit.startedMs)}]`,
    origin.ip || '-',
    callerArn(caller),
    visit.requestId,
    `REST.${raw.method}.${visit.key === undefined ? 'BUCKET' : 'OBJECT'}`,
    visit.key === undefined ? '-' : encodeURIComponent(visit.key),
    quoted(`${raw.method} ${target} HTTP/1.1`),
    String(outcome.status),
    outcome.errorCode ?? '-',
    '-',
    '-',
    String(Math.max(nowMs - visit.startedMs, 0)),
    '-',
    header('referer'),
    header('user-agent'),
    '-',
    visit.requestId,
    signed ? (signed.version === 'AWS' ? 'SigV2' : 'SigV4') : '-',
    '-',
    authenticationTypes[signed?.type ?? 'POST'],
    typeof raw.headers['host'] === 'string' ? raw.headers['host'].replaceAll(/[^\w.:[\]-]/g, '') : '-',
    // The front door ends TLS, and says that it was there and not which version.
    '-',
  ].join(' ')}\n`
}

function timeOf(ms: number): string {
  const at = new Date(ms)
  const two = (number: number) => String(number).padStart(2, '0')
  const clock = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(':')
  return `${two(at.getUTCDate())}/${months[at.getUTCMonth()]}/${at.getUTCFullYear()}:${clock} +0000`
}

/** A log must not hold what opens the door. */
const withoutSignature = (query: string): string =>
  query.replaceAll(/((?:^|&)(?:X-Amz-Signature|X-Amz-Security-Token|Signature)=)[^&]*/gi, '$1-')

/** What a client sends cannot end the field or the line. */
const quoted = (text: string): string =>
  `"${text
    .slice(0, 2000)
    .replaceAll('"', '%22')
    .replaceAll(/[^\x20-\x7e]/g, '?')}"`
