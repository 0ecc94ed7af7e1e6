import type { FastifyInstance } from 'fastify'
import { MalleeError } from '@mallee/base'
import type { StateStore } from '@mallee/state-store'
import type { Reader } from '../store/record.ts'
import type { ApiCallTable } from '../store/audit-tables.ts'
import type { EventTable, Tables } from '../store/tables.ts'

/** One line of a resource's history. */
export interface HistoryEntry {
  readonly atMs: number
  /** An action's name, or the lifecycle's word for what happened. */
  readonly what: string
  readonly kind: 'action' | 'transition' | 'refused'
  /** The account, and the user where there was one; `cloud` for what the cloud did by itself. */
  readonly by: string
  readonly requestId: string | null
  readonly from: string | null
  readonly to: string | null
  readonly reason: string | null
}

/** What an account's root is called here. */
const root = 'root'
const mostEntries = 10_000

/** What happened to any resource, by the event rows that name it; also to one that is long gone. */
export function registerHistory(app: FastifyInstance, deps: { readonly record: StateStore<Tables> }): void {
  app.get<{ Params: { id: string } }>('/admin/v1/history/:id', async (request) => {
    const { id } = request.params
    if (!/^[A-Za-z0-9._:/-]{1,200}$/.test(id))
      throw new MalleeError({ code: 'BadRequest', publicMessage: 'This is not the id of a resource.' })
    const entries = await deps.record.read((db) => historyOf(db, id))
    if (entries.length === 0)
      throw new MalleeError({ code: 'NotFound', publicMessage: `Nothing is known of ${id}.` })
    return { id, entries }
  })
}

async function historyOf(db: Reader, id: string): Promise<HistoryEntry[]> {
  const rows = await db
    .selectFrom('event')
    .innerJoin('event_resource', 'event_resource.event_id', 'event.id')
    .selectAll('event')
    .where('event_resource.resource_id', '=', id)
    .orderBy('event.at')
    .orderBy('event.id')
    .limit(mostEntries)
    .execute()
  const accounts = await db.selectFrom('account').select(['id', 'name']).execute()
  const users = await db.selectFrom('user').select(['id', 'name', 'is_root']).execute()
  const named = users.map((row) => [row.id, row.is_root === 1 ? root : row.name] as const)
  const nameOf = new Map([...accounts.map((row) => [row.id, row.name] as const), ...named])
  const events = rows.map((row) => entryOf(row, nameOf))
  const refused = await refusedCalls(db, id, nameOf)
  return [...events, ...refused].toSorted((a, b) => a.atMs - b.atMs)
}

/** Who wanted to do something to it and was not let: what was done has its event. */
async function refusedCalls(
  db: Reader,
  id: string,
  nameOf: ReadonlyMap<string, string>,
): Promise<HistoryEntry[]> {
  const rows = await db
    .selectFrom('api_call')
    .innerJoin('api_call_resource', 'api_call_resource.sequence', 'api_call.sequence')
    .selectAll('api_call')
    .where('api_call_resource.resource_id', '=', id)
    .where('error_code', 'is not', null)
    .orderBy('api_call.sequence')
    .limit(mostEntries)
    .execute()
  return rows.map((row) => ({
    atMs: row.at,
    what: row.event_name,
    kind: 'refused',
    by:
      row.account_id === null
        ? 'nobody known'
        : `${nameOf.get(row.account_id) ?? row.account_id}/${whoOf(row)}`,
    requestId: row.request_id,
    from: null,
    to: null,
    reason: `refused: ${row.error_code}`,
  }))
}

/** A root's id is its account's. */
const whoOf = (row: Pick<ApiCallTable, 'account_id' | 'principal_id' | 'user_name'>): string =>
  row.principal_id === row.account_id ? root : (row.user_name ?? row.principal_id ?? '')

function entryOf(row: EventTable, nameOf: ReadonlyMap<string, string>): HistoryEntry {
  const isTransition = row.to_state !== null
  const name = (id: string) => nameOf.get(id) ?? id
  return {
    atMs: row.at,
    what: row.action,
    kind: isTransition ? 'transition' : 'action',
    by: isTransition ? 'cloud' : `${name(row.account_id)}/${name(row.user_id)}`,
    requestId: row.request_id === '' ? null : row.request_id,
    from: row.from_state,
    to: row.to_state,
    reason: row.reason,
  }
}
