import {
  AwsError,
  claimedSignature,
  encodeAwsJson,
  encodeAwsJsonError,
  SignatureError,
} from '@mallee/aws-protocol'
import {
  governanceError,
  governanceServices,
  serviceOfTarget,
  type GovernanceServiceName,
} from '@mallee/governance-api'
import { governanceAction } from '../actions/governance-actions.ts'
import { requireAllowed } from '../authorization/require-allowed.ts'
import type { Caller } from '../identity/caller.ts'
import { actionContext } from './action-context.ts'
import { toAwsError } from './to-aws-error.ts'
import type { Answer, Visit } from './visit.ts'

/** CloudTrail and Service Quotas, which speak AWS JSON 1.1: the target names the action, the body is its input. */
export async function answerJson(
  visit: Visit,
  service: GovernanceServiceName,
  authenticated: () => Promise<Caller>,
): Promise<Answer> {
  const { request } = visit
  const target = serviceOfTarget(String(request.headers['x-amz-target'] ?? ''))
  const { model, actionNames, decoder } = governanceServices[service]
  const name = target?.service === service ? target.action : undefined
  const action = name === undefined ? undefined : governanceAction(service, name)
  visit.seen.asked = name ?? 'unknown'
  if (action) visit.seen.action = name!
  const caller = await authenticated()
  visit.seen.caller = caller
  if (claimedSignature(request, 'restJson').scope.service !== model.service)
    throw new SignatureError(
      'restJson',
      'mismatch',
      `Credential should be scoped to correct service: ${model.service}.`,
    )
  if (!action || name === undefined) {
    throw name !== undefined && actionNames.has(name)
      ? governanceError('UnsupportedOperationException', `The action ${name} is not supported by this cloud.`)
      : governanceError('UnknownOperationException', 'There is no such operation.')
  }
  visit.deps.throttle.take(caller.accountId, name, visit.nowMs)
  const input = decoder.decode(name, request.body)
  visit.seen.parameters = input
  await requireAllowed(visit, caller, 'query', (_db, context) => [
    { action: `${model.service}:${name}`, resource: '*', context },
  ])
  const output = await visit.deps.tracer.trace(name, visit.traceparent, { action: name }, (span) =>
    action(actionContext({ ...visit, traceparent: span.traceparent }, name, caller), input),
  )
  const { status, headers, body } = encodeAwsJson(output)
  return { status, headers, body: body.toString('utf8') }
}

/** What of anything thrown a client of these services is told; what the caller did wrong is 400, whatever it was. */
export function toJsonError(thrown: unknown): AwsError {
  if (thrown instanceof SignatureError) return new AwsError(thrown.code, thrown.message, 400)
  if (thrown instanceof AwsError && /(?:Exception|Failure)$/.test(thrown.code)) return thrown
  const error = toAwsError(thrown)
  const words = translations[error.code]
  if (words) return governanceError(words, error.message, thrown)
  return error.status >= 500
    ? governanceError('InternalFailure', 'An internal error has occurred.', thrown)
    : new AwsError('ValidationException', error.message, 400)
}

/** What inner rooms, which speak as EC2, call it. */
const translations: Readonly<Record<string, Parameters<typeof governanceError>[0]>> = {
  Unavailable: 'ServiceUnavailableException',
  RequestLimitExceeded: 'ThrottlingException',
  UnauthorizedOperation: 'AccessDeniedException',
  AccessDenied: 'AccessDeniedException',
}

export function refuseJson(error: AwsError): Answer {
  const { status, headers, body } = encodeAwsJsonError(error)
  return { status, headers, body: body.toString('utf8') }
}
