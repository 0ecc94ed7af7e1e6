import type { S3 } from '@mallee/s3-api'
import type { Bucket } from '../index/bucket-settings.ts'
import type { Index } from '../index/tables.ts'
import { scanVersions, type ListedVersion } from '../index/version-rows.ts'
import { tagsOf } from '../objects/object-tags.ts'
import { afterDays, concerns, expiresAt } from './lifecycle-rules.ts'

/** A version that a rule says is to go. */
export interface Doomed {
  readonly key: string
  readonly versionId: string
  /** Its place in the history of its key; what is there later is another thing. */
  readonly id: string
  /** For good; else a delete marker takes its place where versions are kept. */
  readonly permanently: boolean
}

const rowsPerScan = 1000

/** Where a walk is in the history of one key: versions come newest first. */
interface Walk {
  key: string
  /** When the version before this one took its place. */
  succeededAtMs: number
  noncurrent: number
}

/** Everything in the bucket that is due by now, by key. */
export async function* doomedVersions(index: Index, bucket: Bucket, nowMs: number): AsyncGenerator<Doomed> {
  const rules = (bucket.set.lifecycle ?? []).filter((rule) => rule.Status === 'Enabled')
  let cursor: { key: string; id?: string; inclusive: boolean } = { key: '', inclusive: false }
  let walk = null as Walk | null
  let before = null as ListedVersion | null
  for (;;) {
    const page = await index.read((db) => scanVersions(db, bucket.name, '', cursor, rowsPerScan))
    for (const row of page) {
      if (before && isLoneMarker(before, row) && markerIsDue(rules, before, nowMs)) yield gone(before, true)
      walk = row.key === walk?.key ? walk : null
      const doomed: Doomed | null =
        walk === null ? currentDue(rules, row, nowMs) : noncurrentDue(rules, row, walk, nowMs)
      if (doomed) yield doomed
      walk = {
        key: row.key,
        succeededAtMs: row.modified_at,
        noncurrent: walk === null ? 0 : walk.noncurrent + 1,
      }
      before = row.marker === 1 && walk.noncurrent === 0 ? row : null
    }
    const last = page.at(-1)
    if (!last || page.length < rowsPerScan) break
    cursor = { key: last.key, id: last.id, inclusive: false }
  }
  if (before && markerIsDue(rules, before, nowMs)) yield gone(before, true)
}

/** A delete marker with nothing behind it any more. */
const isLoneMarker = (marker: ListedVersion, next: ListedVersion): boolean => marker.key !== next.key

function markerIsDue(rules: readonly S3.LifecycleRule[], row: ListedVersion, nowMs: number): boolean {
  return rules.some((rule) => {
    if (!concerns(rule, subjectOf(row))) return false
    const at = expiresAt(rule, row.modified_at)
    return rule.Expiration?.ExpiredObjectDeleteMarker === true || (at !== null && at <= nowMs)
  })
}

function currentDue(rules: readonly S3.LifecycleRule[], row: ListedVersion, nowMs: number): Doomed | null {
  if (row.marker === 1) return null
  const due = rules.some((rule) => {
    const at = concerns(rule, subjectOf(row)) ? expiresAt(rule, row.modified_at) : null
    return at !== null && at <= nowMs
  })
  return due ? gone(row, false) : null
}

function noncurrentDue(
  rules: readonly S3.LifecycleRule[],
  row: ListedVersion,
  walk: Walk,
  nowMs: number,
): Doomed | null {
  const due = rules.some((rule) => {
    const { NoncurrentDays: days, NewerNoncurrentVersions: newer = 0 } =
      rule.NoncurrentVersionExpiration ?? {}
    if (days === undefined || !concerns(rule, subjectOf(row))) return false
    return walk.noncurrent >= newer && afterDays(walk.succeededAtMs, days) <= nowMs
  })
  return due ? gone(row, true) : null
}

const subjectOf = (row: ListedVersion) => ({ key: row.key, size: row.size, tags: tagsOf(row) })

const gone = (row: ListedVersion, permanently: boolean): Doomed => ({
  key: row.key,
  versionId: row.version_id,
  id: row.object_id,
  permanently,
})
