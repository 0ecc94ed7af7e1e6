import type { FastifyInstance } from 'fastify'
import type { StateStore } from '@mallee/state-store'
import { auditGaps } from '../store/api-call-store.ts'
import type { Tables } from '../store/tables.ts'
import { cloudTrailRecord } from '../views/cloudtrail-record.ts'

const most = 1000

interface AuditQuery {
  readonly account?: string
  readonly after?: string
  readonly refused?: string
}

/** The audit of all accounts, and of those whom nobody knows; and whether it is whole. */
export function registerAuditAdmin(
  app: FastifyInstance,
  deps: { readonly record: StateStore<Tables> },
): void {
  app.get<{ Querystring: AuditQuery }>('/admin/v1/audit', (request) => {
    const { account, after, refused } = request.query
    // Without a place to begin, the newest; with one, on from there.
    const from = after === undefined ? null : Number(after) || 0
    return deps.record.read(async (db) => {
      let query = db.selectFrom('api_call').selectAll().limit(most)
      if (account !== undefined) query = query.where('account_id', '=', account)
      if (refused === 'true') query = query.where('error_code', 'is not', null)
      query =
        from === null
          ? query.orderBy('sequence', 'desc')
          : query.where('sequence', '>', from).orderBy('sequence')
      const rows = await query.execute()
      const ordered = from === null ? rows.toReversed() : rows
      return ordered.map((row) => ({ sequence: row.sequence, record: cloudTrailRecord(row) }))
    })
  })
  app.get('/admin/v1/audit/gaps', () => deps.record.read(auditGaps))
}
