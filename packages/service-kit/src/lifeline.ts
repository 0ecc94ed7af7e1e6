import { flushCompileCache } from 'node:module'
import type { Log } from '@mallee/base'

export interface Service {
  /** Where it listens, once it does; null for one that only dials out. */
  readonly address: string | null
  close(): Promise<void>
}

/** Longest graceful stop; after it the process ends all the same, and nothing is lost, because the record is on disk. */
const stopMs = 10_000

/**
 * Runs a service until SIGTERM or SIGINT, then stops it gracefully. An error that nobody caught ends the process with
 * code 1: a supervisor starts it again, and the loops make that cheap.
 */
export async function runService(options: {
  log: Log
  start: () => Promise<Service>
  onReady?: (service: Service) => void
}): Promise<void> {
  const { log } = options
  const fail = (error: unknown) => {
    log.error({ err: error }, 'ended by an error that nobody caught')
    process.exit(1)
  }
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  const service = await options.start()
  log.info({ address: service.address }, 'ready')
  // What was compiled (and stripped of its types) serves the next start, also after a kill -9.
  flushCompileCache()
  options.onReady?.(service)
  if (process.send) process.send({ ready: true, address: service.address })
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
  log.info({}, 'stopping')
  setTimeout(() => process.exit(0), stopMs).unref()
  await service.close()
  process.exit(0)
}
