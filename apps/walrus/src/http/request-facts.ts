/** What is known of a request beside what it asks: for conditions of policies, for logs and for events. */
import { parseForm } from '@mallee/aws-protocol'
import type { ContextValue } from '@mallee/iam-policy'
import { sessionConditions } from '@mallee/session-token'
import { requestOrigin, type RequestOrigin } from '@mallee/service-kit'
import type { Authenticated } from '../identity/authenticate.ts'
import type { RawRequest } from './raw-request.ts'

/** Where a request came from, before our own front door. */
export const originOf = ({ message, headers }: RawRequest): RequestOrigin =>
  requestOrigin(message.socket, headers)

const ofQuery = ['prefix', 'delimiter', 'max-keys'] as const
const ofHeaders = [
  'x-amz-acl',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-grant-full-control',
  'x-amz-grant-read',
  'x-amz-grant-read-acp',
  'x-amz-grant-write',
  'x-amz-grant-write-acp',
  'x-amz-metadata-directive',
  'x-amz-object-ownership',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-storage-class',
  'x-amz-website-redirect-location',
  'if-match',
  'if-none-match',
] as const

/**
 * Condition keys of the request itself.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
 */
export function requestFacts(
  raw: RawRequest,
  authenticated: Authenticated,
  { nowMs, region }: { readonly nowMs: number; readonly region: string },
): Record<string, ContextValue> {
  const { headers } = raw
  const origin = originOf(raw)
  const query = new Map(parseForm(raw.rawQuery))
  const { signed } = authenticated
  const { session } = authenticated.caller
  const facts: Record<string, ContextValue> = {
    ...(session ? sessionConditions(session, { nowMs, region }) : {}),
    'aws:SourceIp': origin.ip,
    'aws:SecureTransport': origin.secure,
    'aws:CurrentTime': new Date(nowMs),
    'aws:EpochTime': Math.floor(nowMs / 1000),
    'aws:UserAgent': headers['user-agent'],
    'aws:Referer': headers.referer,
    'aws:RequestedRegion': region,
    'aws:ViaAWSService': false,
    's3:signatureversion': signed?.version,
    's3:authType': signed?.type,
    's3:signatureAge': signed?.atMs == null ? undefined : nowMs - signed.atMs,
    's3:object-lock-mode': headers['x-amz-object-lock-mode'] as string | undefined,
    's3:object-lock-legal-hold': headers['x-amz-object-lock-legal-hold'] as string | undefined,
    's3:object-lock-retain-until-date': headers['x-amz-object-lock-retain-until-date'] as string | undefined,
  }
  for (const name of ofQuery) facts[`s3:${name}`] = query.get(name)
  for (const name of ofHeaders) facts[`s3:${name}`] = headers[name] as string | undefined
  const tagging = headers['x-amz-tagging']
  if (typeof tagging === 'string') addTags(facts, tagging)
  return facts
}

function addTags(facts: Record<string, ContextValue>, tagging: string): void {
  try {
    const tags = parseForm(tagging)
    facts['s3:RequestObjectTagKeys'] = tags.map(([key]) => key)
    for (const [key, value] of tags) facts[`s3:RequestObjectTag/${key}`] = value
  } catch {
    // The action refuses what cannot be read, with its own words.
  }
}
