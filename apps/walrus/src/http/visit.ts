import type { Clock, Log, Random } from '@mallee/base'
import { noSuchBucket, s3Error, type S3Address } from '@mallee/s3-api'
import { Gate } from '../access/gate.ts'
import type { BucketContext } from '../actions/s3-context.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import type { MasterKeys } from '../encryption/master-keys.ts'
import type { AccessKeys } from '../identity/access-keys.ts'
import type { Authenticated } from '../identity/authenticate.ts'
import { anonymous } from '../identity/caller.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import type { Index } from '../index/tables.ts'
import type { AuditJournal } from '../audit/audit-journal.ts'
import type { AccessLog } from '../logging/access-log.ts'
import type { WalrusFigures } from '../metrics/walrus-figures.ts'
import type { FlowLogPuts } from './flow-log-puts.ts'
import type { NodeReads } from './node-reads.ts'
import type { RawRequest } from './raw-request.ts'
import type { BodyBytes } from './request-body.ts'
import type { RequestOrigin } from '@mallee/service-kit'
import { requestFacts } from './request-facts.ts'

export interface S3DoorDependencies {
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly masterKeys: MasterKeys
  readonly keys: AccessKeys
  readonly nodeReads: NodeReads
  readonly flowLogs: FlowLogPuts['flowLogs']
  readonly region: string
  readonly modernBuckets: boolean
  readonly webhooks: ReadonlySet<string>
  readonly wakeEvents: () => void
  readonly accessLog: AccessLog
  readonly audit: AuditJournal
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly figures: WalrusFigures
}

/** One request on its way through. */
export interface Visit {
  raw: RawRequest
  readonly requestId: string
  /** What every line about it says. */
  readonly about: Readonly<Record<string, string>>
  /** Of this request alone; made when it is first asked for. */
  readonly log: Log
  readonly startedMs: number
  operation: string
  /** The client that waited for it was told to send its body. */
  continued: boolean
  authenticated: Authenticated | null
  bucket: Bucket | null
  key: string | undefined
  readonly origin: RequestOrigin
}

/** Throws NoSuchBucket; AccessDenied where it is not the expected owner's, or the asker does not pay. */
export function requireBucket(visit: Visit, address: S3Address, expected: unknown): Bucket {
  const { bucket } = visit
  if (!bucket) throw noSuchBucket(address.bucket ?? '')
  if (expected !== undefined && expected !== bucket.account_id) throw s3Error('AccessDenied')
  const caller = visit.authenticated?.caller
  const pays = visit.raw.headers['x-amz-request-payer'] === 'requester' && caller !== anonymous
  if (bucket.set.requestPayer === 'Requester' && caller?.accountId !== bucket.account_id && !pays)
    throw s3Error('AccessDenied')
  return bucket
}

/** What an action gets to work with. */
export function contextOf(deps: S3DoorDependencies, visit: Visit, body: BodyBytes): BucketContext {
  const { index, blobs, clock, random, region, masterKeys, modernBuckets, webhooks, wakeEvents, keys } = deps
  const authenticated = visit.authenticated as Authenticated
  const gate = new Gate({
    caller: authenticated.caller,
    index,
    facts: () => requestFacts(visit.raw, authenticated, { nowMs: clock.now(), region }),
  })
  return {
    caller: authenticated.caller,
    accounts: keys,
    gate,
    index,
    blobs,
    masterKeys,
    clock,
    random,
    region,
    modernBuckets,
    webhooks,
    wakeEvents,
    get log() {
      return visit.log
    },
    requestId: visit.requestId,
    sourceIp: visit.origin.ip,
    body,
    // An action that is about no bucket has a context that says so by its type.
    bucket: visit.bucket as Bucket,
  }
}
