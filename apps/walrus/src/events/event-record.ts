/** An event's message. https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
import type { Clock } from '@mallee/base'
import { uriEncode } from '@mallee/aws-protocol'
import type { Caller } from '../identity/caller.ts'
import { versioningOf, type Bucket } from '../index/bucket-settings.ts'
import type { ObjectTable } from '../index/tables.ts'

/** Whose request it was, and where. */
export interface EventCause {
  readonly caller: Caller
  readonly requestId: string
  readonly sourceIp: string
  readonly region: string
  readonly clock: Clock
  readonly wakeEvents: () => void
}

export function eventRecord(
  cause: EventCause,
  bucket: Bucket,
  name: string,
  row: Pick<ObjectTable, 'key' | 'size' | 'etag' | 'version_id' | 'seq'>,
  configurationId: string,
): object {
  const removed = name.startsWith('ObjectRemoved') || name.startsWith('LifecycleExpiration')
  return {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    awsRegion: cause.region,
    eventTime: new Date(cause.clock.now()).toISOString(),
    eventName: name,
    userIdentity: { principalId: cause.caller.accountId === '' ? 'Anonymous' : `AWS:${cause.caller.userId}` },
    requestParameters: { sourceIPAddress: cause.sourceIp },
    responseElements: { 'x-amz-request-id': cause.requestId, 'x-amz-id-2': cause.requestId },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId,
      bucket: {
        name: bucket.name,
        ownerIdentity: { principalId: bucket.canonical_id },
        arn: `arn:aws:s3:::${bucket.name}`,
      },
      object: {
        key: uriEncode(row.key, { keepSlash: true }).replaceAll('%20', '+'),
        ...(removed ? {} : { size: row.size, eTag: row.etag }),
        ...(versioningOf(bucket) === 'Off' ? {} : { versionId: row.version_id }),
        sequencer: row.seq.toString(16).toUpperCase().padStart(16, '0'),
      },
    },
  }
}
