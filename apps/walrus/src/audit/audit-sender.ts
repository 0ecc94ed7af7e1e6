import { minuteMs, secondMs, type Clock, type Log } from '@mallee/base'
import type { AuditBlob, AuditLine } from '@mallee/agent-contract'
import type { Cloud } from '@mallee/agent-kit'
import { sql } from 'kysely'
import type { Index } from '../index/tables.ts'
import { RepeatedPass } from './repeated-pass.ts'

const everyMs = 3 * secondMs
/** How often the cloud is told what buckets hold, for the bill. */
const bucketsEveryMs = 10 * minuteMs
const mostTogether = 500

/**
 * Brings the journal to the cloud: a line goes when the cloud has said that it keeps it, so that none is lost and none is kept twice
 * whatever is restarted in between.
 */
export class AuditSender {
  private readonly options: {
    readonly index: Index
    readonly cloud: Cloud
    readonly clock: Clock
    readonly log: Log
  }
  private readonly passes: RepeatedPass
  private isAligned = false
  private bucketsAtMs = 0

  constructor(options: AuditSender['options']) {
    this.options = options
    const pass = (signal: AbortSignal) => this.run(signal)
    this.passes = new RepeatedPass({ everyMs, pass, waits: 'the audit waits', log: options.log })
  }

  start(): void {
    this.passes.start()
  }

  stop(): Promise<void> {
    return this.passes.stop()
  }

  private async run(signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.options
    if (!cloud.audit) return
    if (!this.isAligned) await this.align()
    while (!signal.aborted) {
      const lines = await this.next()
      const nowMs = clock.now()
      const isTime = nowMs - this.bucketsAtMs >= bucketsEveryMs
      if (lines.length === 0 && !isTime) return
      await this.send({ lines, buckets: isTime ? await this.buckets() : [], takenAtMs: nowMs })
      if (isTime) this.bucketsAtMs = nowMs
    }
  }

  private async send(blob: AuditBlob): Promise<void> {
    const { sequence } = await this.options.cloud.audit!(blob)
    if (blob.lines.length === 0) return
    await this.options.index.transaction('report', (tx) =>
      tx.db.deleteFrom('audit_line').where('sequence', '<=', sequence).execute(),
    )
  }

  private async next(): Promise<AuditLine[]> {
    const rows = await this.options.index.read((db) =>
      db.selectFrom('audit_line').selectAll().orderBy('sequence').limit(mostTogether).execute(),
    )
    return rows.map(({ sequence, body }) => ({
      sequence,
      ...(JSON.parse(body) as Omit<AuditLine, 'sequence'>),
    }))
  }

  /**
   * An index that came from a backup gives out numbers that the cloud has kept lines of already: it goes on after those, and what it
   * has still is numbered anew. The cloud knows by their ids those that it has.
   */
  private async align(): Promise<void> {
    const { cloud, index, clock } = this.options
    const { sequence: kept } = await cloud.audit!({ lines: [], buckets: [], takenAtMs: clock.now() })
    await index.transaction('report', async (tx) => {
      const { rows } = await sql<{
        seq: number
      }>`select seq from sqlite_sequence where name = 'audit_line'`.execute(tx.db)
      if ((rows[0]?.seq ?? 0) >= kept) return
      const left = await tx.db.selectFrom('audit_line').selectAll().orderBy('sequence').execute()
      await tx.db.deleteFrom('audit_line').execute()
      await sql`delete from sqlite_sequence where name = 'audit_line'`.execute(tx.db)
      await sql`insert into sqlite_sequence (name, seq) values ('audit_line', ${kept})`.execute(tx.db)
      for (const { body } of left) await tx.db.insertInto('audit_line').values({ body }).execute()
    })
    this.isAligned = true
  }

  /** All versions of all objects, and the parts of uploads: what a tenant keeps here. */
  private buckets(): Promise<AuditBlob['buckets']> {
    return this.options.index.read((db) =>
      db
        .selectFrom('bucket')
        .leftJoin('usage', 'usage.bucket', 'bucket.name')
        .select(['bucket.name as bucket', 'bucket.account_id as accountId'])
        .select(
          sql<number>`coalesce(bytes, 0) + coalesce(version_bytes, 0) + coalesce(part_bytes, 0)`.as('bytes'),
        )
        .orderBy('bucket.name')
        .execute(),
    )
  }
}
