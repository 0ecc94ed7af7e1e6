import { isWellFormedId } from '@mallee/base'
import { invalidSnapshotIdMalformed, invalidSnapshotNotFound } from '@mallee/ec2-api'
import { readSnapshotPermissions, visibleSnapshots } from '../../store/snapshot-store.ts'
import type { SnapshotTable } from '../../store/tables.ts'
import { snapshotView } from '../../views/volume-view.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { timeKey } from '../pages.ts'
import { namedAccounts, ownedBy } from './owners.ts'

const fields: FilterFields<SnapshotTable> = {
  description: (snapshot) => [snapshot.description],
  encrypted: (snapshot) => [snapshot.kms_key_id !== null],
  'owner-alias': () => [],
  'owner-id': (snapshot) => [snapshot.account_id],
  progress: (snapshot) => [`${snapshot.state === 'completed' ? 100 : snapshot.progress}%`],
  'snapshot-id': (snapshot) => [snapshot.id],
  'start-time': (snapshot) => [new Date(snapshot.started_at).toISOString()],
  status: (snapshot) => [snapshot.state],
  'storage-tier': () => ['standard'],
  'volume-id': (snapshot) => [snapshot.volume_id],
  'volume-size': (snapshot) => [snapshot.size_gib],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSnapshots.html */
export const describeSnapshots = defineEc2Action('DescribeSnapshots', {
  honours: ['SnapshotIds', 'OwnerIds', 'RestorableByUserIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['SnapshotIds'],
  run: (ctx, input) =>
    ctx.read(async (db) => {
      const ids = input.SnapshotIds ?? []
      for (const id of ids) if (!isWellFormedId('snapshot', id)) throw invalidSnapshotIdMalformed(id)
      const query = visibleSnapshots(db, ctx.scope)
      const found = await (ids.length === 0 ? query : query.where('id', 'in', ids)).execute()
      const missing = ids.filter((id) => !found.some((snapshot) => snapshot.id === id))
      if (missing.length > 0) throw invalidSnapshotNotFound(missing)
      const owned = ownedBy(ctx, input.OwnerIds ?? [])
      const restorers = input.RestorableByUserIds ?? []
      const permissions =
        restorers.length === 0
          ? new Map<string, string[]>()
          : await readSnapshotPermissions(
              db,
              found.map((snapshot) => snapshot.id),
            )
      const restorable = restorableBy(ctx, restorers, permissions)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: found.filter((snapshot) => owned(snapshot) && restorable(snapshot)),
        idOf: (snapshot) => snapshot.id,
        keyOf: (snapshot) => timeKey(snapshot.started_at, snapshot.id),
        fields,
        exclusiveIds: ids.length > 0,
        view: snapshotView,
      })
      return { Snapshots: views, NextToken: nextToken }
    }),
})

/** Explicit permissions; those of another account are the snapshot's owner's to know. */
function restorableBy(
  ctx: ActionContext,
  users: readonly string[],
  permissions: ReadonlyMap<string, readonly string[]>,
): (snapshot: SnapshotTable) => boolean {
  if (users.length === 0) return () => true
  const everyone = users.includes('all')
  const accounts = namedAccounts(
    ctx,
    users.filter((user) => user !== 'all'),
  )
  return (snapshot) => {
    if (everyone && snapshot.is_public === 1) return true
    const mine = snapshot.account_id === ctx.caller.accountId
    if (accounts.has(snapshot.account_id) && mine) return true
    return (permissions.get(snapshot.id) ?? []).some(
      (account) => accounts.has(account) && (mine || account === ctx.caller.accountId),
    )
  }
}
