import { Agent, type RequestOptions } from 'node:http'
import type { FrontDoorConfig } from './config.ts'
import type { Upstream } from './choose-upstream.ts'

export interface Upstreams {
  options(upstream: Upstream): RequestOptions
  close(): void
}

const maxIdleSockets = 64

/** Connections to the two services, kept between requests; Node drops one shortly before the other side would. */
export function openUpstreams(config: FrontDoorConfig): Upstreams {
  const settings = {
    keepAlive: true,
    maxFreeSockets: maxIdleSockets,
    noDelay: true,
    scheduling: 'lifo' as const,
  }
  const agents: Record<Upstream, Agent> = { cloud: new Agent(settings), walrus: new Agent(settings) }
  return {
    options: (upstream) =>
      upstream === 'cloud'
        ? { socketPath: config.cloud.socketPath, agent: agents.cloud }
        : { host: config.walrus.host, port: config.walrus.port, agent: agents.walrus },
    close() {
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}
