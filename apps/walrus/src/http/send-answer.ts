import { encodeS3Error, type S3Response } from '@mallee/s3-api'
import type { AwsError } from '@mallee/aws-protocol'
import type { FastifyReply } from 'fastify'
import { errorHeaders } from '../objects/find-version.ts'
import type { S3Answer } from '../actions/s3-context.ts'
import { sendBlocks, sendBytes } from './send-blocks.ts'
import type { RawRequest } from './raw-request.ts'

/** How long the rest of a refused body is taken and thrown away, so that its sender comes to read the answer. */
const discardMs = 10_000

/**
 * What becomes of a body that nobody read. A client that was not told to send it will not, and the connection ends;
 * any other goes on sending, and what it sends is thrown away for a while.
 */
export function settleBody(raw: RawRequest, reply: FastifyReply, continued: boolean): void {
  const { message } = raw
  // Said by us, Node adds no Keep-Alive beside it: some tools sign and send back what they were answered.
  const stays = message.httpVersion !== '1.0' && !/close/i.test(raw.headers.connection ?? '')
  reply.header('connection', stays ? 'keep-alive' : 'close')
  if (message.complete || message.destroyed || !hasBody(raw)) return
  if (raw.headers.expect !== undefined && !continued) {
    reply.header('connection', 'close')
    return
  }
  message.unpipe() // from a form's parser, whose file nobody reads any more
  message.resume()
  const timer = setTimeout(() => message.destroy(), discardMs)
  for (const event of ['end', 'close']) message.once(event, () => clearTimeout(timer))
}

function hasBody({ headers }: RawRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

const noBytes = Buffer.alloc(0)

export function sendAnswer(
  reply: FastifyReply,
  options: { requestId: string; answer: S3Answer; response: S3Response; isHead: boolean },
): FastifyReply {
  const { answer, response } = options
  const status = answer.status ?? response.status
  reply.code(status).header('x-amz-request-id', options.requestId)
  reply.headers(response.headers)
  if (answer.headers) reply.headers(answer.headers)
  if (answer.stream) return sendBlocks(reply, status, answer.stream)
  if (answer.bytes) return sendBytes(reply, status, answer.bytes)
  if (answer.text !== undefined && !options.isHead) return reply.send(Buffer.from(answer.text))
  if (status === 304) reply.removeHeader('content-type').removeHeader('content-length')
  if (response.body === undefined && status === 200 && !options.isHead)
    return sendBytes(reply.header('content-length', '0'), status, noBytes)
  if (response.body === undefined || options.isHead) return reply.send()
  return reply.send(Buffer.from(response.body))
}

export function sendError(
  reply: FastifyReply,
  options: { requestId: string; error: AwsError; raw: RawRequest },
): FastifyReply {
  const { requestId, error, raw } = options
  reply.code(error.status).header('x-amz-request-id', requestId).headers(errorHeaders(error))
  const size = error.code === 'InvalidRange' ? error.details['ActualObjectSize'] : undefined
  if (size !== undefined) reply.header('content-range', `bytes */${size}`)
  if (raw.method === 'HEAD') return reply.send()
  const body = encodeS3Error(error, { requestId, hostId: requestId, resource: raw.rawPath })
  return reply.header('content-type', 'application/xml').send(Buffer.from(body))
}
