import { AwsError, type QueryRequest } from '@mallee/aws-protocol'
import {
  createStsDecoder,
  createStsEncoder,
  eucalyptusStsActionNames,
  invalidQueryAction,
  stsActionNames,
} from '@mallee/iam-api'
import { stsActionByName, unsignedStsActionByName } from '../actions/sts-actions.ts'
import type { StsContext } from '../actions/sts/sts-context.ts'
import { requestConditions } from '../authorization/request-conditions.ts'
import { requireSuitable } from '../authorization/session-limits.ts'
import { requireAllowed } from '../authorization/require-allowed.ts'
import { systemRandom } from '@mallee/base'
import { callerOfSession } from '../store/principal-store.ts'
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
  if (input['TokenCode'] !== undefined) visit.deps.throttle.take(caller.userId, 'MfaCode', visit.nowMs)
  requireSuitable(caller, 'sts', name)
  const output = await visit.deps.tracer.trace(name, visit.traceparent, { action: name }, (span) =>
    action(stsContext({ ...visit, traceparent: span.traceparent }, name, caller), input),
  )
  return { status: 200, body: encoder.encode({ operation: name, output, requestId: visit.requestId }) }
}

/** What proves itself by what is in it, whatever signs it. */
export async function answerUnsignedSts(visit: Visit, query: QueryRequest): Promise<Answer> {
  const name = query.action ?? ''
  const action = unsignedStsActionByName.get(name)
  if (!action) throw unsupported(name)
  const { record, sessionKeys, oidcKeys, settings, random, throttle } = visit.deps
  const { nowMs, log, request } = visit
  throttle.take(request.origin.ip, name, nowMs)
  const input = decoder.decode(name, query.parameters)
  const { output, session } = await action(
    {
      ...{ nowMs, log, sessionKeys, oidcKeys, random: random ?? systemRandom },
      read: (work) => record.read(work),
      write: (work) => record.transaction('action', work),
      conditions: requestConditions(request, null, { nowMs, region: settings.region }),
      authorization: request.headers.authorization,
    },
    input,
  )
  const claims = { ...session, secretAccessKey: '' }
  const caller = await record.read((db) => callerOfSession(db, claims, settings))
  if (caller) visit.seen.caller = caller
  return { status: 200, body: encoder.encode({ operation: name, output, requestId: visit.requestId }) }
}

function stsContext(visit: Visit, name: string, caller: Caller): StsContext {
  const { sessionKeys, settings } = visit.deps
  const conditions = requestConditions(visit.request, caller.session, {
    nowMs: visit.nowMs,
    region: settings.region,
  })
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
