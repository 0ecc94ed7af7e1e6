import { newUuid, type Log, type Random } from '@mallee/base'
import type { AwsError } from '@mallee/aws-protocol'
import { s3Error } from '@mallee/s3-api'
import type { AccessVisit } from '../logging/access-log.ts'
import { anonymous } from '../identity/caller.ts'
import type { Index } from '../index/tables.ts'
import { auditLine, isManagement } from './audit-line.ts'

/** Lines of one transaction. */
const mostTogether = 200

/**
 * What the cloud's audit is to hear of: whatever is about buckets, done or refused, and whoever was turned away; reads and writes of
 * objects where the administrator wants that. Lines are in the index before their calls are answered, and wait there for the
 * cloud, however long it is away.
 */
export class AuditJournal {
  private readonly options: {
    readonly index: Index
    readonly log: Log
    readonly random: Random
    readonly dataEvents: boolean
  }
  private waiting: { readonly body: string; readonly settle: (error: unknown) => void }[] = []
  private running: Promise<void> | null = null

  constructor(options: AuditJournal['options']) {
    this.options = options
  }

  /** Resolves when the line is on disk; throws ServiceUnavailable where it cannot be, and the answer must not go out. */
  async note(visit: AccessVisit, error: AwsError | null): Promise<void> {
    if (!this.isWanted(visit, error)) return
    const body = JSON.stringify(auditLine(visit, error, newUuid(this.options.random)))
    const failed = await new Promise<unknown>((resolve) => {
      this.waiting.push({ body, settle: resolve })
      this.running ??= this.drain()
    })
    if (failed !== null) throw s3Error('ServiceUnavailable')
  }

  private isWanted({ operation, authenticated }: AccessVisit, error: AwsError | null): boolean {
    const caller = authenticated?.caller
    if (error) {
      const isTurnedAway = error.status === 401 || error.status === 403
      return isTurnedAway || isManagement(operation) || (this.options.dataEvents && operation !== '')
    }
    // Nodes and storage controllers read and write by their certificates: they are the cloud itself.
    if (!caller) return false
    if (isManagement(operation)) return true
    return this.options.dataEvents && (caller !== anonymous || operation !== '')
  }

  private async drain(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, mostTogether)
      const failed = await this.write(batch.map(({ body }) => body)).then(
        () => null,
        (error: unknown) => error ?? new Error('unknown'),
      )
      if (failed !== null) this.options.log.error({ err: failed }, 'the audit cannot be written')
      for (const { settle } of batch) settle(failed)
    }
    this.running = null
  }

  private async write(bodies: readonly string[]): Promise<void> {
    await this.options.index.transaction('action', async (tx) => {
      for (const body of bodies) await tx.db.insertInto('audit_line').values({ body }).execute()
    })
  }
}
