import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Upstream } from './choose-upstream.ts'

/** Answers that the front door gives itself, in the form that the service's own clients read. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const head = '<?xml version="1.0" encoding="UTF-8"?>\n'

export function unavailable(upstream: Upstream, requestId: string): Refusal {
  const message = 'The service is not available at the moment. Try again.'
  const body =
    upstream === 'walrus'
      ? `${head}<Error><Code>ServiceUnavailable</Code><Message>${message}</Message><RequestId>${requestId}</RequestId></Error>`
      : `${head}<Response><Errors><Error><Code>Unavailable</Code><Message>${message}</Message></Error></Errors><RequestID>${requestId}</RequestID></Response>`
  return {
    status: 503,
    headers: { 'content-type': 'application/xml', 'retry-after': '1', 'x-amz-request-id': requestId },
    body,
  }
}

/** A request that two servers could read in two ways is read by none. */
export function badRequest(message: string): Refusal {
  return {
    status: 400,
    headers: { 'content-type': 'application/xml', connection: 'close' },
    body: `${head}<Error><Code>InvalidRequest</Code><Message>${message}</Message></Error>`,
  }
}

/** An answer of the door's own. */
export function answer(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  const isWaiting = request.headers.expect !== undefined && !request.complete
  response.writeHead(refusal.status, {
    ...refusal.headers,
    'content-length': Buffer.byteLength(refusal.body),
    ...(isWaiting ? { connection: 'close' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : refusal.body)
  discardBody(request)
}

/** How long the rest of a body is taken and thrown away, so that its sender comes to read the answer. */
const discardMs = 10_000

export function discardBody(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  request.resume()
  const timer = setTimeout(() => request.destroy(), discardMs)
  request.once('close', () => clearTimeout(timer))
  request.once('end', () => clearTimeout(timer))
}

export const hasBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
