import { Ajv, type ValidateFunction } from 'ajv'
import {
  factSchemas,
  type DomainFacts,
  type DomainItem,
  type ImageObjectFacts,
  type Observation,
  type Report,
  type VpcItem,
} from '@mallee/agent-contract'
import type { Wakes } from '../wakes.ts'
import { transitionNatGateway } from './nat-gateway-store.ts'
import { transitionImage } from './transition.ts'
import { noteCapacity } from './agent-store.ts'
import { recordDiskImport } from './disk-import-store.ts'
import { moveBundleTask } from './bundle-task-store.ts'
import { getInstance } from './instance-store.ts'
import { recordInterfaces } from './interface-store.ts'
import { wakeVpc } from './network-reach.ts'
import { recordExport, recordReadable, recordSnapshot, recordVolume } from './storage-reports.ts'
import type { Tx } from './record.ts'
import type { AgentTable, DomainTable, ImageTable } from './tables.ts'

const ajv = new Ajv({ strict: true })
const validators = new Map<string, ValidateFunction>(
  Object.entries(factSchemas).map(([kind, schema]) => [kind, ajv.compile(schema.json)]),
)

/**
 * Records one report: facts, and no decisions. An agent speaks only of items in its own set; what it says of others,
 * or in a shape that the contract does not have, is dropped and named to the caller for its log.
 */
export async function recordReport(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  report: Report,
  nowMs: number,
): Promise<{ accepted: boolean; dropped: string[] }> {
  if (report.sequence <= agent.sequence) return { accepted: false, dropped: [] }
  const fingerprint = JSON.stringify(report.fingerprint)
  await tx.db
    .updateTable('agent')
    .set({
      sequence: report.sequence,
      fingerprint,
      undeclared: JSON.stringify(report.undeclared),
    })
    .where('id', '=', agent.id)
    .execute()
  if (fingerprint !== agent.fingerprint) await noteCapacity(tx, agent.id)
  const dropped: string[] = []
  for (const observation of report.observations as Observation[]) {
    const known =
      validators.get(observation.kind)?.(observation.facts) === true &&
      (await recordOne(tx, wakes, agent, observation, nowMs))
    if (!known) dropped.push(`${observation.kind} ${observation.id}`)
  }
  return { accepted: true, dropped }
}

async function recordOne(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation,
  nowMs: number,
): Promise<boolean> {
  switch (observation.kind) {
    case 'domain':
      return recordDomain(tx, wakes, agent, observation as Observation<'domain'>, nowMs)
    case 'image-object':
      return recordImageObject(tx, wakes, agent, observation as Observation<'image-object'>, nowMs)
    case 'bundle':
      return recordBundle(tx, wakes, agent, observation as Observation<'bundle'>, nowMs)
    case 'disk-import':
      return recordDiskImport(tx, wakes, agent, observation as Observation<'disk-import'>)
    case 'manifest':
      return recordManifest(tx, wakes, agent, observation as Observation<'manifest'>)
    case 'volume':
      return recordVolume(tx, wakes, agent, observation as Observation<'volume'>)
    case 'export':
      return recordExport(tx, wakes, agent, observation as Observation<'export'>)
    case 'snapshot':
      return recordSnapshot(tx, wakes, agent, observation as Observation<'snapshot'>)
    case 'readable-snapshot':
      return recordReadable(tx, wakes, agent, observation as Observation<'readable-snapshot'>)
    case 'flow-log':
      return recordFlowLog(tx, agent, observation as Observation<'flow-log'>)
    case 'vpc':
      return recordVpc(tx, wakes, agent, observation as Observation<'vpc'>, nowMs)
    case 'access-key':
      return true // heard, and nothing depends on it
  }
}

/** Whether its bucket takes its records, as walrus sees it now. */
async function recordFlowLog(
  tx: Tx,
  agent: AgentTable,
  { id, facts }: Observation<'flow-log'>,
): Promise<boolean> {
  if (agent.kind !== 'walrus') return false
  const result = await tx.db
    .updateTable('flow_log')
    .set({ error: facts.deliverable ? null : (facts.message ?? 'Access error') })
    .where('id', '=', id)
    .executeTakeFirst()
  return result.numUpdatedRows > 0n
}

/** A NAT gateway is available once its node has made the network that it is part of. */
async function recordVpc(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation<'vpc'>,
  nowMs: number,
): Promise<boolean> {
  if (!observation.facts.applied) return true
  const pending = await tx.db
    .selectFrom('nat_gateway')
    .selectAll()
    .where('node_id', '=', agent.id)
    .where('vpc_id', '=', observation.id)
    .where('state', '=', 'pending')
    .execute()
  if (pending.length === 0) return true
  const item = await tx.db
    .selectFrom('desired_item')
    .select(['generation', 'body'])
    .where('agent_id', '=', agent.id)
    .where('kind', '=', 'vpc')
    .where('id', '=', observation.id)
    .executeTakeFirst()
  if (!item || observation.generation < item.generation) return true
  const carried = new Set(
    ((JSON.parse(item.body) as VpcItem).natGateways ?? []).map((row) => row.natGatewayId),
  )
  const ready = pending.filter((gateway) => carried.has(gateway.id))
  if (ready.length === 0) return true
  for (const gateway of ready) await transitionNatGateway(tx, gateway, 'carried', { nowMs })
  await wakeVpc(tx, wakes, observation.id)
  return true
}

async function recordDomain(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation<'domain'>,
  nowMs: number,
): Promise<boolean> {
  const facts: DomainFacts = observation.facts
  const row = await tx.db.selectFrom('domain').selectAll().where('id', '=', observation.id).executeTakeFirst()
  if (!row || row.node_id !== agent.id) return false
  if (row.observed_state === 'gone' && facts.state !== 'gone') return false // nothing comes back from there
  if (contradicts(row, facts)) return false
  // `gone` answers one intent: said of a release, it is no answer to the removal that was asked for since.
  if (facts.state === 'gone') {
    const issued = await itemGeneration(tx, agent.id, observation.id)
    if (observation.generation !== issued) return observation.generation < issued // none was issued that is higher
  }
  const volumes = facts.volumes === undefined ? null : JSON.stringify(facts.volumes)
  await tx.db
    .updateTable('domain')
    .set({
      observed_state: facts.state,
      observed_generation: observation.generation,
      end_reason: facts.endReason,
      message: facts.message,
      started_at: facts.startedAtMs ?? row.started_at,
      disk_lost: facts.diskLost ? 1 : 0,
      volumes,
      reboot_count: facts.rebootCount,
      accelerator: facts.accelerator,
      observed_at: nowMs,
    })
    .where('id', '=', observation.id)
    .execute()
  if (facts.state === 'running') {
    const known = await knownAttachments(tx, agent.id, observation)
    await recordInterfaces(tx, wakes, row.instance_id, facts.interfaces, known)
  }
  tx.afterCommit(() => {
    wakes.instance(row.instance_id)
    if (volumes !== row.volumes || facts.state !== row.observed_state) wakes.attachmentsOf(row.instance_id)
  })
  return true
}

/** The attachments of the item that the node speaks of; null where there is a newer one. */
async function knownAttachments(
  tx: Tx,
  agentId: string,
  observation: Observation<'domain'>,
): Promise<string[] | null> {
  const item = await tx.db
    .selectFrom('desired_item')
    .select(['generation', 'body'])
    .where('agent_id', '=', agentId)
    .where('kind', '=', 'domain')
    .where('id', '=', observation.id)
    .executeTakeFirst()
  if (!item || item.generation !== observation.generation) return null
  return (JSON.parse(item.body) as DomainItem).interfaces.map((entry) => entry.attachmentId)
}

/**
 * What no honest node can say: a domain that ran did start, and from its disk; and nothing is gone that nobody asked to
 * end. An agent that says so is broken or lies, and its word ends no guest.
 */
function contradicts(row: DomainTable, facts: DomainFacts): boolean {
  if (facts.state === 'gone') return row.intent === 'run'
  const ran = row.started_at !== null
  return ran && (facts.state === 'failed' || facts.state === 'preparing' || facts.diskLost)
}

async function itemGeneration(tx: Tx, agentId: string, id: string): Promise<number> {
  const item = await tx.db
    .selectFrom('desired_item')
    .select('generation')
    .where('agent_id', '=', agentId)
    .where('kind', '=', 'domain')
    .where('id', '=', id)
    .executeTakeFirst()
  return item?.generation ?? 0
}

async function recordImageObject(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation<'image-object'>,
  nowMs: number,
): Promise<boolean> {
  const facts: ImageObjectFacts = observation.facts
  const image = await tx.db
    .selectFrom('image')
    .selectAll()
    .where('id', '=', observation.id)
    .executeTakeFirst()
  if (!image || agent.kind !== 'walrus') return false
  if (facts.state === 'gone') return recordGone(tx, wakes, image)
  if (image.state !== 'pending') return true
  if (facts.state === 'making') {
    await tx.db
      .updateTable('image')
      .set({ progress: facts.progress ?? 0 })
      .where('id', '=', image.id)
      .execute()
    return true
  }
  if (facts.state === 'available') {
    await tx.db
      .updateTable('image')
      .set({
        format: facts.format,
        size_bytes: facts.sizeBytes,
        virtual_size_bytes: facts.virtualSizeBytes,
        sha256: facts.sha256,
        layout: facts.layout ?? null,
        progress: null,
      })
      .where('id', '=', image.id)
      .execute()
    await transitionImage(tx, image, 'inspected', { nowMs, reason: null })
  } else {
    const reason = facts.message ?? 'The object is no usable image.'
    await transitionImage(tx, image, 'refused', { nowMs, reason })
  }
  tx.afterCommit(() => {
    wakes.image(image.id)
    // What it was copied from may go now.
    if (image.source_image_id !== null) wakes.image(image.source_image_id)
  })
  return true
}

/** Nothing is removed of an image that is or may be launched: who says so speaks of an older set. */
async function recordGone(tx: Tx, wakes: Wakes, image: ImageTable): Promise<boolean> {
  if (image.state === 'pending' || image.state === 'available') return false
  await tx.db.updateTable('image').set({ has_disk: 0 }).where('id', '=', image.id).execute()
  tx.afterCommit(() => wakes.image(image.id))
  return true
}

async function recordManifest(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  observation: Observation<'manifest'>,
): Promise<boolean> {
  if (agent.kind !== 'walrus') return false
  const result = await tx.db
    .updateTable('manifest')
    .set({ facts: JSON.stringify(observation.facts) })
    .where('id', '=', observation.id)
    .executeTakeFirst()
  tx.afterCommit(() => wakes.manifest(observation.id))
  return result.numUpdatedRows > 0n
}

async function recordBundle(
  tx: Tx,
  wakes: Wakes,
  agent: AgentTable,
  { id, facts }: Observation<'bundle'>,
  nowMs: number,
): Promise<boolean> {
  const task = await tx.db.selectFrom('bundle_task').selectAll().where('id', '=', id).executeTakeFirst()
  const instance = task && (await getInstance(tx.db, task.instance_id))
  if (!task || instance?.node_id !== agent.id) return false
  if (task.phase !== 'bundling') return true
  const { state, progress } = facts
  const error =
    state === 'failed'
      ? { error_code: 'Server.InternalError', error_message: facts.message ?? 'The bundling failed.' }
      : {}
  await moveBundleTask(tx, task, { phase: state, progress, ...error }, nowMs)
  if (state !== 'bundling') tx.afterCommit(() => wakes.bundle(id))
  return true
}
