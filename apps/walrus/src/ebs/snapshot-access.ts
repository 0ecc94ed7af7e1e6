import type { ReadableSnapshotItem, SnapshotIndex } from '@mallee/agent-contract'
import { ebsAccessDenied, ebsNotFound, ebsValidation } from '@mallee/ebs-api'
import { evaluate, type ContextValue } from '@mallee/iam-policy'
import type { Caller } from '../identity/caller.ts'
import type { KnownSnapshots } from './known-snapshots.ts'

/** What is not here yet may be on its way: so long it is waited for. */
const soonMs = 1_000

/** Who asks for what. */
export interface Asking {
  readonly caller: Caller
  readonly snapshots: KnownSnapshots
  readonly region: string
  /** `ebs:GetSnapshotBlock` */
  readonly action: string
  /** Condition keys of the request. */
  readonly facts: () => Readonly<Record<string, ContextValue>>
}

export type Readable = ReadableSnapshotItem & { readonly index: SnapshotIndex }

/**
 * A snapshot that the caller may read: its own, or one that is shared with it; public ones are not read block by block
 * (https://docs.aws.amazon.com/ebs/latest/userguide/ebsapi-elements.html). Throws what AWS answers; what the caller may
 * not know of is as if it did not exist.
 */
export async function requireReadable(asking: Asking, id: string): Promise<Readable> {
  const item = await asking.snapshots.soon(id, ({ index }) => index !== null, soonMs)
  if (!item || isNothing(item)) throw ebsNotFound(id)
  const { accountId } = asking.caller
  if (item.accountId !== accountId && !item.sharedWith.includes(accountId))
    throw item.isPublic
      ? ebsAccessDenied(`The snapshot '${id}' is public: its blocks cannot be read.`)
      : ebsNotFound(id)
  requirePolicy(asking, id)
  const { index } = item
  if (!index) throw ebsValidation('INVALID_SNAPSHOT_ID', `The snapshot '${id}' is not completed.`)
  return { ...item, index }
}

/** A snapshot of the caller's that takes blocks. */
export async function requireWritable(asking: Asking, id: string): Promise<ReadableSnapshotItem> {
  const item = await asking.snapshots.soon(id, ({ staging }) => staging === 'open', soonMs)
  if (!item || isNothing(item)) throw ebsNotFound(id)
  const { accountId } = asking.caller
  if (item.accountId !== accountId) {
    if (item.sharedWith.includes(accountId) || item.isPublic)
      throw ebsAccessDenied(`The snapshot '${id}' is another account's.`)
    throw ebsNotFound(id)
  }
  requirePolicy(asking, id)
  if (item.staging !== 'open') throw notOpen(id)
  return item
}

/** Deleted or given up, and about to be forgotten. */
const isNothing = ({ index, staging }: ReadableSnapshotItem): boolean =>
  index === null && staging === 'remove'

export const notOpen = (id: string) =>
  ebsValidation('INVALID_SNAPSHOT_ID', `The snapshot '${id}' takes no blocks: it is not pending.`)

/** What the caller's own policies say; that the snapshot is its, or shared, was judged. */
function requirePolicy({ caller, action, region, facts }: Asking, id: string): void {
  const { outcome } = evaluate(
    {
      principal: caller.principal,
      action,
      resource: `arn:aws:ec2:${region}::snapshot/${id}`,
      resourceAccountId: caller.accountId,
      context: facts(),
    },
    caller.policies,
  )
  if (outcome !== 'allow') throw ebsAccessDenied(`You are not authorized to perform ${action} on '${id}'.`)
}
