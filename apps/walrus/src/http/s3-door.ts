import { AwsError, parseForm, SigningKeyCache } from '@mallee/aws-protocol'
import { newUuid, type Log } from '@mallee/base'
import {
  bucketOfHost,
  isWebsiteHost,
  parseS3Address,
  S3Decoder,
  S3Encoder,
  s3Error,
  s3Model,
  s3NotImplemented,
  s3OpenEnums,
  S3Router,
  type S3Address,
} from '@mallee/s3-api'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { authorizeRequest, hideMissing } from '../access/authorize-request.ts'
import { putObject } from '../actions/put-object.ts'
import { refuseUnknown } from '../actions/refuse-unknown.ts'
import { s3Actions } from '../actions/s3-actions.ts'
import type { S3Answer } from '../actions/s3-context.ts'
import { corsHeaders } from '../cors/cors-rules.ts'
import { stopwatch } from '@mallee/service-kit'
import { authenticate, type Authenticated } from '../identity/authenticate.ts'
import { anonymous } from '../identity/caller.ts'
import { findBucket } from '../index/bucket-rows.ts'
import type { Bucket } from '../index/bucket-settings.ts'
import { SinceCommit } from '../index/since-commit.ts'
import { putFlowLog } from './flow-log-puts.ts'
import { readForNode } from './node-reads.ts'
import { authenticateForm } from './post-form.ts'
import { headersOfForm, inputOfForm, postObject } from './post-object.ts'
import { isPlainRead } from './plain-read.ts'
import { preflight } from './preflight.ts'
import { rawRequest, withQueryHeaders, type RawRequest } from './raw-request.ts'
import { bytesOfFile, receiveForm } from './receive-form.ts'
import { RequestBody, type BodyBytes } from './request-body.ts'
import { authenticateStorage } from './storage-objects.ts'
import { originOf } from './request-facts.ts'
import { settleBody, sendAnswer, sendError } from './send-answer.ts'
import { toS3Error } from './to-s3-error.ts'
import { contextOf, requireBucket, type S3DoorDependencies, type Visit } from './visit.ts'
import { serveWebsite } from './website.ts'

/**
 * S3's door: address → node or signature → route → decode → authorise → act → encode. The signature is judged before a
 * byte of the body is read. Every answer leaves through one funnel that logs it under its request id.
 */
export class S3Door {
  private readonly deps: S3DoorDependencies
  private readonly router = new S3Router(s3Model())
  private readonly decoder = new S3Decoder(s3Model(), { openEnums: s3OpenEnums })
  private readonly encoder = new S3Encoder(s3Model())
  private readonly signingKeys = new SigningKeyCache({})
  private readonly buckets: SinceCommit<Bucket | null>

  constructor(deps: S3DoorDependencies) {
    this.deps = deps
    this.buckets = new SinceCommit(deps.index, mostBuckets)
  }

  async serve(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const visit = this.visit(request)
    const { raw, requestId } = visit
    const seconds = stopwatch()
    const said = (fields: object) => ({
      operation: visit.operation,
      ...fields,
      durationMs: this.deps.clock.now() - visit.startedMs,
    })
    try {
      const answer = await this.perform(visit, reply)
      await this.deps.audit.note(visit, null)
      const response = this.encoder.encode(visit.operation || 'GetObject', answer.output)
      settleBody(raw, reply, visit.continued)
      reply.headers(this.corsOf(visit))
      const status = answer.status ?? response.status
      this.deps.log.info({ ...visit.about, ...said({ status }) }, 'answered')
      this.deps.figures.request({ operation: visit.operation, code: 'Success', seconds: seconds() })
      this.deps.accessLog.note(visit, { status, errorCode: null })
      return sendAnswer(reply, { requestId, answer, response, isHead: raw.method === 'HEAD' })
    } catch (thrown) {
      const error = thrown instanceof AwsError ? thrown : toS3Error(thrown)
      await this.deps.audit.note(visit, error).catch(() => {})
      const fields = said({ status: error.status, code: error.code })
      if (error.status >= 500 && error.code !== 'NotImplemented')
        visit.log.error({ ...fields, err: thrown }, 'failed')
      else visit.log.info({ ...fields, reason: error.message }, 'refused')
      this.deps.figures.request({ operation: visit.operation, code: error.code, seconds: seconds() })
      settleBody(raw, reply, visit.continued)
      reply.headers(this.corsOf(visit))
      this.deps.accessLog.note(visit, { status: error.status, errorCode: error.code })
      return sendError(reply, { requestId, error, raw })
    }
  }

  private visit(request: FastifyRequest): Visit {
    const requestId = newUuid(this.deps.random)
    const raw = rawRequest(request)
    const cause = causeOf(raw.headers['x-mallee-cause'])
    const about = { request_id: requestId, ...(cause ? { cause_request_id: cause } : {}) }
    const { log } = this.deps
    let own: Log | null = null
    return {
      raw,
      requestId,
      about,
      get log() {
        return (own ??= log.child(about))
      },
      startedMs: this.deps.clock.now(),
      operation: '',
      continued: false,
      authenticated: null,
      bucket: null,
      key: undefined,
      origin: originOf(raw),
    }
  }

  private async perform(visit: Visit, reply: FastifyReply): Promise<S3Answer> {
    const { raw } = visit
    const address = parseS3Address(raw.headers.host, raw.rawPath)
    const query = new Map(parseForm(raw.rawQuery))
    visit.key = address.key
    // Most requests are neither's, and are not kept waiting to hear it.
    const ofFlowLog = putFlowLog(raw, address, this.deps)
    if (ofFlowLog) {
      visit.operation = 'PutObject'
      return ofFlowLog
    }
    const ofNode = readForNode(raw, address, query, this.deps.nodeReads)
    if (ofNode) {
      visit.operation = raw.method === 'HEAD' ? 'HeadObject' : 'GetObject'
      return ofNode
    }
    const admitting = authenticateStorage(raw, address, this.deps)
    const ofStorage = admitting && (await admitting)
    const { bucket } = address
    // Looked for before anything is judged: its access log and its CORS rules are about refusals too.
    if (bucket !== undefined) visit.bucket = await this.buckets.find(bucket, (db) => findBucket(db, bucket))
    if (raw.method === 'OPTIONS') return { output: {}, ...preflight(raw, visit.bucket) }
    if (isWebsiteHost(raw.headers.host)) return this.website(visit, address)
    if (isForm(raw, address)) return this.postForm(visit, address, reply)
    visit.authenticated = ofStorage ?? (await authenticate(raw, this.authentication()))
    return this.act(visit, { address, query, reply })
  }

  private async act(
    visit: Visit,
    request: { address: S3Address; query: ReadonlyMap<string, string>; reply: FastifyReply },
  ): Promise<S3Answer> {
    const { address, query, reply } = request
    const authenticated = visit.authenticated as Authenticated
    const isPlain = isPlainRead(visit.raw, address, query)
    if (!isPlain && authenticated.signed?.type === 'REST-QUERY-STRING')
      visit.raw = withQueryHeaders(visit.raw)
    const { raw } = visit
    visit.operation = isPlain
      ? 'GetObject'
      : this.router.route({ method: raw.method, address, query, headers: raw.headers })
    const action = s3Actions.get(visit.operation)
    const { payload, caller } = authenticated
    // Who did not sign and asks for nothing by name is shown the door, as S3 does.
    if (caller === anonymous && address.bucket === undefined) throw s3Error('AccessDenied')
    if (!action) throw s3NotImplemented(visit.operation)
    if (action.onBucket) requireBucket(visit, address, raw.headers['x-amz-expected-bucket-owner'])
    const body = new RequestBody({
      message: raw.message,
      payload,
      sendContinue: () => {
        if (raw.headers.expect !== undefined && !visit.continued) reply.raw.writeContinue()
        visit.continued = true
      },
    })
    const input = isPlain
      ? { Bucket: address.bucket, Key: address.key }
      : await this.decode(visit.operation, { address, query, raw, body })
    refuseUnknown(action, input)
    const context = contextOf(this.deps, visit, body)
    await authorizeRequest(context, visit.operation, input, action.onBucket ? visit.bucket : null)
    try {
      return await action.run(context as never, input as never)
    } catch (error) {
      throw error instanceof AwsError ? await hideMissing(context.gate, visit.bucket, error) : error
    }
  }

  private authentication() {
    return { keys: this.deps.keys, signingKeys: this.signingKeys, nowMs: this.deps.clock.now() }
  }

  private async website(visit: Visit, address: S3Address): Promise<S3Answer> {
    const { raw } = visit
    visit.operation = 'GetObject'
    visit.authenticated = { caller: anonymous, payload: { kind: 'unsigned' }, signed: null }
    requireBucket(visit, address, undefined)
    const context = contextOf(this.deps, visit, noBody)
    return serveWebsite(context, context.gate, raw, { key: address.key ?? '', origin: visit.origin })
  }

  private async postForm(visit: Visit, address: S3Address, reply: FastifyReply): Promise<S3Answer> {
    const { raw } = visit
    visit.operation = 'PutObject'
    const { headers } = raw
    if (headers['content-length'] === undefined) throw s3Error('MissingContentLength')
    if (headers.expect !== undefined) reply.raw.writeContinue()
    visit.continued = true
    const form = await receiveForm(raw.message)
    const authenticated = authenticateForm(form.fields, address.bucket ?? '', this.authentication())
    visit.authenticated = authenticated
    const bucket = requireBucket(visit, address, undefined)
    const said = headersOfForm(form)
    // Policies are to judge what the fields say, and not what else stands in the request.
    const own = Object.entries(headers).filter(([name]) => !name.startsWith('x-amz-'))
    visit.raw = { ...raw, headers: { ...Object.fromEntries(own), ...said } }
    const input = inputOfForm(this.decoder, bucket.name, form, said)
    refuseUnknown(putObject, { ...input })
    visit.key = input.Key
    const file = bytesOfFile(form.file, authenticated.length, Number(headers['content-length']))
    const context = contextOf(this.deps, visit, file)
    await authorizeRequest(context, 'PutObject', { ...input }, bucket)
    const host = bucketOfHost(headers.host)
    const scheme = visit.origin.secure ? 'https' : 'http'
    const url = `${scheme}://${headers.host ?? ''}${host === undefined ? `/${bucket.name}` : ''}`
    return postObject(context, input, form.fields, url)
  }

  /** Answers and refusals alike are for the page that asked, where the bucket's owner says so. */
  private corsOf({ raw, bucket }: Visit): Readonly<Record<string, string>> {
    const { origin } = raw.headers
    if (origin === undefined || !bucket?.set.cors || raw.method === 'OPTIONS') return {}
    return corsHeaders(bucket.set.cors, { origin, method: raw.method, headers: [] }) ?? {}
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
    // On this one operation the checksums are those of the object that the parts make.
    const checksums = operation !== 'CompleteMultipartUpload'
    const document = this.decoder.needsBody(operation) ? await body.document({ checksums }) : undefined
    return this.decoder.decode({ operation, address, query, headers: raw.headers, body: document })
  }
}

/** Whose rows are kept between two commits. */
const mostBuckets = 1000

const noBody: BodyBytes = {
  lengthBytes: () => 0,
  trailerNames: () => [],
  trailer: () => undefined,
  async *bytes() {},
}

/** A form that is posted to a bucket; DeleteObjects and what else is posted has a parameter in its query. */
function isForm({ method, rawQuery, headers }: RawRequest, { bucket, key }: S3Address): boolean {
  const type = headers['content-type'] ?? ''
  return (
    method === 'POST' &&
    bucket !== undefined &&
    key === undefined &&
    rawQuery === '' &&
    /^multipart\/form-data\s*;/i.test(type)
  )
}

/** The request that this one is a part of, where a node says so; anything but a request id of ours is not logged. */
function causeOf(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(header)
    ? header
    : null
}
