import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Ajv } from 'ajv'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { MalleeError, minuteMs, type Clock } from '@mallee/base'
import { agentRoutes, type TrailFile, type TrailFilesRequest } from '@mallee/agent-contract'
import type { StateStore } from '@mallee/state-store'
import type { TrailFileTable } from '../store/audit-tables.ts'
import type { Tx } from '../store/record.ts'
import type { AgentTable, Tables } from '../store/tables.ts'
import { changeTrail, getTrail, linesOfFile } from '../store/trail-store.ts'
import { cloudTrailRecord } from '../views/cloudtrail-record.ts'
import { checkedBody } from './checked-body.ts'

const validate = new Ajv({ strict: true }).compile<TrailFilesRequest>(agentRoutes.trailFiles.request!.json)
const compress = promisify(gzip)

/** Files of one answer; each may have thousands of lines. */
const mostFiles = 4
/** A file that could not be written is offered again after this long, and given up after that. */
const againMs = minuteMs
const patienceMs = 24 * 60 * minuteMs

/** Where walrus asks which files of trails it is to write, and says which it has written. */
export function registerTrailDoor(
  app: FastifyInstance,
  deps: {
    readonly record: StateStore<Tables>
    readonly clock: Clock
    readonly requireAgent: (request: FastifyRequest) => Promise<AgentTable>
  },
): void {
  const { record, clock } = deps
  app.put(agentRoutes.trailFiles.path, async (request) => {
    const agent = await deps.requireAgent(request)
    if (agent.kind !== 'walrus')
      throw new MalleeError({ code: 'Forbidden', publicMessage: 'This route is for walrus.' })
    const { done } = checkedBody(validate, request.body)
    if (done.length > 0)
      await record.transaction('report', async (tx) => {
        for (const one of done) await settle(tx, one, clock.now())
      })
    const due = await record.read((db) =>
      db
        .selectFrom('trail_file')
        .leftJoin('trail', (join) =>
          join
            .onRef('trail.account_id', '=', 'trail_file.account_id')
            .onRef('trail.name', '=', 'trail_file.trail'),
        )
        .selectAll('trail_file')
        .where((eb) =>
          eb.or([
            eb('trail.error', 'is', null),
            eb('trail.attempted_at', 'is', null),
            eb('trail.attempted_at', '<', clock.now() - againMs),
          ]),
        )
        .orderBy('trail_file.created_at')
        .orderBy('trail_file.id')
        .limit(mostFiles)
        .execute(),
    )
    return { files: await Promise.all(due.map((file) => fileOf(record, file))) }
  })
}

async function fileOf(record: StateStore<Tables>, file: TrailFileTable): Promise<TrailFile> {
  const rows = await record.read((db) => linesOfFile(db, file))
  const bytes = await compress(JSON.stringify({ Records: rows.map((row) => cloudTrailRecord(row)) }))
  const { id, account_id: accountId, bucket, object_key: key } = file
  return { ...{ id, accountId, bucket, key }, content: bytes.toString('base64') }
}

async function settle(
  tx: Tx,
  { id, error }: TrailFilesRequest['done'][number],
  nowMs: number,
): Promise<void> {
  const file = await tx.db.selectFrom('trail_file').selectAll().where('id', '=', id).executeTakeFirst()
  if (!file) return // said before
  const trail = await getTrail(tx.db, file.account_id, file.trail)
  // Of a trail that is gone nobody will ask again; of a bucket that does not come back, not for ever.
  const isOver = error === null || !trail || nowMs - file.created_at > patienceMs
  if (isOver) await tx.db.deleteFrom('trail_file').where('id', '=', id).execute()
  if (!trail) return
  await changeTrail(tx, trail, {
    attempted_at: nowMs,
    error,
    ...(error === null ? { delivered_at: nowMs } : {}),
  })
}
