import { systemRandom } from '@mallee/base'
import type { ActionContext, ActionTransaction } from '../actions/define-action.ts'
import type { Caller } from '../identity/caller.ts'
import { withClientToken } from '../store/client-token-store.ts'
import { recordEvent } from '../store/event-store.ts'
import type { Tx } from '../store/record.ts'
import type { Visit } from './visit.ts'

const waitStepMs = 50

/** What a repeated request is known by. */
export interface Idempotency {
  readonly token: string | undefined
  readonly input: Record<string, unknown>
}

/** The context of one action of one visit, whatever service it belongs to. */
export function actionContext(
  visit: Visit,
  action: string,
  caller: Caller,
  options: {
    scope?: string | null
    idempotency?: Idempotency
    /** Who asks in truth, where it is for another account: events name it. */
    by?: Caller
  } = {},
): ActionContext {
  const { deps, nowMs, requestId } = visit
  const inTransaction = async <T>(tx: Tx, work: (tx: ActionTransaction) => Promise<T>): Promise<T> => {
    const resources: string[] = []
    const own: ActionTransaction = {
      kind: tx.kind,
      db: tx.db,
      afterAbort: (callback: () => void) => tx.afterAbort(callback),
      afterCommit: (callback) => tx.afterCommit(callback),
      touch: (...ids) => resources.push(...ids),
    }
    const { token, input } = options.idempotency ?? { token: undefined, input: {} }
    const once = { accountId: caller.accountId, action, token, input, nowMs }
    const { result } = await withClientToken(tx, once, () => work(own))
    const { accountId, userId, accessKeyId } = options.by ?? caller
    await recordEvent(tx, { nowMs, accountId, userId, accessKeyId, action, requestId, resources })
    visit.seen.resources = resources
    return result
  }
  return {
    action,
    caller,
    scope: options.scope === undefined ? caller.accountId : options.scope,
    requestId,
    traceparent: visit.traceparent,
    log: visit.log.child({ action, accountId: caller.accountId }),
    nowMs,
    random: deps.random ?? systemRandom,
    settings: deps.settings,
    keyring: deps.keyring,
    capacity: deps.capacity,
    wakes: deps.wakes,
    read: (work) => deps.record.read(work),
    transaction: (work) =>
      deps.tracer.trace('transaction', visit.traceparent, { kind: 'action', action }, () =>
        deps.record.transaction('action', (tx) => inTransaction(tx, work)),
      ),
    async waitUntil(condition, timeoutMs) {
      const deadlineMs = deps.clock.now() + timeoutMs
      for (;;) {
        if (await deps.record.read(condition)) return true
        if (deps.clock.now() >= deadlineMs) return false
        await deps.clock.sleep(waitStepMs)
      }
    },
  }
}
