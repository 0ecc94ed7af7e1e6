import type { InventoryKind, InventoryRemoval } from '@mallee/agent-contract'
import type { Keyring } from '../identity/keyring.ts'
import type { Presence } from '../presence.ts'
import type { CloudSettings } from '../settings.ts'
import { dropDesired } from '../store/desired-store.ts'
import { recordAdminEvent } from '../store/event-store.ts'
import { askAgents, type AskDependencies } from './ask-agents.ts'
import { checkHosts, type AgentInventory } from './check-hosts.ts'
import { checkRecord } from './check-record.ts'
import { checkStore } from './check-store.ts'
import { inBoth, keyOf, type Finding } from './finding.ts'
import { readRecordRows, type CheckContext } from './record-rows.ts'

export interface FsckDependencies extends AskDependencies {
  readonly keyring: Keyring
  readonly settings: CloudSettings
  readonly presence: Presence
}

export interface FsckRequest {
  readonly repair: boolean
  /** Whether agents are asked what is on their hosts; without them the record alone is checked. */
  readonly agents: boolean
  /** What is younger than this is taken to be under way. */
  readonly graceMs: number
  /** Instances that an administrator declares to be nobody's, so that even a running domain of theirs may be ended. */
  readonly orphans: readonly string[]
}

export interface FsckResult {
  readonly findings: readonly Finding[]
  readonly removed: readonly { readonly code: string; readonly subject: string }[]
  readonly notRemoved: readonly { readonly subject: string; readonly reason: string }[]
  /** Agents that answered. */
  readonly asked: readonly string[]
}

/** Between two looks: longer than it takes to launch, end or fetch something. */
const betweenLooksMs = 1_500

/**
 * Looks once; whatever seems wrong is looked at again, and only what both looks show is a finding, so that a cloud at
 * work is not accused of what it was just doing. Repairs follow, then a last look.
 */
export async function runFsck(deps: FsckDependencies, request: FsckRequest): Promise<FsckResult> {
  const first = await look(deps, request, new Map())
  let { findings } = first
  let last = first
  if (findings.length > 0) {
    await deps.clock.sleep(betweenLooksMs)
    last = await look(deps, request, new Map())
    findings = inBoth(findings, last.findings)
  }
  const asked = last.inventories.filter((entry) => entry.blob).map((entry) => entry.agent.name)
  if (!request.repair || findings.every((entry) => entry.repair === null))
    return { findings, removed: [], notRemoved: [], asked }
  await dropItems(deps, findings)
  const after = await look(deps, request, removalsOf(findings))
  const remaining = inBoth(findings, after.findings)
  const left = new Set(remaining.map(keyOf))
  const removed = findings.filter((entry) => entry.repair !== null && !left.has(keyOf(entry)))
  await noteRepair(deps, removed)
  return {
    findings: remaining,
    removed: removed.map(({ code, subject }) => ({ code, subject })),
    notRemoved: refusals(after.inventories),
    asked,
  }
}

interface Look {
  readonly findings: Finding[]
  readonly inventories: readonly AgentInventory[]
}

async function look(
  deps: FsckDependencies,
  request: FsckRequest,
  removals: ReadonlyMap<string, readonly InventoryRemoval[]>,
): Promise<Look> {
  const inventories = request.agents ? await askAgents(deps, removals) : []
  const nowMs = deps.clock.now()
  const { settings } = deps
  const rows = await deps.record.read((db) =>
    readRecordRows(db, { launchesSinceMs: nowMs - settings.terminatedVisibleMs }),
  )
  const ctx: CheckContext = {
    nowMs,
    graceMs: request.graceMs,
    publicPool: settings.publicPool,
    terminatedVisibleMs: settings.terminatedVisibleMs,
    silentAfterMs: settings.pollSeconds * 3000,
    silenceMs: (agentId) => deps.presence.silenceMs(agentId),
    openSecret: (sealed, boundTo) => deps.keyring.open(sealed, boundTo),
  }
  const findings = [
    ...(await checkStore(deps.record)),
    ...checkRecord(rows, ctx),
    ...checkHosts(rows, inventories, ctx, new Set(request.orphans)),
  ]
  return { findings, inventories }
}

function removalsOf(findings: readonly Finding[]): Map<string, InventoryRemoval[]> {
  const result = new Map<string, InventoryRemoval[]>()
  // A domain ends before its files go, and a guest before its network.
  const order: InventoryKind[] = ['domain', 'instance-files', 'tap']
  const rank = (kind: InventoryKind) => (order.includes(kind) ? order.indexOf(kind) : order.length)
  const repairs = findings.flatMap(({ repair }) => (repair?.do === 'remove' ? [repair] : []))
  for (const { agentId, kind, id } of repairs.toSorted((a, b) => rank(a.kind) - rank(b.kind)))
    result.set(agentId, [...(result.get(agentId) ?? []), { kind, id }])
  return result
}

async function dropItems(deps: FsckDependencies, findings: readonly Finding[]): Promise<void> {
  const stale = findings.flatMap(({ repair }) => (repair?.do === 'drop-item' ? [repair] : []))
  if (stale.length === 0) return
  await deps.record.transaction('action', async (tx) => {
    for (const { agentId, kind, id } of stale)
      await dropDesired(tx, deps.wakes, agentId, kind as Parameters<typeof dropDesired>[3], id)
  })
}

function refusals(inventories: readonly AgentInventory[]): { subject: string; reason: string }[] {
  return inventories.flatMap(({ agent, blob }) =>
    (blob?.removals ?? [])
      .filter((removal) => !removal.done)
      .map((removal) => ({
        subject: `${agent.kind} ${agent.name}: ${removal.kind} ${removal.id}`,
        reason: removal.reason ?? '',
      })),
  )
}

async function noteRepair(deps: FsckDependencies, removed: readonly Finding[]): Promise<void> {
  if (removed.length === 0) return
  await deps.record.transaction('action', (tx) =>
    recordAdminEvent(tx, {
      nowMs: deps.clock.now(),
      action: 'RepairCloud',
      resources: removed.map((entry) => entry.subject),
    }),
  )
}
