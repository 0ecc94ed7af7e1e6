import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { newUuid, systemRandom } from '@mallee/base'
import { AwsError, encodeErrorFor, parseQueryRequest, SigningKeyCache } from '@mallee/aws-protocol'
import { createEc2Decoder, createEc2Encoder } from '@mallee/ec2-api'
import { governanceServices, type GovernanceServiceName } from '@mallee/governance-api'
import { readTraceparent, stopwatch } from '@mallee/service-kit'
import { AuditUnavailable } from '../audit/audit-log.ts'
import { callOfVisit } from '../audit/call-of-visit.ts'
import { ec2ActionByName } from '../actions/ec2-actions.ts'
import { authenticate } from './authenticate.ts'
import { answerEbs, refuseEbs, toEbsError } from './ebs-door.ts'
import { answerEc2 } from './ec2-door.ts'
import { toAwsError } from './to-aws-error.ts'
import { rawRequest, type RawRequest } from './raw-request.ts'
import { eucalyptusAction } from '../actions/eucalyptus-actions.ts'
import { iamActionByName } from '../actions/iam-actions.ts'
import { stsActionByName, unsignedStsActionByName } from '../actions/sts-actions.ts'
import { chooseService, formBody, type ServiceDoor } from './choose-service.ts'
import { answerEucalyptus } from './eucalyptus-door.ts'
import { checkEc2Version } from './ec2-version.ts'
import { answerIam } from './iam-door.ts'
import { answerJson, refuseJson, toJsonError } from './json-door.ts'
import { answerSoap, asksForWsdl, isSoap, wsdlOf } from './soap-door.ts'
import { answerSts, answerUnsignedSts } from './sts-door.ts'
import { soapFault } from '@mallee/soap'
import type { Answer, DoorDependencies, Visit } from './visit.ts'

const xml = 'text/xml;charset=UTF-8'
/** User data and a thousand parameters fit; images go to walrus. */
const longestBodyBytes = 1024 * 1024

/**
 * The door of the query services, as one list of rooms: raw request → which service → parse → authenticate → decode →
 * authorize → act → encode. Every answer, good or bad, leaves through one funnel that logs it under its request id.
 */
export function registerAwsDoor(app: FastifyInstance, deps: DoorDependencies): void {
  const ec2 = { decoder: createEc2Decoder(), encoder: createEc2Encoder() }
  const wsdl = wsdlOf(deps.settings.endpoint)
  const signingKeys = new SigningKeyCache({})
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.removeContentTypeParser(['application/json', 'text/plain'])

  app.all('/*', async (request: FastifyRequest, reply: FastifyReply) => {
    const requestId = newUuid(deps.random ?? systemRandom)
    const raw = rawRequest(request)
    const form = formBody(raw)
    const service = chooseService(raw, form)
    const parent = readTraceparent(raw.headers['traceparent'])
    const span = deps.tracer.start(`${service.name} request`, parent, { request_id: requestId }, 'server')
    const visit: Visit = {
      request: raw,
      requestId,
      nowMs: deps.clock.now(),
      log: deps.log.child({ request_id: requestId }),
      traceparent: span.traceparent,
      seen: { action: 'unknown' },
      deps,
    }
    const seconds = stopwatch()
    const soap = service.name === 'ec2' && isSoap(raw)
    const audited = (error: AwsError | null) => auditCall(visit, service, error)
    const words = refusalsOf(service, soap, requestId)
    const answer = await funnel(visit, { ...words, audited }, async () => {
      refuseTooLarge(raw)
      if (soap) return answerSoap(visit, ec2)
      if (service.name === 'ec2' && asksForWsdl(raw)) return { status: 200, body: wsdl() }
      const { nowMs } = visit
      const authenticated = () =>
        authenticate(raw, { ...deps, signingKeys, nowMs, dialect: service.dialect, form })
      if (service.name === 'ebs') return answerEbs(visit, authenticated)
      if (speaksJson(service.name)) return answerJson(visit, service.name, authenticated)
      const query = parseQueryRequest(raw.rawQuery, form)
      visit.seen.action = knownAction(service.name, query.action ?? '')
      Object.assign(visit.seen, { asked: query.action ?? 'unknown', parameters: query.parameters })
      if (service.name === 'sts' && unsignedStsActionByName.has(query.action ?? ''))
        return answerUnsignedSts(visit, query)
      const caller = await authenticated()
      visit.seen.caller = caller
      switch (service.name) {
        case 'sts':
          deps.throttle.take(caller.accountId, query.action ?? '', nowMs)
          return answerSts(visit, query, caller)
        case 'iam':
          deps.throttle.take(caller.accountId, query.action ?? '', nowMs)
          return answerIam(visit, query, caller)
        case 'bootstrap':
        case 'properties':
          return answerEucalyptus(visit, query, caller, service.name)
        default:
          checkEc2Version(query.version)
          return answerEc2(visit, query, caller, ec2)
      }
    })
    const { action } = visit.seen
    deps.figures.request({ service: service.name, action, code: answer.code, seconds: seconds() })
    span.set({ action, 'http.response.status_code': answer.status, code: answer.code })
    span.end(answer.failed ? answer.code : undefined)
    return reply
      .code(answer.status)
      .header('content-type', xml)
      .header('x-amzn-requestid', requestId)
      .headers(answer.headers ?? {})
      .send(answer.body)
  })
}

/** How a service tells its clients what went wrong. */
function refusalsOf(service: ServiceDoor, soap: boolean, requestId: string) {
  if (service.name === 'ebs') return { toError: toEbsError, refuse: refuseEbs }
  if (speaksJson(service.name)) return { toError: toJsonError, refuse: refuseJson }
  const refuse = (error: AwsError): Answer =>
    soap
      ? { status: 500, body: soapFault(error, requestId) }
      : { status: error.status, body: encodeErrorFor(service.model(), error, requestId) }
  return { toError: toAwsError, refuse }
}

const speaksJson = (name: ServiceDoor['name']): name is GovernanceServiceName =>
  Object.hasOwn(governanceServices, name)

/** What is fetched without a signature and is no call has no line. */
function auditCall(visit: Visit, service: ServiceDoor, error: AwsError | null): Promise<void> {
  if (error === null && !visit.seen.caller) return Promise.resolve()
  return visit.deps.audit.keep(callOfVisit(visit, service.name, service.model(), error))
}

function refuseTooLarge(raw: RawRequest): void {
  if (raw.body.length <= longestBodyBytes) return
  throw new AwsError('RequestEntityTooLarge', `The request is larger than ${longestBodyBytes} bytes.`, 413)
}

/** Of all that a client may send, only what we perform has a name in the figures. */
function knownAction(service: ServiceDoor['name'], action: string): string {
  const known =
    (service === 'ec2' && ec2ActionByName.has(action)) ||
    (service === 'iam' && iamActionByName.has(action)) ||
    ((service === 'bootstrap' || service === 'properties') &&
      eucalyptusAction(service, action) !== undefined) ||
    (service === 'sts' && (stsActionByName.has(action) || unsignedStsActionByName.has(action)))
  return known ? action : 'unknown'
}

async function funnel(
  visit: Visit,
  bad: {
    toError: (thrown: unknown) => AwsError
    refuse: (error: AwsError) => Answer
    audited: (error: AwsError | null) => Promise<void>
  },
  work: () => Promise<Answer>,
): Promise<Answer & { code: string; failed: boolean }> {
  const startedMs = visit.deps.clock.now()
  try {
    const answer = await work()
    await bad.audited(null)
    const { action } = visit.seen
    visit.log.info(
      { action, status: answer.status, durationMs: visit.deps.clock.now() - startedMs },
      'answered',
    )
    return { ...answer, code: 'Success', failed: false }
  } catch (thrown) {
    const error = bad.toError(thrown)
    if (!(thrown instanceof AuditUnavailable)) await bad.audited(error).catch(() => {})
    const { action } = visit.seen
    const fields = {
      action,
      status: error.status,
      code: error.code,
      durationMs: visit.deps.clock.now() - startedMs,
    }
    if (error.status >= 500 && error !== thrown) visit.log.error({ ...fields, err: thrown }, 'failed')
    else visit.log.info({ ...fields, reason: error.message }, 'refused')
    return { ...bad.refuse(error), code: error.code, failed: error.status >= 500 }
  }
}
