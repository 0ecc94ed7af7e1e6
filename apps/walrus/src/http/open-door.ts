import { fastify, type FastifyInstance } from 'fastify'
import type { DesiredItem } from '@mallee/agent-contract'
import { systemRandom, type Clock, type Log } from '@mallee/base'
import { SharedListener } from '@mallee/service-kit'
import { AuditJournal } from '../audit/audit-journal.ts'
import type { WalrusConfig } from '../config.ts'
import { isForEbs } from '../ebs/authenticate-ebs.ts'
import { EbsDoor } from '../ebs/ebs-door.ts'
import type { KnownSnapshots } from '../ebs/known-snapshots.ts'
import type { AccessKeys } from '../identity/access-keys.ts'
import { createHttpServer } from '../listener.ts'
import type { AccessLog } from '../logging/access-log.ts'
import type { WalrusFigures } from '../metrics/walrus-figures.ts'
import type { ObjectSource } from '../objects/open-object.ts'
import { rawRequest } from './raw-request.ts'
import { S3Door } from './s3-door.ts'

/** Longest wait for downloads and uploads under way when walrus stops. */
export const closeGraceMs = 5_000

export interface DoorDependencies {
  readonly config: WalrusConfig
  readonly source: ObjectSource
  readonly keys: AccessKeys
  readonly images: () => readonly DesiredItem<'image-object'>[]
  readonly flowLogs: () => readonly DesiredItem<'flow-log'>[]
  readonly snapshots: KnownSnapshots
  readonly wakeEvents: () => void
  readonly accessLog: AccessLog
  readonly clock: Clock
  readonly log: Log
  readonly figures: WalrusFigures
}

/**
 * Every request goes to one of two places, whatever its path: S3's keys are no routes, and its bodies are nobody's to parse.
 */
export async function openDoor(deps: DoorDependencies): Promise<{
  door: FastifyInstance
  listener: SharedListener
}> {
  const { config, source, keys, images, flowLogs, snapshots, log, ...others } = deps
  const ebs = new EbsDoor({
    ...{ source, keys, snapshots, log, random: systemRandom },
    ...{ region: config.region, clock: deps.clock, figures: deps.figures },
  })
  const s3 = new S3Door({
    ...source,
    ...others,
    ...{ keys, log },
    nodeReads: { ...source, log, images },
    flowLogs,
    audit: new AuditJournal({
      ...{ index: source.index, log, random: systemRandom },
      dataEvents: config.auditDataEvents ?? false,
    }),
    region: config.region,
    modernBuckets: config.modernBuckets ?? false,
    webhooks: new Set(Object.keys(config.webhooks ?? {})),
    random: systemRandom,
  })
  let listener: SharedListener | null = null
  const door = fastify({
    exposeHeadRoutes: false,
    rewriteUrl: () => '/',
    serverFactory: (handler) => {
      const server = createHttpServer(handler as never)
      listener = new SharedListener(server)
      return server as never
    },
  }) as unknown as FastifyInstance
  door.all('/', {
    onRequest: async (request, reply) => {
      const known = request.method === 'GET' || request.method === 'HEAD'
      if (known && request.originalUrl === '/healthz') return reply.send({ healthy: true })
      if (known && request.originalUrl === '/readyz')
        return reply.code(keys.known ? 200 : 503).send({ ready: keys.known })
      return isForEbs(rawRequest(request)) ? ebs.serve(request, reply) : s3.serve(request, reply)
    },
    handler: () => {
      throw new Error('every request is answered before it comes here')
    },
  })
  await door.ready()
  return { door, listener: listener as unknown as SharedListener }
}
