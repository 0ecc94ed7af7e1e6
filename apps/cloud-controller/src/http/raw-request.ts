import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { requestOrigin, type RequestOrigin } from '@mallee/service-kit'

/** A request as it came: the signature is over these very bytes. */
export interface RawRequest {
  readonly method: string
  readonly rawPath: string
  readonly rawQuery: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly origin: RequestOrigin
}

export function rawRequest(request: FastifyRequest): RawRequest {
  const url = request.raw.url ?? '/'
  const mark = url.indexOf('?')
  return {
    method: request.method,
    rawPath: mark < 0 ? url : url.slice(0, mark),
    rawQuery: mark < 0 ? '' : url.slice(mark + 1),
    headers: request.headers,
    body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    origin: requestOrigin(request.raw.socket, request.headers),
  }
}
