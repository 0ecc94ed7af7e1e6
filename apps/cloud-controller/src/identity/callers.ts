/** Callers out of the rows that a verified signature led to. */
import type { SessionClaims } from '@mallee/session-token'
import type { RoleTable, UserTable } from '../store/identity-tables.ts'
import type { AccountTable } from '../store/tables.ts'
import type { CloudSettings } from '../settings.ts'
import { assumedRoleArn, federatedUserArn, iamArn, rootArn } from './arns.ts'
import type { Caller } from './caller.ts'

type Tags = Readonly<Record<string, string>>

interface Known {
  readonly account: AccountTable
  /** Of the access key or the certificate. */
  readonly credentialId: string
  readonly settings: CloudSettings
  readonly session: SessionClaims | null
}

/** A user or an account's root, by its own key or by a session of GetSessionToken. */
export function userCaller(user: UserTable, tags: Tags, known: Known): Caller {
  const { account } = known
  const shared = { accountId: account.id, canonicalUserId: account.canonical_id }
  const common = { ...base(known), userId: user.id, userName: user.name }
  if (user.is_root === 1)
    return {
      ...common,
      principal: { kind: 'root', ...shared, userId: account.id, arn: rootArn(account.id) },
      holder: null,
    }
  const { id: userId, name: userName } = user
  return {
    ...common,
    principal: {
      kind: 'user',
      ...{ ...shared, userId, userName, tags: { ...tags, ...known.session?.tags } },
      arn: iamArn('user', user),
    },
    holder: { kind: 'user', id: user.id },
  }
}

/** A session of a role. */
export function roleCaller(role: RoleTable, tags: Tags, name: string, known: Known): Caller {
  const { account } = known
  return {
    ...base(known),
    userId: `${role.id}:${name}`,
    userName: `${role.name}/${name}`,
    principal: {
      kind: 'role-session',
      accountId: account.id,
      canonicalUserId: account.canonical_id,
      arn: assumedRoleArn(role, name),
      roleArn: iamArn('role', role),
      userId: `${role.id}:${name}`,
      tags: { ...tags, ...known.session?.tags },
    },
    holder: { kind: 'role', id: role.id },
  }
}

/** A session of GetFederationToken, which has the policies of the user that asked for it. */
export function federatedCaller(user: UserTable, name: string, known: Known): Caller {
  const { account } = known
  const isRoot = user.is_root === 1
  return {
    ...base(known),
    userId: `${account.id}:${name}`,
    userName: name,
    principal: {
      kind: 'federated',
      accountId: account.id,
      canonicalUserId: account.canonical_id,
      arn: federatedUserArn(account.id, name),
      issuerArn: isRoot ? rootArn(account.id) : iamArn('user', user),
      userId: `${account.id}:${name}`,
      tags: known.session?.tags ?? {},
    },
    holder: isRoot ? null : { kind: 'user', id: user.id },
  }
}

function base({ account, credentialId, settings, session }: Known) {
  return {
    accountId: account.id,
    accountName: account.name,
    accessKeyId: credentialId,
    isCloudAdmin: account.name === settings.adminAccountName,
    session: session && withoutSecret(session),
  }
}

function withoutSecret({ secretAccessKey: _secret, ...claims }: SessionClaims): Caller['session'] {
  return claims
}
