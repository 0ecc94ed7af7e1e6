/**
 * Locks that keep versions from being deleted. They only ever grow: a compliance lock is never shortened, a governance
 * lock only by whom policy lets bypass it. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
 */
import { dayMs } from '@mallee/base'
import { s3Error, type S3 } from '@mallee/s3-api'
import type { Bucket } from '../index/bucket-settings.ts'
import type { ObjectTable } from '../index/tables.ts'

export interface LockColumns {
  readonly lock_mode: string | null
  readonly lock_until: number | null
  readonly legal_hold: number
}

export const lockMembers = [
  'ObjectLockMode',
  'ObjectLockRetainUntilDate',
  'ObjectLockLegalHoldStatus',
] as const

interface LockInput {
  readonly ObjectLockMode?: string | undefined
  readonly ObjectLockRetainUntilDate?: Date | undefined
  readonly ObjectLockLegalHoldStatus?: string | undefined
}

const noLock: LockColumns = { lock_mode: null, lock_until: null, legal_hold: 0 }

/** Throws InvalidRequest where the bucket has no object lock. */
export function requireLockBucket(bucket: Bucket): void {
  if (!bucket.set.objectLock)
    throw s3Error('InvalidRequest', { message: 'Bucket is missing Object Lock Configuration' })
}

/** The lock of a new version: what the request says, else the bucket's default. Throws InvalidRequest, InvalidArgument. */
export function lockOfNewVersion(input: LockInput, bucket: Bucket, nowMs: number): LockColumns {
  const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until, ObjectLockLegalHoldStatus: hold } = input
  const asks = mode !== undefined || until !== undefined || hold !== undefined
  if (asks) requireLockBucket(bucket)
  if ((mode === undefined) !== (until === undefined))
    throw s3Error('InvalidArgument', {
      message: 'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied',
    })
  const legal_hold = hold === 'ON' ? 1 : 0
  if (mode !== undefined && until !== undefined)
    return { lock_mode: mode, lock_until: futureDate(until, nowMs), legal_hold }
  const rule = bucket.set.objectLock?.rule?.DefaultRetention
  if (!rule?.Mode) return { ...noLock, legal_hold }
  return { lock_mode: rule.Mode, lock_until: nowMs + periodMs(rule), legal_hold }
}

/** Throws InvalidArgument unless it is ahead. */
export function futureDate(date: Date, nowMs: number): number {
  if (date.getTime() > nowMs) return date.getTime()
  throw s3Error('InvalidArgument', { message: 'The retain until date must be in the future!' })
}

function periodMs(rule: S3.DefaultRetention): number {
  return (rule.Days ?? (rule.Years ?? 0) * 365) * dayMs
}

const isRetained = (row: LockColumns, nowMs: number): boolean =>
  row.lock_mode !== null && row.lock_until !== null && row.lock_until > nowMs

/** By a retention that is not over, or a legal hold. */
export const isLocked = (row: LockColumns, nowMs: number): boolean =>
  row.legal_hold === 1 || isRetained(row, nowMs)

/** Throws AccessDenied where the version may not be deleted now. */
export function refuseDeleting(row: ObjectTable, nowMs: number, mayBypass: boolean): void {
  const denied = () =>
    s3Error('AccessDenied', { message: 'Access Denied because object protected by object lock.' })
  if (row.legal_hold === 1) throw denied()
  if (isRetained(row, nowMs) && !(row.lock_mode === 'GOVERNANCE' && mayBypass)) throw denied()
}

/** The lock after PutObjectRetention. Throws AccessDenied where that would weaken one that must not be weakened. */
export function changedRetention(
  row: LockColumns,
  asked: S3.ObjectLockRetention,
  nowMs: number,
  mayBypass: boolean,
): Pick<LockColumns, 'lock_mode' | 'lock_until'> {
  const { Mode: mode, RetainUntilDate: until } = asked
  if ((mode === undefined) !== (until === undefined)) throw s3Error('MalformedXML')
  const next =
    mode === undefined || until === undefined
      ? { lock_mode: null, lock_until: null }
      : { lock_mode: mode as string, lock_until: futureDate(until, nowMs) }
  if (!isRetained(row, nowMs)) return next
  const shorter = next.lock_until === null || next.lock_until < (row.lock_until ?? 0)
  const weaker = shorter || (row.lock_mode === 'COMPLIANCE' && next.lock_mode !== 'COMPLIANCE')
  const otherMode = next.lock_mode !== row.lock_mode
  if (row.lock_mode === 'COMPLIANCE' && weaker) throw s3Error('AccessDenied')
  if (row.lock_mode === 'GOVERNANCE' && (weaker || otherMode) && !mayBypass) throw s3Error('AccessDenied')
  return next
}

/** The members of an answer that tell a lock. */
export function lockAnswer(row: LockColumns) {
  return {
    ...(row.lock_mode !== null && row.lock_until !== null
      ? {
          ObjectLockMode: row.lock_mode as S3.ObjectLockMode,
          ObjectLockRetainUntilDate: new Date(row.lock_until),
        }
      : {}),
    ...(row.legal_hold === 1 ? { ObjectLockLegalHoldStatus: 'ON' as const } : {}),
  }
}
