import type { IncomingHttpHeaders } from 'node:http'
import { isIP, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** Said by our front door, which is on this machine; from anywhere else nobody is believed. */
const sourceHeader = 'x-mallee-source'
const secureHeader = 'x-mallee-secure'

export interface RequestOrigin {
  /** IPv4 or IPv6 address of the client. */
  readonly ip: string
  /** Whether the client spoke TLS. */
  readonly secure: boolean
}

/** Where a request came from, before our own front door. */
export function requestOrigin(socket: Socket, headers: IncomingHttpHeaders): RequestOrigin {
  const peer = plain(socket.remoteAddress ?? '')
  const encrypted = (socket as TLSSocket).encrypted === true
  const said = headers[sourceHeader]
  // A socket of the file system has no address: who may connect to it is on this machine. A front door on another
  // machine has shown a certificate of this cloud.
  const trusted = peer === '' || isLoopback(peer) || (socket as TLSSocket).authorized === true
  const isDoor = trusted && typeof said === 'string' && isIP(plain(said)) > 0
  if (!isDoor) return { ip: peer, secure: encrypted }
  return { ip: plain(said), secure: headers[secureHeader] === 'true' }
}

/** An IPv4 address that came over an IPv6 socket is an IPv4 address. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')
