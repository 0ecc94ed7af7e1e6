import { evaluate, type ContextValue, type PolicyRequest } from '@mallee/iam-policy'
import { s3Error } from '@mallee/s3-api'
import { anonymous, type Caller } from '../identity/caller.ts'
import { ownershipOf, type Bucket, type Grant } from '../index/bucket-settings.ts'
import { findObject, findWithBytes, type FoundObject } from '../index/object-rows.ts'
import type { Index, ObjectTable } from '../index/tables.ts'
import { findVersion } from '../index/version-rows.ts'
import { tagsOf } from '../objects/object-tags.ts'
import { aclNeed, type AclNeed } from './acl-permissions.ts'
import { readyPolicy } from './bucket-policy.ts'
import { aclAllows } from './grants.ts'

export interface Asked {
  /** `s3:GetObject` */
  readonly action: string
  readonly bucket: Bucket
  readonly key?: string | undefined
  readonly versionId?: string | undefined
  /** Of what is only being made: whoever may make it by the bucket's list may say what it has besides. */
  readonly creating?: boolean
  /** Condition keys beside those of every request. */
  readonly context?: Readonly<Record<string, ContextValue>>
}

type Answer = 'allow' | 'explicitDeny' | 'implicitDeny'

/**
 * Decides what the caller of one request may do, by the bucket's policy, the access control lists and Block Public
 * Access. https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html
 */
export class Gate {
  private readonly caller: Caller
  private readonly index: Index
  /** Condition keys of the request itself; made only where a policy asks. */
  private readonly facts: () => Readonly<Record<string, ContextValue>>

  private current: FoundObject | null = null

  constructor(options: {
    caller: Caller
    index: Index
    facts: () => Readonly<Record<string, ContextValue>>
  }) {
    this.caller = options.caller
    this.index = options.index
    this.facts = options.facts
  }

  /** Throws AccessDenied. */
  async require(asked: Asked): Promise<void> {
    if ((await this.decide(asked)) !== 'allow') throw s3Error('AccessDenied')
  }

  async allows(asked: Asked): Promise<boolean> {
    return (await this.decide(asked)) === 'allow'
  }

  mayBypass(bucket: Bucket, key: string): Promise<boolean> {
    return this.allows({ action: 's3:BypassGovernanceRetention', bucket, key })
  }

  mayDelete(bucket: Bucket, key: string, versionId: string | undefined): Promise<boolean> {
    const action = versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion'
    return this.allows({ action, bucket, key, versionId })
  }

  /** A condition on what is there tells of it: only who may read it may ask. Throws AccessDenied. */
  async requireComparing(bucket: Bucket, key: string, etag: string | undefined): Promise<void> {
    if (etag !== undefined && etag !== '*') await this.require({ action: 's3:GetObject', bucket, key })
  }

  /** To read what is to be copied. Throws AccessDenied. */
  requireSource(bucket: Bucket, key: string, versionId: string | undefined): Promise<void> {
    const action = versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion'
    return this.require({ action, bucket, key, versionId })
  }

  async decide(asked: Asked): Promise<Answer> {
    const { bucket } = asked
    const need = needOf(asked)
    const row = need?.on === 'object' || bucket.set.policy !== undefined ? await this.rowOf(asked) : null
    const foreign = isForeign(row, bucket)
    const byPolicy = this.byPolicy(asked, row)
    if (byPolicy === 'explicitDeny') return byPolicy
    // What another account owns in the bucket is that account's to give, but may always be deleted by the bucket's owner.
    if (byPolicy === 'allow' && !(foreign && isAboutObject(asked, need))) return 'allow'
    // A list lets an account in; which of its users that is for, their own policies say.
    const own = this.caller.unrestricted || this.ownSideAllows(asked, row)
    if (foreign && !need && isTagging(asked.action)) return own && this.owns(row) ? 'allow' : 'implicitDeny'
    return this.byList(asked, row, own) ? 'allow' : 'implicitDeny'
  }

  /** What is on no bucket that is there. Throws AccessDenied. */
  requireAtHome(action: string, bucket: string | undefined): void {
    const { caller } = this
    if (caller.unrestricted) return
    const { outcome } = evaluate(
      {
        principal: caller.principal,
        action,
        resource: bucket === undefined ? '*' : `arn:aws:s3:::${bucket}`,
        resourceAccountId: caller.accountId,
        context: this.facts(),
      },
      caller.policies,
    )
    if (outcome !== 'allow') throw s3Error('AccessDenied')
  }

  private owns(row: ObjectTable | null): boolean {
    return this.caller !== anonymous && row?.owner_id === this.caller.canonicalId
  }

  /** Whether the caller's own account lets it, whosever the resource is. */
  private ownSideAllows(asked: Asked, row: ObjectTable | null): boolean {
    if (this.caller === anonymous) return false
    const request = { ...this.requestOf(asked, row), resourceAccountId: this.caller.accountId }
    return evaluate(request, this.caller.policies).outcome === 'allow'
  }

  private byPolicy(asked: Asked, row: ObjectTable | null): Answer {
    const { bucket } = asked
    const isOwn = this.caller.accountId === bucket.account_id
    const policy = bucket.set.policy === undefined ? null : readyPolicy(bucket.set.policy)
    if (!policy && (this.caller.unrestricted || this.caller === anonymous))
      return isOwn ? 'allow' : 'implicitDeny'
    const { outcome } = evaluate(this.requestOf(asked, row), {
      ...this.caller.policies,
      resource: policy?.compiled,
    })
    if (outcome !== 'allow' || isOwn || !policy) return outcome
    const restricted = bucket.set.publicAccessBlock?.RestrictPublicBuckets === true && policy.isPublic
    return restricted ? 'implicitDeny' : 'allow'
  }

  private requestOf(asked: Asked, row: ObjectTable | null): PolicyRequest {
    const { bucket, key } = asked
    const tags = row ? tagsOf(row) : []
    return {
      principal: this.caller.principal,
      action: asked.action,
      resource: `arn:aws:s3:::${bucket.name}${key === undefined ? '' : `/${key}`}`,
      resourceAccountId: bucket.account_id,
      context: {
        ...this.facts(),
        'aws:ResourceAccount': bucket.account_id,
        's3:ResourceAccount': bucket.account_id,
        ...(asked.versionId === undefined ? {} : { 's3:VersionId': asked.versionId }),
        ...Object.fromEntries(tags.map((tag) => [`s3:ExistingObjectTag/${tag.Key}`, tag.Value])),
        ...asked.context,
      },
    }
  }

  private byList(asked: Asked, row: ObjectTable | null, own: boolean): boolean {
    const { bucket } = asked
    const need = needOf(asked)
    if (!need || ownershipOf(bucket) === 'BucketOwnerEnforced') return false
    if (need.on === 'object' && !row) return false
    const owner = need.on === 'object' ? (row?.owner_id ?? bucket.canonical_id) : bucket.canonical_id
    const isOwner = own && this.caller !== anonymous && owner === this.caller.canonicalId
    if (isOwner && (need.permission === 'READ_ACP' || need.permission === 'WRITE_ACP')) return true
    const grants = need.on === 'object' ? grantsOf(row) : bucket.set.acl
    if (!grants) return isOwner
    return aclAllows(grants, own ? this.caller.canonicalId : null, need.permission, {
      ignorePublic: bucket.set.publicAccessBlock?.IgnorePublicAcls === true,
    })
  }

  /** What the key held when it was judged, once: who reads it next reads what was allowed, and need not look again. */
  takeCurrent(bucket: Bucket, key: string): FoundObject | null {
    const { current } = this
    this.current = null
    return current?.row.bucket === bucket.name && current.row.key === key ? current : null
  }

  private async rowOf({ action, bucket, key, versionId }: Asked): Promise<ObjectTable | null> {
    if (key === undefined) return null
    if (versionId === undefined && action === 's3:GetObject') {
      this.current = await this.index.read((db) => findWithBytes(db, bucket.name, key))
      return this.current?.row ?? null
    }
    if (versionId === undefined) return this.index.read((db) => findObject(db, bucket.name, key))
    return (await this.index.read((db) => findVersion(db, bucket.name, key, versionId)))?.row ?? null
  }
}

/** Who may make an object by the bucket's list may say whose it is to be, and no more: locks and tags need a policy. */
const needOf = (asked: Asked): AclNeed | null =>
  asked.creating && asked.action === 's3:PutObjectAcl'
    ? { on: 'bucket', permission: 'WRITE' }
    : aclNeed(asked.action)

const isTagging = (action: string): boolean => /^s3:\w+Object(?:Version)?Tagging$/.test(action)

/** About an object that is there, which its owner gives; not about putting another in its place, or deleting it. */
const isAboutObject = ({ action, creating }: Asked, need: AclNeed | null): boolean =>
  need?.on === 'object' || (!creating && isTagging(action))

const grantsOf = (row: ObjectTable | null): readonly Grant[] | null =>
  row === null || row.acl === null ? null : (JSON.parse(row.acl) as Grant[])

/** Whether another account than the bucket's owns it. */
const isForeign = (row: ObjectTable | null, bucket: Bucket): boolean =>
  row !== null &&
  row.owner_account !== null &&
  row.owner_account !== bucket.account_id &&
  ownershipOf(bucket) !== 'BucketOwnerEnforced'
