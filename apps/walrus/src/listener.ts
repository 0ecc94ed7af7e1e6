import { createServer, type Server as HttpServer } from 'node:http'
import { createServer as createNetServer, type AddressInfo, type Server } from 'node:net'
import { createSharedPort } from '@mallee/service-kit'

/** A connection on which nothing moves for this long is given up. */
const idleMs = 5 * 60_000
/** Longer than the front door's, so that it is never we who close a connection that it is about to use. */
const keepAliveMs = 75_000
const maxHeaderBytes = 32 * 1024

export interface Tls {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

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

/** One port; plain HTTP always, TLS as soon as there is a certificate, and with the newest one. */
export class Listener {
  private readonly http: HttpServer
  private readonly outer: Server
  private inner: Server

  constructor(http: HttpServer) {
    this.http = http
    this.inner = createSharedPort({ http })
    this.outer = createNetServer({ noDelay: true }, (socket) => this.inner.emit('connection', socket))
    // The connections come from another server; this starts the clock for their headers and the list of idle ones.
    http.emit('listening')
  }

  useTls(tls: Tls): void {
    this.inner = createSharedPort({ http: this.http, tls: { ...tls, requestCert: true } })
  }

  listen(options: { host: string; port: number }): Promise<string> {
    return new Promise((resolve, reject) => {
      this.outer.once('error', reject)
      this.outer.listen(options.port, options.host, () => {
        this.outer.off('error', reject)
        const { port } = this.outer.address() as AddressInfo
        resolve(`http://${options.host}:${port}`)
      })
    })
  }

  /** Answers under way are finished, for at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.outer.close(() => resolve())
    })
    this.http.closeIdleConnections()
    const idle = setInterval(() => this.http.closeIdleConnections(), 100)
    const grace = setTimeout(() => this.http.closeAllConnections(), graceMs)
    await closed
    clearInterval(idle)
    clearTimeout(grace)
    this.http.emit('close')
  }
}
