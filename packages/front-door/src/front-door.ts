import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Log } from '@mallee/base'
import { SharedListener } from '@mallee/service-kit'
import { chooseUpstream } from './choose-upstream.ts'
import type { FrontDoorFigures } from './front-door-figures.ts'
import type { FrontDoorConfig } from './config.ts'
import { forwardRequest } from './forward-request.ts'
import { framingFault } from './forwarded-headers.ts'
import { answer, badRequest } from './refusals.ts'
import { watchTlsFile } from './tls-file.ts'
import { openUpstreams, type Upstreams } from './upstreams.ts'

const maxHeaderBytes = 64 * 1024
const headersMs = 30_000
/** A connection on which nothing moves for this long is given up. */
const idleMs = 5 * 60_000
const closeGraceMs = 3_000

export interface FrontDoor {
  readonly server: Server
  /** `http://host:port` */
  listen(options: { host: string; port: number }): Promise<string>
  close(): Promise<void>
}

/**
 * The public port: looks at the head of each request, chooses one of two services and streams, bytes and Host untouched,
 * because signatures are over them. It holds no state, and no key but that of its own certificate, which the cloud
 * controller issues: HTTP and TLS come in on the same port, the first byte decides.
 */
export function createFrontDoor(
  config: FrontDoorConfig,
  deps: { log: Log; figures?: FrontDoorFigures },
): FrontDoor {
  const { log, figures } = deps
  const upstreams = openUpstreams(config)
  const server = createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersMs,
    requestTimeout: 0, // an upload may take hours; idleMs ends those that do not move
    keepAliveTimeout: 60_000,
    noDelay: true,
    insecureHTTPParser: false,
  })
  const onRequest = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) =>
    serve({ request, response, expectsContinue, upstreams, log, figures })
  server.on('request', (request, response) => onRequest(request, response, false))
  server.on('checkContinue', (request, response) => onRequest(request, response, true))
  server.on('upgrade', (_request, socket) => socket.destroy())
  server.on('connect', (_request, socket) => socket.destroy())
  server.timeout = idleMs

  const listener = new SharedListener(server)
  const watch =
    config.tlsFile === undefined
      ? null
      : watchTlsFile(config.tlsFile, {
          log,
          use: ({ ca, ...own }) => {
            listener.useTls(own)
            upstreams.useTls({ ...own, ca })
          },
        })
  return {
    server,
    listen: (options) => listener.listen(options),
    async close() {
      watch?.close()
      await listener.close(closeGraceMs)
      upstreams.close()
    },
  }
}

function serve(visit: {
  request: IncomingMessage
  response: ServerResponse
  expectsContinue: boolean
  upstreams: Upstreams
  log: Log
  figures: FrontDoorFigures | undefined
}): void {
  const { request, response, log } = visit
  const url = request.url ?? '/'
  if (url === '/healthz' && (request.method === 'GET' || request.method === 'HEAD'))
    return answer(request, response, {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"healthy":true}\n',
    })
  const fault = framingFault(request.rawHeaders, request.httpVersion)
  const form = url.startsWith('/') ? null : 'The request line must name a path.'
  const wrong = fault ?? form
  if (wrong !== null) {
    log.info({ reason: wrong }, 'refused')
    return answer(request, response, badRequest(wrong))
  }
  const upstream = chooseUpstream({ method: request.method ?? 'GET', url, headers: request.headers })
  visit.figures?.forwarded(upstream, response)
  forwardRequest({ ...visit, upstream, requestId: randomUUID() })
}
