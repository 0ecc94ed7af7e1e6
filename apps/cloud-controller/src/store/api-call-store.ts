import { sql } from 'kysely'
import { newUuid } from '@mallee/base'
import type { ApiCall, UserIdentity } from '../audit/api-call.ts'
import type { ApiCallTable } from './audit-tables.ts'
import type { Reader, Tx } from './record.ts'

/** Rows of one statement: few texts, so that each is compiled once. */
const chunks = [64, 16, 4, 1]

/**
 * Numbers the calls and writes them, all or none. The counter is in the record, so that nobody else gives out the same number,
 * and none is given out that is not written.
 */
export async function insertApiCalls(tx: Tx, calls: readonly ApiCall[]): Promise<void> {
  if (calls.length === 0) return
  const { value: last } = await tx.db
    .updateTable('audit_counter')
    .set((eb) => ({ value: eb('value', '+', calls.length) }))
    .where('name', '=', 'last')
    .returning('value')
    .executeTakeFirstOrThrow()
  const first = last - calls.length + 1
  const rows = calls.map((call, index) => rowOf(call, first + index))
  for (const part of inChunks(rows)) await tx.db.insertInto('api_call').values(part).execute()
  const found = calls.flatMap((call, index) =>
    call.readOnly && call.error === null
      ? []
      : [...new Set(call.resources)].map((resource_id) => ({ resource_id, sequence: first + index })),
  )
  for (const part of inChunks(found)) await tx.db.insertInto('api_call_resource').values(part).execute()
  await noteKeyUses(tx, calls)
}

/** GetAccessKeyLastUsed is kept to some minutes: a key in constant use is not written with every line. */
const keyUseKeptToMs = 15 * 60_000

async function noteKeyUses(tx: Tx, calls: readonly ApiCall[]): Promise<void> {
  // Whose signature was verified; a session's key is no row and finds none.
  const used = new Map(
    calls.flatMap((call) =>
      call.identity.type !== 'Unknown' && call.identity.accessKeyId?.startsWith('AKIA')
        ? [[call.identity.accessKeyId, call] as const]
        : [],
    ),
  )
  for (const [keyId, call] of used)
    await tx.db
      .updateTable('access_key')
      .set({
        used_at: call.atMs,
        used_service: call.eventSource.replace(/\.amazonaws\.com$/, ''),
        used_region: call.region,
      })
      .where('id', '=', keyId)
      .where((eb) => eb.or([eb('used_at', 'is', null), eb('used_at', '<', call.atMs - keyUseKeptToMs)]))
      .execute()
}

function* inChunks<T>(rows: readonly T[]): Generator<T[]> {
  for (let at = 0; at < rows.length;) {
    const size = chunks.find((chunk) => chunk <= rows.length - at)!
    yield rows.slice(at, at + size)
    at += size
  }
}

function rowOf(call: ApiCall, sequence: number): ApiCallTable {
  const { identity, error } = call
  const bit = (value: boolean) => (value ? 1 : 0)
  return {
    sequence,
    at: call.atMs,
    event_id: call.eventId,
    request_id: call.requestId,
    event_source: call.eventSource,
    event_name: call.eventName,
    event_type: call.eventType,
    account_id: identity.accountId ?? null,
    principal_id: identity.principalId ?? null,
    // A root has no name; CloudTrail finds its calls by this.
    user_name: identity.userName ?? (identity.type === 'Root' ? 'root' : null),
    access_key_id: identity.accessKeyId ?? null,
    identity: JSON.stringify(identity),
    source_ip: call.sourceIp,
    user_agent: call.userAgent,
    region: call.region,
    read_only: bit(call.readOnly),
    management: bit(call.management),
    secure: bit(call.secure),
    error_code: error?.code ?? null,
    error_message: error?.message ?? null,
    parameters: call.parameters === null ? null : JSON.stringify(call.parameters),
    response: call.response === null ? null : JSON.stringify(call.response),
    resources: JSON.stringify(call.resources),
  }
}

/** Events of this long before the newest line are looked at; a daemon that ends writes what it has within seconds. */
const lookBackMs = 10 * 60_000

/**
 * Lines for actions that were done and are not in the audit: their daemon ended after the action's commit and before the line's.
 * Their clients never got an answer. Answers how many there were.
 */
export async function recoverApiCalls(
  tx: Tx,
  known: { readonly region: string; sourceOf(action: string): string },
): Promise<number> {
  const newest = await tx.db
    .selectFrom('api_call')
    .select((eb) => eb.fn.max('at').as('at'))
    .executeTakeFirstOrThrow()
  if (newest.at === null) return 0
  const rows = await tx.db
    .selectFrom('event')
    .leftJoin('user', 'user.id', 'event.user_id')
    .selectAll('event')
    .select(['user.name as user_name', 'user.is_root'])
    .where('event.at', '>=', Number(newest.at) - lookBackMs)
    .where('event.to_state', 'is', null)
    .where('event.request_id', '!=', '')
    .where('event.account_id', '!=', 'admin')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('api_call')
            .select(sql<number>`1`.as('one'))
            .whereRef('api_call.request_id', '=', 'event.request_id'),
        ),
      ),
    )
    .orderBy('event.id')
    .execute()
  const calls = rows.map((row): ApiCall => {
    const identity: UserIdentity = {
      type: row.is_root === 1 ? 'Root' : 'IAMUser',
      principalId: row.is_root === 1 ? row.account_id : row.user_id,
      accountId: row.account_id,
      accessKeyId: row.access_key_id,
      ...(row.user_name === null || row.is_root === 1 ? {} : { userName: row.user_name }),
    }
    return {
      atMs: row.at,
      eventId: newUuid(),
      requestId: row.request_id,
      eventSource: known.sourceOf(row.action),
      eventName: row.action,
      eventType: 'Recovered',
      identity,
      sourceIp: '',
      userAgent: '',
      region: known.region,
      readOnly: false,
      management: true,
      secure: false,
      error: null,
      parameters: null,
      response: null,
      resources: JSON.parse(row.resources) as string[],
    }
  })
  await insertApiCalls(tx, calls)
  return calls.length
}

/** Whether every number between the oldest line kept and the newest is there. */
export async function auditGaps(db: Reader): Promise<{ first: number; last: number; missing: number }> {
  const counters = await db.selectFrom('audit_counter').selectAll().execute()
  const of = (name: string) => Number(counters.find((row) => row.name === name)?.value ?? 0)
  const first = of('forgotten') + 1
  const last = of('last')
  const { count } = await db
    .selectFrom('api_call')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('sequence', '>=', first)
    .where('sequence', '<=', last)
    .executeTakeFirstOrThrow()
  return { first, last, missing: last - first + 1 - Number(count) }
}

/** The first line that a file of a trail is still to be made of. */
async function firstAwaited(tx: Tx): Promise<number> {
  const file = await tx.db
    .selectFrom('trail_file')
    .select((eb) => eb.fn.min('first_sequence').as('sequence'))
    .executeTakeFirstOrThrow()
  return file.sequence === null ? Number.MAX_SAFE_INTEGER : Number(file.sequence)
}

/** Lets the oldest lines go, in order, and says so in the counter: what is forgotten is no gap. Answers how many. */
export async function forgetApiCalls(tx: Tx, beforeMs: number, most: number): Promise<number> {
  const awaited = await firstAwaited(tx)
  const old = await tx.db
    .selectFrom('api_call')
    .select(['sequence', 'at'])
    .orderBy('sequence')
    .limit(most)
    .execute()
  const kept = old.findIndex((row) => row.at >= beforeMs || row.sequence >= awaited)
  const going = kept < 0 ? old : old.slice(0, kept)
  const upTo = going.at(-1)?.sequence
  if (upTo === undefined) return 0
  await tx.db.deleteFrom('api_call_resource').where('sequence', '<=', upTo).execute()
  await tx.db.deleteFrom('api_call').where('sequence', '<=', upTo).execute()
  await tx.db.updateTable('audit_counter').set({ value: upTo }).where('name', '=', 'forgotten').execute()
  return going.length
}
