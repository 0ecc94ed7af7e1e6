import { Agent, request as httpRequest, type ClientRequest, type RequestOptions } from 'node:http'
import { Agent as TlsAgent, request as httpsRequest } from 'node:https'
import { cloudServerName, walrusServerName } from '@mallee/pki'
import type { DoorTls } from '@mallee/service-kit'
import type { FrontDoorConfig } from './config.ts'
import type { Upstream } from './choose-upstream.ts'

export interface Upstreams {
  /** Begins a request to the service. */
  request(upstream: Upstream, options: RequestOptions): ClientRequest
  /** What we show and believe where a service is reached over TLS; connections from now on use it. */
  useTls(tls: DoorTls & { ca: string }): void
  close(): void
}

const maxIdleSockets = 64
const settings = {
  keepAlive: true,
  maxFreeSockets: maxIdleSockets,
  noDelay: true,
  scheduling: 'lifo' as const,
}
const serverNames: Readonly<Record<Upstream, string>> = {
  cloud: cloudServerName,
  walrus: walrusServerName,
}

/** Connections to the two services, kept between requests; Node drops one shortly before the other side would. */
export function openUpstreams(config: FrontDoorConfig): Upstreams {
  const plain: Record<Upstream, Agent> = { cloud: new Agent(settings), walrus: new Agent(settings) }
  let secure: Record<Upstream, TlsAgent> | null = null
  return {
    request(upstream, options) {
      const service = config[upstream]
      if ('socketPath' in service)
        return httpRequest({ ...options, socketPath: service.socketPath, agent: plain[upstream] })
      const { host, port, tls } = service
      if (!tls) return httpRequest({ ...options, host, port, agent: plain[upstream] })
      // Before the first certificate is there, nothing is believed: the request fails as if the service were away.
      const agent = secure?.[upstream] ?? new TlsAgent({ ca: [] })
      return httpsRequest({ ...options, host, port, agent, servername: serverNames[upstream] })
    },
    useTls(tls) {
      const old = secure
      secure = { cloud: new TlsAgent({ ...settings, ...tls }), walrus: new TlsAgent({ ...settings, ...tls }) }
      // What is under way ends on the old certificate; what is idle goes now.
      for (const agent of Object.values(old ?? {})) {
        agent.options.keepAlive = false
        for (const sockets of Object.values(agent.freeSockets))
          for (const socket of sockets ?? []) socket.destroy()
      }
    },
    close() {
      for (const agent of [...Object.values(plain), ...Object.values(secure ?? {})]) agent.destroy()
    },
  }
}
