import {
  AwsError,
  claimedSignature,
  encodeRestJsonError,
  parseForm,
  SignatureError,
} from '@mallee/aws-protocol'
import {
  ebsConflict,
  EbsDecoder,
  EbsEncoder,
  ebsError,
  ebsInternalError,
  ebsQuotaExceeded,
  EbsRouter,
  ebsThrottled,
  ebsUnknownOperation,
  ebsValidation,
} from '@mallee/ebs-api'
import { ebsAsks } from '../authorization/ebs-asks.ts'
import { requireAllowed } from '../authorization/require-allowed.ts'
import { ebsActionByName } from '../actions/ebs-actions.ts'
import type { Caller } from '../identity/caller.ts'
import { actionContext } from './action-context.ts'
import type { Answer, Visit } from './visit.ts'

const router = new EbsRouter()
const decoder = new EbsDecoder()
const encoder = new EbsEncoder()

/** The EBS direct APIs: what changes the record. The front door brings nothing else here. */
export async function answerEbs(visit: Visit, authenticated: () => Promise<Caller>): Promise<Answer> {
  const { request } = visit
  const route = router.route(request.method, request.rawPath)
  const action = route && ebsActionByName.get(route.operation)
  if (!route || !action) throw ebsUnknownOperation()
  const { operation } = route
  visit.seen.action = operation
  const caller = await authenticated()
  visit.seen.caller = caller
  if (claimedSignature(request, 'restJson').scope.service !== 'ebs') {
    throw new SignatureError('restJson', 'mismatch', 'Credential should be scoped to correct service: ebs.')
  }
  visit.deps.throttle.take(caller.accountId, operation, visit.nowMs)
  const input = decoder.decode({
    ...route,
    query: new Map(parseForm(request.rawQuery)),
    headers: request.headers,
    body: request.body,
  })
  visit.seen.parameters = input
  await requireAllowed(visit, caller, 'ebs', (db, conditions) =>
    ebsAsks(db, { operation, input, conditions, region: visit.deps.settings.region }),
  )
  const token = input['ClientToken'] as string | undefined
  const output = await visit.deps.tracer.trace(operation, visit.traceparent, { action: operation }, (span) =>
    action(
      actionContext({ ...visit, traceparent: span.traceparent }, operation, caller, {
        idempotency: { token, input },
      }),
      input,
    ),
  )
  const { status, headers, body } = encoder.encode(operation, output)
  return { status, headers, body: body.toString('utf8') }
}

/** What inner rooms, which speak as EC2, call it. */
const translations: Readonly<Record<string, (error: AwsError) => AwsError>> = {
  IdempotentParameterMismatch: ebsConflict,
  RequestLimitExceeded: ebsThrottled,
  SnapshotLimitExceeded: (error) => ebsQuotaExceeded(error.message),
  TagLimitExceeded: (error) => ebsValidation('INVALID_TAG', error.message),
  InsufficientVolumeCapacity: (error) => ebsError('InternalServerException', error.message, { cause: error }),
  RequestEntityTooLarge: (error) => ebsValidation('INVALID_PARAMETER_VALUE', error.message),
  MalformedQueryString: (error) => ebsValidation('INVALID_PARAMETER_VALUE', error.message),
}

/** What of anything thrown a client of the EBS direct APIs is told. */
export function toEbsError(thrown: unknown): AwsError {
  if (!(thrown instanceof AwsError)) return ebsInternalError(thrown)
  const translate = Object.hasOwn(translations, thrown.code) ? translations[thrown.code] : undefined
  if (translate) return translate(thrown)
  return thrown instanceof SignatureError || thrown.code.endsWith('Exception')
    ? thrown
    : ebsInternalError(thrown)
}

export function refuseEbs(error: AwsError): Answer {
  const { status, headers, body } = encodeRestJsonError(error)
  return { status, headers, body: body.toString('utf8') }
}
