import { parseForm } from '@mallee/aws-protocol'
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

const ofTheSignature =
  /^x-amz-(?:algorithm|credential|date|expires|signedheaders|signature|security-token|content-sha256)$/

/**
 * A signed address may carry in its query what would be a header: signers put it there, and S3 takes it as the header.
 * A header that is there stays as it is. Only for requests whose query was signed.
 */
export function withQueryHeaders(request: RawRequest): RawRequest {
  if (!/(?:^|&)x-amz-/i.test(request.rawQuery)) return request
  const headers: Record<string, string | string[] | undefined> = { ...request.headers }
  for (const [name, value] of parseForm(request.rawQuery)) {
    const lower = name.toLowerCase()
    if (lower.startsWith('x-amz-') && !ofTheSignature.test(lower)) headers[lower] ??= value
  }
  return { ...request, headers }
}
