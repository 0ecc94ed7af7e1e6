import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { newUuid, systemRandom } from '@mallee/base'
import {
  AwsError,
  claimedSignature,
  encodeErrorFor,
  parseQueryRequest,
  SigningKeyCache,
  type ServiceModel,
} from '@mallee/aws-protocol'
import { createEc2Decoder, createEc2Encoder, ec2Model } from '@mallee/ec2-api'
import { readTraceparent, stopwatch } from '@mallee/service-kit'
import { ec2ActionByName } from '../actions/ec2-actions.ts'
import { authenticate } from './authenticate.ts'
import { answerEc2 } from './ec2-door.ts'
import { toAwsError } from './to-aws-error.ts'
import { rawRequest, type RawRequest } from './raw-request.ts'
import { iamModel, stsModel } from '@mallee/iam-api'
import { answerIam, answerSts } from './sts-door.ts'
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
  const signingKeys = new SigningKeyCache({})
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.removeContentTypeParser(['application/json', 'text/plain'])

  app.all('/*', async (request: FastifyRequest, reply: FastifyReply) => {
    const requestId = newUuid(deps.random ?? systemRandom)
    const raw = rawRequest(request)
    const service = serviceOf(raw)
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
    const answer = await funnel(visit, service.model(), async () => {
      if (raw.body.length > longestBodyBytes) {
        throw new AwsError(
          'RequestEntityTooLarge',
          `The request is larger than ${longestBodyBytes} bytes.`,
          413,
        )
      }
      const query = parseQueryRequest(raw.rawQuery, formBody(raw))
      visit.seen.action = knownAction(service.name, query.action ?? '')
      const caller = await authenticate(raw, {
        ...deps,
        signingKeys,
        nowMs: visit.nowMs,
        dialect: service.dialect,
      })
      if (service.name === 'sts') return answerSts(visit, query, caller)
      return service.name === 'iam' ? answerIam(visit, query, caller) : answerEc2(visit, query, caller, ec2)
    })
    const { action } = visit.seen
    deps.figures.request({ service: service.name, action, code: answer.code, seconds: seconds() })
    span.set({ action, 'http.response.status_code': answer.status, code: answer.code })
    span.end(answer.status >= 500 ? answer.code : undefined)
    return reply
      .code(answer.status)
      .header('content-type', xml)
      .header('x-amzn-requestid', requestId)
      .send(answer.body)
  })
}

interface ServiceDoor {
  readonly name: 'ec2' | 'sts' | 'iam'
  readonly dialect: 'ec2' | 'query'
  model(): ServiceModel
}

const ec2Door: ServiceDoor = { name: 'ec2', dialect: 'ec2', model: ec2Model }
const stsDoor: ServiceDoor = { name: 'sts', dialect: 'query', model: stsModel }
const iamDoor: ServiceDoor = { name: 'iam', dialect: 'query', model: iamModel }

/** The scope's service where it names one of ours; else the path; else EC2, whose clients vary most (DECISIONS 6, 7). */
function serviceOf(request: RawRequest): ServiceDoor {
  const scope = claimedService(request)
  if (scope === 'sts') return stsDoor
  if (scope === 'iam') return iamDoor
  if (scope === 'ec2') return ec2Door
  if (/^\/services\/Tokens\/?$/i.test(request.rawPath)) return stsDoor
  if (/^\/services\/Euare\/?$/i.test(request.rawPath)) return iamDoor
  const version = /(?:^|&)Version=(\d{4}-\d\d-\d\d)(?:&|$)/.exec(
    `${request.rawQuery}&${formBody(request)}`,
  )?.[1]
  if (version === '2011-06-15') return stsDoor
  return version === '2010-05-08' ? iamDoor : ec2Door
}

function claimedService(request: RawRequest): string | null {
  try {
    return claimedSignature({ ...request }, 'ec2')?.scope.service ?? null
  } catch {
    return null // a broken signature is answered by the verifier, in the words of the door it came to
  }
}

function formBody(request: RawRequest): string {
  const type = request.headers['content-type'] ?? ''
  return request.method === 'POST' && (type === '' || type.startsWith('application/x-www-form-urlencoded'))
    ? request.body.toString('utf8')
    : ''
}

/** Of all that a client may send, only what we perform has a name in the figures. */
function knownAction(service: ServiceDoor['name'], action: string): string {
  if (service === 'ec2' && ec2ActionByName.has(action)) return action
  return service === 'sts' && action === 'GetCallerIdentity' ? action : 'unknown'
}

async function funnel(
  visit: Visit,
  model: ServiceModel,
  work: () => Promise<Answer>,
): Promise<Answer & { code: string }> {
  const startedMs = visit.deps.clock.now()
  try {
    const answer = await work()
    const { action } = visit.seen
    visit.log.info(
      { action, status: answer.status, durationMs: visit.deps.clock.now() - startedMs },
      'answered',
    )
    return { ...answer, code: 'Success' }
  } catch (thrown) {
    const error = thrown instanceof AwsError ? thrown : toAwsError(thrown)
    const { action } = visit.seen
    const fields = {
      action,
      status: error.status,
      code: error.code,
      durationMs: visit.deps.clock.now() - startedMs,
    }
    if (error.status >= 500 && !(thrown instanceof AwsError))
      visit.log.error({ ...fields, err: thrown }, 'failed')
    else visit.log.info({ ...fields, reason: error.message }, 'refused')
    return { status: error.status, code: error.code, body: encodeErrorFor(model, error, visit.requestId) }
  }
}
