import { AwsError, type QueryRequest } from '@mallee/aws-protocol'
import { createEucalyptusDecoder, createEucalyptusEncoder } from '@mallee/eucalyptus-api'
import { accessDenied } from '@mallee/iam-api'
import { requireAllowed } from '../authorization/require-allowed.ts'
import { eucalyptusAction, openToAll, type EucalyptusService } from '../actions/eucalyptus-actions.ts'
import type { Caller } from '../identity/caller.ts'
import { actionContext } from './action-context.ts'
import type { Answer, Visit } from './visit.ts'

const decoder = createEucalyptusDecoder()
const encoder = createEucalyptusEncoder()

/** Eucalyptus' own services: administration, which is the administrators' account's, but for what clients fetch. */
export async function answerEucalyptus(
  visit: Visit,
  query: QueryRequest,
  caller: Caller,
  service: EucalyptusService,
): Promise<Answer> {
  const name = query.action ?? ''
  const action = eucalyptusAction(service, name)
  if (!action) {
    throw new AwsError('InvalidAction', `The action ${name.slice(0, 200)} is not valid for this web service.`)
  }
  if (!caller.isCloudAdmin && !openToAll.has(name))
    throw accessDenied(`User ${caller.userName} is not authorized to perform ${service}:${name}`)
  const vendor = service === 'properties' ? 'euprop' : 'euserv'
  await requireAllowed(visit, caller, 'query', (_db, context) => [
    { action: `${vendor}:${name}`, resource: '*', context },
  ])
  visit.deps.throttle.take(caller.accountId, name, visit.nowMs)
  const input = decoder.decode(name, query.parameters)
  const { properties, authorityCertificate } = visit.deps
  const output = await visit.deps.tracer.trace(name, visit.traceparent, { action: name }, (span) =>
    action(
      {
        ...actionContext({ ...visit, traceparent: span.traceparent }, name, caller),
        properties,
        authorityCertificate,
      },
      input,
    ),
  )
  // Without the request's version: the namespace is Eucalyptus', whatever version of EC2 a client speaks.
  const body = encoder.encode({ operation: name, output: output ?? {}, requestId: visit.requestId })
  return { status: 200, body }
}
