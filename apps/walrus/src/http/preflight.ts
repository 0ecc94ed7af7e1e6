import { s3Error } from '@mallee/s3-api'
import { corsHeaders } from '../cors/cors-rules.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import type { RawRequest } from './raw-request.ts'

/** A browser's question before the request itself. https://fetch.spec.whatwg.org/#http-cors-protocol Throws BadRequest, AccessForbidden. */
export function preflight({ headers }: RawRequest, bucket: Bucket | null) {
  const { origin } = headers
  const method = headers['access-control-request-method']
  if (origin === undefined)
    throw s3Error('BadRequest', { message: 'Insufficient information. Origin request header needed.' })
  if (method === undefined)
    throw s3Error('BadRequest', { message: 'Invalid Access-Control-Request-Method: null' })
  const names = (headers['access-control-request-headers'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  const allowed = bucket?.set.cors && corsHeaders(bucket.set.cors, { origin, method, headers: names })
  if (!allowed)
    throw s3Error('AccessForbidden', {
      message: bucket?.set.cors
        ? 'CORSResponse: This CORS request is not allowed by a rule of the bucket.'
        : 'CORSResponse: CORS is not enabled for this bucket.',
      details: { Method: method.slice(0, 20), ResourceType: 'OBJECT' },
    })
  return { status: 200, headers: { ...allowed, 'content-length': '0' } }
}
