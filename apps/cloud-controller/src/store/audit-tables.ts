import type { Bit } from './tables.ts'

/** The tables of who called what, who used what, and who may have how much. Times are milliseconds since the epoch. */

/** One call of one door, refused or not. Sequences rise by one: a number that is missing was taken away. */
export interface ApiCallTable {
  sequence: number
  at: number
  event_id: string
  request_id: string
  /** As CloudTrail names services: `ec2.amazonaws.com`. */
  event_source: string
  event_name: string
  /** `AwsApiCall`; `Recovered` where the daemon ended between the action and this line, which then has what is known of it. */
  event_type: string
  /** Null where nobody was authenticated. */
  account_id: string | null
  principal_id: string | null
  user_name: string | null
  access_key_id: string | null
  /** JSON of CloudTrail's userIdentity. */
  identity: string
  source_ip: string
  user_agent: string
  region: string
  read_only: Bit
  /** 0: what CloudTrail calls a data event. */
  management: Bit
  secure: Bit
  error_code: string | null
  error_message: string | null
  /** JSON, secrets taken out. */
  parameters: string | null
  /** JSON. */
  response: string | null
  /** JSON list of ids. */
  resources: string
}

/** Finds the calls of a resource. */
export interface ApiCallResourceTable {
  resource_id: string
  sequence: number
}

/** `last`: the newest sequence; `forgotten`: the newest that was let go for its age. */
export interface AuditCounterTable {
  name: 'last' | 'forgotten'
  value: number
}

/** How far an agent's own journal of calls was taken over. */
export interface AuditSourceTable {
  agent_id: string
  sequence: number
}

export interface TrailTable {
  account_id: string
  name: string
  bucket: string
  key_prefix: string | null
  include_global: Bit
  created_at: number
  logging: Bit
  started_at: number | null
  stopped_at: number | null
  /** Calls up to this one are in files. */
  sequence: number
  delivered_at: number | null
  error: string | null
  attempted_at: number | null
}

/** A file of a trail that walrus has yet to write. */
export interface TrailFileTable {
  id: string
  account_id: string
  trail: string
  bucket: string
  object_key: string
  first_sequence: number
  last_sequence: number
  created_at: number
}

export interface QuotaRequestTable {
  id: string
  account_id: string
  quota_code: string
  /** Of quota-store.ts. */
  name: string
  desired: number
  status: 'PENDING' | 'APPROVED' | 'DENIED'
  /** JSON, as Service Quotas says it. */
  requester: string
  created_at: number
  updated_at: number
}

export type UsageKind = 'instance' | 'volume' | 'snapshot' | 'address'

/** Since when until when something was used, by whom, and how much of it. Only its end is ever written again. */
export interface UsageIntervalTable {
  id: string
  resource_id: string
  kind: UsageKind
  account_id: string
  /** Who made it; empty where that is not known any more. */
  user_id: string
  /** Instance type, volume type. */
  variety: string
  /** GiB of volumes and snapshots; 1 of others. */
  quantity: number
  /** Empty for what is in no zone. */
  zone: string
  /** JSON of the tags it had at the end; null while it goes on. */
  tags: string | null
  started_at: number
  ended_at: number | null
}

/** What was measured on one day, UTC. */
export interface UsageAmountTable {
  resource_id: string
  /** `network-in`, `network-out`: bytes. `bucket`: KiB-hours, since byte-hours of a large one are more than a number holds. */
  kind: 'network-in' | 'network-out' | 'bucket'
  /** Of its first millisecond. */
  day: number
  account_id: string
  amount: number
  observed_at: number
}

export interface AuditTables {
  api_call: ApiCallTable
  api_call_resource: ApiCallResourceTable
  audit_counter: AuditCounterTable
  audit_source: AuditSourceTable
  trail: TrailTable
  trail_file: TrailFileTable
  quota_request: QuotaRequestTable
  usage_interval: UsageIntervalTable
  usage_amount: UsageAmountTable
}
