import { isWellFormedId } from '@mallee/base'
import {
  authFailureNotAuthorizedFor,
  invalidSnapshotIdMalformed,
  invalidSnapshotNotFound,
  invalidVolumeIdMalformed,
  invalidVolumeNotFound,
} from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import { visibleSnapshots } from '../../store/snapshot-store.ts'
import type { SnapshotTable, VolumeTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'
import { requireIds } from '../required-ids.ts'

/** The caller's volumes of these ids; deleted ones are as if they had never been. */
export async function requireVolumes(
  ctx: ActionContext,
  db: Reader,
  ids: readonly string[],
): Promise<VolumeTable[]> {
  const found = await db
    .selectFrom('volume')
    .selectAll()
    .$if(ctx.scope !== null, (query) => query.where('account_id', '=', ctx.scope!))
    .where('id', 'in', ids.length > 0 ? ids : [''])
    .where('state', '!=', 'deleted')
    .execute()
  return requireIds(ids, found, {
    kind: 'volume',
    idOf: (volume) => volume.id,
    malformed: invalidVolumeIdMalformed,
    missing: invalidVolumeNotFound,
  })
}

export async function requireVolume(ctx: ActionContext, db: Reader, id: string): Promise<VolumeTable> {
  return (await requireVolumes(ctx, db, [id]))[0]!
}

/** One that the caller may use. What it may not see is as if it did not exist. */
export async function requireVisibleSnapshot(
  ctx: ActionContext,
  db: Reader,
  id: string,
): Promise<SnapshotTable> {
  if (!isWellFormedId('snapshot', id)) throw invalidSnapshotIdMalformed(id)
  const found = await visibleSnapshots(db, ctx.scope).where('id', '=', id).executeTakeFirst()
  if (!found) throw invalidSnapshotNotFound([id])
  return found
}

export async function requireOwnSnapshot(ctx: ActionContext, db: Reader, id: string): Promise<SnapshotTable> {
  const snapshot = await requireVisibleSnapshot(ctx, db, id)
  if (snapshot.account_id !== ctx.caller.accountId) throw authFailureNotAuthorizedFor(`snapshot:${id}`)
  return snapshot
}
