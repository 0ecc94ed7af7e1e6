import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errorMessage, type Log } from '@mallee/base'
import type { Metrics } from './metrics.ts'

/** Where a daemon tells a monitor how it is; off unless configured. */
export interface HealthListen {
  readonly host: string
  readonly port: number
}

export const healthListenSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['host', 'port'],
  properties: {
    host: { type: 'string', minLength: 1 },
    port: { type: 'integer', minimum: 0, maximum: 65_535 },
  },
}

/** What stands in the way by name; all null means ready. */
export type Readiness = Readonly<Record<string, string | null>>

/** Figures of one process, or of several as one. */
export type FiguresSource = Pick<Metrics, 'text' | 'contentType'>

export interface HealthServer {
  /** `http://host:port` */
  readonly address: string
  close(): Promise<void>
}

/** `/metrics`, `/healthz` and `/readyz` on a port of their own: no names, no secrets, no changes. */
export async function startHealthServer(options: {
  listen: HealthListen
  metrics: FiguresSource
  ready: () => Promise<Readiness>
  log: Log
}): Promise<HealthServer> {
  const { listen, log } = options
  const server = createServer((request, response) => {
    answer(options, request.url ?? '/', request.method ?? 'GET', response).catch((error: unknown) => {
      log.warn({ reason: errorMessage(error) }, 'no figures')
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  server.headersTimeout = 10_000
  server.requestTimeout = 10_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(listen.port, listen.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    address: `http://${listen.host}:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

async function answer(
  options: { metrics: FiguresSource; ready: () => Promise<Readiness> },
  url: string,
  method: string,
  response: ServerResponse,
): Promise<void> {
  const json = (status: number, body: unknown) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
  if (method !== 'GET' && method !== 'HEAD') return json(405, { code: 'MethodNotAllowed' })
  switch (url.split('?')[0]) {
    case '/metrics':
      response.writeHead(200, { 'content-type': options.metrics.contentType })
      response.end(await options.metrics.text())
      return
    case '/healthz':
      return json(200, { alive: true })
    case '/readyz': {
      const checks = await options.ready()
      const ready = isReadiness(checks)
      return json(ready ? 200 : 503, { ready, checks })
    }
    default:
      return json(404, { code: 'NotFound' })
  }
}

export function isReadiness(checks: Readiness): boolean {
  return Object.values(checks).every((problem) => problem === null)
}
