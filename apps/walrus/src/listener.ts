import { createServer, type Server as HttpServer } from 'node:http'

/** A connection on which nothing moves for this long is given up. */
const idleMs = 5 * 60_000
/** Longer than the front door's, so that it is never we who close a connection that it is about to use. */
const keepAliveMs = 75_000
const maxHeaderBytes = 32 * 1024

type Handler = (request: never, response: never) => void

/**
 * The server that fastify answers on. Uploads may take hours, so only the headers have a limit in time; a client that
 * waits for `100 Continue` is told to go on by whoever reads its body.
 */
export function createHttpServer(handler: Handler): HttpServer {
  const server = createServer({
    requestTimeout: 0,
    headersTimeout: 30_000,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: maxHeaderBytes,
    noDelay: true,
  })
  server.on('request', handler as never)
  server.on('checkContinue', handler as never)
  server.timeout = idleMs
  return server
}
