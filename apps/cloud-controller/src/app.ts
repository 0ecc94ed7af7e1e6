import path from 'node:path'
import { createServer as createTlsServer } from 'node:https'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { fastify, type FastifyInstance } from 'fastify'
import {
  dayMs,
  errorMessage,
  systemClock,
  systemRandom,
  type Clock,
  type Log,
  type Random,
} from '@mallee/base'
import {
  cloudServerName,
  createSigningCertificate,
  issueCertificate,
  type KeyAndCertificate,
} from '@mallee/pki'
import type { StateStore } from '@mallee/state-store'
import { ReconcilerQueue, type Reconciler } from '@mallee/workflow'
import { Metrics, Tracer, type Service } from '@mallee/service-kit'
import { registerAdminDoor } from './admin/admin-door.ts'
import { registerHealthDoor } from './admin/health-door.ts'
import { AuditLog, unaudited } from './audit/audit-log.ts'
import { recoverAudit } from './audit/recover-audit.ts'
import { CloudProperties } from './cloud-properties.ts'
import { bootstrap, openAuthority } from './bootstrap.ts'
import type { CloudControllerConfig, Listen } from './config.ts'
import { registerAgentDoor } from './http/agent-door.ts'
import { registerAwsDoor } from './http/aws-door.ts'
import { buckets, Throttle } from './http/throttle.ts'
import type { ActionWatch } from './http/visit.ts'
import {
  doorCertificateFile,
  ensureDoorCertificate,
  keepDoorCertificate,
} from './identity/door-certificate.ts'
import { Capacity } from './store/capacity.ts'
import { OidcKeys } from './identity/oidc-keys.ts'
import { openKeyring, type Keyring } from './identity/keyring.ts'
import { cloudFigures, type CloudFigures } from './metrics/cloud-figures.ts'
import { registerRecordGauges } from './metrics/record-gauges.ts'
import { PollWaiters } from './poll-waiters.ts'
import { Presence } from './presence.ts'
import { agentsReconciler } from './reconcilers/agents.ts'
import { attachmentsReconciler } from './reconcilers/attachments.ts'
import { bundlesReconciler } from './reconcilers/bundles.ts'
import { diskImportsReconciler } from './reconcilers/disk-imports.ts'
import { instanceImportsReconciler } from './reconcilers/instance-imports.ts'
import { apiCallsReconciler } from './reconcilers/api-calls.ts'
import { clientTokensReconciler } from './reconcilers/client-tokens.ts'
import { flowLogsReconciler } from './reconcilers/flow-logs.ts'
import { imagesReconciler } from './reconcilers/images.ts'
import { instancesReconciler } from './reconcilers/instances.ts'
import { keysReconciler } from './reconcilers/keys.ts'
import { manifestsReconciler } from './reconcilers/manifests.ts'
import { natGatewaysReconciler } from './reconcilers/nat-gateways.ts'
import { networksReconciler } from './reconcilers/networks.ts'
import type { ReconcilerContext } from './reconcilers/reconciler-context.ts'
import { samplesReconciler } from './reconcilers/samples.ts'
import { snapshotsReconciler } from './reconcilers/snapshots.ts'
import { terminatedReconciler } from './reconcilers/terminated.ts'
import { trailsReconciler } from './reconcilers/trails.ts'
import { volumesReconciler } from './reconcilers/volumes.ts'
import { adminAccountName, type CloudSettings } from './settings.ts'
import { openRecord } from './store/record.ts'
import { SessionKeys } from './store/session-key-store.ts'
import type { Tables } from './store/tables.ts'
import type { Wakes } from './wakes.ts'

export { judge as judgeNode, type NodeSnapshot } from './scheduler/judge-node.ts'
export { PlacementTable } from './scheduler/placement-table.ts'
export { cloudControllerSchema, type CloudControllerConfig } from './config.ts'

/** Read at the public door at most; what is larger than a request may be is refused there, in the door's own words. */
const doorBodyBytes = 16 * 1024 * 1024
const agentBodyBytes = 1024 * 1024

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
  /** The loops themselves, for a simulation that decides when each of them passes. */
  readonly loops: readonly Reconciler[]
  start(): void
  close(): Promise<void>
}

export interface CloudControllerDependencies {
  readonly log: Log
  readonly clock?: Clock
  readonly random?: Random
  /** Figures of the process that this runs in; a registry of its own where not given. */
  readonly metrics?: Metrics
  /** Who an agent is, where no certificate tells: for tests that inject. */
  readonly agentPeer?: Parameters<typeof registerAgentDoor>[1]['peerOf']
  /** For the coverage test. */
  readonly watch?: ActionWatch
  /** In tests: keys that need not be new for each cloud, since making one takes longer than all the rest of its start. */
  readonly makeSigningKey?: typeof createSigningCertificate
}

/** What the doors and the loops share. */
interface Parts extends ReconcilerContext {
  readonly capacity: Capacity
  readonly authority: KeyAndCertificate
  readonly waiters: PollWaiters
  readonly queues: Record<string, ReconcilerQueue>
  readonly log: Log
  readonly figures: CloudFigures
  readonly properties: CloudProperties
  readonly throttle: Throttle
  readonly sessionKeys: SessionKeys
  readonly oidcKeys: OidcKeys
  readonly audit: Pick<AuditLog, 'keep' | 'close'>
  readonly watch: ActionWatch | undefined
}

export async function buildCloudController(
  config: CloudControllerConfig,
  deps: CloudControllerDependencies,
): Promise<CloudController> {
  const parts = await openParts(config, deps)
  const { queues, waiters, record } = parts
  const loops = allReconcilers(parts)
  for (const reconciler of loops) {
    queues[reconciler.name] = new ReconcilerQueue({ reconciler, onPass: parts.figures.onPass, ...parts })
  }
  const makeSigningKey = deps.makeSigningKey ?? createSigningCertificate
  await bootstrap({ ...parts, makeSigningKey, stateDir: config.stateDir })
  await parts.sessionKeys.ensure(parts.clock.now())
  await recoverAudit(parts)
  const doors = await buildDoors(config, parts, deps)
  return {
    ...doors,
    record,
    keyring: parts.keyring,
    authority: parts.authority,
    settings: parts.settings,
    presence: parts.presence,
    reconcilers: queues,
    loops,
    start: () => Object.values(queues).forEach((queue) => queue.start()),
    async close() {
      // No new requests, then the loops, then the record: whatever was answered is committed by now.
      waiters.wakeAll()
      await Promise.all(Object.values(doors).map((door) => door.close()))
      await parts.audit.close()
      await Promise.all(Object.values(queues).map((queue) => queue.stop()))
      await record.close()
      await parts.tracer.close()
    },
  }
}

async function openParts(config: CloudControllerConfig, deps: CloudControllerDependencies): Promise<Parts> {
  const clock = deps.clock ?? systemClock
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 })
  const waiters = new PollWaiters()
  const queues: Record<string, ReconcilerQueue> = {}
  const wakes: Wakes = {
    instance: (id) => queues['instances']?.wake(id),
    image: (id) => queues['images']?.wake(id),
    network: (id) => queues['networks']?.wake(id),
    natGateway: (id) => queues['nat-gateways']?.wake(id),
    flowLogs: () => queues['flow-logs']?.wake(),
    keys: () => queues['keys']?.wake(),
    bundle: (id) => queues['bundles']?.wake(id),
    diskImport: (id) => queues['disk-imports']?.wake(id),
    instanceImport: (id) => queues['instance-imports']?.wake(id),
    manifest: (id) => queues['manifests']?.wake(id),
    volume: (id) => queues['volumes']?.wake(id),
    attachment: (id) => queues['attachments']?.wake(id),
    attachmentsOf: (instanceId) => queues['attachments']?.wake(instanceId),
    snapshot: (id) => queues['snapshots']?.wake(id),
    agentSet: (id) => waiters.wake(id),
  }
  const figures = cloudFigures(deps.metrics ?? new Metrics())
  const tracer = new Tracer({ service: 'cloud-controller', config: config.tracing, log: deps.log })
  const record = figures.measured(await openRecord(config.database, figures.onCommit))
  const properties = await new CloudProperties(settingsOf(config)).load(record)
  const keyring = await openKeyring(path.join(config.stateDir, 'keyring.json'))
  return {
    figures,
    tracer,
    throttle: new Throttle(config.requestLimits === 'none' ? null : buckets),
    watch: deps.watch,
    settings: properties.settings,
    properties,
    capacity: new Capacity(config.database.engine),
    keyring,
    sessionKeys: new SessionKeys({ record, keyring }),
    oidcKeys: new OidcKeys({ clock }),
    authority: await openAuthority(config.stateDir, clock.now()),
    record,
    audit: config.audit === 'none' ? unaudited : new AuditLog({ record, log: deps.log, clock }),
    presence: new Presence(clock),
    random: deps.random ?? systemRandom,
    log: deps.log,
    clock,
    waiters,
    queues,
    wakes,
  }
}

type Doors = Pick<CloudController, 'door' | 'agentDoor' | 'adminDoor' | 'healthDoor'>

async function buildDoors(
  config: CloudControllerConfig,
  parts: Parts,
  deps: CloudControllerDependencies,
): Promise<Doors> {
  // Behind a front door on another machine, only who holds a certificate of this cloud may speak to us.
  const secure = 'tls' in config.door && config.door.tls && !deps.agentPeer
  const door = fastify({
    bodyLimit: doorBodyBytes,
    exposeHeadRoutes: false,
    ...(secure ? await tlsOptions({ ...parts, rejectUnauthorized: true }) : {}),
  }) as unknown as FastifyInstance
  registerAwsDoor(door, { ...parts, authorityCertificate: parts.authority.certificate })
  const tls = deps.agentPeer ? {} : await tlsOptions({ ...parts, rejectUnauthorized: false })
  const agentDoor = fastify({
    bodyLimit: agentBodyBytes,
    keepAliveTimeout: 90_000,
    ...tls,
  }) as unknown as FastifyInstance
  registerAgentDoor(agentDoor, { ...parts, ...(deps.agentPeer ? { peerOf: deps.agentPeer } : {}) })
  const adminDoor = fastify()
  const reconcilers = () => Object.values(parts.queues).map((queue) => queue.status())
  registerAdminDoor(adminDoor, {
    ...parts,
    authorityCertificate: parts.authority.certificate,
    reconcilers,
  })
  const healthDoor = fastify()
  const { metrics } = parts.figures
  registerRecordGauges(metrics, { ...parts, reconcilers })
  registerHealthDoor(healthDoor, { ...parts, metrics, reconcilers })
  return { door, agentDoor, adminDoor, healthDoor }
}

/** Eucalyptus' default of cloud.images.maximagesizegb. */
const maxImageGiB = 30

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
    legacySignatures: config.legacySignatures ?? false,
    maxImageGiB,
  }
}

function allReconcilers(context: ReconcilerContext): Reconciler[] {
  return [
    instancesReconciler(context),
    volumesReconciler(context),
    attachmentsReconciler(context),
    snapshotsReconciler(context),
    networksReconciler(context),
    natGatewaysReconciler(context),
    flowLogsReconciler(context),
    imagesReconciler(context),
    manifestsReconciler(context),
    bundlesReconciler(context),
    diskImportsReconciler(context),
    instanceImportsReconciler(context),
    keysReconciler(context),
    agentsReconciler(context),
    terminatedReconciler(context),
    samplesReconciler(context),
    clientTokensReconciler(context),
    apiCallsReconciler(context),
    trailsReconciler(context),
  ]
}

/** Clients may come without a certificate (to register); every other route asks who they are. */
async function tlsOptions(
  options: Pick<Parts, 'authority' | 'clock' | 'log'> & { readonly rejectUnauthorized: boolean },
) {
  const { authority, clock, log, rejectUnauthorized } = options
  const issue = async () => {
    const own = await issueCertificate({
      authority,
      commonName: cloudServerName,
      names: { dns: [cloudServerName, 'localhost'], ip: ['127.0.0.1'] },
      nowMs: clock.now(),
    })
    return {
      key: own.key,
      cert: `${own.certificate}\n${authority.certificate}`,
      ca: authority.certificate,
      requestCert: true,
      rejectUnauthorized,
      keepAliveTimeout: 90_000,
    }
  }
  const first = await issue()
  return {
    serverFactory: (handler: (request: never, response: never) => void) => {
      const server = createTlsServer(first, handler as never)
      const renew = () =>
        issue()
          .then((tls) => server.setSecureContext(tls))
          .catch((error: unknown) =>
            log.error({ reason: errorMessage(error) }, "a door's certificate could not be renewed"),
          )
      const renewal = setInterval(() => void renew(), dayMs)
      renewal.unref()
      server.once('close', () => clearInterval(renewal))
      return server as never
    },
  }
}

/** Runs the cloud controller on its sockets. */
export async function startCloudController(
  config: CloudControllerConfig,
  deps: { log: Log },
): Promise<Service> {
  const cloud = await buildCloudController(config, { metrics: new Metrics().ofProcess(), ...deps })
  const door = {
    file: config.doorTlsFile ?? doorCertificateFile(config.stateDir),
    authority: cloud.authority,
    publicNames: config.publicNames ?? [],
  }
  await ensureDoorCertificate({ ...door, nowMs: systemClock.now() })
  const keeping = keepDoorCertificate(door, { clock: systemClock, log: deps.log })
  cloud.start()
  await cloud.agentDoor.listen(config.agents)
  await listenOn(cloud.adminDoor, { socket: config.adminSocket })
  await cloud.healthDoor.listen(config.admin)
  const address = await listenOn(cloud.door, config.door)
  return {
    address,
    async close() {
      keeping.close()
      await cloud.close()
    },
  }
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
