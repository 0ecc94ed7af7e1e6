import type { S3Address } from '@mallee/s3-api'
import type { RawRequest } from './raw-request.ts'

/** Of the signature, or for nobody: they say nothing of what is asked for. */
const ofTheSignature: ReadonlySet<string> = new Set([
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-Signature',
  'X-Amz-SignedHeaders',
])
const quiet: ReadonlySet<string> = new Set(['x-amz-date', 'x-amz-content-sha256', 'x-amz-user-agent'])

/**
 * Whether a request asks for an object whole, without a condition and without anything else that the model knows: then its
 * operation and its members need no looking for. Most requests do.
 */
export function isPlainRead(
  { method, headers }: RawRequest,
  { bucket, key }: S3Address,
  query: ReadonlyMap<string, string>,
): boolean {
  if (method !== 'GET' || bucket === undefined || key === undefined) return false
  for (const name in headers) {
    const says = name.startsWith('x-amz-') ? !quiet.has(name) : name === 'range' || name.startsWith('if-')
    if (says) return false
  }
  for (const name of query.keys()) if (!ofTheSignature.has(name)) return false
  return true
}
