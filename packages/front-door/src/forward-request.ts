import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { errorMessage, type Log } from '@mallee/base'
import type { Upstream } from './choose-upstream.ts'
import { forwardedHeaders, secureHeader, sourceHeader } from './forwarded-headers.ts'
import { answer, discardBody, hasBody, unavailable } from './refusals.ts'
import type { Upstreams } from './upstreams.ts'

interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly expectsContinue: boolean
  readonly upstream: Upstream
  readonly upstreams: Upstreams
  readonly requestId: string
  readonly log: Log
}

/** A service that accepts the connection and then says nothing for this long is not there. Long polls are shorter. */
const silenceMs = 5 * 60_000

/**
 * Streams a request to its service and the answer back, each no faster than the other side takes it. Who goes away on
 * one side ends the other. A client that waits for `100 Continue` gets it when the service says so, and not before.
 */
export function forwardRequest(visit: Visit, isRetry = false): void {
  const { request, response, log } = visit
  const outgoing = visit.upstreams.request(visit.upstream, {
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers: headersOf(request) as never,
    setHost: false,
    timeout: silenceMs,
  })
  let answered = false
  const gone = () => outgoing.destroy()
  response.once('close', gone)
  outgoing.on('timeout', () => outgoing.destroy(new Error('the service says nothing')))
  let continued = !visit.expectsContinue
  outgoing.on('continue', () => {
    if (!continued) response.writeContinue()
    continued = true
  })
  outgoing.on('response', (incoming) => {
    answered = true
    // A client that was never told to send its body is not waited for.
    passAnswer(visit, incoming, continued || request.complete)
  })
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    if (response.destroyed) return
    response.off('close', gone)
    if (answered) {
      request.unpipe(outgoing)
      return discardBody(request)
    }
    // A kept connection that the service closed at the same moment: nothing was begun, so it may be asked again.
    const stale = outgoing.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '')
    if (stale && !isRetry && !hasBody(request)) return forwardRequest(visit, true)
    log.warn(
      { upstream: visit.upstream, requestId: visit.requestId, reason: errorMessage(error) },
      'no answer',
    )
    request.unpipe(outgoing)
    answer(request, response, unavailable(visit.upstream, visit.requestId))
  })
  if (!hasBody(request)) return void outgoing.end()
  // Headers go first: the service may refuse before a byte of the body is here.
  outgoing.flushHeaders()
  request.pipe(outgoing)
  request.once('close', () => {
    if (!request.complete) outgoing.destroy()
  })
}

const bodyless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

function headersOf(request: IncomingMessage): string[] {
  const headers = forwardedHeaders(request.rawHeaders, [sourceHeader, secureHeader])
  headers.push(sourceHeader, request.socket.remoteAddress ?? 'unknown')
  headers.push(secureHeader, String((request.socket as TLSSocket).encrypted === true))
  if (request.headers['transfer-encoding'] !== undefined) headers.push('Transfer-Encoding', 'chunked')
  else if (request.headers['content-length'] === undefined && !bodyless.has(request.method ?? ''))
    headers.push('Content-Length', '0') // said aloud, where Node would say chunks
  headers.push('Connection', 'keep-alive')
  return headers
}

function passAnswer(visit: Visit, incoming: IncomingMessage, mayStay: boolean): void {
  const { request, response, log } = visit
  const stays = mayStay && request.httpVersion !== '1.0' && !/close/i.test(request.headers.connection ?? '')
  log.debug({ upstream: visit.upstream, requestId: visit.requestId, status: incoming.statusCode }, 'answered')
  response.sendDate = false
  response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, [
    ...forwardedHeaders(incoming.rawHeaders),
    // Said by us, Node adds no Keep-Alive beside it: some tools sign and send back what they were answered.
    'Connection',
    stays ? 'keep-alive' : 'close',
  ])
  incoming.pipe(response)
  // Half an answer must not look like a whole one.
  incoming.once('error', () => response.destroy())
  incoming.once('close', () => {
    if (!incoming.complete) response.destroy()
  })
}
