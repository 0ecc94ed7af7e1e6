import { systemRandom } from '@mallee/base'
import { type QueryDecoder, type QueryEncoder, type QueryRequest } from '@mallee/aws-protocol'
import {
  dryRunOperation,
  ec2ActionNames,
  eucalyptusActionNames,
  invalidAction,
  missingParameter,
  unsupportedOperation,
  unsupportedParameter,
} from '@mallee/ec2-api'
import { ec2ActionByName, type AnyAction } from '../actions/ec2-actions.ts'
import type { ActionContext, ActionTransaction } from '../actions/define-action.ts'
import type { Caller } from '../identity/caller.ts'
import { recordEvent } from '../store/event-store.ts'
import type { Answer, Visit } from './visit.ts'

/** From a verified EC2 query to its answer. */
export async function answerEc2(
  visit: Visit,
  query: QueryRequest,
  caller: Caller,
  codec: { decoder: QueryDecoder; encoder: QueryEncoder },
): Promise<Answer> {
  const name = query.action
  if (name === undefined) throw missingParameter('Action')
  const action = ec2ActionByName.get(name)
  if (!action) {
    throw ec2ActionNames().has(name) || eucalyptusActionNames.has(name)
      ? unsupportedOperation(name)
      : invalidAction(name)
  }
  const input = codec.decoder.decode(name, query.parameters)
  refuseUnhonoured(action, input)
  if (input['DryRun'] === true) throw dryRunOperation() // reads too, as AWS has it
  const output = await visit.deps.tracer.trace(name, visit.traceparent, { action: name }, (span) =>
    action.run(actionContext({ ...visit, traceparent: span.traceparent }, name, caller), input),
  )
  const body = codec.encoder.encode({
    operation: name,
    output,
    requestId: visit.requestId,
    ...(query.version === undefined ? {} : { version: query.version }),
  })
  return { status: 200, body }
}

/** A member that the action does not act on is refused by its name: nothing is ignored in silence. */
function refuseUnhonoured(action: AnyAction, input: Record<string, unknown>): void {
  for (const [member, value] of Object.entries(input)) {
    const empty = value === undefined || (Array.isArray(value) && value.length === 0)
    if (!empty && !action.honours.includes(member)) throw unsupportedParameter(member)
  }
}

const waitStepMs = 50

export function actionContext(visit: Visit, action: string, caller: Caller): ActionContext {
  const { deps, nowMs, requestId } = visit
  return {
    action,
    caller,
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
        deps.record.transaction('action', async (tx) => {
          const resources: string[] = []
          const own: ActionTransaction = {
            kind: tx.kind,
            db: tx.db,
            afterAbort: (callback: () => void) => tx.afterAbort(callback),
            afterCommit: (callback) => tx.afterCommit(callback),
            touch: (...ids) => resources.push(...ids),
          }
          const result = await work(own)
          await recordEvent(tx, {
            nowMs,
            accountId: caller.accountId,
            userId: caller.userId,
            accessKeyId: caller.accessKeyId,
            action,
            requestId,
            resources,
          })
          return result
        }),
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
