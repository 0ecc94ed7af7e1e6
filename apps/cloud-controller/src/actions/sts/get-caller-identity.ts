import type { StsOutput } from '@mallee/iam-api'
import { callerArn, type Caller } from '../../identity/caller.ts'

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
export function getCallerIdentity(caller: Caller): StsOutput<'GetCallerIdentity'> {
  return { Account: caller.accountId, Arn: callerArn(caller), UserId: caller.principal.userId }
}
