import { errorMessage, type Clock, type Log, type Random } from '@mallee/base'
import { queueEvent } from '../events/queue-event.ts'
import type { EventCause } from '../events/event-record.ts'
import { anonymous } from '../identity/caller.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { allBuckets, sameBucket } from '../index/bucket-rows.ts'
import { versioningOf, type Bucket } from '../index/bucket-settings.ts'
import { findObject } from '../index/object-rows.ts'
import { deleteKey, deleteVersion } from '../index/store-version.ts'
import type { Index } from '../index/tables.ts'
import { deleteUploads, requireUpload, scanUploads } from '../index/upload-rows.ts'
import { findVersion } from '../index/version-rows.ts'
import { newObjectId, newVersionId } from '../objects/object-id.ts'
import { refuseDeleting } from '../objects/object-lock.ts'
import { doomedVersions, type Doomed } from './doomed-versions.ts'
import { afterDays, prefixOf } from './lifecycle-rules.ts'

const uploadsPerScan = 500

export interface LifecycleDependencies {
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly clock: Clock
  readonly random: Random
  readonly region: string
  readonly log: Log
  readonly wakeEvents: () => void
}

/** What one pass did. */
export interface LifecycleResult {
  expired: number
  aborted: number
}

/**
 * Does what lifecycle rules say, bucket by bucket. Each removal is a transaction of its own that looks again: what was
 * overwritten or locked meanwhile stays.
 */
export async function runLifecycle(
  deps: LifecycleDependencies,
  signal: AbortSignal,
): Promise<LifecycleResult> {
  const result = { expired: 0, aborted: 0 }
  for (const bucket of await deps.index.read(allBuckets)) {
    if (!bucket.set.lifecycle || signal.aborted) continue
    try {
      for await (const doomed of doomedVersions(deps.index, bucket, deps.clock.now())) {
        if (signal.aborted) break
        if (await expire(deps, bucket, doomed)) result.expired += 1
      }
      result.aborted += await abortUploads(deps, bucket, signal)
    } catch (error) {
      deps.log.warn({ bucket: bucket.name, reason: errorMessage(error) }, 'a lifecycle could not be followed')
    }
  }
  return result
}

async function expire(deps: LifecycleDependencies, before: Bucket, doomed: Doomed): Promise<boolean> {
  const { index, blobs, clock, random } = deps
  const nowMs = clock.now()
  const cause: EventCause = {
    caller: anonymous,
    requestId: '',
    sourceIp: '',
    region: deps.region,
    clock,
    wakeEvents: deps.wakeEvents,
  }
  const dropped = await index.transaction('reconcile', async (tx) => {
    const bucket = await sameBucket(tx.db, before)
    // The owner's word of now counts, not that of the beginning.
    if (JSON.stringify(bucket.set.lifecycle) !== JSON.stringify(before.set.lifecycle)) return null
    const { key, versionId } = doomed
    if (doomed.permanently) {
      const present = await findVersion(tx.db, bucket.name, key, versionId)
      // A version that became current again meanwhile, because a newer one was taken away, is no old one.
      if (present?.place !== 'past' || present.row.id !== doomed.id) return null
      if (!present.marker && isKept(present.row, nowMs)) return null
      const { deleted, dropped } = await deleteVersion(tx, bucket.name, key, versionId)
      if (deleted) await queueEvent(tx, cause, bucket, 'LifecycleExpiration:Delete', deleted.row)
      return dropped
    }
    const present = await findObject(tx.db, bucket.name, key)
    if (present?.id !== doomed.id) return null
    const versioning = versioningOf(bucket)
    const made = await deleteKey(
      tx,
      { bucket: bucket.name, key },
      { id: newObjectId(random), versionId: newVersionId(random), nowMs },
      versioning,
    )
    const event = made.marker ? 'LifecycleExpiration:DeleteMarkerCreated' : 'LifecycleExpiration:Delete'
    await queueEvent(tx, cause, bucket, event, made.marker ?? present)
    return made.dropped
  })
  blobs.forget(dropped ?? [])
  return dropped !== null
}

function isKept(row: Parameters<typeof refuseDeleting>[0], nowMs: number): boolean {
  try {
    refuseDeleting(row, nowMs, false)
    return false
  } catch {
    return true // a lock
  }
}

async function abortUploads(
  deps: LifecycleDependencies,
  bucket: Bucket,
  signal: AbortSignal,
): Promise<number> {
  let aborted = 0
  for (const rule of bucket.set.lifecycle ?? []) {
    const days = rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation
    if (rule.Status !== 'Enabled' || days === undefined) continue
    const prefix = prefixOf(rule)
    let cursor: { key: string; id?: string; inclusive: boolean } = { key: '', inclusive: false }
    for (;;) {
      const page = await deps.index.read((db) => scanUploads(db, bucket.name, prefix, cursor, uploadsPerScan))
      const old = page.filter((upload) => afterDays(upload.started_at, days) <= deps.clock.now())
      for (const { id, key } of old) {
        const dropped = await deps.index.transaction('reconcile', async (tx) => {
          await sameBucket(tx.db, bucket)
          await requireUpload(tx.db, bucket.name, key, id)
          return deleteUploads(tx, [id])
        })
        deps.blobs.forget(dropped)
        aborted += 1
      }
      const last = page.at(-1)
      if (!last || page.length < uploadsPerScan || signal.aborted) break
      cursor = { key: last.key, id: last.id, inclusive: false }
    }
  }
  return aborted
}
