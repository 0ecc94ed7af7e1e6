import type { S3 } from '@mallee/s3-api'
import type { Versioning } from './store-version.ts'
import type { BucketTable, Tx } from './tables.ts'

export type ObjectOwnership = 'ObjectWriter' | 'BucketOwnerPreferred' | 'BucketOwnerEnforced'

/** Who may do what, as an ACL says it. `uri` for a group, `id` for an account's canonical id. */
export interface Grant {
  readonly grantee: { readonly id: string; readonly name?: string } | { readonly uri: string }
  readonly permission: S3.Permission
}

/** Everything that a bucket's owner may set. What is absent was never set. */
export interface BucketSettings {
  readonly versioning?: 'Enabled' | 'Suspended'
  readonly ownership?: ObjectOwnership
  readonly acl?: readonly Grant[]
  readonly publicAccessBlock?: S3.PublicAccessBlockConfiguration
  /** The policy's text as it was put. */
  readonly policy?: string
  readonly tags?: readonly S3.Tag[]
  readonly cors?: readonly S3.CORSRule[]
  readonly lifecycle?: readonly S3.LifecycleRule[]
  readonly website?: S3.WebsiteConfiguration
  readonly encryption?: S3.ServerSideEncryptionConfiguration
  readonly logging?: S3.LoggingEnabled
  readonly notification?: S3.NotificationConfiguration
  readonly requestPayer?: S3.Payer
  /** Only from creation on. */
  readonly objectLock?: { readonly rule?: S3.ObjectLockRule }
}

/** A bucket with its settings read. */
export interface Bucket extends BucketTable {
  readonly set: BucketSettings
}

/** The last text of each bucket and what it says: most requests ask for the same few. */
const read = new Map<string, { text: string; set: BucketSettings }>()
const mostRead = 10_000

export function withSettings(row: BucketTable): Bucket {
  const known = read.get(row.name)
  if (known?.text === row.settings) return { ...row, set: known.set }
  const set = JSON.parse(row.settings, reviveDates) as BucketSettings
  if (read.size >= mostRead) read.clear()
  read.set(row.name, { text: row.settings, set })
  return { ...row, set }
}

const dateMembers: ReadonlySet<string> = new Set(['Date', 'RetainUntilDate'])

function reviveDates(name: string, value: unknown): unknown {
  return dateMembers.has(name) && typeof value === 'string' ? new Date(value) : value
}

/** Changes settings; `undefined` takes one away. */
export async function changeSettings(
  tx: Tx,
  bucket: Bucket,
  change: { [Name in keyof BucketSettings]?: BucketSettings[Name] | undefined },
): Promise<void> {
  const settings = JSON.stringify({ ...bucket.set, ...change })
  await tx.db.updateTable('bucket').set({ settings }).where('name', '=', bucket.name).execute()
}

export const versioningOf = (bucket: Bucket): Versioning => bucket.set.versioning ?? 'Off'

export const ownershipOf = (bucket: Bucket): ObjectOwnership => bucket.set.ownership ?? 'ObjectWriter'
