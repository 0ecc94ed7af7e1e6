import { must, newId, newToken, unreachable } from '@mallee/base'
import type { Portal } from '@mallee/agent-contract'
import type { PassResult, Reconciler } from '@mallee/workflow'
import { forgottenAmong, isForgotten } from '../store/agent-store.ts'
import { dropDesired, putDesired } from '../store/desired-store.ts'
import { currentDomain, getInstance } from '../store/instance-store.ts'
import type { Reader, Tx } from '../store/record.ts'
import type { InstanceTable, VolumeAttachmentTable, VolumeExportTable, VolumeTable } from '../store/tables.ts'
import {
  exportsOfAttachment,
  getAttachment,
  getVolume,
  transitionAttachment,
  transitionVolume,
} from '../store/volume-store.ts'
import { decideAttachment, type AttachmentDecision, type AttachmentRows } from './decide-attachment.ts'
import type { ReconcilerContext } from './reconciler-context.ts'

/** Of every target's name: the year and month in which the project began, and a domain that is nobody's. */
const iqnBase = 'iqn.2026-11.internal.mallee'

/** The name of a node's own initiator. */
export function initiatorIqn(nodeId: string): string {
  return `${iqnBase}:${nodeId}`
}

/** Brings volumes to their instances and takes them back: exports on storage controllers, connections on nodes. */
export function attachmentsReconciler(ctx: ReconcilerContext): Reconciler {
  return {
    name: 'attachments',
    everyMs: 60_000,
    list: () =>
      ctx.record.read(async (db) => {
        const rows = await db.selectFrom('volume_attachment').select('id').execute()
        return rows.map((row) => row.id)
      }),
    reconcile: (id) =>
      ctx.record.transaction('reconcile', async (tx): Promise<PassResult> => {
        if (id.startsWith('i-')) return wakeAll(ctx, tx, id)
        const rows = await readRows(tx.db, id)
        if (!rows) return { settled: true }
        await carryOut(ctx, tx, rows, decideAttachment(rows))
        return { settled: true }
      }),
  }
}

async function wakeAll(ctx: ReconcilerContext, tx: Tx, instanceId: string): Promise<PassResult> {
  const rows = await tx.db
    .selectFrom('volume_attachment')
    .select('id')
    .where('instance_id', '=', instanceId)
    .execute()
  for (const row of rows) tx.afterCommit(() => ctx.wakes.attachment(row.id))
  return { settled: true }
}

async function readRows(db: Reader, id: string): Promise<AttachmentRows | null> {
  const attachment = await getAttachment(db, id)
  const volume = attachment && (await getVolume(db, attachment.volume_id))
  if (!attachment || !volume) return null
  const instance = await getInstance(db, attachment.instance_id)
  const domain = instance && (await currentDomain(db, instance))
  const item = domain && (await readItem(db, domain.node_id, domain.id))
  const exports = await exportsOfAttachment(db, id)
  return { attachment, volume, instance, domain, item, exports: await withoutForgotten(db, exports) }
}

/** What a machine that was declared dead served, nobody reaches. */
async function withoutForgotten(db: Reader, rows: VolumeExportTable[]): Promise<VolumeExportTable[]> {
  const dead = await forgottenAmong(
    db,
    rows.map((row) => row.storage_id),
  )
  const isDead = (row: VolumeExportTable) => dead.has(row.storage_id)
  return rows.map((row) => (row.withdrawn === 1 && isDead(row) ? { ...row, observed_state: 'gone' } : row))
}

async function readItem(db: Reader, nodeId: string, id: string): Promise<AttachmentRows['item']> {
  const row = await db
    .selectFrom('desired_item')
    .select(['generation', 'body'])
    .where('agent_id', '=', nodeId)
    .where('kind', '=', 'domain')
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) return undefined
  const body = JSON.parse(row.body) as { volumes?: { attachmentId: string }[] }
  return {
    generation: row.generation,
    exportIds: (body.volumes ?? []).map(({ attachmentId }) => attachmentId),
  }
}

async function carryOut(
  ctx: ReconcilerContext,
  tx: Tx,
  rows: AttachmentRows,
  decision: AttachmentDecision,
): Promise<void> {
  const { attachment, volume, instance } = rows
  const live = rows.exports.find((row) => row.withdrawn === 0)
  const again = () => tx.afterCommit(() => ctx.wakes.attachment(attachment.id))
  switch (decision.do) {
    case 'nothing':
      return
    case 'transition':
      await transitionAttachment(tx, attachment, decision.event, {
        nowMs: ctx.clock.now(),
        ...(decision.reason === undefined ? {} : { reason: decision.reason }),
      })
      again()
      tx.afterCommit(() => ctx.wakes.instance(attachment.instance_id))
      tx.afterCommit(() => ctx.wakes.volume(volume.id))
      return
    case 'export':
      await makeExport(ctx, tx, { attachment, volume, instance: instance!, nodeId: decision.nodeId })
      return
    case 'keep':
      for (const row of rows.exports) await putExport(ctx, tx, row, instance)
      if (live && decision.connect) await putConnection(ctx, tx, live, attachment, instance)
      return
    case 'withdraw': {
      const row = { ...live!, withdrawn: 1 as const }
      await tx.db.updateTable('volume_export').set({ withdrawn: 1 }).where('id', '=', row.id).execute()
      await putExport(ctx, tx, row, instance)
      await dropDesired(tx, ctx.wakes, row.node_id, 'connection', row.id)
      tx.afterCommit(() => ctx.wakes.instance(attachment.instance_id))
      return
    }
    case 'drop': {
      const row = rows.exports.find(({ id }) => id === decision.exportId)!
      await dropDesired(tx, ctx.wakes, row.storage_id, 'export', row.id)
      await tx.db.deleteFrom('volume_export').where('id', '=', row.id).execute()
      return again()
    }
    case 'give-back':
      return giveBack(ctx, tx, { attachment, volume, instance })
    default:
      return unreachable(decision, 'decision')
  }
}

/** The row before the item: a name and a secret that may have been seen are never used for anything else. */
async function makeExport(
  ctx: ReconcilerContext,
  tx: Tx,
  next: {
    attachment: VolumeAttachmentTable
    volume: VolumeTable
    instance: InstanceTable
    nodeId: string
  },
): Promise<void> {
  const { attachment, volume, instance, nodeId } = next
  const number = attachment.exports + 1
  const id = `${attachment.id}.${number}`
  const random = newId('volumeAttachment', ctx.random).slice(-17)
  const row: VolumeExportTable = {
    id,
    attachment_id: attachment.id,
    volume_id: volume.id,
    storage_id: volume.storage_id,
    node_id: nodeId,
    iqn: `${iqnBase}:${volume.id}.${number}-${random}`,
    initiator_iqn: initiatorIqn(nodeId),
    chap_user: newToken('', 16, ctx.random),
    sealed_secret: ctx.keyring.seal(newToken('', 32, ctx.random), id),
    withdrawn: 0,
    created_at: ctx.clock.now(),
    observed_state: null,
    observed_message: null,
    portal: null,
  }
  await tx.db.insertInto('volume_export').values(row).execute()
  await tx.db
    .updateTable('volume_attachment')
    .set({ exports: number })
    .where('id', '=', attachment.id)
    .execute()
  await putExport(ctx, tx, row, instance)
}

async function putExport(
  ctx: ReconcilerContext,
  tx: Tx,
  row: VolumeExportTable,
  instance: InstanceTable | undefined,
): Promise<void> {
  const body = {
    attachmentId: row.id,
    volumeId: row.volume_id,
    iqn: row.iqn,
    initiatorIqn: row.initiator_iqn,
    chapUser: row.chap_user,
    chapSecret: row.sealed_secret,
    withdraw: row.withdrawn === 1,
    requestId: instance?.request_id ?? null,
    traceparent: null,
  }
  if (await isForgotten(tx.db, row.storage_id)) return
  await putDesired(tx, ctx.wakes, { agentId: row.storage_id, kind: 'export', id: row.id, body })
}

async function putConnection(
  ctx: ReconcilerContext,
  tx: Tx,
  row: VolumeExportTable,
  attachment: VolumeAttachmentTable,
  instance: InstanceTable | undefined,
): Promise<void> {
  const body = {
    attachmentId: row.id,
    volumeId: row.volume_id,
    instanceId: attachment.instance_id,
    iqn: row.iqn,
    initiatorIqn: row.initiator_iqn,
    portal: JSON.parse(must(row.portal, `the portal of ${row.id}`)) as Portal,
    chapUser: row.chap_user,
    chapSecret: row.sealed_secret,
    requestId: instance?.request_id ?? null,
    traceparent: null,
  }
  await putDesired(tx, ctx.wakes, { agentId: row.node_id, kind: 'connection', id: row.id, body })
  tx.afterCommit(() => ctx.wakes.instance(attachment.instance_id))
}

/** The last row that keeps the volume from its owner; a volume that was to go with its instance goes. */
async function giveBack(
  ctx: ReconcilerContext,
  tx: Tx,
  {
    attachment,
    volume,
    instance,
  }: { attachment: VolumeAttachmentTable; volume: VolumeTable; instance: InstanceTable | undefined },
): Promise<void> {
  const nowMs = ctx.clock.now()
  await transitionAttachment(tx, attachment, 'withdrawn', { nowMs })
  await tx.db.deleteFrom('volume_attachment').where('id', '=', attachment.id).execute()
  const ended = !instance || instance.state === 'shutting-down' || instance.state === 'terminated'
  if (ended && attachment.delete_on_termination === 1)
    await transitionVolume(tx, volume, 'endsWithInstance', { nowMs })
  else if (volume.state === 'in-use') await transitionVolume(tx, volume, 'givenBack', { nowMs })
  tx.afterCommit(() => {
    ctx.wakes.volume(volume.id)
    ctx.wakes.instance(attachment.instance_id)
  })
}
