import { type QueryDecoder, type QueryEncoder, type QueryRequest } from '@mallee/aws-protocol'
import {
  dryRunOperation,
  ec2ActionNames,
  ec2Model,
  eucalyptusActionNames,
  invalidAction,
  invalidParameterValue,
  missingParameter,
  unsupportedOperation,
} from '@mallee/ec2-api'
import { ec2Asks } from '../authorization/ec2-asks.ts'
import { requireAllowed } from '../authorization/require-allowed.ts'
import { ec2ActionByName } from '../actions/ec2-actions.ts'
import type { AnyAction } from '../actions/define-action.ts'
import type { Caller } from '../identity/caller.ts'
import { actionContext } from './action-context.ts'
import { answerEucalyptusCompute, isEucalyptusCompute } from './eucalyptus-compute-door.ts'
import { refuseUnhonoured } from './honoured-members.ts'
import type { Answer, Visit } from './visit.ts'

/** Characters; EC2 API Reference, "Ensuring idempotency". */
const longestToken = 64

/** From a verified EC2 query to its answer. */
export async function answerEc2(
  visit: Visit,
  query: QueryRequest,
  caller: Caller,
  codec: { decoder: QueryDecoder; encoder: QueryEncoder },
): Promise<Answer> {
  const name = query.action
  if (name === undefined) throw missingParameter('Action')
  if (isEucalyptusCompute(visit, query)) return answerEucalyptusCompute(visit, query, caller)
  const action = ec2ActionByName.get(name)
  if (!action) {
    throw ec2ActionNames().has(name) || eucalyptusActionNames.has(name)
      ? unsupportedOperation(name)
      : invalidAction(name)
  }
  visit.deps.throttle.take(caller.accountId, name, visit.nowMs)
  const given = codec.decoder.decode(name, query.parameters)
  refuseUnhonoured(ec2Model(), name, action, given)
  await requireAllowed(visit, caller, 'ec2', (db, conditions) =>
    ec2Asks(db, { name, action, input: given, caller, conditions, region: visit.deps.settings.region }),
  )
  if (given['DryRun'] === true) throw dryRunOperation() // reads too, as AWS has it
  const token = given['ClientToken'] as string | undefined
  if (token !== undefined && token.length > longestToken)
    throw invalidParameterValue(`The parameter ClientToken has at most ${longestToken} characters.`)
  const { input, scope } = scopeOf(action, given, caller)
  const output = await visit.deps.tracer.trace(name, visit.traceparent, { action: name }, (span) =>
    action.run(
      actionContext({ ...visit, traceparent: span.traceparent }, name, caller, {
        scope,
        idempotency: { token, input: given },
      }),
      visit.deps.watch?.input(name, input) ?? input,
    ),
  )
  visit.deps.watch?.output(name, output)
  const body = codec.encoder.encode({
    operation: name,
    output,
    requestId: visit.requestId,
    ...(query.version === undefined ? {} : { version: query.version }),
  })
  return { status: 200, body }
}

/** `verbose` among the ids means everything, to the cloud's admin and to nobody else. */
function scopeOf(
  action: AnyAction,
  input: Record<string, unknown>,
  caller: Caller,
): { input: Record<string, unknown>; scope: string | null } {
  const lists = caller.isCloudAdmin ? (action.ids ?? []) : []
  const asked = lists.filter((list) => (input[list] as string[] | undefined)?.includes('verbose'))
  if (asked.length === 0) return { input, scope: caller.accountId }
  const rest = asked.map((list) => [list, (input[list] as string[]).filter((id) => id !== 'verbose')])
  return { input: { ...input, ...Object.fromEntries(rest) }, scope: null }
}
