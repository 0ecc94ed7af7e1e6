import { createServer as createNetServer, type Server, type Socket } from 'node:net'
import type { Server as HttpServer } from 'node:http'
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
} from 'node:tls'

/** The first byte of every TLS connection: a handshake record (RFC 8446, section 5.1). No HTTP method begins with it. */
const tlsHandshake = 0x16
/** A peer that says nothing for this long holds no socket of ours. */
const silenceMs = 30_000

/**
 * One port for HTTP and HTTPS: the first byte decides. Both reach the same HTTP server; a TLS peer may show a client
 * certificate, which is checked against `ca` but not demanded (the route that needs one says so).
 */
export function createSharedPort(options: {
  http: HttpServer
  tls?: SecureContextOptions & { requestCert?: boolean }
}): Server {
  const { http } = options
  const secure: TlsServer | null = options.tls
    ? createTlsServer({ ...options.tls, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
    : null
  secure?.on('secureConnection', (socket) => http.emit('connection', socket))
  secure?.on('tlsClientError', (_error, socket) => socket.destroy())
  return createNetServer({ noDelay: true }, (socket: Socket) => {
    socket.on('error', () => socket.destroy())
    socket.setTimeout(silenceMs, () => socket.destroy())
    socket.once('readable', () => {
      socket.setTimeout(0)
      socket.removeAllListeners('timeout')
      const first = socket.read(1) as Buffer | null
      if (first === null) return void socket.destroy()
      socket.unshift(first)
      if (first[0] !== tlsHandshake) http.emit('connection', socket)
      else if (secure) secure.emit('connection', socket)
      else socket.destroy()
    })
  })
}
