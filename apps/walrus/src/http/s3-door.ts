import { AwsError, parseForm, SigningKeyCache } from '@mallee/aws-protocol'
import { newUuid, type Clock, type Log, type Random } from '@mallee/base'
import {
  parseS3Address,
  S3Decoder,
  S3Encoder,
  s3Model,
  s3NotImplemented,
  s3OpenEnums,
  S3Router,
  type S3Address,
} from '@mallee/s3-api'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { refuseUnknown } from '../actions/refuse-unknown.ts'
import { s3Actions } from '../actions/s3-actions.ts'
import type { S3Answer } from '../actions/s3-context.ts'
import type { BlobKeeper } from '../drivers/blob-keeper.ts'
import { stopwatch } from '@mallee/service-kit'
import type { AccessKeys } from '../identity/access-keys.ts'
import { authenticate } from '../identity/authenticate.ts'
import type { WalrusFigures } from '../metrics/walrus-figures.ts'
import type { Index } from '../index/tables.ts'
import { readForNode, type NodeReads } from './node-reads.ts'
import { rawRequest, type RawRequest } from './raw-request.ts'
import { RequestBody } from './request-body.ts'
import { settleBody, sendAnswer, sendError } from './send-answer.ts'
import { toS3Error } from './to-s3-error.ts'

export interface S3DoorDependencies {
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly keys: AccessKeys
  readonly nodeReads: NodeReads
  readonly region: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly figures: WalrusFigures
}

/**
 * S3's door: address → node or signature → route → decode → act → encode. The signature is judged before a byte of
 * the body is read. Every answer leaves through one funnel that logs it under its request id.
 */
export class S3Door {
  private readonly deps: S3DoorDependencies
  private readonly router = new S3Router(s3Model())
  private readonly decoder = new S3Decoder(s3Model(), { openEnums: s3OpenEnums })
  private readonly encoder = new S3Encoder(s3Model())
  private readonly signingKeys = new SigningKeyCache({})

  constructor(deps: S3DoorDependencies) {
    this.deps = deps
  }

  async serve(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const requestId = newUuid(this.deps.random)
    const raw = rawRequest(request)
    const startedMs = this.deps.clock.now()
    const cause = causeOf(raw.headers['x-mallee-cause'])
    const log = this.deps.log.child({ request_id: requestId, ...(cause ? { cause_request_id: cause } : {}) })
    const seconds = stopwatch()
    const visit = { raw, requestId, log, operation: '', continued: false }
    const said = (fields: object) => ({
      operation: visit.operation,
      ...fields,
      durationMs: this.deps.clock.now() - startedMs,
    })
    try {
      const answer = await this.perform(visit, reply)
      const response = this.encoder.encode(visit.operation, answer.output)
      settleBody(raw, reply, visit.continued)
      log.info(said({ status: answer.status ?? response.status }), 'answered')
      this.deps.figures.request({ operation: visit.operation, code: 'Success', seconds: seconds() })
      return sendAnswer(reply, { requestId, answer, response, isHead: raw.method === 'HEAD' })
    } catch (thrown) {
      const error = thrown instanceof AwsError ? thrown : toS3Error(thrown)
      const fields = said({ status: error.status, code: error.code })
      if (error.status >= 500) log.error({ ...fields, err: thrown }, 'failed')
      else log.info({ ...fields, reason: error.message }, 'refused')
      this.deps.figures.request({ operation: visit.operation, code: error.code, seconds: seconds() })
      settleBody(raw, reply, visit.continued)
      return sendError(reply, { requestId, error, raw })
    }
  }

  private async perform(
    visit: { raw: RawRequest; log: Log; operation: string; continued: boolean },
    reply: FastifyReply,
  ): Promise<S3Answer> {
    const { raw } = visit
    const address = parseS3Address(raw.headers.host, raw.rawPath)
    const query = new Map(parseForm(raw.rawQuery))
    const ofNode = await readForNode(raw, address, query, this.deps.nodeReads)
    if (ofNode) {
      visit.operation = raw.method === 'HEAD' ? 'HeadObject' : 'GetObject'
      return ofNode
    }
    const { caller, payload } = await authenticate(raw, {
      keys: this.deps.keys,
      signingKeys: this.signingKeys,
      nowMs: this.deps.clock.now(),
    })
    visit.operation = this.router.route({ method: raw.method, address, query, headers: raw.headers })
    const action = s3Actions.get(visit.operation)
    if (!action) throw s3NotImplemented(visit.operation)
    const body = new RequestBody({
      message: raw.message,
      payload,
      sendContinue: () => {
        if (raw.headers.expect !== undefined && !visit.continued) reply.raw.writeContinue()
        visit.continued = true
      },
    })
    const input = await this.decode(visit.operation, { address, query, raw, body })
    refuseUnknown(action, input)
    const { index, blobs, clock, random, region } = this.deps
    const context = { caller, index, blobs, clock, random, region, log: visit.log, body }
    return action.run(context, input as never)
  }

  private async decode(
    operation: string,
    request: {
      address: S3Address
      query: ReadonlyMap<string, string>
      raw: RawRequest
      body: RequestBody
    },
  ): Promise<Record<string, unknown>> {
    const { address, query, raw, body } = request
    const document = this.decoder.needsBody(operation) ? await body.document() : undefined
    return this.decoder.decode({ operation, address, query, headers: raw.headers, body: document })
  }
}

/** The request that this one is a part of, where a node says so; anything but a request id of ours is not logged. */
function causeOf(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(header)
    ? header
    : null
}
