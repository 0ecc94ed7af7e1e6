import type { ContextValue } from '@mallee/iam-policy'
import { sessionConditions } from '@mallee/session-token'
import type { Caller } from '../identity/caller.ts'
import type { RawRequest } from '../http/raw-request.ts'

/**
 * Condition keys of the request itself and of the session that signed it.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 */
export function requestConditions(
  request: RawRequest,
  session: Caller['session'],
  { nowMs, region }: { readonly nowMs: number; readonly region: string },
): Record<string, ContextValue> {
  const { headers, origin } = request
  return {
    'aws:SourceIp': origin.ip === '' ? undefined : origin.ip,
    'aws:SecureTransport': origin.secure,
    'aws:CurrentTime': new Date(nowMs),
    'aws:EpochTime': Math.floor(nowMs / 1000),
    'aws:UserAgent': headers['user-agent'],
    'aws:Referer': headers.referer,
    'aws:RequestedRegion': region,
    'aws:ViaAWSService': false,
    ...(session ? sessionConditions(session, { nowMs, region }) : {}),
  }
}
