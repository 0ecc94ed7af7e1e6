/**
 * What a bucket's owner wants to go by itself.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
 */
import { dayMs } from '@mallee/base'
import { s3Error, s3NotImplemented, type S3 } from '@mallee/s3-api'

const mostRules = 1000
const longestId = 255

/** Throws MalformedXML, InvalidRequest, InvalidArgument; NotImplemented for other storage classes, which there are none of. */
export function checkedLifecycle(rules: readonly S3.LifecycleRule[]): S3.LifecycleRule[] {
  if (rules.length === 0 || rules.length > mostRules) throw s3Error('MalformedXML')
  const ids = new Set<string>()
  return rules.map((rule, index) => {
    const id = rule.ID ?? `rule-${index + 1}`
    if (id.length > longestId)
      throw s3Error('InvalidArgument', { message: 'ID length should not exceed allowed limit of 255' })
    if (ids.has(id))
      throw s3Error('InvalidArgument', {
        message: 'Rule ID must be unique. Found same ID for more than one rule',
      })
    ids.add(id)
    checkRule(rule)
    return { ...rule, ID: id }
  })
}

function checkRule(rule: S3.LifecycleRule): void {
  if (rule.Transitions?.length || rule.NoncurrentVersionTransitions?.length)
    throw s3NotImplemented('Transition to another storage class')
  if ((rule.Filter === undefined) === (rule.Prefix === undefined)) throw s3Error('MalformedXML')
  const { Expiration: expiration, NoncurrentVersionExpiration: noncurrent } = rule
  const abort = rule.AbortIncompleteMultipartUpload
  if (!expiration && !noncurrent && !abort)
    throw s3Error('InvalidRequest', { message: 'At least one action needs to be specified in a rule' })
  if (expiration) checkExpiration(expiration)
  if (noncurrent) positive(noncurrent.NoncurrentDays, 'NoncurrentDays')
  if (abort) positive(abort.DaysAfterInitiation, 'DaysAfterInitiation')
  const filter = rule.Filter ?? {}
  const parts = [
    filter.Prefix,
    filter.Tag,
    filter.And,
    filter.ObjectSizeGreaterThan,
    filter.ObjectSizeLessThan,
  ]
  if (parts.filter((part) => part !== undefined).length > 1) throw s3Error('MalformedXML')
  const byTag = filter.Tag !== undefined || filter.And?.Tags !== undefined
  if (byTag && (abort || expiration?.ExpiredObjectDeleteMarker !== undefined))
    throw s3Error('InvalidRequest', {
      message: 'AbortIncompleteMultipartUpload and ExpiredObjectDeleteMarker cannot be specified with Tags',
    })
}

function checkExpiration({
  Date: date,
  Days: days,
  ExpiredObjectDeleteMarker: marker,
}: S3.LifecycleExpiration) {
  if ([date, days, marker].filter((one) => one !== undefined).length !== 1) throw s3Error('MalformedXML')
  if (days !== undefined) positive(days, 'Days')
  if (date && date.getTime() % dayMs !== 0)
    throw s3Error('InvalidArgument', { message: "'Date' must be at midnight GMT" })
}

function positive(days: number | undefined, name: string): void {
  if (days !== undefined && days >= 1 && days <= 2_147_483_647) return
  throw s3Error('InvalidArgument', {
    message: `'${name}' for Lifecycle must be a positive integer`,
    details: { ArgumentName: name },
  })
}

export interface LifecycleSubject {
  readonly key: string
  readonly size: number
  readonly tags: readonly S3.Tag[]
}

export function prefixOf(rule: S3.LifecycleRule): string {
  return rule.Prefix ?? rule.Filter?.And?.Prefix ?? rule.Filter?.Prefix ?? ''
}

/** Whether the rule is about it. */
export function concerns(rule: S3.LifecycleRule, subject: LifecycleSubject): boolean {
  const filter: S3.LifecycleRuleFilter = rule.Filter ?? {}
  const and: S3.LifecycleRuleAndOperator = filter.And ?? {}
  const above = filter.ObjectSizeGreaterThan ?? and.ObjectSizeGreaterThan
  const below = filter.ObjectSizeLessThan ?? and.ObjectSizeLessThan
  const tags = [...(filter.Tag ? [filter.Tag] : []), ...(and.Tags ?? [])]
  return (
    subject.key.startsWith(prefixOf(rule)) &&
    (above === undefined || subject.size > above) &&
    (below === undefined || subject.size < below) &&
    tags.every((wanted) => subject.tags.some((tag) => tag.Key === wanted.Key && tag.Value === wanted.Value))
  )
}

/** When so many whole days have passed: the next midnight, UTC. */
export const afterDays = (sinceMs: number, days: number): number =>
  Math.ceil((sinceMs + days * dayMs) / dayMs) * dayMs

/** When the current version of such an object goes by this rule; null where it does not. */
export function expiresAt(rule: S3.LifecycleRule, modifiedMs: number): number | null {
  const { Expiration: expiration } = rule
  if (rule.Status !== 'Enabled' || !expiration) return null
  if (expiration.Date) return expiration.Date.getTime()
  return expiration.Days === undefined ? null : afterDays(modifiedMs, expiration.Days)
}

/** The `x-amz-expiration` header: the soonest of all rules. */
export function expirationHeader(
  rules: readonly S3.LifecycleRule[] | undefined,
  subject: LifecycleSubject,
  modifiedMs: number,
): string | undefined {
  let soonest: { at: number; id: string } | null = null
  for (const rule of rules ?? []) {
    if (!concerns(rule, subject)) continue
    const at = expiresAt(rule, modifiedMs)
    if (at !== null && (soonest === null || at < soonest.at)) soonest = { at, id: rule.ID ?? '' }
  }
  if (!soonest) return undefined
  return `expiry-date="${new Date(soonest.at).toUTCString()}", rule-id="${encodeURIComponent(soonest.id)}"`
}
