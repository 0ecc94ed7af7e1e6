import path from 'node:path'
import { fastify, type FastifyInstance } from 'fastify'
import { systemClock, systemRandom, type Clock, type Log } from '@mallee/base'
import { obtainIdentity, type AgentIdentity, type Cloud } from '@mallee/agent-kit'
import { Metrics, SharedListener, startHealthServer, type Readiness, type Service } from '@mallee/service-kit'
import { Background } from './background.ts'
import { WalrusAgent } from './agent/walrus-agent.ts'
import type { WalrusConfig } from './config.ts'
import type { BlobKeeper } from './drivers/blob-keeper.ts'
import type { MasterKeys } from './encryption/master-keys.ts'
import { S3Door } from './http/s3-door.ts'
import { AccessKeys } from './identity/access-keys.ts'
import type { Index } from './index/tables.ts'
import { walrusReadiness } from './metrics/walrus-figures.ts'
import { createHttpServer } from './listener.ts'
import { openStorage, type StorageDependencies } from './open-storage.ts'

export { walrusSchema, type WalrusConfig } from './config.ts'

export { registerWalrusGauges, walrusFigures } from './metrics/walrus-figures.ts'

/** Longest wait for downloads and uploads under way when walrus stops. */
const closeGraceMs = 5_000

/** Walrus without its socket: a door that can be injected into, and its agent. */
export interface Walrus {
  readonly door: FastifyInstance
  readonly listener: SharedListener
  readonly index: Index
  readonly blobs: BlobKeeper
  readonly masterKeys: MasterKeys
  readonly background: Background
  readonly metrics: Metrics
  /** What stands in the way of serving. */
  ready(): Promise<Readiness>
  /** Becomes an agent: by the identity it has, or by waiting for its join token. */
  join(): Promise<void>
  close(): Promise<void>
}

export interface WalrusDependencies extends StorageDependencies {
  readonly clock?: Clock
  /** In tests: a cloud without a socket. */
  readonly cloud?: Cloud
}

export async function buildWalrus(config: WalrusConfig, deps: WalrusDependencies): Promise<Walrus> {
  const { log } = deps
  const clock = deps.clock ?? systemClock
  const { index, blobs, masterKeys, figures, giveUpFolder } = await openStorage(config, deps, clock)
  const keys = new AccessKeys()
  const source = { index, blobs, masterKeys }
  const background = new Background({
    ...{ config, source, clock, log },
    random: systemRandom,
    onScrubbed: (bytes) => figures.scrubbed(bytes),
  })
  let agent: WalrusAgent | null = null
  const images = () => agent?.images() ?? []
  const s3 = new S3Door({
    ...source,
    keys,
    nodeReads: { ...source, log, images },
    region: config.region,
    modernBuckets: config.modernBuckets ?? false,
    webhooks: new Set(Object.keys(config.webhooks ?? {})),
    wakeEvents: () => background.events.wake(),
    accessLog: background.accessLog,
    clock,
    random: systemRandom,
    log,
    figures,
  })
  const { door, listener } = await openDoor(s3, keys)
  const stopping = new AbortController()
  background.start()

  return {
    door,
    listener,
    index,
    blobs,
    masterKeys,
    background,
    metrics: figures.metrics,
    ready: () => walrusReadiness({ index, keys }),
    async join() {
      const identity = await obtainIdentity(config, { log, clock, signal: stopping.signal })
      if (!identity) return
      listener.useTls(tlsOf(identity))
      agent = await WalrusAgent.start({
        dir: config.dir,
        workDir: path.join(config.dataDir, 'converting'),
        identity,
        ...source,
        keys,
        clock,
        log,
        onRenewed: (renewed) => listener.useTls(tlsOf(renewed)),
        ...(deps.cloud ? { cloud: deps.cloud } : {}),
      })
      if (stopping.signal.aborted) await agent.stop()
    },
    async close() {
      // No new requests, then the agent, then the index: whatever was answered is committed by now.
      stopping.abort()
      await listener.close(closeGraceMs)
      await door.close()
      await background.stop()
      await agent?.stop()
      await blobs.settled()
      await index.close()
      await giveUpFolder()
    },
  }
}

const tlsOf = (identity: AgentIdentity) => ({
  key: identity.key,
  cert: `${identity.certificate}\n${identity.authority}`,
  ca: identity.authority,
})

/** Every request goes to one place, whatever its path: S3's keys are no routes, and its bodies are nobody's to parse. */
async function openDoor(s3: S3Door, keys: AccessKeys) {
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
      return s3.serve(request, reply)
    },
    handler: () => {
      throw new Error('every request is answered before it comes here')
    },
  })
  await door.ready()
  return { door, listener: listener as unknown as SharedListener }
}

/** Runs walrus on its port. It listens before it has joined, and says that it is not ready. */
export async function startWalrus(config: WalrusConfig, deps: { log: Log }): Promise<Service> {
  const walrus = await buildWalrus(config, { metrics: new Metrics().ofProcess(), ...deps })
  const health = config.health
    ? await startHealthServer({ ...walrus, ...deps, metrics: walrus.metrics, listen: config.health })
    : null
  const address = await walrus.listener.listen(config.listen)
  const joining = walrus.join()
  joining.catch((error: unknown) => {
    deps.log.error({ err: error }, 'the agent could not be started')
    queueMicrotask(() => {
      throw error // nobody catches it: the process ends, and a supervisor starts it again
    })
  })
  return {
    address,
    async close() {
      await health?.close()
      await walrus.close()
      await joining
    },
  }
}
