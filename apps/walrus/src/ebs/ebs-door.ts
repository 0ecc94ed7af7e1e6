import {
  AwsError,
  encodeRestJsonError,
  parseForm,
  SignatureError,
  SigningKeyCache,
} from '@mallee/aws-protocol'
import { newUuid, type Clock, type Log, type Random } from '@mallee/base'
import {
  EbsDecoder,
  EbsEncoder,
  ebsInternalError,
  EbsRouter,
  ebsThrottled,
  ebsUnknownOperation,
  ebsValidation,
} from '@mallee/ebs-api'
import { stopwatch } from '@mallee/service-kit'
import { blockBytes } from '@mallee/volume-snapshots'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { rawRequest, type RawRequest } from '../http/raw-request.ts'
import { requestFacts } from '../http/request-facts.ts'
import { settleBody } from '../http/send-answer.ts'
import type { AccessKeys } from '../identity/access-keys.ts'
import type { WalrusFigures } from '../metrics/walrus-figures.ts'
import type { ObjectSource } from '../objects/open-object.ts'
import { authenticateEbs } from './authenticate-ebs.ts'
import { BlockTokens } from './block-tokens.ts'
import type { EbsContext } from './ebs-context.ts'
import { getSnapshotBlock } from './get-block.ts'
import type { KnownSnapshots } from './known-snapshots.ts'
import { listChangedBlocks, listSnapshotBlocks } from './list-blocks.ts'
import { putSnapshotBlock } from './put-block.ts'
import { readBody, requireSigned } from './read-body.ts'
import { SnapshotObjects } from './snapshot-objects.ts'

export interface EbsDoorDependencies {
  readonly source: ObjectSource
  readonly keys: AccessKeys
  readonly snapshots: KnownSnapshots
  readonly region: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly figures: WalrusFigures
}

type Action = (ctx: EbsContext, input: never) => Promise<unknown>

/** Those that are about bytes; the cloud controller has the two that make a snapshot. */
const actions: Readonly<Record<string, Action>> = {
  ListSnapshotBlocks: listSnapshotBlocks,
  ListChangedBlocks: listChangedBlocks,
  GetSnapshotBlock: getSnapshotBlock,
  PutSnapshotBlock: putSnapshotBlock,
}

/** Requests of one account at once, in one process: each may hold a block, and a list is read for many. */
const mostAtOnce = 128

interface Visit {
  readonly raw: RawRequest
  readonly requestId: string
  operation: string
  /** The client that waited for it was told to send its body. */
  continued: boolean
}

/**
 * The door of the EBS direct APIs at the bytes: route → authenticate → decode → act → encode. Every answer leaves through
 * one funnel that logs it under its request id.
 */
export class EbsDoor {
  private readonly deps: EbsDoorDependencies
  private readonly router = new EbsRouter()
  private readonly decoder = new EbsDecoder()
  private readonly encoder = new EbsEncoder()
  private readonly signingKeys = new SigningKeyCache({})
  private readonly objects: SnapshotObjects
  private readonly tokens: BlockTokens
  private readonly atOnce = new Map<string, number>()

  constructor(deps: EbsDoorDependencies) {
    this.deps = deps
    this.objects = new SnapshotObjects(deps.source)
    this.tokens = new BlockTokens(deps.source.masterKeys.derived('mallee ebs tokens'))
  }

  async serve(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { random, clock, log, figures } = this.deps
    const visit: Visit = {
      raw: rawRequest(request),
      requestId: newUuid(random),
      operation: '',
      continued: false,
    }
    const own = log.child({ request_id: visit.requestId })
    const [startedMs, seconds] = [clock.now(), stopwatch()]
    let code = 'Success'
    const response = await this.perform(visit, own, reply).catch((thrown: unknown) => {
      const error = toEbsError(thrown)
      code = error.code
      const fields = {
        operation: visit.operation,
        status: error.status,
        code,
        durationMs: clock.now() - startedMs,
      }
      if (error.status >= 500) own.error({ ...fields, err: thrown }, 'failed')
      else own.info({ ...fields, reason: error.message }, 'refused')
      return encodeRestJsonError(error)
    })
    const { status } = response
    if (code === 'Success')
      own.info({ operation: visit.operation, status, durationMs: clock.now() - startedMs }, 'answered')
    figures.ebsRequest({ operation: visit.operation, code, seconds: seconds() })
    settleBody(visit.raw, reply, visit.continued)
    return reply
      .code(status)
      .headers({ ...response.headers, 'x-amzn-requestid': visit.requestId })
      .send(response.body)
  }

  private async perform(visit: Visit, log: Log, reply: FastifyReply) {
    const { raw } = visit
    const { keys, clock, region, snapshots, source } = this.deps
    const route = this.router.route(raw.method, raw.rawPath)
    const action = route && Object.hasOwn(actions, route.operation) ? actions[route.operation] : undefined
    if (!route || !action) throw ebsUnknownOperation()
    visit.operation = route.operation
    const nowMs = clock.now()
    let body: Promise<Buffer> | undefined
    const bodyOf = () => (body ??= readWhole(visit, reply))
    const { caller, payload, atMs } = await authenticateEbs(raw, {
      ...{ keys, signingKeys: this.signingKeys, nowMs, bodyOf },
    })
    return this.counted(caller.accountId, async () => {
      const query = new Map(parseForm(raw.rawQuery))
      const input = this.decoder.decode({ ...route, query, headers: raw.headers })
      const signed = { version: 'AWS4-HMAC-SHA256', type: 'REST-HEADER', atMs } as const
      const context: EbsContext = {
        ...{ caller, snapshots, region, source, clock, log, objects: this.objects, tokens: this.tokens },
        action: `ebs:${route.operation}`,
        facts: () => requestFacts(raw, { caller, payload, signed }, { nowMs, region }),
        body: async () => requireSigned(await bodyOf(), payload),
      }
      const output = await action(context, input as never)
      return this.encoder.encode(route.operation, output as Record<string, unknown>)
    })
  }

  private async counted<T>(accountId: string, work: () => Promise<T>): Promise<T> {
    const now = this.atOnce.get(accountId) ?? 0
    if (now >= mostAtOnce) throw ebsThrottled()
    this.atOnce.set(accountId, now + 1)
    try {
      return await work()
    } finally {
      const left = (this.atOnce.get(accountId) ?? 1) - 1
      if (left > 0) this.atOnce.set(accountId, left)
      else this.atOnce.delete(accountId)
    }
  }
}

/** The only body there is: that of a block. */
function readWhole(visit: Visit, reply: FastifyReply): Promise<Buffer> {
  if (visit.raw.headers.expect !== undefined) reply.raw.writeContinue()
  visit.continued = true
  return readBody(visit.raw.message, blockBytes)
}

/** What of anything thrown a client is told; what the codec and S3's rooms say has other words here. */
function toEbsError(thrown: unknown): AwsError {
  if (!(thrown instanceof AwsError)) return ebsInternalError(thrown)
  if (thrown instanceof SignatureError || thrown.code.endsWith('Exception')) return thrown
  return thrown.status < 500
    ? ebsValidation('INVALID_PARAMETER_VALUE', thrown.message)
    : ebsInternalError(thrown)
}
