import { createHash } from 'node:crypto'
import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'
import { MalleeError, hourMs, newId, systemRandom, type Clock, type Log } from '@mallee/base'
import { certificateFingerprint } from '@mallee/pki'
import type { StateStore } from '@mallee/state-store'
import type { ReconcilerStatus } from '@mallee/workflow'
import { auditAdmin } from '../audit/audit-admin.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Keyring } from '../identity/keyring.ts'
import type { CloudSettings } from '../settings.ts'
import { registerFsck } from '../fsck/fsck-routes.ts'
import { createAccount } from '../store/account-store.ts'
import { adminStateOf, listAgents, nodeSnapshots } from '../store/agent-store.ts'
import { registerSamplesRoute } from './samples-route.ts'
import { registerAuditAdmin } from './audit-admin.ts'
import { registerHistory } from './history-route.ts'
import { registerAccountsAdmin } from './accounts-admin.ts'
import { registerKeysAdmin } from './keys-admin.ts'
import { registerExplainRefusal } from './explain-refusal.ts'
import { registerUsageAdmin } from './usage-admin.ts'
import { registerQuotasAdmin } from './quotas-admin.ts'
import { registerBundlingAdmin } from './bundling-admin.ts'
import { registerAgentsAdmin } from './agents-admin.ts'
import type { Presence } from '../presence.ts'
import { groupMembers } from '../store/placement-group-store.ts'
import { groupRule } from '../scheduler/group-placement.ts'
import { judge, type DecisionRecord } from '../scheduler/judge-node.ts'
import type { Tables } from '../store/tables.ts'
import type { Wakes } from '../wakes.ts'

export interface AdminDependencies {
  readonly record: StateStore<Tables>
  readonly keyring: Keyring
  readonly settings: CloudSettings
  readonly wakes: Wakes
  readonly clock: Clock
  readonly presence: Presence
  readonly log: Log
  readonly audit: Pick<AuditLog, 'keep' | 'close'>
  readonly authorityCertificate: string
  readonly reconcilers: () => ReconcilerStatus[]
}

const ajv = new Ajv({ strict: true })
const name = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,62}$' }
const newAccount = ajv.compile<{ name: string; email: string | null }>({
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: { name, email: { anyOf: [{ type: 'string', maxLength: 254 }, { type: 'null' }] } },
})
const newToken = ajv.compile<{ kind: 'node' | 'storage' | 'walrus'; availabilityZone: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['kind', 'availabilityZone'],
  properties: { kind: { enum: ['node', 'storage', 'walrus'] }, availabilityZone: { type: 'string' } },
})
const newImage = ajv.compile<{
  kind: 'kernel' | 'ramdisk'
  accountId: string
  bucket: string
  key: string
  name: string
}>({
  type: 'object',
  additionalProperties: false,
  required: ['kind', 'accountId', 'bucket', 'key', 'name'],
  properties: {
    kind: { enum: ['kernel', 'ramdisk'] },
    accountId: { type: 'string' },
    bucket: { type: 'string' },
    key: { type: 'string' },
    name: { type: 'string', minLength: 3, maxLength: 128 },
  },
})

function checked<T>(check: { (value: unknown): value is T; errors?: unknown }, value: unknown): T {
  if (check(value)) return value
  throw new MalleeError({ code: 'BadRequest', publicMessage: ajv.errorsText(check.errors as never) })
}

/** A join token is for use now; one that lies around for a day is forgotten. */
const tokenLifeMs = 24 * hourMs

/** The administrator's API, on a unix socket that only the owner of the state folder can open. */
export function registerAdminDoor(app: FastifyInstance, deps: AdminDependencies): void {
  app.setErrorHandler((error, _request, reply) => {
    const known = error instanceof MalleeError
    return reply
      .code(known ? (error.retryable ? 503 : 400) : 500)
      .send(
        known
          ? { code: error.code, message: error.publicMessage }
          : { code: 'InternalError', message: (error as Error).message },
      )
  })
  auditAdmin(app, deps)
  registerAgentsAdmin(app, deps)
  registerAccountsAdmin(app, deps)
  registerQuotasAdmin(app, deps)
  registerUsageAdmin(app, deps)
  registerFsck(app, deps)
  registerHistory(app, deps)
  registerExplainRefusal(app, deps)
  registerKeysAdmin(app, deps)
  registerAuditAdmin(app, deps)
  registerBundlingAdmin(app, deps)
  registerSamplesRoute(app, deps)
  app.get('/admin/v1/status', () => status(deps))
  app.post('/admin/v1/accounts', async (request) => {
    const body = checked(newAccount, request.body)
    return deps.record.transaction('action', (tx) =>
      createAccount(tx, deps.wakes, {
        name: body.name,
        email: body.email ?? null,
        zones: deps.settings.availabilityZones,
        keyring: deps.keyring,
        random: systemRandom,
        nowMs: deps.clock.now(),
      }),
    )
  })
  app.post('/admin/v1/tokens', (request) => createToken(deps, checked(newToken, request.body)))
  app.post('/admin/v1/images', (request) => registerBootImage(deps, checked(newImage, request.body)))
  app.get<{ Params: { id: string } }>('/admin/v1/decisions/:id', (request) =>
    explain(deps, request.params.id),
  )
}

async function status(deps: AdminDependencies) {
  return deps.record.read(async (db) => {
    const present = (await listAgents(db)).filter((agent) => agent.state !== 'forgotten')
    const agents = present.map((agent) => ({
      id: agent.id,
      kind: agent.kind,
      name: agent.name,
      availabilityZone: agent.availability_zone,
      state: adminStateOf(agent),
      silentSinceMs: agent.silent_since,
      fingerprint: agent.fingerprint ? (JSON.parse(agent.fingerprint) as Record<string, unknown>) : null,
      undeclared: JSON.parse(agent.undeclared) as string[],
    }))
    return {
      ready: isReady(agents),
      agents,
      reconcilers: deps.reconcilers(),
      region: deps.settings.region,
      availabilityZones: deps.settings.availabilityZones,
      publicPool: deps.settings.publicPool,
    }
  })
}

interface AgentStatus {
  readonly kind: string
  readonly state: string
  readonly silentSinceMs: number | null
  readonly fingerprint: Record<string, unknown> | null
}

/** Whether a launch would succeed: a walrus and a node that are here, enabled and well. */
export function isReady(agents: readonly AgentStatus[]): boolean {
  const well = (kind: string) =>
    agents.some(
      (agent) =>
        agent.kind === kind &&
        agent.state === 'enabled' &&
        agent.silentSinceMs === null &&
        agent.fingerprint?.['healthy'] === true,
    )
  return well('walrus') && well('node')
}

async function createToken(
  deps: AdminDependencies,
  body: { kind: 'node' | 'storage' | 'walrus'; availabilityZone: string },
) {
  if (!deps.settings.availabilityZones.includes(body.availabilityZone)) {
    throw new MalleeError({
      code: 'BadZone',
      publicMessage: `There is no zone ${body.availabilityZone}; there are ${deps.settings.availabilityZones.join(', ')}.`,
    })
  }
  const secret = Buffer.from(systemRandom.bytes(24)).toString('base64url')
  await deps.record.transaction('action', async (tx) => {
    await tx.db
      .insertInto('join_token')
      .values({
        digest: createHash('sha256').update(secret).digest('hex'),
        kind: body.kind,
        availability_zone: body.availabilityZone,
        expires_at: deps.clock.now() + tokenLifeMs,
        used_by: null,
        key_digest: null,
      })
      .execute()
  })
  return { token: `mallee.${body.kind}.${certificateFingerprint(deps.authorityCertificate)}.${secret}` }
}

/** Kernels and ramdisks are the admin's to register, as Eucalyptus had it; machine images are anyone's. */
async function registerBootImage(
  deps: AdminDependencies,
  body: { kind: 'kernel' | 'ramdisk'; accountId: string; bucket: string; key: string; name: string },
) {
  const id = newId(body.kind, systemRandom)
  await deps.record.transaction('action', async (tx) => {
    await tx.db
      .insertInto('image')
      .values({
        id,
        account_id: body.accountId,
        kind: body.kind,
        name: body.name,
        description: null,
        bucket: body.bucket,
        object_key: body.key,
        state: 'pending',
        state_reason: null,
        architecture: 'x86_64',
        root_device_name: '/dev/sda1',
        kernel_id: null,
        ramdisk_id: null,
        is_public: 1,
        format: null,
        size_bytes: null,
        virtual_size_bytes: null,
        sha256: null,
        created_at: deps.clock.now(),
      })
      .execute()
    tx.afterCommit(() => deps.wakes.image(id))
  })
  return { imageId: id }
}

/** Why an instance is where it is: the record of its launch, and how each node would be judged now. */
async function explain(deps: AdminDependencies, instanceId: string) {
  return deps.record.read(async (db) => {
    const row = await db
      .selectFrom('decision')
      .selectAll()
      .where('instance_id', '=', instanceId)
      .executeTakeFirst()
    if (!row)
      throw new MalleeError({
        code: 'NotFound',
        publicMessage: `There is no launch record of ${instanceId}.`,
      })
    const record = JSON.parse(row.record) as DecisionRecord & { taken: string }
    const nodes = await nodeSnapshots(db)
    const { group } = record
    const allows = group
      ? groupRule({ ...group, members: await groupMembers(db, group.id, instanceId) })
      : null
    const domain = await db
      .selectFrom('domain')
      .select(['observed_state as state', 'message'])
      .where('instance_id', '=', instanceId)
      .orderBy('incarnation', 'desc')
      .limit(1)
      .executeTakeFirst()
    const now = nodes.map((node) => judge(node, record.request, allows))
    return { instanceId, at: row.at, record, domain: domain ?? null, now }
  })
}
