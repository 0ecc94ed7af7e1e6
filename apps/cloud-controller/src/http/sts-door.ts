import { AwsError, type QueryRequest } from '@mallee/aws-protocol'
import {
  createStsDecoder,
  createStsEncoder,
  eucalyptusStsActionNames,
  invalidQueryAction,
  stsActionNames,
} from '@mallee/iam-api'
import { stsActionByName } from '../actions/sts-actions.ts'
import type { StsContext } from '../actions/sts/sts-context.ts'
import { requestConditions } from '../authorization/request-conditions.ts'
import { requireAllowed } from '../authorization/require-allowed.ts'
import type { Caller } from '../identity/caller.ts'
import { actionContext } from './action-context.ts'
import type { Answer, Visit } from './visit.ts'

const decoder = createStsDecoder()
const encoder = createStsEncoder()

/** STS. What it does not do is refused by name, as at the EC2 door. */
export async function answerSts(visit: Visit, query: QueryRequest, caller: Caller): Promise<Answer> {
  const name = query.action ?? ''
  const action = stsActionByName.get(name)
  if (!action) {
    throw stsActionNames().has(name) || eucalyptusStsActionNames.has(name)
      ? unsupported(name)
      : invalidQueryAction(name, query.version)
  }
  const input = decoder.decode(name, query.parameters)
  const output = await visit.deps.tracer.trace(name, visit.traceparent, { action: name }, (span) =>
    action(stsContext({ ...visit, traceparent: span.traceparent }, name, caller), input),
  )
  return { status: 200, body: encoder.encode({ operation: name, output, requestId: visit.requestId }) }
}

function stsContext(visit: Visit, name: string, caller: Caller): StsContext {
  const { sessionKeys, settings } = visit.deps
  const conditions = requestConditions(visit.request, caller, { nowMs: visit.nowMs, region: settings.region })
  return {
    ...actionContext(visit, name, caller),
    sessionKeys,
    conditions,
    require: (asksOf) => requireAllowed(visit, caller, 'query', asksOf),
  }
}

function unsupported(name: string): AwsError {
  return new AwsError('UnsupportedOperation', `The action ${name} is not supported by this cloud.`)
}
