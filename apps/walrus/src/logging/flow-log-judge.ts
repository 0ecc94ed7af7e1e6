import { errorMessage, type Log } from '@mallee/base'
import type { DesiredItem, FlowLogFacts } from '@mallee/agent-contract'
import type { Ledger } from '@mallee/agent-kit'
import { findBucket } from '../index/bucket-rows.ts'
import type { Index } from '../index/tables.ts'

type Item = DesiredItem<'flow-log'>

/**
 * Says of each flow log whether its bucket is there and its account's. Buckets come and go: it is asked to look again
 * every now and then.
 */
export class FlowLogJudge {
  private readonly deps: {
    readonly ledger: Ledger
    readonly index: Index
    readonly log: Log
    readonly observe: (item: Item, facts: FlowLogFacts) => void
    readonly forget: (id: string) => void
  }
  private readonly judged = new Set<string>()
  private running = false

  constructor(deps: FlowLogJudge['deps']) {
    this.deps = deps
  }

  /** Looks at all of them; returns at once. */
  refresh(): void {
    if (this.running) return
    this.running = true
    this.judge()
      .catch((error: unknown) =>
        this.deps.log.warn({ reason: errorMessage(error) }, 'flow logs were not judged'),
      )
      .finally(() => (this.running = false))
  }

  private async judge(): Promise<void> {
    const { ledger, index, observe, forget } = this.deps
    const items = ledger.list('flow-log')
    for (const id of this.judged) {
      if (items.some((item) => item.id === id)) continue
      this.judged.delete(id)
      forget(id)
    }
    for (const item of items) {
      const { bucket, accountId } = item.body
      const found = await index.read((db) => findBucket(db, bucket))
      const deliverable = found?.account_id === accountId
      this.judged.add(item.id)
      observe(item, { deliverable, message: deliverable ? null : 'Access error' })
    }
  }
}
