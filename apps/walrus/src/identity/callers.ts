/** Callers out of what the cloud says of keys, principals and sessions. */
import type { AccessKeyItem, PrincipalItem } from '@mallee/agent-contract'
import { allowEverything, PolicyCache, type PolicySet, type Principal } from '@mallee/iam-policy'
import type { SessionClaims } from '@mallee/session-token'
import type { Caller } from './caller.ts'

const cache = new PolicyCache()
const ready = ({ id, document }: { readonly id: string; readonly document: string }) =>
  cache.get('identity', id, document)

/** A principal with its policies made ready, once for each set that the cloud sends. */
export interface ReadyPrincipal {
  readonly item: PrincipalItem
  readonly policies: PolicySet
}

export function readyPrincipal(item: PrincipalItem): ReadyPrincipal {
  const isRoot = item.kind === 'root'
  return {
    item,
    policies: {
      identity: isRoot ? [allowEverything] : item.policies.map(ready),
      boundary: item.boundary && ready(item.boundary),
      account: (item.account ?? []).map(ready),
    },
  }
}

type KeyHolder = Pick<AccessKeyItem, 'accessKeyId' | 'accountId' | 'canonicalId' | 'accountName'>

/** An account's root, by its own key. */
export function rootCaller(key: KeyHolder, root: ReadyPrincipal | undefined): Caller {
  const { accessKeyId, accountId, canonicalId, accountName } = key
  const policies = root?.policies ?? { identity: [allowEverything] }
  return {
    ...{ accessKeyId, accountId, canonicalId, accountName, userId: accountId },
    principal: rootPrincipal(accountId, canonicalId),
    policies,
    unrestricted: (policies.account ?? []).length === 0,
    session: null,
  }
}

/** A user by its own key. */
export function userCaller(accessKeyId: string, { item, policies }: ReadyPrincipal): Caller {
  return {
    ...shared(accessKeyId, item),
    userId: item.principalId,
    principal: userPrincipal(item, {}),
    policies,
    unrestricted: false,
    session: null,
  }
}

/** Whoever has temporary credentials. */
export function sessionCaller(claims: SessionClaims, { item, policies }: ReadyPrincipal): Caller {
  const { secretAccessKey: _secret, ...session } = claims
  const principal = sessionPrincipal(claims, item)
  const limited: PolicySet = {
    ...policies,
    session: claims.policies?.map((document) => ready({ id: 'session policy', document })),
  }
  return {
    ...shared(claims.accessKeyId, item),
    userId: principal.userId,
    principal,
    policies: limited,
    unrestricted: principal.kind === 'root' && (policies.account ?? []).length === 0 && !limited.session,
    session,
  }
}

type InAccount = Extract<Principal, { readonly accountId: string }>

function sessionPrincipal(claims: SessionClaims, item: PrincipalItem): InAccount {
  const { accountId, canonicalId: canonicalUserId } = item
  const tags = claims.tags ?? {}
  switch (claims.holder.kind) {
    case 'role': {
      const { name } = claims.holder
      return {
        kind: 'role-session',
        ...{ accountId, canonicalUserId, tags: { ...item.tags, ...tags } },
        arn: `arn:aws:sts::${accountId}:assumed-role/${item.name}/${name}`,
        roleArn: item.arn,
        userId: `${item.principalId}:${name}`,
      }
    }
    case 'federated': {
      const { name } = claims.holder
      return {
        kind: 'federated',
        ...{ accountId, canonicalUserId, tags },
        arn: `arn:aws:sts::${accountId}:federated-user/${name}`,
        issuerArn: item.arn,
        userId: `${accountId}:${name}`,
      }
    }
    default:
      return item.kind === 'root' ? rootPrincipal(accountId, canonicalUserId) : userPrincipal(item, tags)
  }
}

function rootPrincipal(accountId: string, canonicalUserId: string): InAccount {
  const arn = `arn:aws:iam::${accountId}:root`
  return { kind: 'root', accountId, canonicalUserId, userId: accountId, arn }
}

function userPrincipal(item: PrincipalItem, tags: Readonly<Record<string, string>>): InAccount {
  return {
    kind: 'user',
    accountId: item.accountId,
    canonicalUserId: item.canonicalId,
    userId: item.principalId,
    userName: item.name,
    arn: item.arn,
    tags: { ...item.tags, ...tags },
  }
}

function shared(accessKeyId: string, { accountId, canonicalId, accountName }: PrincipalItem) {
  return { accessKeyId, accountId, canonicalId, accountName }
}
