import path from 'node:path'
import { createServer as createTlsServer } from 'node:https'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { fastify, type FastifyInstance } from 'fastify'
import { systemClock, systemRandom, type Clock, type Log } from '@mallee/base'
import { cloudServerName, issueCertificate, type KeyAndCertificate } from '@mallee/pki'
import type { StateStore } from '@mallee/state-store'
import { ReconcilerQueue, type Reconciler } from '@mallee/workflow'
import type { Service } from '@mallee/service-kit'
import { registerAdminDoor } from './admin/admin-door.ts'
import { registerHealthDoor } from './admin/health-door.ts'
import { bootstrap, openAuthority } from './bootstrap.ts'
import type { CloudControllerConfig, Listen } from './config.ts'
import { registerAgentDoor } from './http/agent-door.ts'
import { registerAwsDoor } from './http/aws-door.ts'
import { openKeyring, type Keyring } from './identity/keyring.ts'
import { PollWaiters } from './poll-waiters.ts'
import { Presence } from './presence.ts'
import { agentsReconciler } from './reconcilers/agents.ts'
import { imagesReconciler } from './reconcilers/images.ts'
import { instancesReconciler } from './reconcilers/instances.ts'
import { keysReconciler } from './reconcilers/keys.ts'
import { networksReconciler } from './reconcilers/networks.ts'
import type { ReconcilerContext } from './reconcilers/reconciler-context.ts'
import { terminatedReconciler } from './reconcilers/terminated.ts'
import { adminAccountName, type CloudSettings } from './settings.ts'
import { openRecord } from './store/record.ts'
import type { Tables } from './store/tables.ts'
import type { Wakes } from './wakes.ts'

/** Largest body at the public door: user data and a thousand parameters fit; images go to walrus. */
const doorBodyBytes = 1024 * 1024

/** The cloud controller without its sockets: doors that can be injected into, and its loops. */
export interface CloudController {
  readonly door: FastifyInstance
  readonly agentDoor: FastifyInstance
  readonly adminDoor: FastifyInstance
  readonly healthDoor: FastifyInstance
  readonly record: StateStore<Tables>
  readonly keyring: Keyring
  readonly authority: KeyAndCertificate
  readonly settings: CloudSettings
  readonly presence: Presence
  readonly reconcilers: Readonly<Record<string, ReconcilerQueue>>
  start(): void
  close(): Promise<void>
}

export async function buildCloudController(
  config: CloudControllerConfig,
  deps: { log: Log; clock?: Clock; agentPeer?: Parameters<typeof registerAgentDoor>[1]['peerOf'] },
): Promise<CloudController> {
  const clock = deps.clock ?? systemClock
  const { log } = deps
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 })
  const settings = settingsOf(config)
  const keyring = openKeyring(path.join(config.stateDir, 'keyring.json'))
  const authority = await openAuthority(config.stateDir, clock.now())
  const record = await openRecord(config.database)
  const waiters = new PollWaiters()
  const presence = new Presence(clock)
  const queues: Record<string, ReconcilerQueue> = {}
  const wakes: Wakes = {
    instance: (id) => queues['instances']?.wake(id),
    image: (id) => queues['images']?.wake(id),
    network: (id) => queues['networks']?.wake(id),
    keys: () => queues['keys']?.wake(),
    agentSet: (id) => waiters.wake(id),
  }
  const context: ReconcilerContext = {
    record,
    settings,
    wakes,
    keyring,
    presence,
    clock,
    random: systemRandom,
  }
  for (const reconciler of allReconcilers(context))
    queues[reconciler.name] = new ReconcilerQueue({ reconciler, clock, log })
  await bootstrap({ record, keyring, settings, wakes, clock, stateDir: config.stateDir })

  const door = fastify({ bodyLimit: doorBodyBytes, exposeHeadRoutes: false })
  registerAwsDoor(door, { record, keyring, settings, wakes, clock, log })
  const agentDoor = fastify({
    bodyLimit: doorBodyBytes,
    keepAliveTimeout: 90_000,
    ...(deps.agentPeer ? {} : await tlsOptions(authority, config, clock)),
  }) as unknown as FastifyInstance
  registerAgentDoor(agentDoor, {
    record,
    authority,
    settings,
    wakes,
    waiters,
    presence,
    clock,
    log,
    ...(deps.agentPeer ? { peerOf: deps.agentPeer } : {}),
  })
  const adminDoor = fastify()
  registerAdminDoor(adminDoor, {
    record,
    keyring,
    settings,
    wakes,
    clock,
    authorityCertificate: authority.certificate,
    reconcilers: () => Object.values(queues).map((queue) => queue.status()),
  })
  const healthDoor = fastify()
  registerHealthDoor(healthDoor, { record })

  return {
    door,
    agentDoor,
    adminDoor,
    healthDoor,
    record,
    keyring,
    authority,
    settings,
    presence,
    reconcilers: queues,
    start: () => Object.values(queues).forEach((queue) => queue.start()),
    async close() {
      // No new requests, then the loops, then the record: whatever was answered is committed by now.
      waiters.wakeAll()
      await Promise.all([door.close(), agentDoor.close(), adminDoor.close(), healthDoor.close()])
      await Promise.all(Object.values(queues).map((queue) => queue.stop()))
      await record.close()
    },
  }
}

function settingsOf(config: CloudControllerConfig): CloudSettings {
  return {
    region: config.region,
    availabilityZones: config.availabilityZones,
    publicPool: config.publicPool,
    placementPolicy: config.placementPolicy,
    adminAccountName,
    endpoint: config.endpoint,
    pollSeconds: config.pollSeconds,
    terminatedVisibleMs: config.terminatedVisibleMs,
    metadataTokensRequired: config.metadataTokensRequired,
  }
}

function allReconcilers(context: ReconcilerContext): Reconciler[] {
  return [
    instancesReconciler(context),
    networksReconciler(context),
    imagesReconciler(context),
    keysReconciler(context),
    agentsReconciler(context),
    terminatedReconciler(context),
  ]
}

/** Clients may come without a certificate (to register); every other route asks who they are. */
async function tlsOptions(authority: KeyAndCertificate, config: CloudControllerConfig, clock: Clock) {
  const own = await issueCertificate({
    authority,
    commonName: cloudServerName,
    names: { dns: [cloudServerName, 'localhost'], ip: ['127.0.0.1'] },
    nowMs: clock.now(),
  })
  const tls = {
    key: own.key,
    cert: `${own.certificate}\n${authority.certificate}`,
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: false,
    keepAliveTimeout: 90_000,
  }
  return {
    serverFactory: (handler: (request: never, response: never) => void) =>
      createTlsServer(tls, handler as never) as never,
  }
}

/** Runs the cloud controller on its sockets. */
export async function startCloudController(
  config: CloudControllerConfig,
  deps: { log: Log },
): Promise<Service> {
  const cloud = await buildCloudController(config, deps)
  cloud.start()
  await cloud.agentDoor.listen(config.agents)
  await listenOn(cloud.adminDoor, { socket: config.adminSocket })
  await cloud.healthDoor.listen(config.admin)
  const address = await listenOn(cloud.door, config.door)
  return { address, close: () => cloud.close() }
}

/** A socket that an earlier life left behind is in nobody's use: the state folder belongs to one cloud controller. */
async function listenOn(app: FastifyInstance, listen: Listen): Promise<string> {
  if (!('socket' in listen)) return app.listen(listen)
  await mkdir(path.dirname(listen.socket), { recursive: true, mode: 0o700 })
  await rm(listen.socket, { force: true })
  await app.listen({ path: listen.socket })
  await chmod(listen.socket, 0o600)
  return listen.socket
}
