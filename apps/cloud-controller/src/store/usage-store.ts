import { dayMs, newToken } from '@mallee/base'
import type { UsageAmountTable, UsageIntervalTable, UsageKind } from './audit-tables.ts'
import type { Tx } from './record.ts'

/**
 * Since when until when something was used: written in the very transaction that begins or ends its use, so that neither is
 * without the other. What the bill and the report say is made of these rows, and of nothing that is kept beside them.
 */
export interface NewUsage {
  readonly resourceId: string
  readonly kind: UsageKind
  readonly accountId: string
  readonly userId: string
  readonly variety: string
  readonly quantity: number
  readonly zone: string
  readonly nowMs: number
}

export async function openUsage(tx: Tx, usage: NewUsage): Promise<void> {
  await tx.db
    .insertInto('usage_interval')
    .values({
      id: newToken('u-', 20),
      resource_id: usage.resourceId,
      kind: usage.kind,
      account_id: usage.accountId,
      user_id: usage.userId,
      variety: usage.variety,
      quantity: usage.quantity,
      zone: usage.zone,
      tags: null,
      started_at: usage.nowMs,
      ended_at: null,
    })
    .execute()
}

/** With the tags that it has now: its rows may be gone when somebody asks. A clock that was set back ends nothing before it began. */
export async function closeUsage(tx: Tx, resourceId: string, nowMs: number): Promise<void> {
  const open = await openOf(tx, resourceId)
  if (open.length === 0) return
  const tags = await tx.db
    .selectFrom('tag')
    .select(['key', 'value'])
    .where('resource_id', '=', resourceId)
    .execute()
  const kept = JSON.stringify(Object.fromEntries(tags.map(({ key, value }) => [key, value])))
  for (const { id, started_at } of open) {
    await tx.db
      .updateTable('usage_interval')
      .set({ ended_at: Math.max(nowMs, started_at), tags: kept })
      .where('id', '=', id)
      .execute()
  }
}

/** It never came to be: there was nothing to use. */
export async function dropUsage(tx: Tx, resourceId: string): Promise<void> {
  await tx.db
    .deleteFrom('usage_interval')
    .where('resource_id', '=', resourceId)
    .where('ended_at', 'is', null)
    .execute()
}

/** From now on it is of another size or type; whose it is stays. */
export async function changeUsage(
  tx: Tx,
  resourceId: string,
  changes: Pick<NewUsage, 'variety' | 'quantity' | 'nowMs'>,
): Promise<void> {
  const [row] = await openOf(tx, resourceId)
  if (!row || (row.variety === changes.variety && row.quantity === changes.quantity)) return
  await closeUsage(tx, resourceId, changes.nowMs)
  await openUsage(tx, {
    ...{ resourceId, kind: row.kind, accountId: row.account_id, userId: row.user_id, zone: row.zone },
    ...changes,
  })
}

function openOf(tx: Tx, resourceId: string): Promise<UsageIntervalTable[]> {
  return tx.db
    .selectFrom('usage_interval')
    .selectAll()
    .where('resource_id', '=', resourceId)
    .where('ended_at', 'is', null)
    .execute()
}

export const dayOf = (atMs: number): number => Math.floor(atMs / dayMs) * dayMs

/** Adds what was measured to the sum of its day. Whoever calls it knows that it was not counted before. */
export async function addAmount(
  tx: Tx,
  of: Pick<UsageAmountTable, 'resource_id' | 'kind' | 'account_id' | 'amount'> & { readonly atMs: number },
): Promise<void> {
  const { atMs, ...row } = of
  await tx.db
    .insertInto('usage_amount')
    .values({ ...row, day: dayOf(atMs), observed_at: atMs })
    .onConflict((conflict) =>
      conflict.columns(['resource_id', 'kind', 'day']).doUpdateSet((eb) => ({
        amount: eb('usage_amount.amount', '+', row.amount),
        observed_at: atMs,
      })),
    )
    .execute()
}
