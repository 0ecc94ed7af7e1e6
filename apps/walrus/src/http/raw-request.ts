import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** A request as it came: the signature is over these very bytes. The body has not been read. */
export interface RawRequest {
  readonly method: string
  readonly rawPath: string
  readonly rawQuery: string
  readonly headers: IncomingHttpHeaders
  readonly message: IncomingMessage
}

export function rawRequest(request: FastifyRequest): RawRequest {
  const url = request.originalUrl
  const mark = url.indexOf('?')
  return {
    method: request.method,
    rawPath: mark < 0 ? url : url.slice(0, mark),
    rawQuery: mark < 0 ? '' : url.slice(mark + 1),
    headers: request.headers,
    message: request.raw,
  }
}
