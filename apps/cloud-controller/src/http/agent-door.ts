import { createHash } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { Ajv } from 'ajv'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MalleeError, newId, systemRandom, type Clock, type Log, type Random } from '@mallee/base'
import {
  agentRoutes,
  type AccessKeyItem,
  type BundleItem,
  type BundlingKeyItem,
  type ConnectionItem,
  type DesiredResponse,
  type DomainItem,
  type ExportItem,
  type ReadableSnapshotItem,
  type SessionKeyItem,
  type SnapshotItem,
  type VolumeItem,
  type RegisterRequest,
  type Report,
} from '@mallee/agent-contract'
import {
  agentNameOf,
  requestKeyDigest,
  signCertificateRequest,
  walrusServerName,
  type KeyAndCertificate,
} from '@mallee/pki'
import type { StateStore } from '@mallee/state-store'
import { InstanceIdentity } from '../identity/instance-identity.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { PollWaiters } from '../poll-waiters.ts'
import type { Presence } from '../presence.ts'
import type { CloudSettings } from '../settings.ts'
import { noteCapacity } from '../store/agent-store.ts'
import { openUploadSignature } from '../store/bundle-task-store.ts'
import { openBundlingKey } from '../store/bundling-key-store.ts'
import { openSnapshotKey } from '../store/ebs-encryption-store.ts'
import { readDesiredSet } from '../store/desired-store.ts'
import { boundToSessionKey, type SessionKeys } from '../store/session-key-store.ts'
import type { Tx } from '../store/record.ts'
import { recordReport } from '../store/report-store.ts'
import type { AgentTable, Tables } from '../store/tables.ts'
import type { Wakes } from '../wakes.ts'
import { checkedBody } from './checked-body.ts'
import { registerTrailDoor } from './trail-door.ts'
import { registerAuditDoor } from './audit-door.ts'
import { registerBlobDoor } from './blob-door.ts'
import { registerRoleCredentialsDoor } from './role-credentials-door.ts'
import { registerInventoryDoor } from './inventory-door.ts'

export interface AgentDoorDependencies {
  readonly record: StateStore<Tables>
  readonly authority: KeyAndCertificate
  readonly keyring: Keyring
  readonly sessionKeys: SessionKeys
  readonly settings: CloudSettings
  readonly wakes: Wakes
  readonly waiters: PollWaiters
  readonly presence: Presence
  readonly clock: Clock
  readonly random?: Random
  readonly log: Log
  /** Who the peer is, from its certificate; an argument so that tests can inject a peer without a socket. */
  readonly peerOf?: (request: FastifyRequest) => { kind: string; agentId: string } | null
}

const ajv = new Ajv({ strict: true })
const validate = {
  register: ajv.compile<RegisterRequest>(agentRoutes.register.request!.json),
  renew: ajv.compile<{ certificateRequest: string }>(agentRoutes.renew.request!.json),
  observed: ajv.compile<Report>(agentRoutes.observed.request!.json),
}

const forbidden = (message: string) => new MalleeError({ code: 'Forbidden', publicMessage: message })

/** The door of the agents: they dial, we answer. Every route but `register` needs a certificate that we signed. */
export function registerAgentDoor(app: FastifyInstance, deps: AgentDoorDependencies): void {
  app.setErrorHandler((error, _request, reply) => answerError(reply, error, deps.log))
  app.post(agentRoutes.register.path, (request) =>
    register(deps, checkedBody(validate.register, request.body)),
  )
  app.post(agentRoutes.renew.path, async (request) => {
    const agent = await requireAgent(deps, request)
    const { certificateRequest } = checkedBody(validate.renew, request.body)
    return {
      certificate: await signFor(deps, agent, certificateRequest),
      authority: deps.authority.certificate,
    }
  })
  const identity = new InstanceIdentity(deps)
  app.get(agentRoutes.desired.path, (request, reply) => desired({ ...deps, identity }, request, reply))
  app.post(agentRoutes.observed.path, { bodyLimit: 16 * 1024 * 1024 }, async (request) => {
    const agent = await requireAgent(deps, request)
    const report = checkedBody(validate.observed, request.body)
    const result = await deps.record.transaction('report', async (tx) => {
      const row = await tx.db
        .selectFrom('agent')
        .selectAll()
        .where('id', '=', agent.id)
        .executeTakeFirstOrThrow()
      return recordReport(tx, deps.wakes, row, report, deps.clock.now())
    })
    if (result.dropped.length > 0)
      deps.log.warn({ agentId: agent.id, dropped: result.dropped }, 'observations dropped')
    return { accepted: result.accepted, sequence: report.sequence }
  })
  registerInventoryDoor(app, { record: deps.record, requireAgent: (request) => requireAgent(deps, request) })
  registerRoleCredentialsDoor(app, { ...deps, requireAgent: (request) => requireAgent(deps, request) })
  registerTrailDoor(app, { ...deps, requireAgent: (request) => requireAgent(deps, request) })
  registerAuditDoor(app, { ...deps, requireAgent: (request) => requireAgent(deps, request) })
  registerBlobDoor(app, { record: deps.record, requireAgent: (request) => requireAgent(deps, request) })
}

function answerError(reply: FastifyReply, error: unknown, log: Log): FastifyReply {
  if (error instanceof MalleeError && error.retryable) {
    log.error({ err: error }, 'an agent call failed')
    return reply.code(503).send({ code: error.code, message: error.publicMessage })
  }
  if (error instanceof MalleeError) {
    const status =
      error.code === 'Forbidden' || error.code === 'Forgotten'
        ? 403
        : error.code === 'Unregistered'
          ? 401
          : 400
    return reply.code(status).send({ code: error.code, message: error.publicMessage })
  }
  const status = (error as { statusCode?: number }).statusCode
  if (status !== undefined && status < 500)
    return reply.code(status).send({ code: 'BadRequest', message: (error as Error).message })
  log.error({ err: error }, 'an agent call failed')
  return reply.code(500).send({ code: 'InternalError', message: 'An internal error has occurred' })
}

/** The peer's certificate names the agent; its row must still be there and not be forgotten. */
async function requireAgent(deps: AgentDoorDependencies, request: FastifyRequest): Promise<AgentTable> {
  const peer = (deps.peerOf ?? peerOfSocket)(request)
  if (!peer) throw forbidden('This route needs a certificate of this cloud.')
  const agent = await deps.record.read((db) =>
    db.selectFrom('agent').selectAll().where('id', '=', peer.agentId).executeTakeFirst(),
  )
  if (agent?.state === 'forgotten') {
    throw new MalleeError({
      code: 'Forgotten',
      publicMessage:
        'The administrator has declared this machine dead; what it still runs has been given up.',
    })
  }
  if (!agent || agent.kind !== peer.kind) {
    throw new MalleeError({
      code: 'Unregistered',
      publicMessage: 'This agent is not, or no longer, registered.',
    })
  }
  deps.presence.heard(agent.id)
  return agent
}

function peerOfSocket(request: FastifyRequest): { kind: string; agentId: string } | null {
  const socket = request.raw.socket as TLSSocket
  return socket.authorized ? agentNameOf(socket.getPeerCertificate().subjectaltname) : null
}

async function register(deps: AgentDoorDependencies, body: RegisterRequest) {
  const secret = body.token.split('.').at(-1) ?? ''
  const digest = createHash('sha256').update(secret).digest('hex')
  const keyDigest = await requestKeyDigest(body.certificateRequest) // before the token is spent on a bad one
  const agent = await deps.record.transaction('action', async (tx) => {
    const bought = await boughtBefore(tx, body, { digest, keyDigest, nowMs: deps.clock.now() })
    return typeof bought === 'string' ? admit(deps, tx, { body, digest, keyDigest, zone: bought }) : bought
  })
  return {
    agentId: agent.id,
    availabilityZone: agent.availability_zone,
    region: deps.settings.region,
    certificate: await signFor(deps, agent, body.certificateRequest),
    authority: deps.authority.certificate,
    pollSeconds: deps.settings.pollSeconds,
    publicPool: deps.settings.publicPool,
  }
}

/**
 * The zone that the token is for, or the agent that it has bought: one that died before it had its answer asks again with
 * the very same key, and gets the same identity.
 */
async function boughtBefore(
  tx: Tx,
  body: RegisterRequest,
  asked: { digest: string; keyDigest: string; nowMs: number },
): Promise<string | AgentTable> {
  const token = await tx.db
    .selectFrom('join_token')
    .selectAll()
    .where('digest', '=', asked.digest)
    .executeTakeFirst()
  const again = token?.used_by != null && token.key_digest === asked.keyDigest ? token.used_by : null
  const isSpent = token?.used_by != null && again === null
  if (!token || token.kind !== body.kind || isSpent || token.expires_at < asked.nowMs)
    throw forbidden('The join token is not valid: unknown, of another kind, used or expired.')
  if (again === null) return token.availability_zone
  const row = await tx.db.selectFrom('agent').selectAll().where('id', '=', again).executeTakeFirst()
  if (row && row.state !== 'forgotten' && row.name === body.name) return row
  throw forbidden('The join token is not valid: it was used under another name.')
}

async function admit(
  deps: AgentDoorDependencies,
  tx: Tx,
  joining: { body: RegisterRequest; digest: string; keyDigest: string; zone: string },
): Promise<AgentTable> {
  const { kind, name } = joining.body
  await refuseSecondWalrus(tx, kind)
  const taken = await tx.db
    .selectFrom('agent')
    .select('id')
    .where('kind', '=', kind)
    .where('name', '=', name)
    .executeTakeFirst()
  if (taken) throw forbidden(`There is a ${kind} agent named ${name} already.`)
  const row: AgentTable = {
    id: newId('agent', deps.random ?? systemRandom),
    kind,
    name,
    availability_zone: joining.zone,
    state: 'enabled',
    revision: 1,
    sent_revision: 0,
    sequence: 0,
    fingerprint: null,
    undeclared: '[]',
    silent_since: null,
    joined_at: deps.clock.now(),
    draining_since: null,
    usage_revision: 0,
  }
  await tx.db.insertInto('agent').values(row).execute()
  await noteCapacity(tx, row.id)
  await tx.db
    .updateTable('join_token')
    .set({ used_by: row.id, key_digest: joining.keyDigest })
    .where('digest', '=', joining.digest)
    .execute()
  if (kind === 'walrus') tx.afterCommit(() => deps.wakes.keys())
  return row
}

/** Buckets have one home; a second walrus would answer for objects that it does not have. */
async function refuseSecondWalrus(tx: Tx, kind: string): Promise<void> {
  if (kind !== 'walrus') return
  const present = await tx.db
    .selectFrom('agent')
    .select('name')
    .where('kind', '=', 'walrus')
    .where('state', '!=', 'forgotten')
    .executeTakeFirst()
  if (present) throw forbidden(`This cloud has its walrus, ${present.name}; forget that one first.`)
}

function signFor(deps: AgentDoorDependencies, agent: AgentTable, request: string): Promise<string> {
  return signCertificateRequest({
    authority: deps.authority,
    request,
    commonName: agent.id,
    // Nodes dial walrus by this name, whatever its address is.
    names: {
      uri: [`mallee://${agent.kind}/${agent.id}`],
      ...(agent.kind === 'walrus' ? { dns: [walrusServerName] } : {}),
    },
    nowMs: deps.clock.now(),
  })
}

async function desired(
  deps: AgentDoorDependencies & { readonly identity: InstanceIdentity },
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const agent = await requireAgent(deps, request)
  const query = request.query as { revision?: string; wait?: string }
  const held = Number(query.revision ?? 0)
  const waitMs = Math.min(Math.max(Number(query.wait ?? 0), 0), 120) * 1000
  if (!Number.isSafeInteger(held) || held < 0 || Number.isNaN(waitMs))
    throw new MalleeError({ code: 'BadRequest', publicMessage: 'revision and wait must be numbers.' })
  const gone = new AbortController()
  const pollEnded = deps.presence.holds(agent.id)
  reply.raw.on('close', () => {
    gone.abort()
    pollEnded(reply.raw.writableFinished)
  })
  const news = deps.waiters.wait(agent.id, waitMs, gone.signal) // listens before it reads, so that no wake falls between
  let set = await deps.record.read((db) => readDesiredSet(db, agent.id, held))
  if (!set) {
    await news // a wait that ends by itself is our own doing, and no word of the agent's
    if (gone.signal.aborted) return reply
    set = await deps.record.read((db) => readDesiredSet(db, agent.id, held))
  } else {
    gone.abort() // nobody waits for news any more
  }
  if (!set) return reply.code(204).send()
  if (set.revision > agent.sent_revision) await noteSent(deps, agent.id, set.revision)
  return {
    ...set,
    bodies: await Promise.all(set.bodies.map((item) => outgoing(deps, item))),
    pollSeconds: deps.settings.pollSeconds,
  }
}

async function outgoing(
  { keyring, identity, log }: AgentDoorDependencies & { readonly identity: InstanceIdentity },
  item: DesiredResponse['bodies'][number],
): Promise<DesiredResponse['bodies'][number]> {
  if (item.kind !== 'domain') return unsealed(keyring, item)
  const body = item.body as DomainItem
  // A node needs its set more than a guest needs a signature.
  const signing = body.intent === 'run' ? identity.of(body) : null
  const signed = await signing?.catch((error: unknown) => {
    log.error({ err: error, instanceId: body.instanceId }, 'an instance identity was not signed')
    return null
  })
  return signed ? { ...item, body: { ...body, identity: signed } } : item
}

/** The record holds no secret in the clear, its sets neither; only what leaves for the agent that needs it does. */
function unsealed(
  keyring: Keyring,
  item: DesiredResponse['bodies'][number],
): DesiredResponse['bodies'][number] {
  if (item.kind === 'bundling-key') {
    const body = item.body as BundlingKeyItem
    return { ...item, body: { ...body, privateKey: openBundlingKey(keyring, body.privateKey) } }
  }
  if (item.kind === 'bundle') {
    const body = item.body as BundleItem
    const uploadPolicySignature = openUploadSignature(keyring, body.uploadPolicySignature)
    return { ...item, body: { ...body, uploadPolicySignature } }
  }
  if (item.kind === 'export' || item.kind === 'connection') {
    const body = item.body as ExportItem | ConnectionItem
    return { ...item, body: { ...body, chapSecret: keyring.open(body.chapSecret, body.attachmentId) } }
  }
  if (item.kind === 'volume') {
    const { dataKey, source, ...body } = item.body as VolumeItem
    const snapshotKey = source?.snapshotKey && openSnapshotKey(keyring, body.accountId, source.snapshotKey)
    return {
      ...item,
      body: {
        ...body,
        source: source && { ...source, ...(snapshotKey ? { snapshotKey } : {}) },
        ...(dataKey === undefined ? {} : { dataKey: keyring.open(dataKey, body.volumeId) }),
      },
    }
  }
  if (item.kind === 'snapshot') {
    const { dataKey, snapshotKey, ...body } = item.body as SnapshotItem
    return {
      ...item,
      body: {
        ...body,
        ...(dataKey === undefined ? {} : { dataKey: keyring.open(dataKey, body.snapshotId) }),
        ...(snapshotKey ? { snapshotKey: openSnapshotKey(keyring, body.accountId, snapshotKey) } : {}),
      },
    }
  }
  if (item.kind === 'readable-snapshot') {
    const { snapshotKey, ...body } = item.body as ReadableSnapshotItem
    if (!snapshotKey) return item
    return {
      ...item,
      body: { ...body, snapshotKey: openSnapshotKey(keyring, body.accountId, snapshotKey) },
    }
  }
  if (item.kind === 'session-key') {
    const body = item.body as SessionKeyItem
    return { ...item, body: { ...body, key: keyring.open(body.key, boundToSessionKey(body.id)) } }
  }
  if (item.kind !== 'access-key') return item
  const body = item.body as AccessKeyItem
  return { ...item, body: { ...body, secretAccessKey: keyring.open(body.secretAccessKey, body.accessKeyId) } }
}

/** Before the set leaves: a set that may have been seen is never treated as unseen (DECISIONS 29). */
async function noteSent(deps: AgentDoorDependencies, agentId: string, revision: number): Promise<void> {
  await deps.record.transaction('report', async (tx) => {
    await tx.db
      .updateTable('agent')
      .set({ sent_revision: revision })
      .where('id', '=', agentId)
      .where('sent_revision', '<', revision)
      .execute()
  })
}
