/**
 * One call of one door as the audit keeps it: CloudTrail's words, without the account's own view of it (views/cloudtrail-record.ts).
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
 */

/** CloudTrail's userIdentity, as far as this cloud has it. */
export interface UserIdentity {
  readonly type: 'IAMUser' | 'Root' | 'AssumedRole' | 'FederatedUser' | 'Unknown'
  readonly principalId?: string
  readonly arn?: string
  readonly accountId?: string
  readonly accessKeyId?: string
  readonly userName?: string
  readonly sessionContext?: Readonly<Record<string, unknown>>
}

export interface ApiCall {
  readonly atMs: number
  readonly eventId: string
  readonly requestId: string
  /** `ec2.amazonaws.com`. */
  readonly eventSource: string
  readonly eventName: string
  readonly eventType: 'AwsApiCall' | 'Recovered'
  readonly identity: UserIdentity
  readonly sourceIp: string
  readonly userAgent: string
  readonly region: string
  readonly readOnly: boolean
  readonly management: boolean
  readonly secure: boolean
  readonly error: { readonly code: string; readonly message: string } | null
  readonly parameters: Readonly<Record<string, unknown>> | null
  readonly response: Readonly<Record<string, unknown>> | null
  /** Ids of what it is about. */
  readonly resources: readonly string[]
}

/** Calls that change nothing, by CloudTrail's `readOnly`. */
export function isReadOnly(action: string): boolean {
  return /^(?:Describe|Get|List|Search|Lookup|Head|Simulate|Decode|AssumeRole)/.test(action)
}

/** What a call without a line would hide: it changed something, or gave out a key. */
export function mustBeKept(call: Pick<ApiCall, 'readOnly' | 'eventSource' | 'error'>): boolean {
  return call.error === null && (!call.readOnly || call.eventSource === 'sts.amazonaws.com')
}
