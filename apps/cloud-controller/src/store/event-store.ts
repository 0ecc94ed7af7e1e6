import { newToken, newUuid } from '@mallee/base'
import type { Tx } from './record.ts'

/** Who did what to which resources: written in the very transaction that does it, so that neither is without the other. */
export interface ActionEvent {
  readonly nowMs: number
  readonly accountId: string
  readonly userId: string
  readonly accessKeyId: string
  readonly action: string
  readonly requestId: string
  readonly resources: readonly string[]
}

export async function recordEvent(tx: Tx, event: ActionEvent): Promise<void> {
  await insertEvent(tx, event, { from_state: null, to_state: null, reason: null })
}

/** What an administrator does at the admin door is an event as any action is. */
export function recordAdminEvent(
  tx: Tx,
  event: Pick<ActionEvent, 'nowMs' | 'action' | 'resources'>,
): Promise<void> {
  const who = { accountId: 'admin', userId: 'admin', accessKeyId: '', requestId: newUuid() }
  return recordEvent(tx, { ...event, ...who })
}

/** A change of state is an event too: what moved, from where to where, why, and by whose request it began. */
export interface TransitionEvent {
  readonly nowMs: number
  readonly accountId: string
  /** The lifecycle's word for what happened. */
  readonly event: string
  readonly requestId: string | null
  readonly resourceId: string
  readonly from: string
  readonly to: string
  readonly reason: string | null
}

export async function recordTransition(tx: Tx, event: TransitionEvent): Promise<void> {
  await insertEvent(
    tx,
    {
      nowMs: event.nowMs,
      accountId: event.accountId,
      userId: '',
      accessKeyId: '',
      action: event.event,
      requestId: event.requestId ?? '',
      resources: [event.resourceId],
    },
    { from_state: event.from, to_state: event.to, reason: event.reason },
  )
}

async function insertEvent(
  tx: Tx,
  event: ActionEvent,
  moved: { from_state: string | null; to_state: string | null; reason: string | null },
): Promise<void> {
  // Sorted by time, unique by chance: no counter that every transaction would have to queue for.
  const id = `${event.nowMs.toString().padStart(14, '0')}-${newToken('', 16)}`
  await tx.db
    .insertInto('event')
    .values({
      id,
      at: event.nowMs,
      account_id: event.accountId,
      user_id: event.userId,
      access_key_id: event.accessKeyId,
      action: event.action,
      request_id: event.requestId,
      resources: JSON.stringify(event.resources),
      ...moved,
    })
    .execute()
  const resources = [...new Set(event.resources)]
  if (resources.length === 0) return
  await tx.db
    .insertInto('event_resource')
    .values(resources.map((resource_id) => ({ resource_id, event_id: id })))
    .execute()
}
