import type { Server as HttpServer } from 'node:http'
import { createServer as createNetServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createSharedPort } from './shared-port.ts'

/** What a door shows who wants TLS, in PEM. With `ca`, clients are asked for a certificate and it is checked by that. */
export interface DoorTls {
  readonly key: string
  readonly cert: string
  readonly ca?: string
}

/** One port; plain HTTP always, TLS as soon as there is a certificate, and with the newest one. */
export class SharedListener {
  private readonly http: HttpServer
  private readonly outer: Server
  private inner: Server
  /** All that are open, those that have not spoken yet too. */
  private readonly sockets = new Set<Socket>()

  constructor(http: HttpServer) {
    this.http = http
    this.inner = createSharedPort({ http })
    this.outer = createNetServer({ noDelay: true }, (socket) => {
      this.sockets.add(socket)
      socket.once('close', () => this.sockets.delete(socket))
      this.inner.emit('connection', socket)
    })
    // The connections come from another server; this starts the clock for their headers and the list of idle ones.
    http.emit('listening')
  }

  useTls(tls: DoorTls): void {
    this.inner = createSharedPort({ http: this.http, tls: { ...tls, requestCert: tls.ca !== undefined } })
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
    const grace = setTimeout(() => {
      this.http.closeAllConnections()
      for (const socket of this.sockets) socket.destroy()
    }, graceMs)
    await closed
    clearInterval(idle)
    clearTimeout(grace)
    this.http.emit('close')
  }
}
