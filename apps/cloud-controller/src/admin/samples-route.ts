import type { FastifyInstance } from 'fastify'
import type { StateStore } from '@mallee/state-store'
import type { Tables } from '../store/tables.ts'

/** A day at one a minute. */
const mostSamples = 1440

export interface SampleEntry {
  readonly atMs: number
  readonly periodSeconds: number
  /** Of all vCPUs of the instance. */
  readonly cpuPercent: number
  readonly diskReadBytes: number
  readonly diskWriteBytes: number
  readonly networkInBytes: number
  readonly networkOutBytes: number
}

/** What nodes measured of a guest, and what its users reported of it: for the cloud's admin. */
export function registerSamplesRoute(app: FastifyInstance, deps: { record: StateStore<Tables> }): void {
  app.get<{ Params: { id: string } }>('/admin/v1/samples/:id', async (request) => {
    const { id } = request.params
    return deps.record.read(async (db) => {
      const rows = await db
        .selectFrom('sample')
        .selectAll()
        .where('instance_id', '=', id)
        .orderBy('at', 'desc')
        .limit(mostSamples)
        .execute()
      const reports = await db
        .selectFrom('status_report')
        .selectAll()
        .where('instance_id', '=', id)
        .orderBy('at')
        .execute()
      return {
        samples: rows.toReversed().map((row): SampleEntry => ({
          atMs: row.at,
          periodSeconds: row.period_seconds,
          cpuPercent: row.cpu_percent,
          diskReadBytes: row.disk_read_bytes,
          diskWriteBytes: row.disk_write_bytes,
          networkInBytes: row.network_in_bytes,
          networkOutBytes: row.network_out_bytes,
        })),
        reports: reports.map((row) => ({
          atMs: row.at,
          accountId: row.account_id,
          status: row.status,
          reasons: JSON.parse(row.reasons) as string[],
          description: row.description,
        })),
      }
    })
  })
}
