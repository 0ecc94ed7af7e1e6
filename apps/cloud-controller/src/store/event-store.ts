import { newToken } from '@mallee/base'
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
  await tx.db
    .insertInto('event')
    .values({
      // Sorted by time, unique by chance: no counter that every transaction would have to queue for.
      id: `${event.nowMs.toString().padStart(14, '0')}-${newToken('', 16)}`,
      at: event.nowMs,
      account_id: event.accountId,
      user_id: event.userId,
      access_key_id: event.accessKeyId,
      action: event.action,
      request_id: event.requestId,
      resources: JSON.stringify(event.resources),
    })
    .execute()
}
