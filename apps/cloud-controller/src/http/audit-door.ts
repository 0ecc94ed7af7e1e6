import { Ajv } from 'ajv'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { hourMs, MalleeError, type Log } from '@mallee/base'
import { agentRoutes, type AuditBlob, type AuditLine } from '@mallee/agent-contract'
import type { StateStore } from '@mallee/state-store'
import type { ApiCall, UserIdentity } from '../audit/api-call.ts'
import type { CloudSettings } from '../settings.ts'
import { insertApiCalls } from '../store/api-call-store.ts'
import type { Tx } from '../store/record.ts'
import type { AgentTable, Tables } from '../store/tables.ts'
import { addAmount } from '../store/usage-store.ts'
import { checkedBody } from './checked-body.ts'

const validate = new Ajv({ strict: true }).compile<AuditBlob>(agentRoutes.audit.request!.json)
const longestBytes = 32 * 1024 * 1024

/** A walrus that was away longer says nothing of what its buckets held meanwhile. */
const longestGapMs = 2 * hourMs

/** Where walrus says whom it answered and what its buckets hold. */
export function registerAuditDoor(
  app: FastifyInstance,
  deps: {
    readonly record: StateStore<Tables>
    readonly settings: CloudSettings
    readonly log: Log
    readonly requireAgent: (request: FastifyRequest) => Promise<AgentTable>
  },
): void {
  app.put(agentRoutes.audit.path, { bodyLimit: longestBytes }, async (request) => {
    const agent = await deps.requireAgent(request)
    if (agent.kind !== 'walrus')
      throw new MalleeError({ code: 'Forbidden', publicMessage: 'This route is for walrus.' })
    const blob = checkedBody(validate, request.body)
    const kept = await deps.record.transaction('report', async (tx) => {
      const result = await keepLines(tx, agent.id, blob.lines, deps.settings.region)
      for (const of of blob.buckets) await countBucket(tx, of, blob.takenAtMs)
      return result
    })
    if (kept.missing > 0)
      deps.log.error({ agentId: agent.id, missing: kept.missing }, 'lines of an agent’s journal are missing')
    return { sequence: kept.sequence }
  })
}

/** What was kept before is passed over; the rest gets its numbers here, with all other calls. */
async function keepLines(
  tx: Tx,
  agentId: string,
  lines: readonly AuditLine[],
  region: string,
): Promise<{ sequence: number; missing: number }> {
  const row = await tx.db
    .selectFrom('audit_source')
    .select('sequence')
    .where('agent_id', '=', agentId)
    .executeTakeFirst()
  const before = row?.sequence ?? 0
  const later = lines.filter((line) => line.sequence > before)
  const last = later.at(-1)?.sequence ?? before
  if (later.length === 0) return { sequence: before, missing: 0 }
  const ids = later.map((line) => line.eventId)
  const known = await tx.db.selectFrom('api_call').select('event_id').where('event_id', 'in', ids).execute()
  const knownIds = new Set(known.map((entry) => entry.event_id))
  const fresh = later.filter((line) => !knownIds.has(line.eventId))
  await insertApiCalls(
    tx,
    fresh.map((line) => callOf(line, region)),
  )
  await tx.db
    .insertInto('audit_source')
    .values({ agent_id: agentId, sequence: last })
    .onConflict((conflict) => conflict.column('agent_id').doUpdateSet({ sequence: last }))
    .execute()
  return { sequence: last, missing: last - before - later.length }
}

function callOf(line: AuditLine, region: string): ApiCall {
  const { accountId, principal, accessKeyId, parameters, errorCode } = line
  const identity: UserIdentity =
    accountId === null || principal === null
      ? { type: 'Unknown', ...(accessKeyId === null ? {} : { accessKeyId }) }
      : {
          ...{ type: principal.type, principalId: principal.id, arn: principal.arn, accountId },
          ...(principal.userName === undefined ? {} : { userName: principal.userName }),
          ...(accessKeyId === null ? {} : { accessKeyId }),
        }
  return {
    atMs: line.atMs,
    eventId: line.eventId,
    requestId: line.requestId,
    eventSource: 's3.amazonaws.com',
    eventName: line.eventName,
    eventType: 'AwsApiCall',
    identity,
    sourceIp: line.sourceIp,
    userAgent: line.userAgent,
    region,
    readOnly: line.readOnly,
    management: line.management,
    secure: line.secure,
    error: errorCode === null ? null : { code: errorCode, message: line.errorMessage ?? '' },
    parameters: parameters === null ? null : (JSON.parse(parameters) as Record<string, unknown>),
    response: null,
    resources: line.resources,
  }
}

/** What a bucket holds is taken to be what it held since it was last said. */
async function countBucket(
  tx: Tx,
  { bucket, accountId, bytes }: AuditBlob['buckets'][number],
  atMs: number,
): Promise<void> {
  const last = await tx.db
    .selectFrom('usage_amount')
    .select((eb) => eb.fn.max('observed_at').as('at'))
    .where('resource_id', '=', bucket)
    .where('kind', '=', 'bucket')
    .executeTakeFirstOrThrow()
  const sinceMs = last.at === null ? 0 : Math.min(atMs - Number(last.at), longestGapMs)
  if (last.at !== null && sinceMs <= 0) return // it was said before
  const amount = Math.round((bytes / 1024) * (sinceMs / hourMs))
  await addAmount(tx, { resource_id: bucket, kind: 'bucket', account_id: accountId, amount, atMs })
}
