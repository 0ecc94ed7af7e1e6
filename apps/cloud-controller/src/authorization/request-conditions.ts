import type { ContextValue } from '@mallee/iam-policy'
import type { Caller } from '../identity/caller.ts'
import type { RawRequest } from '../http/raw-request.ts'

/**
 * Condition keys of the request itself and of the session that signed it.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 */
export function requestConditions(
  request: RawRequest,
  caller: Caller,
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
    ...sessionConditions(caller.session, nowMs, region),
  }
}

/** Keys that only temporary credentials have. */
function sessionConditions(
  session: Caller['session'],
  nowMs: number,
  region: string,
): Record<string, ContextValue> {
  if (!session) return {}
  const { mfaAtMs, sourceIdentity, instanceId, accountId } = session
  return {
    'aws:TokenIssueTime': new Date(session.issuedAtMs),
    'aws:MultiFactorAuthPresent': mfaAtMs !== undefined,
    ...(mfaAtMs === undefined ? {} : { 'aws:MultiFactorAuthAge': Math.floor((nowMs - mfaAtMs) / 1000) }),
    ...(sourceIdentity === undefined ? {} : { 'aws:SourceIdentity': sourceIdentity }),
    ...(instanceId === undefined
      ? {}
      : { 'ec2:SourceInstanceARN': `arn:aws:ec2:${region}:${accountId}:instance/${instanceId}` }),
    ...session.federation,
  }
}
