import type { ServerResponse } from 'node:http'
import { stopwatch, type Metrics } from '@mallee/service-kit'

/** What the front door counts: it knows no actions, only where a request went and how it ended. */
export interface FrontDoorFigures {
  /** A request goes to that service; it is counted when its answer has ended, or its client has gone. */
  forwarded(upstream: string, response: ServerResponse): void
}

export function frontDoorFigures(metrics: Metrics): FrontDoorFigures {
  const requests = metrics.histogram(
    'front_door_request_duration_seconds',
    'Requests that were passed on, until the last byte of their answer.',
    ['upstream', 'status'],
  )
  return {
    forwarded(upstream, response) {
      const seconds = stopwatch()
      response.once('close', () => {
        const status = response.writableFinished ? `${Math.floor(response.statusCode / 100)}xx` : 'aborted'
        requests.observe({ upstream, status }, seconds())
      })
    },
  }
}
