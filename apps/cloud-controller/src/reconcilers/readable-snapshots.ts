import { GiB } from '@mallee/base'
import type { ReadableSnapshotItem, SnapshotIndex } from '@mallee/agent-contract'
import { listAgents } from '../store/agent-store.ts'
import { dropDesired, putDesired } from '../store/desired-store.ts'
import { sealedSnapshotKey } from '../store/ebs-encryption-store.ts'
import type { Tx } from '../store/record.ts'
import { failWriting, readSnapshotPermissions } from '../store/snapshot-store.ts'
import type { AgentTable, SnapshotTable } from '../store/tables.ts'
import { causeOf } from './domain-item.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** Walrus says of writes every fifteen seconds: nobody is cut off for what it has not said yet. */
const reportMs = 60_000

/**
 * A snapshot that a client writes is given up when nothing was written for its time-out, as AWS does. Not while walrus is
 * silent: what it takes meanwhile nobody hears of.
 */
export async function expireWriting(
  ctx: ReconcilerContext,
  tx: Tx,
  snapshot: SnapshotTable,
): Promise<SnapshotTable> {
  if (snapshot.staging !== 'open' || snapshot.state !== 'pending') return snapshot
  const lastMs = Math.max(snapshot.started_at, snapshot.written_at ?? 0)
  const nowMs = ctx.clock.now()
  if (nowMs < lastMs + (snapshot.timeout_minutes ?? 0) * 60_000 + reportMs) return snapshot
  if ((await walruses(tx)).some((agent) => agent.silent_since !== null)) return snapshot
  return failWriting(tx, snapshot, nowMs, 'No block was written for the time-out of the snapshot.')
}

/** What was written goes when the snapshot is what it will be. */
export async function moveStaging(tx: Tx, snapshot: SnapshotTable): Promise<SnapshotTable> {
  const { staging, state, staging_observed: observed } = snapshot
  const next =
    (staging === 'open' || staging === 'sealed') && state !== 'pending'
      ? 'remove'
      : staging === 'remove' && (observed === 'gone' || (await walruses(tx)).length === 0)
        ? 'gone'
        : staging
  if (next === staging) return snapshot
  await tx.db.updateTable('snapshot').set({ staging: next }).where('id', '=', snapshot.id).execute()
  return { ...snapshot, staging: next }
}

/** Tells walrus who may read the snapshot's blocks, or write them. */
export async function offerBlocks(ctx: ReconcilerContext, tx: Tx, snapshot: SnapshotTable): Promise<void> {
  const item = await readableItem(tx, snapshot)
  for (const { id: agentId } of await walruses(tx)) {
    if (item)
      await putDesired(tx, ctx.wakes, { agentId, kind: 'readable-snapshot', id: snapshot.id, body: item })
    else await dropDesired(tx, ctx.wakes, agentId, 'readable-snapshot', snapshot.id)
  }
}

async function readableItem(tx: Tx, snapshot: SnapshotTable): Promise<ReadableSnapshotItem | null> {
  const staging = snapshot.staging === 'gone' ? null : snapshot.staging
  const isReadable = snapshot.state === 'completed' && snapshot.index_object !== null
  if (!isReadable && staging === null) return null
  const shared = await readSnapshotPermissions(tx.db, [snapshot.id])
  return {
    snapshotId: snapshot.id,
    accountId: snapshot.account_id,
    sharedWith: shared.get(snapshot.id) ?? [],
    isPublic: snapshot.is_public === 1,
    lineage: snapshot.lineage ?? snapshot.volume_id,
    sizeBytes: snapshot.size_gib * GiB,
    index: isReadable ? (JSON.parse(snapshot.index_object as string) as SnapshotIndex) : null,
    staging,
    ...(snapshot.kms_key_id === null
      ? {}
      : { snapshotKey: await sealedSnapshotKey(tx.db, snapshot.account_id) }),
    ...causeOf(snapshot),
  }
}

async function walruses(tx: Tx): Promise<AgentTable[]> {
  return (await listAgents(tx.db, 'walrus')).filter((agent) => agent.state !== 'forgotten')
}
