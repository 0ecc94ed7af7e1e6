import type { FastifyInstance, FastifyRequest } from 'fastify'
import { MalleeError, systemRandom, type Clock, type Random } from '@mallee/base'
import { agentRoutes, type RoleCredentials } from '@mallee/agent-contract'
import type { StateStore } from '@mallee/state-store'
import { issueSession } from '../actions/sts/issue-session.ts'
import { trustPolicy } from '../authorization/authorize.ts'
import { iamArn } from '../identity/arns.ts'
import { profilesOf } from '../store/profile-association-store.ts'
import type { Reader } from '../store/record.ts'
import type { RoleTable } from '../store/identity-tables.ts'
import type { SessionKeys } from '../store/session-key-store.ts'
import type { AgentTable, Tables } from '../store/tables.ts'
import { evaluate } from '@mallee/iam-policy'

/** As long as AWS's: nodes ask anew when half of it is over, so that a guest can do without us for hours. */
const sessionSeconds = 6 * 3600

interface Dependencies {
  readonly record: StateStore<Tables>
  readonly sessionKeys: SessionKeys
  readonly clock: Clock
  readonly random?: Random
  readonly requireAgent: (request: FastifyRequest) => Promise<AgentTable>
}

/**
 * Credentials of the roles of instances: to the node that runs the instance and to no other. They are in no desired set,
 * since they are another every time.
 */
export function registerRoleCredentialsDoor(app: FastifyInstance, deps: Dependencies): void {
  app.get<{ Params: { instanceId: string } }>(agentRoutes.roleCredentials.path, async (request) => {
    const agent = await deps.requireAgent(request)
    const { instanceId } = request.params
    const found = await deps.record.read((db) => roleOf(db, agent.id, instanceId))
    return credentialsOf(deps, instanceId, found)
  })
}

type Found = { readonly role: RoleTable | null; readonly accountId: string }

/** Throws where the instance is none of this node's; null where it has no profile. */
async function roleOf(db: Reader, nodeId: string, instanceId: string): Promise<Found | null> {
  const instance = await db
    .selectFrom('instance')
    .select(['account_id'])
    .where('id', '=', instanceId)
    .where('node_id', '=', nodeId)
    .where('state', '!=', 'terminated')
    .executeTakeFirst()
  if (!instance)
    throw new MalleeError({ code: 'Forbidden', publicMessage: 'The instance is not on this node.' })
  const known = (await profilesOf(db, [instanceId])).get(instanceId)
  if (!known) return null
  const { roleId } = known.profile
  const role =
    roleId === null
      ? null
      : await db.selectFrom('iam_role').selectAll().where('id', '=', roleId).executeTakeFirst()
  return { role: role ?? null, accountId: instance.account_id }
}

async function credentialsOf(
  deps: Dependencies,
  instanceId: string,
  found: Found | null,
): Promise<RoleCredentials> {
  const nowMs = deps.clock.now()
  const none = (code: RoleCredentials['code'], message: string) => ({ code, message, updatedAtMs: nowMs })
  if (!found?.role)
    return none('InstanceProfileNotFound', 'The instance has no profile, or its profile no role.')
  const { role, accountId } = found
  if (!trustsEc2(role))
    return {
      ...none(
        'AssumeRoleUnauthorizedAccess',
        'EC2 cannot assume the role: its trust policy does not allow it.',
      ),
      roleName: role.name,
    }
  const random = deps.random ?? systemRandom
  const { credentials } = await issueSession(
    { sessionKeys: deps.sessionKeys, random, nowMs },
    {
      accountId,
      holder: { kind: 'role', roleId: role.id, name: instanceId },
      expiresAtMs: nowMs + sessionSeconds * 1000,
      instanceId,
    },
  )
  return {
    code: 'Success',
    message: '',
    updatedAtMs: nowMs,
    roleName: role.name,
    accessKeyId: credentials.AccessKeyId,
    secretAccessKey: credentials.SecretAccessKey,
    token: credentials.SessionToken,
    expiresAtMs: credentials.Expiration.getTime(),
  }
}

function trustsEc2(role: RoleTable): boolean {
  const arn = iamArn('role', role)
  const { outcome } = evaluate(
    {
      principal: { kind: 'service', service: 'ec2.amazonaws.com' },
      action: 'sts:AssumeRole',
      resource: arn,
      resourceAccountId: role.account_id,
      context: {},
    },
    { resource: trustPolicy(arn, role.trust_policy) },
  )
  return outcome === 'allow'
}
