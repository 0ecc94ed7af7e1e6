import { callerArn, type Caller } from '../identity/caller.ts'
import type { UserIdentity } from './api-call.ts'

/**
 * Who a caller is in CloudTrail's words. The one place that knows what kinds of caller there are.
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
 */
export function identityOf(caller: Caller): UserIdentity {
  const { principal, session } = caller
  const common = {
    type: types[principal.kind],
    principalId: principal.userId,
    arn: callerArn(caller),
    accountId: caller.accountId,
    accessKeyId: caller.accessKeyId,
  }
  return {
    ...common,
    ...(principal.kind === 'user' ? { userName: principal.userName } : {}),
    ...(session
      ? {
          sessionContext: {
            ...issuerOf(caller),
            ...(session.sourceIdentity === undefined ? {} : { sourceIdentity: session.sourceIdentity }),
            attributes: {
              creationDate: new Date(session.issuedAtMs).toISOString().replace(/\.\d{3}Z$/, 'Z'),
              mfaAuthenticated: String(session.mfaAtMs !== undefined),
            },
          },
        }
      : {}),
  }
}

const types = {
  root: 'Root',
  user: 'IAMUser',
  'role-session': 'AssumedRole',
  federated: 'FederatedUser',
} as const

/** Whose permissions a session has. */
function issuerOf({ principal, accountId, holder }: Caller): Record<string, unknown> {
  if (principal.kind === 'role-session')
    return {
      sessionIssuer: {
        type: 'Role',
        principalId: holder?.id,
        arn: principal.roleArn,
        accountId,
        userName: principal.roleArn.slice(principal.roleArn.lastIndexOf('/') + 1),
      },
    }
  if (principal.kind === 'federated')
    return {
      sessionIssuer: { type: 'IAMUser', principalId: holder?.id, arn: principal.issuerArn, accountId },
    }
  return {}
}

/** Nobody was authenticated: the key is what the request claims, and proves nothing. */
export function unknownIdentity(claimedAccessKeyId: string | undefined): UserIdentity {
  return {
    type: 'Unknown',
    ...(claimedAccessKeyId === undefined ? {} : { accessKeyId: claimedAccessKeyId.slice(0, 128) }),
  }
}
