import type { NodeFingerprint } from '@mallee/agent-contract'
import { loadNodes, nodeSnapshotOf } from './agent-store.ts'
import type { Reader, Tx } from './record.ts'
import type { Tables } from './tables.ts'
import type { StateStore } from '@mallee/state-store'
import type { Placement } from '../scheduler/judge-node.ts'
import { PlacementTable, type PlanOptions } from '../scheduler/placement-table.ts'

interface Use {
  readonly nodeId: string | null
  readonly accountId: string
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}

interface AccountUse {
  readonly instances: number
  readonly vcpus: number
}

/** What nodes hold and accounts use as one transaction found it; what it writes afterwards is not in here. */
export interface CapacityNow {
  plan(options: PlanOptions): Placement
  accountUse(accountId: string): AccountUse
}

/**
 * What nodes hold and accounts use, kept in memory and brought up to date inside the transaction that asks, from the rows
 * that changed since. The record stays the only truth: rows of a transaction that is not committed are seen by later ones
 * of the same commit only, and if that commit fails, everything is read anew. Where several processes write the record
 * (PostgreSQL), and transactions run side by side, nothing is kept: everything is read anew every time.
 */
export class Capacity {
  private readonly kept: Sums | null

  constructor(engine: StateStore<Tables>['engine']) {
    this.kept = engine === 'sqlite' ? new Sums() : null
  }

  /** Good for this transaction, and until its first write to an instance or an agent. */
  async at(tx: Tx): Promise<CapacityNow> {
    const sums = this.kept ?? new Sums()
    await sums.sync(tx)
    return sums
  }
}

class Sums implements CapacityNow {
  private readonly table = new PlacementTable()
  private readonly uses = new Map<string, Use>()
  private readonly accounts = new Map<string, AccountUse>()
  private instanceRevision = -1
  private agentRevision = -1

  plan(options: PlanOptions): Placement {
    return this.table.plan(options)
  }

  accountUse(accountId: string): AccountUse {
    return this.accounts.get(accountId) ?? { instances: 0, vcpus: 0 }
  }

  private forgetAll(): void {
    this.table.clear()
    this.uses.clear()
    this.accounts.clear()
    this.instanceRevision = -1
    this.agentRevision = -1
  }

  async sync(tx: Tx): Promise<void> {
    const agents = await loadNodes(tx.db, this.agentRevision)
    const instances = await changedInstances(tx.db, this.instanceRevision)
    if (agents.length === 0 && instances.length === 0) return
    tx.afterAbort(() => this.forgetAll())
    for (const agent of agents) {
      this.agentRevision = Math.max(this.agentRevision, agent.usage_revision)
      if (agent.state === 'forgotten') this.table.delete(agent.id)
      else {
        const fingerprint = agent.fingerprint ? (JSON.parse(agent.fingerprint) as NodeFingerprint) : null
        const used = this.table.get(agent.id)?.used ?? this.usedOn(agent.id)
        this.table.set(nodeSnapshotOf(agent, fingerprint, used))
      }
    }
    for (const row of instances) {
      this.instanceRevision = Math.max(this.instanceRevision, row.usage_revision)
      this.apply(
        row.id,
        row.state === 'terminated'
          ? null
          : {
              nodeId: row.node_id,
              accountId: row.account_id,
              vcpus: row.vcpus,
              memoryMiB: row.memory_mib,
              diskGiB: row.disk_gib,
            },
      )
    }
  }

  /** A node that is new to us may have instances that are not: after it was forgotten, say, and came back. */
  private usedOn(nodeId: string) {
    const sum = { vcpus: 0, memoryMiB: 0, diskGiB: 0 }
    for (const use of this.uses.values()) {
      if (use.nodeId !== nodeId) continue
      sum.vcpus += use.vcpus
      sum.memoryMiB += use.memoryMiB
      sum.diskGiB += use.diskGiB
    }
    return sum
  }

  private apply(instanceId: string, use: Use | null): void {
    const before = this.uses.get(instanceId)
    if (before) this.count(before, -1)
    if (use) {
      this.uses.set(instanceId, use)
      this.count(use, 1)
    } else this.uses.delete(instanceId)
  }

  private count(use: Use, sign: 1 | -1): void {
    const account = this.accounts.get(use.accountId) ?? { instances: 0, vcpus: 0 }
    this.accounts.set(use.accountId, {
      instances: account.instances + sign,
      vcpus: account.vcpus + sign * use.vcpus,
    })
    const node = use.nodeId === null ? undefined : this.table.get(use.nodeId)
    if (!node) return
    this.table.set({
      ...node,
      used: {
        vcpus: node.used.vcpus + sign * use.vcpus,
        memoryMiB: node.used.memoryMiB + sign * use.memoryMiB,
        diskGiB: node.used.diskGiB + sign * use.diskGiB,
      },
    })
  }
}

function changedInstances(db: Reader, since: number) {
  return db
    .selectFrom('instance')
    .select(['id', 'node_id', 'account_id', 'vcpus', 'memory_mib', 'disk_gib', 'state', 'usage_revision'])
    .where('usage_revision', '>', since)
    .execute()
}
