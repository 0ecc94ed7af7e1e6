import type { Bucket } from '../index/bucket-settings.ts'
import type { ObjectTable, Tx } from '../index/tables.ts'
import { eventRecord, type EventCause } from './event-record.ts'
import { targetsOf } from './targets.ts'

/**
 * Notes in the transaction of what happened that somebody is to be told: what was acknowledged is told, at least once,
 * whatever dies in between. Nothing is written where nobody asked.
 */
export async function queueEvent(
  tx: Tx,
  cause: EventCause,
  bucket: Bucket,
  name: string,
  row: Pick<ObjectTable, 'key' | 'size' | 'etag' | 'version_id' | 'seq'>,
): Promise<void> {
  const targets = targetsOf(bucket, name, row.key)
  for (const target of targets) {
    const body = JSON.stringify({ Records: [eventRecord(cause, bucket, name, row, target.id)] })
    await tx.db
      .insertInto('event_delivery')
      .values({
        bucket: bucket.name,
        webhook: target.name,
        body,
        attempts: 0,
        next_at: cause.clock.now(),
      })
      .execute()
    tx.afterCommit(() => cause.wakeEvents())
  }
}
