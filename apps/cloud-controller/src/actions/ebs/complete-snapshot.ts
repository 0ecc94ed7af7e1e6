import type { Ebs } from '@mallee/ebs-api'
import { ebsAccessDenied, ebsNotFound, ebsValidation } from '@mallee/ebs-api'
import type { Reader } from '../../store/record.ts'
import { getSnapshot, visibleSnapshots } from '../../store/snapshot-store.ts'
import type { SnapshotTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'

/** So long its end is waited for; a larger snapshot is answered as pending. */
const endMs = 5_000

/**
 * Seals what was written. That the blocks are as many as its client says, and what it says, is judged where they are
 * gathered: a snapshot that is not as it was said is in error.
 * https://docs.aws.amazon.com/ebs/latest/APIReference/API_CompleteSnapshot.html
 */
export async function completeSnapshot(
  ctx: ActionContext,
  input: Ebs.CompleteSnapshotRequest,
): Promise<Ebs.CompleteSnapshotResponse> {
  const { SnapshotId: id } = input
  if (input.Checksum !== undefined && Buffer.from(input.Checksum, 'base64').length !== 32)
    throw ebsValidation('INVALID_PARAMETER_VALUE', 'The Checksum is no SHA-256 in Base64.')
  await ctx.transaction(async (tx) => {
    await requireWritten(ctx, tx.db, id)
    await tx.db
      .updateTable('snapshot')
      .set({
        staging: 'sealed',
        written_count: input.ChangedBlocksCount,
        written_checksum: input.Checksum ?? null,
      })
      .where('id', '=', id)
      .execute()
    tx.touch(id)
    tx.afterCommit(() => ctx.wakes.snapshot(id))
  })
  const isOver = async (db: Reader) => (await getSnapshot(db, id))?.state !== 'pending'
  await ctx.waitUntil(isOver, endMs)
  const snapshot = await ctx.read((db) => getSnapshot(db, id))
  if (!snapshot || snapshot.state === 'deleted') throw ebsNotFound(id)
  if (snapshot.state === 'error')
    throw ebsValidation('INVALID_PARAMETER_VALUE', snapshot.state_message ?? 'The snapshot is in error.')
  return { Status: snapshot.state }
}

/** The caller's, and still being written. */
async function requireWritten(ctx: ActionContext, db: Reader, id: string): Promise<SnapshotTable> {
  const snapshot = await visibleSnapshots(db, ctx.scope).where('id', '=', id).executeTakeFirst()
  if (!snapshot) throw ebsNotFound(id)
  if (snapshot.account_id !== ctx.caller.accountId)
    throw ebsAccessDenied(`The snapshot '${id}' is another account's.`)
  if (snapshot.staging === null)
    throw ebsValidation('INVALID_SNAPSHOT_ID', `The snapshot '${id}' was not made by StartSnapshot.`)
  if (snapshot.state !== 'pending' || snapshot.staging !== 'open')
    throw ebsValidation('INVALID_SNAPSHOT_ID', `The snapshot '${id}' is not open for writing any more.`)
  return snapshot
}
