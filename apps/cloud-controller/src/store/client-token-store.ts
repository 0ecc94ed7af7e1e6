import { digestOf } from '@mallee/base'
import { idempotentParameterMismatch } from '@mallee/ec2-api'
import type { Tx } from './record.ts'

/**
 * Exactly-once for a caller that repeats itself: the same token with the same parameters gets the first answer, with
 * others `IdempotentParameterMismatch` (EC2 API Reference, "Ensuring idempotency"). The result is what the first call
 * made, by id; the view is rendered anew.
 */
export async function withClientToken<T>(
  tx: Tx,
  request: { accountId: string; action: string; token: string | undefined; input: object; nowMs: number },
  work: () => Promise<T>,
): Promise<{ result: T; repeated: boolean }> {
  if (request.token === undefined || request.token === '') return { result: await work(), repeated: false }
  const { ClientToken: _token, DryRun: _dryRun, ...rest } = request.input as Record<string, unknown>
  const parameters = digestOf(rest)
  const present = await tx.db
    .selectFrom('client_token')
    .selectAll()
    .where('account_id', '=', request.accountId)
    .where('action', '=', request.action)
    .where('token', '=', request.token)
    .executeTakeFirst()
  if (present) {
    if (present.parameters !== parameters) throw idempotentParameterMismatch()
    return { result: JSON.parse(present.result) as T, repeated: true }
  }
  const result = await work()
  await tx.db
    .insertInto('client_token')
    .values({
      account_id: request.accountId,
      action: request.action,
      token: request.token,
      parameters,
      result: JSON.stringify(result),
      created_at: request.nowMs,
    })
    .execute()
  return { result, repeated: false }
}
