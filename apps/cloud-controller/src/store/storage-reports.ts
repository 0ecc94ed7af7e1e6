import type {
  ExportFacts,
  Observation,
  ReadableSnapshotFacts,
  SnapshotFacts,
  VolumeFacts,
} from '@mallee/agent-contract'
import type { Wakes } from '../wakes.ts'
import type { Tx } from './record.ts'
import { getSnapshot } from './snapshot-store.ts'
import type { AgentTable } from './tables.ts'
import { getAttachment, getVolume } from './volume-store.ts'

/**
 * What storage controllers say of volumes, exports and snapshots: facts, and no decisions. Each speaks of what it holds
 * itself, and `gone` is believed only of what was asked to go.
 */
export async function recordVolume(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation<'volume'>,
): Promise<boolean> {
  const facts: VolumeFacts = observation.facts
  const volume = await getVolume(tx.db, observation.id)
  if (!volume || volume.storage_id !== agent.id) return false
  if (facts.state === 'gone' && volume.state !== 'deleting' && volume.state !== 'deleted') return false
  await tx.db
    .updateTable('volume')
    .set({
      observed_state: facts.state,
      observed_size_bytes: facts.sizeBytes,
      hydrated_percent: facts.hydratedPercent,
      observed_message: facts.message,
    })
    .where('id', '=', volume.id)
    .execute()
  tx.afterCommit(() => {
    wakes.volume(volume.id)
    if (volume.snapshot_id !== null && facts.hydratedPercent === 100) wakes.snapshot(volume.snapshot_id)
  })
  return true
}

export async function recordExport(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation<'export'>,
): Promise<boolean> {
  const facts: ExportFacts = observation.facts
  const row = await tx.db
    .selectFrom('volume_export')
    .selectAll()
    .where('id', '=', observation.id)
    .executeTakeFirst()
  if (!row || row.storage_id !== agent.id) return false
  if (facts.state === 'gone' && row.withdrawn === 0) return false
  if (row.observed_state === 'gone' && facts.state !== 'gone') return false
  await tx.db
    .updateTable('volume_export')
    .set({
      observed_state: facts.state,
      observed_message: facts.message,
      portal: facts.portal === null ? row.portal : JSON.stringify(facts.portal),
    })
    .where('id', '=', row.id)
    .execute()
  const attachment = await getAttachment(tx.db, row.attachment_id)
  tx.afterCommit(() => {
    wakes.attachment(row.attachment_id)
    if (attachment) wakes.instance(attachment.instance_id)
  })
  return true
}

export async function recordSnapshot(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation<'snapshot'>,
): Promise<boolean> {
  const facts: SnapshotFacts = observation.facts
  const snapshot = await getSnapshot(tx.db, observation.id)
  if (!snapshot || snapshot.storage_id !== agent.id) return false
  if (facts.state === 'gone') {
    if (snapshot.state !== 'deleted') return false
    await tx.db.updateTable('snapshot').set({ present: 0 }).where('id', '=', snapshot.id).execute()
  } else if (snapshot.state === 'pending') {
    await tx.db
      .updateTable('snapshot')
      .set({
        taken: facts.taken ? 1 : snapshot.taken,
        // Once it is whole the reconciler says so; until then it never says that it is.
        progress: facts.state === 'completed' ? 100 : Math.min(99, facts.progress),
        stored_bytes: facts.storedBytes,
        state_message: facts.message,
        ...(facts.state === 'completed' && facts.index ? { index_object: JSON.stringify(facts.index) } : {}),
        ...(facts.state === 'failed' ? { present: 0 as const } : {}),
      })
      .where('id', '=', snapshot.id)
      .execute()
  }
  tx.afterCommit(() => {
    wakes.snapshot(snapshot.id)
    if (snapshot.taken === 0) wakes.volume(snapshot.volume_id) // it may have waited to be deleted
  })
  return true
}

/** What walrus says of the blocks that a client writes of a snapshot. It answers what was asked of it last, or is late. */
export async function recordReadable(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation<'readable-snapshot'>,
): Promise<boolean> {
  const facts: ReadableSnapshotFacts = observation.facts
  const snapshot = await getSnapshot(tx.db, observation.id)
  if (!snapshot || snapshot.staging === null || agent.kind !== 'walrus') return false
  const answered = facts.staging === 'gone' ? 'remove' : facts.staging
  if (answered !== snapshot.staging) return true
  await tx.db
    .updateTable('snapshot')
    .set({
      staging_observed: facts.staging,
      ...(facts.staging === 'open' && snapshot.state === 'pending'
        ? { progress: Math.min(99, facts.progress) }
        : {}),
      ...(facts.lastWrittenAtMs === null ? {} : { written_at: facts.lastWrittenAtMs }),
    })
    .where('id', '=', snapshot.id)
    .execute()
  if (facts.staging !== snapshot.staging_observed) tx.afterCommit(() => wakes.snapshot(snapshot.id))
  return true
}
