import { callerArn, type Caller } from '../identity/caller.ts'
import type { UserIdentity } from './api-call.ts'

/** Who a caller is in CloudTrail's words. The one place that knows what kinds of caller there are. */
export function identityOf(caller: Caller): UserIdentity {
  return {
    type: 'IAMUser',
    principalId: caller.userId,
    arn: callerArn(caller),
    accountId: caller.accountId,
    accessKeyId: caller.accessKeyId,
    userName: caller.userName,
  }
}

/** Nobody was authenticated: the key is what the request claims, and proves nothing. */
export function unknownIdentity(claimedAccessKeyId: string | undefined): UserIdentity {
  return {
    type: 'Unknown',
    ...(claimedAccessKeyId === undefined ? {} : { accessKeyId: claimedAccessKeyId.slice(0, 128) }),
  }
}
